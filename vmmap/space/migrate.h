/* SPDX-License-Identifier: MIT */
/* migrate.h - one frame on its way to another: what its two kinds share. Protocols: migrate.c, migrate_object.c. */
#ifndef VMMAP_SPACE_MIGRATE_H
#define VMMAP_SPACE_MIGRATE_H

#include "vmmap/phys/frame_mover.h"
#include "vmmap/space/space.h"

struct migrate {
	struct rmap_seek seek;
	struct thread_slot *self;
	uint64_t fresh;                          /* the frame for the copy                                         */
	bool unmovable;                          /* ... comes from outside of segments for what can be moved       */
	struct frame_left *left;                 /* where the old one goes; NULL: to our own deferred ones         */
	struct object *object;                   /* of an object's page: with a reference, which the caller puts   */
	bool more;                               /* there may be more entries than found[] has room for            */
};

/* Each entry that was found by CAS, as it was -> LOCKED; false: one could not be had, all are as they were. */
bool migrate_lock(const struct migrate *m);
/* The first n get back what they were. */
void migrate_undo(const struct migrate *m, unsigned n);
/* All entries LOCKED, and all references ours: the bytes and the name go over, the entries show the new frame. */
void migrate_over(const struct migrate *m);

/* As the mover does, by who wants to pin the page: to a frame outside of segments that take only what can be moved. */
enum frame_moved migrate_out(struct physmem *pm, struct thread_slot *self, uint64_t pfn);

/* A page of an object (m->seek.name). Inside RCU; the new frame stays the caller's, but for FRAME_MOVED. */
enum frame_moved migrate_page(struct migrate *m);

#endif
