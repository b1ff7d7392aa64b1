/* SPDX-License-Identifier: MIT */
/* frame_depot.h - where chains of frames change hands between slots. Private to vmmap/phys. */
#ifndef VMMAP_PHYS_FRAME_DEPOT_H
#define VMMAP_PHYS_FRAME_DEPOT_H

#include "vmmap/phys/frame.h"

/* A chain of free frames, or 0. Lock-free. slot: whose `taken` is counted; NULL: the instance's. */
uint32_t frame_depot_take(struct physmem *pm, struct frame_slot *slot);
/* Gives a chain whose count is set. Lock-free, never fails. */
void frame_depot_give(struct physmem *pm, struct frame_slot *slot, uint32_t chain);

/* A chain of deferred frames that waits for its cookie, for whoever comes by. */
void frame_late_put(struct physmem *pm, struct frame_slot *slot, uint32_t chain);
uint32_t frame_late_take(struct physmem *pm, struct frame_slot *slot);           /* one chain, or 0            */
uint32_t frame_late_take_all(struct physmem *pm);                                /* linked by next; uncounted   */
void frame_late_count(struct physmem *pm, struct frame_slot *slot, uint64_t delta);

/* How many frames of the segments have ever been handed out, in order of their addresses. */
uint64_t frame_depot_fresh_used(struct physmem *pm);

static inline struct frame_batch *frame_batch_of(struct physmem *pm, uint32_t chain)
{
	return &pm->batch_of[chain - 1];
}

static inline uint32_t frame_chain_count(struct physmem *pm, uint32_t chain)
{
	return chain ? atomic_load_relaxed(&frame_batch_of(pm, chain)->count) : 0;
}

/* Frames on a slot's shelf. The number of steps is bounded because the chains may move meanwhile. */
static inline uint64_t frame_shelf_count(struct physmem *pm, uint32_t chain)
{
	uint64_t sum = 0;

	for (unsigned i = 0; chain && i <= FRAME_SPARE_MAX; i++) {
		sum += frame_chain_count(pm, chain);
		chain = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
	}
	return sum;
}

#endif
