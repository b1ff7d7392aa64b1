/* SPDX-License-Identifier: MIT */
/*
 * frame_mover.h - how the contents of a frame that a map or an object has go elsewhere: asked by who wants the frame,
 * answered by who knows the entries.
 *
 * CALLER  holds nothing: no lock, no read section, no far_lock. Has set the frame's block offline: so a replacement
 *         from frame_alloc never comes from there.
 * FRAME   was OWNED by FRAME_OWNER_MAP or FRAME_OWNER_OBJECT, order 0, when the caller looked; may be anything by the
 *         time of the call.
 * OLD     frame goes to `left`, whose owner ends its wait for readers (ADR 0005); by frame_defer_by if that is NULL.
 *         Never by frame_free.
 * WAITS   never for a person or an entry: FRAME_BUSY instead, and the caller comes again. frame_alloc may wait for a
 *         grace period, no longer than the thread's deadline.
 * COST    of a call that moves: at most 3 copies of 4096 bytes, all in all.
 */
#ifndef VMMAP_PHYS_FRAME_MOVER_H
#define VMMAP_PHYS_FRAME_MOVER_H

#include "vmmap/phys/frame.h"

struct frame_left;                       /* frame_isolate.h                                                        */

enum frame_moved {
	FRAME_MOVED,                     /* its contents are elsewhere, all entries and slots show the new one     */
	FRAME_GONE,                      /* nobody has it any more, or somebody has it anew: look again            */
	FRAME_BUSY,                      /* an entry was LOCKED, or references were not all found: later           */
	FRAME_PINNED,                    /* somebody holds a reference that is no entry: until he lets go          */
	FRAME_NO_MEMORY,                 /* no frame for the copy                                                  */
};

struct frame_mover {
	enum frame_moved (*move)(struct physmem *pm, struct thread_slot *self, uint64_t pfn, struct frame_left *left);
};

/* By who makes the first map or object on the instance; the same each time. */
void physmem_set_mover(struct physmem *pm, const struct frame_mover *mover);

#endif
