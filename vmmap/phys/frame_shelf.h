/* SPDX-License-Identifier: MIT */
/* frame_shelf.h - what frame.c and frame_refill.c do with chains and a slot's shelves. Protocol: frame.c. */
#ifndef VMMAP_PHYS_FRAME_SHELF_H
#define VMMAP_PHYS_FRAME_SHELF_H

#include "base/point.h"
#include "vmmap/phys/frame_depot.h"

static inline bool frame_grace_over(uint64_t cookie)
{
	return rcu_poll_done(cookie) || BASE_MUTANT(frame_poll_early);           /* G2 */
}

/* The owner begins to move what is on its shelves, or ends it. */
static inline void frame_moves_step(struct frame_slot *slot)
{
	atomic_store_release(&slot->moves, atomic_load_relaxed(&slot->moves) + 1);       /* M1 -> M2 */
}

static inline uint32_t frame_shelf_take(atomic_u32 *shelf)
{
	return atomic_load_acquire(shelf) ? atomic_swap_acqrel(shelf, 0) : 0;    /* S2 */
}

static inline void frame_set_count(struct physmem *pm, uint32_t chain, uint32_t n)
{
	atomic_store_relaxed(&frame_batch_of(pm, chain)->count, n);
}

/* Whether the shelf of free chains takes another one: by what its owner has put there. */
static inline bool frame_spare_room(struct physmem *pm, const struct frame_cache *cache)
{
	uint32_t most = atomic_load_relaxed(&pm->spare_max);

	return cache->spare_n < most && cache->spare_frames < most * FRAME_BATCH;
}

static inline void frame_spare_count(struct physmem *pm, struct frame_cache *cache, uint32_t chain)
{
	cache->spare_n++;
	cache->spare_frames += (uint16_t)frame_chain_count(pm, chain);
}

/* Of the slot's spare chains of a kind: takes the newest (0: none); puts such chains there, linked by `next`, what
 * finds no room goes to the depot. The owner's moves are odd, or it has far_lock. */
uint32_t frame_spare_pop(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind);
void frame_spare_put_all(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind, uint32_t chain);
/* What the slot has free of a kind goes to the depot. The owner's moves are odd. */
void frame_cache_flush(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind);

/* The slot's open chain, with a cookie; 0: it has none. */
uint32_t frame_open_take(struct physmem *pm, struct frame_slot *slot);
/* The open chain starts its grace period; older ones end theirs. */
void frame_close(struct physmem *pm, struct frame_slot *slot);
/* Deferred frames that have become free go to the depot. */
void frame_scrap(struct physmem *pm, struct frame_slot *slot, uint32_t chain);
/* A deferred chain whose readers are gone goes in front of the slot's own cache, where it is used again while warm. */
void frame_home(struct physmem *pm, struct frame_slot *slot, uint32_t chain);
/*
 * Sorts the chains of a shelf that the owner has taken: those whose readers are gone come home, newest first. Returns
 * the others, as they stood; *waiting is how many.
 */
uint32_t frame_closed_sort(struct physmem *pm, struct frame_slot *slot, uint32_t chain, uint32_t *waiting);

#endif
