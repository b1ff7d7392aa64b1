/* SPDX-License-Identifier: MIT */
/* frame_depot.h - where chains of frames change hands between slots. Private to vmmap/phys. */
#ifndef VMMAP_PHYS_FRAME_DEPOT_H
#define VMMAP_PHYS_FRAME_DEPOT_H

#include "vmmap/phys/frame.h"
#include "vmmap/phys/frame_bits.h"

/* A chain of free frames of that kind, or 0. Lock-free. slot: whose `taken` is counted; NULL: the instance's. */
uint32_t frame_depot_take(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind);
/* Gives a chain whose count is set. Lock-free, never fails. */
void frame_depot_give(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind, uint32_t chain);

/* What the depot has of that kind goes to its rows. Between two steps of a slot's moves. */
void frame_depot_to_rows(struct physmem *pm, enum frame_kind kind);
/* Of its chains of that kind, what leaves goes to rows (frame_isolate.c). Between two steps of the slot's moves. */
void frame_depot_sort_out(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind);
/* Counts frames taken from the depot or from rows by that slot; NULL: by the instance. */
void frame_taken_count(struct physmem *pm, struct frame_slot *slot, uint64_t delta);

/* A chain of deferred frames that waits for its cookie, for whoever comes by. */
void frame_late_put(struct physmem *pm, struct frame_slot *slot, uint32_t chain);
uint32_t frame_late_take(struct physmem *pm, struct frame_slot *slot);           /* one chain, or 0            */
uint32_t frame_late_take_all(struct physmem *pm);                                /* linked by next; uncounted   */
void frame_late_count(struct physmem *pm, struct frame_slot *slot, uint64_t delta);

/* ---- rows: frame_rows.c ---- */

/* Blocks that a search goes through. */
static inline uint64_t frame_blocks(struct physmem *pm)
{
	return atomic_load_acquire(&pm->blocks);                                 /* P2 -> P1 */
}

/* A chain of up to a batch of frames of one row, taken from it; 0. slot: whose cursor; NULL: nobody's. */
uint32_t frame_rows_take(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind);
/* Gives a chain's frames to their rows. */
void frame_rows_give(struct physmem *pm, uint32_t chain);
/* What the depot and the shelves of all slots have of a kind goes to its rows. By who has far_lock; mine is moving. */
void frame_rows_gather(struct physmem *pm, struct frame_slot *mine, enum frame_kind kind);

static inline struct frame_batch *frame_batch_of(struct physmem *pm, uint32_t chain)
{
	return &pm->batch_of[chain - 1];
}

static inline uint32_t frame_chain_count(struct physmem *pm, uint32_t chain)
{
	return chain ? atomic_load_relaxed(&frame_batch_of(pm, chain)->count) & 0xffff : 0;
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
