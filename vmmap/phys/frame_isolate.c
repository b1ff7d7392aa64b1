/* SPDX-License-Identifier: MIT */
/*
 * frame_isolate.c - frames of blocks that are to be emptied leave the caches of slots, idle ones too.
 *
 * WORDS       physmem.isolating   how often somebody has closed the caches << 24 | how many isolate while they are
 *                                 open << 12 | how many keep them closed. Changed under isolate_lock.
 *             physmem.fast        the same chunks as `slots`, by which the inlined paths find their slot; none of them
 *                                 while caches are closed. So those take the slow way, for not an instruction more.
 *             frame_slot.lock     of its chains, while caches are closed: its thread's, or whoever's who drains.
 *             frame_slot.swept    the closing that its thread has gone through its caches for.
 * STEPS       1. Blocks are set offline: nothing is taken from their rows.
 *             2. begin: I1, then the chunks of `fast` go.
 *             3. A polled grace period (wait). All that touches a slot's chains does so inside a read section, in
 *                which it has looked at `fast` or `isolating`. Who has seen neither has left then: from here on a
 *                slot's thread comes under the slot's lock, which a drain takes as well. A thread that is idle, or
 *                stopped outside of a section, is not waited for.
 *             4. drain: every loaded chain, shelf and depot is gone through; frames of offline blocks go to their
 *                rows, the others stay, but for what is too much (physmem.c, SIZES). Open chains get their cookie;
 *                chains whose readers are gone become free, the others wait in the late stack, and a drain that comes
 *                again finds them there.
 *             5. open: what is long, the moving of what is used, needs no closed caches. The last one who opens shows
 *                the chunks again. Before it drains again it closes (I1, the chunks go), and waits: 3, 4.
 *             6. end, from closed: the last one shows the chunks again. From open: nothing else is to be done.
 * MOVED       frames whose contents an unplug has moved are DEFERRED, in its own hands (frame_left), counted as late.
 *             One grace period serves all of them, since nobody may have them before that anyway: a batch's own would
 *             interrupt every processor for each 128 frames. After it they go to their rows: caches may be open, as no
 *             cache ever had them. An unplug that gives up makes batches of them, with one cookie, in the late stack.
 * NO ESCAPE   after 4, until 5, no chain of free frames anywhere has a frame of such a block. A frame becomes free by
 *             a free or by the end of its grace period, and is judged by its block's word at that moment
 *             (frame_free_slow, frame_home, frame_scrap); a chain that somebody took out of the depot or a shelf
 *             before 4 got there, when it is loaded (frame_refill.c); a slot's own chains, when its thread first comes
 *             under the lock (`swept`). What each of them remembers from before the block was offline counts for
 *             nothing.
 *             While caches are open one is not judged: a frame that an inlined path frees. It is in its thread's cache
 *             then, may be had again there, and is found by 4 of the next closing. Who isolates and has met such a
 *             one keeps caches closed the next time (physmem_unplug.c), so that it ends.
 *             So a slot's own spare chain is not judged when it is loaded beside open caches: there 4 has left nothing
 *             but what such frees have brought since. One from elsewhere is.
 *             Who had seen an earlier unplug's `isolating` and not this one's offline bits is waited for by 3.
 * EDGES       I1 begin stores `isolating`, after the blocks' words -> I2 who sees it sees the blocks offline.
 *             I3 open, or end, shows the chunks, after the drains -> thread.h B2: a slot's thread sees its chains as
 *             they were left.
 *             L1 unlock of a slot -> L2 its lock.       E3 (rcu_inline.h) -> 3: what a slot's thread did without the
 *             lock; and -> G2: what it read of a frame that has moved.
 * ORDER       far_lock -> a slot's lock; both are leaves else, nobody sleeps under them. isolate_lock: a leaf.
 * PROGRESS    a drain waits for who holds a slot's lock, who waits for nothing. A slot's thread waits for one sweep of
 *             its own caches.
 * NOT HERE    who sets blocks offline, and what becomes of frames that are owned: physmem_unplug.c.
 * SOURCE      uvm_pgflcache_pause (NetBSD), without its cross-calls; a category that a cache remembered: Linux
 *             51bb1a4093.
 */
#include "vmmap/phys/frame_isolate.h"

#include <errno.h>

#include "base/spin.h"

/* ---- a slot's thread ---- */

/* A chunk that has been made since, or had not been shown. */
static NOINLINE void show(struct physmem *pm, uint32_t number)
{
	uint32_t i = number / THREAD_CHUNK;

	spin_lock(&pm->isolate_lock);
	if (!(atomic_load_relaxed(&pm->isolating) & FRAME_CLOSED))
		atomic_store_release(&pm->fast.chunk[i], atomic_load_acquire(&pm->slots.chunk[i]));      /* I3 */
	spin_unlock(&pm->isolate_lock);
}

/* A batch, and a chain that came home. */
static uint32_t most_loaded(struct physmem *pm)
{
	return atomic_load_relaxed(&pm->batch) + FRAME_DEFER_HELD * atomic_load_relaxed(&pm->defer_batch);
}

/* What is more than the cache may keep, since there is less memory than there was, goes to the depot (physmem.c). */
static void cache_sweep(struct physmem *pm, struct frame_slot *counts, struct frame_slot *slot, enum frame_kind kind)
{
	struct frame_cache *cache = &slot->cache[kind];
	uint32_t from = frame_shelf_take(&cache->spare), first = 0, last = 0, next;

	cache->loaded = frame_sort_out(pm, counts, cache->loaded);
	if (frame_chain_count(pm, cache->loaded) > most_loaded(pm)) {
		frame_depot_give(pm, counts, kind, cache->loaded);
		cache->loaded = 0;
	}
	atomic_store_relaxed(&cache->loaded_n, frame_chain_count(pm, cache->loaded));
	cache->spare_n = cache->spare_frames = 0;
	for (; from; from = next) {
		uint32_t chain;

		next = atomic_load_relaxed(&frame_batch_of(pm, from)->next);
		chain = frame_sort_out(pm, counts, from);
		if (!chain)
			continue;
		if (!frame_spare_room(pm, cache)) {
			frame_depot_give(pm, counts, kind, chain);
			continue;
		}
		atomic_store_relaxed(&frame_batch_of(pm, chain)->next, 0);
		if (last)
			atomic_store_relaxed(&frame_batch_of(pm, last)->next, chain);
		else
			first = chain;
		last = chain;
		frame_spare_count(pm, cache, chain);
	}
	if (first)
		atomic_store_release(&cache->spare, first);                      /* S1 */
}

static void slot_sweep(struct physmem *pm, struct frame_slot *counts, struct frame_slot *slot)
{
	for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
		cache_sweep(pm, counts, slot, kind);
}

/* Somebody isolates. */
static NOINLINE void slot_judges(struct physmem *pm, struct frame_slot *slot, uint64_t isolating)
{
	slot->judges = true;
	if (!(isolating & FRAME_CLOSED))
		return;
	spin_lock(&slot->lock);                                                  /* L2 -> L1 */
	slot->locked = true;
	if (slot->swept == isolating >> FRAME_CLOSINGS_SHIFT)
		return;
	slot->swept = isolating >> FRAME_CLOSINGS_SHIFT;
	frame_moves_step(slot);
	slot_sweep(pm, slot, slot);
	frame_moves_step(slot);
}

struct frame_slot *frame_slot_enter(struct physmem *pm, struct thread_slot *self)
{
	struct frame_slot *slot;
	uint64_t isolating;

	rcu_enter(self);
	slot = thread_local_mine(&pm->slots, self);
	if (slot == NULL)
		return NULL;
	isolating = atomic_load_acquire(&pm->isolating);                         /* I2 -> I1 */
	slot->batch = atomic_load_relaxed(&pm->batch);
	slot->defer_batch = atomic_load_relaxed(&pm->defer_batch);
	if (unlikely(isolating & FRAME_ISOLATING))
		slot_judges(pm, slot, isolating);
	else if (unlikely(thread_local_at(&pm->fast, self->number) == NULL))
		show(pm, self->number);
	return slot;
}

void frame_slot_leave(struct thread_slot *self, struct frame_slot *slot)
{
	if (slot != NULL && slot->judges) {
		bool locked = slot->locked;

		slot->judges = slot->locked = false;
		if (locked)
			spin_unlock(&slot->lock);                                /* L1 */
	}
	rcu_leave(self);
}

/* ---- free frames that leave ---- */

void frame_to_row(struct physmem *pm, struct frame_slot *counts, uint32_t index)
{
	uint64_t old = atomic_load_relaxed(&pm->word[index]);

	atomic_store_relaxed(&pm->word[index], frame_word(old, FRAME_FREE, 0));
	frame_taken_count(pm, counts, UINT64_MAX);
	frame_rows_give(pm, index + 1);
}

uint32_t frame_sort_out(struct physmem *pm, struct frame_slot *counts, uint32_t chain)
{
	uint32_t stay = 0, leave = 0, n_stay = 0, n_leave = 0, next;

	for (; chain; chain = next) {
		uint64_t old = atomic_load_relaxed(&pm->word[chain - 1]);
		bool leaves = frame_is_leaving(pm, chain - 1);

		next = frame_link(old);
		atomic_store_relaxed(&pm->word[chain - 1], frame_word(old, FRAME_FREE, leaves ? leave : stay));
		*(leaves ? &leave : &stay) = chain;
		n_stay += !leaves;
		n_leave += leaves;
	}
	if (leave) {
		frame_taken_count(pm, counts, -(uint64_t)n_leave);
		frame_rows_give(pm, leave);
	}
	if (stay)
		frame_set_count(pm, stay, n_stay);
	return stay;
}

/* ---- frames that were moved ---- */

static struct frame_slot *slot_of(struct physmem *pm, const struct thread_slot *self)
{
	return thread_local_at(&pm->slots, self->number);
}

void frame_left_put(struct physmem *pm, struct thread_slot *self, struct frame_left *left, uint64_t pfn,
		    enum frame_owner owner)
{
	uint64_t lives, index = frame_owned_index(pm, pfn, owner, &lives);

	ASSERT(rcu_inside(self));
	atomic_store_relaxed(&pm->word[index], frame_word_bare(lives, FRAME_DEFERRED, left->chain));
	left->chain = (uint32_t)index + 1;
	left->n++;
	frame_late_count(pm, slot_of(pm, self), 1);
}

/* They are nowhere now. */
static uint32_t left_take(struct physmem *pm, struct frame_slot *mine, struct frame_left *left)
{
	uint32_t chain = left->chain;

	frame_late_count(pm, mine, -(uint64_t)left->n);
	*left = (struct frame_left){ 0, 0 };
	return chain;
}

int frame_left_wait(struct physmem *pm, struct thread_slot *self, struct frame_left *left, uint64_t deadline_ns)
{
	struct frame_slot *mine = slot_of(pm, self);
	int err = left->n == 0 || BASE_MUTANT(unplug_moved_at_once) ? 0 : rcu_poll_wait(deadline_ns);   /* G2 */

	if (err == 0)
		CHECK(frame_sort_out(pm, mine, left_take(pm, mine, left)) == 0);
	return err;
}

/* The first frames of a chain, as many as a batch has, become one; returns the others. */
static uint32_t batch_off(struct physmem *pm, uint32_t chain, uint64_t cookie)
{
	uint32_t last = chain, n = 1, rest;

	for (; n < atomic_load_relaxed(&pm->defer_batch) && frame_link(atomic_load_relaxed(&pm->word[last - 1])); n++)
		last = frame_link(atomic_load_relaxed(&pm->word[last - 1]));
	rest = frame_link(atomic_load_relaxed(&pm->word[last - 1]));
	atomic_store_relaxed(&pm->word[last - 1],
			     frame_word(atomic_load_relaxed(&pm->word[last - 1]), FRAME_DEFERRED, 0));
	frame_set_count(pm, chain, n);
	frame_batch_of(pm, chain)->cookie = cookie;
	return rest;
}

void frame_left_put_off(struct physmem *pm, struct thread_slot *self, struct frame_left *left)
{
	struct frame_slot *mine = slot_of(pm, self);
	uint64_t cookie = left->chain ? rcu_poll_start() : 0;
	uint32_t chain = left_take(pm, mine, left), rest;

	for (; chain; chain = rest) {
		rest = batch_off(pm, chain, cookie);
		frame_late_put(pm, mine, chain);
	}
}

/* ---- who isolates ---- */

/* The chunks are there, or not, as the word says then. */
static void change(struct physmem *pm, uint64_t by)
{
	uint64_t isolating;

	spin_lock(&pm->isolate_lock);
	isolating = atomic_load_relaxed(&pm->isolating) + by;
	atomic_store_release(&pm->isolating, isolating);                         /* I1 */
	for (unsigned i = 0; i < THREAD_MAX / THREAD_CHUNK; i++)
		if (isolating & FRAME_CLOSED)
			atomic_store_relaxed(&pm->fast.chunk[i], NULL);
		else
			atomic_store_release(&pm->fast.chunk[i], atomic_load_acquire(&pm->slots.chunk[i])); /* I3 */
	spin_unlock(&pm->isolate_lock);
}

#define CLOSE ((UINT64_C(1) << FRAME_CLOSINGS_SHIFT) + FRAME_CLOSED_ONE)

int frame_isolate_begin(struct physmem *pm, struct thread_slot *self)
{
	if (thread_local_mine(&pm->slots, self) == NULL)
		return -ENOMEM;
	change(pm, CLOSE);
	return 0;
}

void frame_isolate_open(struct physmem *pm) { change(pm, FRAME_OPEN_ONE - FRAME_CLOSED_ONE); }
void frame_isolate_close(struct physmem *pm) { change(pm, CLOSE - FRAME_OPEN_ONE); }
void frame_isolate_end(struct physmem *pm) { change(pm, -FRAME_CLOSED_ONE); }
void frame_isolate_end_open(struct physmem *pm) { change(pm, -FRAME_OPEN_ONE); }

int frame_isolate_wait(uint64_t deadline_ns)
{
	return BASE_MUTANT(isolate_no_wait) ? 0 : rcu_poll_wait(deadline_ns);
}

/* Deferred chains linked by `next`, in our hands. True: some wait for readers. */
static bool chains_end(struct physmem *pm, struct frame_slot *mine, uint32_t chain)
{
	bool waiting = false;
	uint32_t next;

	for (; chain; chain = next) {
		next = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
		if (frame_grace_over(frame_batch_of(pm, chain)->cookie)) {
			frame_scrap(pm, mine, chain);
		} else {
			frame_late_put(pm, mine, chain);
			waiting = true;
		}
	}
	return waiting;
}

static bool late_end(struct physmem *pm, struct frame_slot *mine)
{
	uint32_t late = frame_late_take_all(pm);

	for (uint32_t chain = late; chain; chain = atomic_load_relaxed(&frame_batch_of(pm, chain)->next))
		frame_late_count(pm, mine, -(uint64_t)frame_chain_count(pm, chain));
	return chains_end(pm, mine, late);
}

static bool slot_drain(struct physmem *pm, struct frame_slot *mine, struct frame_slot *slot)
{
	uint32_t open;
	bool waiting;

	spin_lock(&slot->lock);                                                  /* L2 -> L1 */
	slot_sweep(pm, mine, slot);
	waiting = chains_end(pm, mine, frame_shelf_take(&slot->closed));
	open = frame_open_take(pm, slot);
	if (open)
		frame_late_put(pm, mine, open);
	spin_unlock(&slot->lock);                                                /* L1 */
	return waiting || open;
}

bool frame_isolate_drain(struct physmem *pm, struct thread_slot *self)
{
	struct frame_slot *mine;
	bool waiting;

	ASSERT(!rcu_inside(self));
	spin_lock(&pm->far_lock);                                                /* F2 -> F1 */
	rcu_enter(self);
	mine = thread_local_at(&pm->slots, self->number);
	frame_moves_step(mine);
	waiting = late_end(pm, mine);
	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct frame_slot *slot = thread_local_at(&pm->slots, i);

		if (slot && (slot == mine || !BASE_MUTANT(drain_own_only)))
			waiting |= slot_drain(pm, mine, slot);
	}
	for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
		frame_depot_sort_out(pm, mine, kind);
	frame_moves_step(mine);
	rcu_leave(self);
	spin_unlock(&pm->far_lock);                                              /* F1 */
	return waiting;
}
