/* SPDX-License-Identifier: MIT */
/*
 * frame_gather.c - what is free goes to its rows, where runs and whole blocks form again: for who wants a run, and for
 * who tells the host what is free.
 *
 * TAKES     the caller's own chains, the depot, the shelves of other slots, idle or not, and the late stack. Deferred
 *           chains whose readers are gone are free; the others go to the late stack, to be met again.
 *           Out of reach: what another slot has loaded, and what it has deferred since its last chain was closed.
 *           frame_gather_all has that, too: as a drain does (frame_isolate.c), it has the inlined paths closed, waits
 *           for a grace period, and comes under the slots' locks; then it waits for those of what was deferred.
 * MOVES     all of it between two steps of the caller's `moves`, and with far_lock: who looks for the last frame sees
 *           that it is in somebody's hands (frame_refill.c).
 * EDGES     those of the shelves (S1, S2 in frame.c), stacks (D1, D2 in frame_depot.c) and rows (frame_bits.c).
 *           F1, F2: frame_refill.c.
 * PROGRESS  waits for another one with far_lock only. O(slots, chains).
 */
#include "vmmap/phys/frame_gather.h"

#include "base/spin.h"
#include "vmmap/phys/frame_isolate.h"
#include "vmmap/phys/physmem_slots.h"

static void chain_is_free(struct physmem *pm, uint32_t chain)
{
	uint32_t next;

	for (; chain; chain = next) {
		uint64_t old = atomic_load_relaxed(&pm->word[chain - 1]);

		next = frame_link(old);
		atomic_store_relaxed(&pm->word[chain - 1], frame_word(old, FRAME_FREE, next));
	}
}

static void deferred_to_rows(struct physmem *pm, struct frame_slot *mine, uint32_t chain)
{
	uint32_t next;

	for (; chain; chain = next) {
		next = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
		if (!frame_grace_over(frame_batch_of(pm, chain)->cookie)) {
			frame_late_put(pm, mine, chain);
			continue;
		}
		chain_is_free(pm, chain);
		frame_taken_count(pm, mine, -(uint64_t)frame_chain_count(pm, chain));
		frame_rows_give(pm, chain);
	}
}

static void late_to_rows(struct physmem *pm, struct frame_slot *mine)
{
	uint32_t late = frame_late_take_all(pm);

	for (uint32_t c = late; c; c = atomic_load_relaxed(&frame_batch_of(pm, c)->next))
		frame_late_count(pm, mine, -(uint64_t)frame_chain_count(pm, c));
	deferred_to_rows(pm, mine, late);
}

static void shelves_to_rows(struct physmem *pm, struct frame_slot *mine)
{
	for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
		frame_rows_gather(pm, mine, kind);
	late_to_rows(pm, mine);
	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct frame_slot *slot = thread_local_at(&pm->slots, i);

		if (slot)
			deferred_to_rows(pm, mine, frame_shelf_take(&slot->closed));
	}
}

void frame_gather(struct physmem *pm, struct thread_slot *self, struct frame_slot *mine)
{
	frame_flush(pm, self);
	spin_lock(&pm->far_lock);                                                /* F2 -> F1 */
	rcu_enter(self);
	frame_moves_step(mine);
	shelves_to_rows(pm, mine);
	frame_moves_step(mine);
	rcu_leave(self);
	spin_unlock(&pm->far_lock);                                              /* F1 */
}

/* ---- what is in the hands of other slots' threads ---- */

static bool others_keep_some(struct physmem *pm, const struct frame_slot *mine)
{
	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct frame_slot *slot = thread_local_at(&pm->slots, i);

		if (slot && slot != mine && (atomic_load_relaxed(&slot->cache[FRAME_MOVABLE].loaded_n) ||
					     atomic_load_relaxed(&slot->cache[FRAME_UNMOVABLE].loaded_n) ||
					     atomic_load_relaxed(&slot->open_n)))
			return true;
	}
	return false;
}

/* With the slot's lock. */
static void cache_to_rows(struct physmem *pm, struct frame_slot *mine, struct frame_cache *cache)
{
	uint32_t chain = cache->loaded;

	if (!chain)
		return;
	frame_taken_count(pm, mine, -(uint64_t)atomic_load_relaxed(&cache->loaded_n));
	cache->loaded = 0;
	atomic_store_relaxed(&cache->loaded_n, 0);
	frame_rows_give(pm, chain);
}

static void slot_to_rows(struct physmem *pm, struct frame_slot *mine, struct frame_slot *slot)
{
	uint32_t open;

	spin_lock(&slot->lock);                                                  /* L2 -> L1 */
	for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
		cache_to_rows(pm, mine, &slot->cache[kind]);
	open = frame_open_take(pm, slot);
	if (open)
		frame_late_put(pm, mine, open);
	spin_unlock(&slot->lock);                                                /* L1 */
}

static void slots_to_rows(struct physmem *pm, struct thread_slot *self, struct frame_slot *mine)
{
	spin_lock(&pm->far_lock);                                                /* F2 -> F1 */
	rcu_enter(self);
	frame_moves_step(mine);
	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct frame_slot *slot = thread_local_at(&pm->slots, i);

		if (slot)
			slot_to_rows(pm, mine, slot);
	}
	shelves_to_rows(pm, mine);
	frame_moves_step(mine);
	rcu_leave(self);
	spin_unlock(&pm->far_lock);                                              /* F1 */
}

void frame_gather_all(struct physmem *pm, struct thread_slot *self, struct frame_slot *mine, uint64_t deadline_ns)
{
	frame_slot_drain(pm, frame_slot_enter(pm, self), false);
	frame_slot_leave(self, mine);
	if (others_keep_some(pm, mine) && frame_isolate_begin(pm, self) == 0) {
		if (frame_isolate_wait(deadline_ns) == 0)
			slots_to_rows(pm, self, mine);
		frame_isolate_end(pm);
	}
	frame_gather(pm, self, mine);
	if ((atomic_load_relaxed(&pm->late_stack.head) & UINT32_MAX) && rcu_poll_wait(deadline_ns) == 0)
		frame_gather(pm, self, mine);
}
