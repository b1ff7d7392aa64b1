/* SPDX-License-Identifier: MIT */
/*
 * frame_refill.c - an allocation that a slot's own cache cannot serve: near by, then everywhere, then after a wait.
 *
 * NOTHING     is left only if one look at all places says so, at one instant: none of what it looks at is filled, or in
 *             somebody's hands, from its begin to its end. Moves into the stacks change their tags. What an owner does
 *             with its shelves and with rows stands between two steps of its `moves`, odd meanwhile. Who empties the
 *             late stack or shelves of others has the instance's `far_lock`; inside a read section that is tried only.
 *             A chain that is in no such place at that instant is in a slot's own cache. Then what died and what the
 *             host has is fetched (frame_short.c), and the last look of all is one while nothing of that is left. What
 *             is free of the other kind goes to its rows before a search says no: there blocks change their class.
 * EDGES       M1 an owner's moves, odd, before it empties a shelf (S2) or a block (frame_bits.c) -> M2 a look reads
 *             them after the shelf or the block's word that was emptied; even again by a release store after the last
 *             fill: who sees that sees the fill's step.
 *             F1 far_lock's release -> F2 its acquire.
 * ORDER       far_lock is a leaf of the order; waits are outside of it, and of read sections.
 * PROGRESS    refill_near is lock-free. A search waits for another one, which is bounded: O(slots, chains that wait);
 *             and for an owner between two steps of its moves, who waits for nothing.
 * NOT PROMISED  caches of other slots: a thread that frees much and goes away keeps a few batches (vmmap/physmem.h). A
 *             search that is overtaken LOOKS times gives up.
 */
#include <errno.h>

#include "base/spin.h"
#include "vmmap/phys/frame.h"
#include "vmmap/phys/frame_isolate.h"
#include "vmmap/phys/frame_short.h"

/* How often an allocation looks again, because something moved while it looked, or was deferred and then lost to
 * others, before it reports that nothing is left. One that holds a chain in its hands and goes no further (it may have
 * lost its CPU) is waited for however long that takes. */
#define LOOKS 64

/* sorts: it may have frames of blocks that are to be emptied. */
static bool load(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind, uint32_t chain, bool sorts)
{
	struct frame_cache *cache = &slot->cache[kind];

	if (chain && unlikely(sorts))
		chain = frame_sort_out(pm, slot, chain);
	if (!chain)
		return false;
	cache->loaded = chain;
	atomic_store_relaxed(&cache->loaded_n, frame_chain_count(pm, chain));
	return true;
}

/* Deferred chains linked by `next`, ours now: home if the grace period is over, else to the late stack. Returns true if
 * some went there: they wait for readers. */
static bool settle(struct physmem *pm, struct frame_slot *slot, uint32_t chain)
{
	bool waiting = false;
	uint32_t next;

	for (; chain; chain = next) {
		next = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
		if (frame_grace_over(frame_batch_of(pm, chain)->cookie)) {
			frame_home(pm, slot, chain);
		} else {
			frame_late_put(pm, slot, chain);
			waiting = true;
		}
	}
	return waiting;
}

/* Own spare chain, own closed chains, the depot: what nearly every refill finds. An own spare chain was sorted by the
 * last drain; what has come to it since, from an inlined free, the next one finds, which then keeps caches closed. */
static bool refill_near(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind)
{
	struct frame_cache *cache = &slot->cache[kind];
	bool tells = !BASE_MUTANT(refill_untold), sorts = slot->locked, loaded;
	uint32_t chain, closed, waiting;

	if (tells)
		frame_moves_step(slot);
	chain = frame_spare_pop(pm, slot, kind);
	if (!chain && kind == FRAME_MOVABLE) {
		closed = frame_closed_sort(pm, slot, frame_shelf_take(&slot->closed), &waiting);
		if (closed)
			atomic_store_release(&slot->closed, closed);             /* S1 */
	}
	if (!chain && !cache->loaded) {
		chain = frame_depot_take(pm, slot, kind);
		sorts = slot->judges;
	}
	loaded = load(pm, slot, kind, chain, sorts);
	if (tells)
		frame_moves_step(slot);
	return loaded || cache->loaded;
}

/* What is free of the other kind, and within reach, goes to its rows; from there it may serve this one. */
static void refill_other(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind)
{
	enum frame_kind other = kind == FRAME_MOVABLE ? FRAME_UNMOVABLE : FRAME_MOVABLE;

	frame_moves_step(slot);
	frame_cache_flush(pm, slot, other);
	frame_rows_gather(pm, slot, other);
	load(pm, slot, kind, frame_depot_take(pm, slot, kind), slot->judges);
	frame_moves_step(slot);
}

/* Every chain of the late stack, own deferred frames, other slots' shelves. True: some frames wait for readers. */
static bool refill_far(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind)
{
	struct frame_cache *cache = &slot->cache[kind];
	uint32_t late = frame_late_take_all(pm), chain, n = thread_count();
	bool waiting;

	BASE_POINT(frame_refill_late_in_hand);
	for (chain = late; chain; chain = atomic_load_relaxed(&frame_batch_of(pm, chain)->next))
		frame_late_count(pm, slot, -(uint64_t)frame_chain_count(pm, chain));
	waiting = settle(pm, slot, late);
	BASE_POINT(frame_refill_before_steal);
	frame_close(pm, slot);
	for (uint32_t i = 0; i < n; i++) {
		struct frame_slot *other = thread_local_at(&pm->slots, i);

		if (!other)
			continue;
		waiting |= settle(pm, slot, frame_shelf_take(&other->closed));
		if (!cache->loaded) {
			frame_spare_put_all(pm, slot, kind, frame_shelf_take(&other->cache[kind].spare));
			load(pm, slot, kind, frame_spare_pop(pm, slot, kind), slot->judges);
		}
	}
	if (!cache->loaded)
		refill_other(pm, slot, kind);
	return waiting;
}

/* What changes when anything comes to a place where refill_far looks, but by ourselves. *moving: something is in the
 * hands of one who may bring it there. */
static uint64_t far_stamp(struct physmem *pm, const struct frame_slot *mine, bool *moving)
{
	uint64_t sum = atomic_load_acquire(&pm->late_stack.head) >> 32;         /* D2 -> D1: the tags */

	for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
		sum += atomic_load_acquire(&pm->depot[kind].head) >> 32;         /* D2 -> D1 */
	*moving = false;
	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct frame_slot *slot = thread_local_at(&pm->slots, i);
		uint64_t moves = slot && slot != mine ? atomic_load_acquire(&slot->moves) : 0;   /* M2 -> M1 */

		*moving |= moves & 1;
		sum += moves;
	}
	return sum;
}

enum far { FAR_GOT, FAR_WAITS, FAR_AGAIN, FAR_IN_HAND, FAR_NOTHING };

static enum far far_look(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind)
{
	bool moving, moved, waiting;
	uint64_t before = far_stamp(pm, slot, &moving), after;

	if (refill_near(pm, slot, kind))
		return FAR_GOT;
	waiting = refill_far(pm, slot, kind);
	BASE_POINT(frame_refill_looked);
	after = far_stamp(pm, slot, &moved);
	if (slot->cache[kind].loaded)
		return FAR_GOT;
	if (waiting)
		return FAR_WAITS;
	if (BASE_MUTANT(refill_one_look) || (!moving && !moved && before == after))
		return FAR_NOTHING;
	return before == after && !BASE_MUTANT(refill_patience_ends) ? FAR_IN_HAND : FAR_AGAIN;
}

/* One searcher at a time: what it takes from the late stack and from others' shelves is in its hands. */
static bool far_lock(struct physmem *pm, const struct thread_slot *self)
{
	if (rcu_inside(self))
		return spin_trylock(&pm->far_lock) || BASE_MUTANT(refill_no_lock); /* F2 -> F1 */
	if (!BASE_MUTANT(refill_no_lock))
		spin_lock(&pm->far_lock);                                        /* F2 -> F1 */
	return true;
}

/* Beyond what refill_near finds. */
static enum far refill_search(struct physmem *pm, struct thread_slot *self, enum frame_kind kind)
{
	struct frame_slot *slot;
	enum far found;

	BASE_POINT(frame_refill_before_lock);
	if (!far_lock(pm, self))
		return FAR_NOTHING;
	slot = frame_slot_enter(pm, self);
	found = far_look(pm, slot, kind);
	frame_slot_leave(self, slot);
	spin_unlock(&pm->far_lock);                                              /* F1 */
	return found;
}

/* What nearly every refill is. 0; -ENOMEM: no slot; -EAGAIN: there is nothing near by. */
static int refill_first(struct physmem *pm, struct thread_slot *self, enum frame_kind kind)
{
	struct frame_slot *slot;
	int err = -ENOMEM;

	frame_tidy(pm, self);
	slot = frame_slot_enter(pm, self);
	if (slot)
		err = slot->cache[kind].loaded || refill_near(pm, slot, kind) ? 0 : -EAGAIN;
	frame_slot_leave(self, slot);
	return err;
}

/* Looks at all places until one has something, or what may bring frames there has been done. */
static int refill_all(struct physmem *pm, struct thread_slot *self, enum frame_kind kind, struct frame_short *s)
{
	struct park_spin spin = PARK_SPIN;

	for (unsigned looks = 0;;) {
		enum far found = refill_search(pm, self, kind);
		int err = 0;

		if (found == FAR_GOT)
			return 0;
		looks += found == FAR_AGAIN || found == FAR_WAITS;
		if (rcu_inside(self) || looks == LOOKS)
			return -ENOMEM;
		if (found == FAR_AGAIN || found == FAR_IN_HAND)
			park_spin(&spin);
		else if (found == FAR_WAITS)
			err = rcu_poll_wait(self->deadline_ns);
		else
			err = frame_short_of(pm, self, s, atomic_load_relaxed(&pm->batch));
		if (err)
			return err;
	}
}

static int refill(struct physmem *pm, struct thread_slot *self, enum frame_kind kind)
{
	struct frame_short s = { 0 };
	int err = refill_first(pm, self, kind);

	if (err != -EAGAIN)
		return err;
	err = refill_all(pm, self, kind, &s);
	frame_short_ends(pm, &s);
	return err;
}

int (frame_refill)(struct physmem *pm, struct thread_slot *self)
{
	return refill(pm, self, FRAME_MOVABLE);
}

int (frame_refill_unmovable)(struct physmem *pm, struct thread_slot *self)
{
	return refill(pm, self, FRAME_UNMOVABLE);
}

/* While caches are closed inlined paths do not see what is loaded. */
static NOINLINE struct frame_slot *enter_loaded(struct physmem *pm, struct thread_slot *self, enum frame_kind kind)
{
	struct frame_slot *slot = frame_slot_enter(pm, self);

	if (likely(slot && slot->cache[kind].loaded))
		return slot;
	frame_slot_leave(self, slot);
	return NULL;
}

/* A refill, and the slot, which has a frame of that kind then, entered; NULL: nothing is left, nothing is entered. Who
 * drains may take out again what was loaded, once for each closing. */
static ALWAYS_INLINE struct frame_slot *enter_filled(struct physmem *pm, struct thread_slot *self, enum frame_kind kind)
{
	if (unlikely(frame_is_closed(pm))) {
		struct frame_slot *slot = enter_loaded(pm, self, kind);

		if (slot)
			return slot;
	}
	for (;;) {
		struct frame_slot *slot;

		if (BASE_SITE(SITE_FRAME, refill(pm, self, kind), -ENOMEM))
			return NULL;
		slot = frame_slot_enter(pm, self);
		if (likely(slot && slot->cache[kind].loaded))
			return slot;
		frame_slot_leave(self, slot);
	}
}

NOINLINE uint64_t frame_alloc_slow(struct physmem *pm, struct thread_slot *self, enum frame_owner owner)
{
	enum frame_kind kind = frame_kind_of(owner);
	struct frame_slot *slot = enter_filled(pm, self, kind);
	uint64_t pfn;

	if (!slot)
		return PHYSMEM_NONE;
	pfn = frame_pop(pm, &slot->cache[kind], owner);
	frame_slot_leave(self, slot);
	return pfn;
}

NOINLINE uint64_t frame_alloc_named_slow(struct physmem *pm, struct thread_slot *self, enum frame_owner owner,
					 uint64_t where, uint64_t page)
{
	struct frame_slot *slot = enter_filled(pm, self, FRAME_MOVABLE);
	uint64_t pfn;

	if (!slot)
		return PHYSMEM_NONE;
	pfn = frame_pop_named(pm, &slot->cache[FRAME_MOVABLE], owner, where, page);
	frame_slot_leave(self, slot);
	return pfn;
}

uint64_t (frame_alloc_unmovable)(struct physmem *pm, struct thread_slot *self, enum frame_owner owner)
{
	struct frame_slot *slot = enter_filled(pm, self, FRAME_UNMOVABLE);
	uint64_t pfn;

	if (!slot)
		return PHYSMEM_NONE;
	pfn = frame_pop_named(pm, &slot->cache[FRAME_UNMOVABLE], owner, 0, 0);
	frame_slot_leave(self, slot);
	return pfn;
}

void frame_free_unmovable(struct physmem *pm, struct thread_slot *self, uint64_t pfn, enum frame_owner owner)
{
	uint64_t lives;

	frame_free_slow(pm, self, (uint32_t)frame_owned_index(pm, pfn, owner, &lives), FRAME_UNMOVABLE);
}

bool frame_is_for_movable(struct physmem *pm, uint64_t pfn)
{
	return frame_bits_word(&pm->bits, (pfn - pm->base) >> FRAME_BLOCK_ORDER) & FRAME_BLOCK_MOVABLE_ONLY;
}
