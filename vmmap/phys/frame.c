/* SPDX-License-Identifier: MIT */
/*
 * frame.c - what a slot does when its own cache cannot serve: spill, defer. Refill: frame_refill.c.
 *
 * STATES      FRESH -> FREE (frame_depot.c) -> OWNED (frame_pop) -> FREE (frame_push) or DEFERRED (frame_defer)
 *             DEFERRED -> FREE when the cookie of its chain is done (frame_home, frame_scrap).
 *             The word of a frame is written by the holder of its chain, by its owner while OWNED; relaxed.
 * PLACES      loaded, open: owner only. spare, closed (chains linked by `next`, newest first): only the owner fills an
 *             empty shelf, anybody empties it by swap. depot, late_stack: anybody.
 * EDGES       S1 the owner fills a shelf: release (spare, closed).   S2 swap (acq_rel) -> the chain is the taker's.
 *             D1/D2 through the stacks, see frame_depot.c.
 *             G1 a reader's last access to a frame, then its rcu_leave (E3 in rcu_inline.h) -> G2 rcu_poll_done(cookie)
 *             -> the frame is FREE.
 *             The cookie is started after the last frame of its chain was unlinked from every page table
 *             (frame_close), so that a read section which can still see the frame is one that the cookie waits for.
 * DEFERRED    `open` grows to 128 (to 512 inside one read section: starting a grace period interrupts the other
 *             processors, too long for a section that holds everybody's frames back, or for a leaf section). Then it
 *             gets a cookie and goes on the shelf `closed`; the older chains there whose readers are gone come home,
 *             warm. Cookies grow, so once one is done all behind it are. A shelf of 32 chains is moved to the late
 *             stack. Bound: in steady state 256 frames per slot (open, and one closed); at most 512 + 32 chains;
 *             plus, in the late stack, what was deferred while one read section lasted: a reader that lost its CPU
 *             holds back what the others free meanwhile, as it would delay a TLB shootdown. After it, each close
 *             takes four chains from there, and an allocation that finds nothing else takes all.
 * KINDS       each slot has two caches, and there are two depots: frames for what can be moved, and for what cannot.
 *             While a frame is out its block keeps at least its class, so one of the unmovable cache lies in no block
 *             that somebody counts on to be emptied. Only the engine defers, and what it has can be moved. A frame for
 *             a page that is to be pinned is taken as one that cannot, and comes back as one that can: from there it
 *             may go to either.
 * CACHED      loaded has at most 64 frames and one chain that came home; spare has up to 256 chains, and no more
 *             chains are put there once it has as many frames as 256 batches (64 MiB), or half of what there is, or
 *             one chain in small instances (physmem.c, SIZES): so a slot which takes and gives in turn uses its own
 *             frames again, whose words and records are on lines that it shares with nobody. Out of other slots' reach
 *             are `loaded` and `open` only.
 * ORDER       no lock is held; callable with ranges, leaf sections and entries held. Only frame_refill sleeps, outside
 *             read sections, and only for a grace period, until the thread's deadline: the exception of P-7.
 * MOVES       an owner's `moves` is odd while what was on its shelves is in its hands (M1, frame_refill.c).
 * THREAD EXIT frame_slot_exit gives everything of the slot to the depot and the late stack.
 * INVARIANT   every frame is in one place; frames = free + cached + deferred + owned (physmem_audit).
 * NOT HERE    fairness between slots for the last frames. Two racing frees of one frame by the engine itself.
 * SOURCE      two magazines per cache: Bonwick and Adams 2001; polled grace periods: Linux get_state_synchronize_rcu.
 */
#include "vmmap/phys/frame.h"

#include <errno.h>

#include "base/point.h"
#include "vmmap/phys/frame_isolate.h"
#include "vmmap/phys/physmem_slots.h"

/* Marks a chain FREE, hangs `after` on its end. */
static void chain_free(struct physmem *pm, uint32_t chain, uint32_t after)
{
	while (chain) {
		atomic_u64 *word = &pm->word[chain - 1];
		uint64_t old = atomic_load_relaxed(word);
		uint32_t next = frame_link(old);

		ASSERT(frame_state(old) != FRAME_OWNED);
		atomic_store_relaxed(word, frame_word(old, FRAME_FREE, next ? next : after));
		chain = next;
	}
}

/* Deferred frames become free. Returns those that may stay in a cache: all, but while somebody isolates. */
static uint32_t chain_ends(struct physmem *pm, struct frame_slot *slot, uint32_t chain)
{
	chain_free(pm, chain, 0);
	return unlikely(frame_isolating(pm)) ? frame_sort_out(pm, slot, chain) : chain;
}

void frame_scrap(struct physmem *pm, struct frame_slot *slot, uint32_t chain)
{
	chain = chain_ends(pm, slot, chain);
	if (chain)
		frame_depot_give(pm, slot, FRAME_MOVABLE, chain);
}

/* A chain of free frames on the slot's shelf, or to the depot if that is full. The owner's moves are odd, or it has
 * far_lock. */
static void spare_put(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind, uint32_t chain)
{
	struct frame_cache *cache = &slot->cache[kind];
	uint32_t before = frame_shelf_take(&cache->spare);

	if (!before)
		cache->spare_n = cache->spare_frames = 0;        /* somebody may have taken all of it */
	if (frame_spare_room(pm, cache)) {
		frame_spare_count(pm, cache, chain);
		atomic_store_relaxed(&frame_batch_of(pm, chain)->next, before);
		atomic_store_release(&cache->spare, chain);                      /* S1 */
		return;
	}
	atomic_store_release(&cache->spare, before);                             /* S1 */
	frame_depot_give(pm, slot, kind, chain);
}

void frame_spare_put_all(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind, uint32_t chain)
{
	uint32_t next;

	for (; chain; chain = next) {
		next = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
		spare_put(pm, slot, kind, chain);
	}
}

uint32_t frame_spare_pop(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind)
{
	struct frame_cache *cache = &slot->cache[kind];
	uint32_t chain = frame_shelf_take(&cache->spare), rest;

	if (!chain)
		return 0;
	rest = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
	BASE_POINT(frame_spare_in_hand);
	cache->spare_n--;
	cache->spare_frames -= (uint16_t)frame_chain_count(pm, chain);
	if (rest)
		atomic_store_release(&cache->spare, rest);                       /* S1 */
	return chain;
}

/* What is loaded becomes the first of the spare chains. */
static void loaded_put(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind)
{
	struct frame_cache *cache = &slot->cache[kind];

	frame_set_count(pm, cache->loaded, atomic_load_relaxed(&cache->loaded_n));
	spare_put(pm, slot, kind, cache->loaded);
	cache->loaded = 0;
	atomic_store_relaxed(&cache->loaded_n, 0);
}

/* A deferred chain comes home: in front of what is loaded, where it is used again while warm. */
void frame_home(struct physmem *pm, struct frame_slot *slot, uint32_t chain)
{
	struct frame_cache *cache = &slot->cache[FRAME_MOVABLE];
	uint32_t more;

	if (unlikely(slot->judges))
		chain = chain_ends(pm, slot, chain);
	if (!chain)
		return;
	more = frame_chain_count(pm, chain);
	if (atomic_load_relaxed(&cache->loaded_n) > slot->batch)
		loaded_put(pm, slot, FRAME_MOVABLE);
	chain_free(pm, chain, cache->loaded);
	cache->loaded = chain;
	atomic_store_relaxed(&cache->loaded_n, atomic_load_relaxed(&cache->loaded_n) + more);
}

/* It is the caller's then. */
uint32_t frame_open_take(struct physmem *pm, struct frame_slot *slot)
{
	uint32_t chain = slot->open;

	if (!chain)
		return 0;
	frame_set_count(pm, chain, atomic_load_relaxed(&slot->open_n));
	frame_batch_of(pm, chain)->cookie = rcu_poll_start();
	slot->open = 0;
	atomic_store_relaxed(&slot->open_n, 0);
	return chain;
}

/* Chains that an old reader held back: up to four go to the depot each time a newer one came home in time. */
static void late_trim(struct physmem *pm, struct frame_slot *slot)
{
	for (int i = 0; i < 4; i++) {
		uint32_t chain = frame_late_take(pm, slot);

		if (!chain)
			return;
		if (!frame_grace_over(frame_batch_of(pm, chain)->cookie)) {
			frame_late_put(pm, slot, chain);
			return;
		}
		frame_scrap(pm, slot, chain);
	}
}

/*
 * Sorts the chains of a shelf that the owner has taken: those whose readers are gone come home, newest first. Returns
 * the others, as they stood; *waiting is how many.
 */
uint32_t frame_closed_sort(struct physmem *pm, struct frame_slot *slot, uint32_t chain, uint32_t *waiting)
{
	uint32_t first = chain, last = 0, next;

	*waiting = 0;
	while (chain && !frame_grace_over(frame_batch_of(pm, chain)->cookie)) {
		last = chain;
		chain = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
		++*waiting;
	}
	if (last)
		atomic_store_relaxed(&frame_batch_of(pm, last)->next, 0);
	for (; chain; chain = next) {
		next = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
		frame_home(pm, slot, chain);
	}
	return last ? first : 0;
}

static void closed_to_late(struct physmem *pm, struct frame_slot *slot, uint32_t chain)
{
	uint32_t next;

	for (; chain; chain = next) {
		next = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
		frame_late_put(pm, slot, chain);
	}
}

void frame_close(struct physmem *pm, struct frame_slot *slot)
{
	uint32_t before, chain, waiting, waits;

	frame_moves_step(slot);
	before = frame_shelf_take(&slot->closed);
	waits = frame_closed_sort(pm, slot, before, &waiting);
	if (before && !waits && (atomic_load_relaxed(&pm->late_stack.head) & UINT32_MAX))
		late_trim(pm, slot);
	if (waiting >= FRAME_CLOSED_MAX) {
		closed_to_late(pm, slot, waits);
		waits = 0;
	}
	chain = frame_open_take(pm, slot);
	if (chain)
		atomic_store_relaxed(&frame_batch_of(pm, chain)->next, waits);
	BASE_POINT(frame_close_before_shelf);
	atomic_store_release(&slot->closed, chain ? chain : waits);              /* S1 */
	frame_moves_step(slot);
}

/* A batch is full. Inside a read section it may grow on for a while. */
void frame_full(struct physmem *pm, struct thread_slot *self)
{
	uint32_t times = rcu_inside(self) ? FRAME_DEFER_HELD : 1;
	struct frame_slot *slot = frame_slot_enter(pm, self);

	if (slot && atomic_load_relaxed(&slot->open_n) >= slot->defer_batch * times)
		frame_close(pm, slot);
	frame_slot_leave(self, slot);
}

/* The threads that got no slot block for want of memory use the depot, one frame at a time. */
static void single_free(struct physmem *pm, uint32_t index, enum frame_kind kind)
{
	uint64_t old = atomic_load_relaxed(&pm->word[index]);

	if (unlikely(frame_isolating(pm)) && frame_is_leaving(pm, index)) {
		frame_to_row(pm, NULL, index);
		return;
	}

	atomic_store_relaxed(&pm->word[index], frame_word(old, FRAME_FREE, 0));
	frame_set_count(pm, index + 1, 1);
	frame_depot_give(pm, NULL, kind, index + 1);
}

static void single_defer(struct physmem *pm, uint32_t index)
{
	uint64_t old = atomic_load_relaxed(&pm->word[index]);

	atomic_store_relaxed(&pm->word[index], frame_word(old, FRAME_DEFERRED, 0));
	frame_set_count(pm, index + 1, 1);
	frame_batch_of(pm, index + 1)->cookie = rcu_poll_start();
	frame_late_put(pm, NULL, index + 1);
}

void frame_defer_slow(struct physmem *pm, struct thread_slot *self, uint32_t index)
{
	struct frame_slot *slot = frame_slot_enter(pm, self);
	uint64_t lives = atomic_load_relaxed(&pm->word[index]) & FRAME_LIVES_MASK;
	bool full = slot ? frame_open_push(pm, slot, index, lives) >= slot->defer_batch : false;

	if (!slot)
		single_defer(pm, index);
	frame_slot_leave(self, slot);
	if (full)
		frame_full(pm, self);
}

static void slot_free(struct physmem *pm, struct frame_slot *slot, uint32_t index, enum frame_kind kind)
{
	bool leaves = unlikely(slot->judges) && frame_is_leaving(pm, index) && !BASE_MUTANT(free_stays);
	struct frame_cache *cache = &slot->cache[kind];
	bool full = !leaves && atomic_load_relaxed(&cache->loaded_n) >= slot->batch;

	if (leaves || full) {
		frame_moves_step(slot);
		if (leaves)
			frame_to_row(pm, slot, index);
		else
			loaded_put(pm, slot, kind);
		frame_moves_step(slot);
	}
	if (!leaves)
		frame_push(pm, cache, index, atomic_load_relaxed(&pm->word[index]) & FRAME_LIVES_MASK,
			   atomic_load_relaxed(&cache->loaded_n));
}

void frame_free_slow(struct physmem *pm, struct thread_slot *self, uint32_t index, enum frame_kind kind)
{
	struct frame_slot *slot = frame_slot_enter(pm, self);

	if (!slot)
		single_free(pm, index, kind);
	else
		slot_free(pm, slot, index, kind);
	frame_slot_leave(self, slot);
}

/* ---- a slot's end, and the instance's ---- */

void frame_cache_flush(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind)
{
	struct frame_cache *cache = &slot->cache[kind];
	uint32_t chain = frame_shelf_take(&cache->spare), next;

	for (; chain; chain = next) {
		next = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
		BASE_POINT(frame_flush_in_hand);
		frame_depot_give(pm, slot, kind, chain);
	}
	if (cache->loaded) {
		frame_set_count(pm, cache->loaded, atomic_load_relaxed(&cache->loaded_n));
		frame_depot_give(pm, slot, kind, cache->loaded);
	}
	cache->loaded = 0;
	atomic_store_relaxed(&cache->loaded_n, 0);
}

static void slot_flush(struct physmem *pm, struct frame_slot *slot)
{
	for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
		frame_cache_flush(pm, slot, kind);
}

void frame_flush(struct physmem *pm, struct thread_slot *self)
{
	struct frame_slot *slot = frame_slot_enter(pm, self);

	if (slot && !BASE_MUTANT(frame_flush_keeps)) {
		frame_moves_step(slot);
		slot_flush(pm, slot);
		frame_moves_step(slot);
	}
	frame_slot_leave(self, slot);
}

/* settled: every grace period is over (the caller waited). */
void frame_slot_drain(struct physmem *pm, struct frame_slot *slot, bool settled)
{
	uint32_t closed, next;

	frame_close(pm, slot);
	frame_moves_step(slot);
	for (closed = frame_shelf_take(&slot->closed); closed; closed = next) {
		next = atomic_load_relaxed(&frame_batch_of(pm, closed)->next);
		if (settled || frame_grace_over(frame_batch_of(pm, closed)->cookie))
			frame_scrap(pm, slot, closed);
		else
			frame_late_put(pm, slot, closed);
	}
	slot_flush(pm, slot);
	frame_moves_step(slot);
}

void frame_slot_exit(struct thread_exit_hook *hook, uint32_t number)
{
	struct physmem *pm = container_of(hook, struct physmem, hook);
	struct thread_slot *self = thread_at(number);
	struct frame_slot *slot;

	if (!thread_local_at(&pm->slots, number) || BASE_MUTANT(frame_exit_keeps))
		return;
	if (BASE_MUTANT(frame_exit_unlocked))
		rcu_enter(self);
	slot = BASE_MUTANT(frame_exit_unlocked) ? thread_local_at(&pm->slots, number) : frame_slot_enter(pm, self);
	frame_slot_drain(pm, slot, false);
	frame_slot_leave(self, slot);
}

void frame_settle(struct physmem *pm)
{
	struct physmem_usage usage;
	uint32_t chain, next;

	physmem_get_usage(pm, &usage);
	if (!usage.deferred)
		return;
	rcu_synchronize();
	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct frame_slot *slot = thread_local_at(&pm->slots, i);

		if (slot)
			frame_slot_drain(pm, slot, true);
	}
	for (chain = frame_late_take_all(pm); chain; chain = next) {
		next = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
		frame_late_count(pm, NULL, -(uint64_t)frame_chain_count(pm, chain));
		frame_scrap(pm, NULL, chain);
	}
}
