/* SPDX-License-Identifier: MIT */
/* remap.h - what the files of mremap share: two ranges, and what is done while both are held (remap_move.c). */
#ifndef VMMAP_SPACE_REMAP_H
#define VMMAP_SPACE_REMAP_H

#include "vmmap/space/space.h"

struct remap {
	struct vmmap *map;
	struct thread_slot *self;
	struct lock_range from, to;              /* to.lo unknown while the target is free                         */
	bool keep, fixed;                        /* MREMAP_DONTUNMAP; the target is the caller's                   */
	uint64_t gone;                           /* where the tail ends that goes with the move; 0: none           */
	struct lock_edit source, target;
};

/* Holds both ranges, the lower first. 0, or as edit_begin. Gives them back, target first. */
int  remap_lock_fixed(struct remap *m);
void remap_unlock(struct remap *m);
/* The next VMA of the source at or after `at` (no VMA crosses the borders of a held range). */
bool remap_next(struct remap *m, uint64_t at, struct vma **vma, struct lock_range *r);
/* Moves m->from to m->to, parts of what is held. -ENOMEM: unchanged; -ERESTART: the source is not one VMA. */
int  remap_move(struct remap *m);
/* A move to a fixed place that takes several steps (remap_whole.c). The new address, or -errno, -ERESTART. */
int64_t remap_whole(struct remap *m);

#endif
