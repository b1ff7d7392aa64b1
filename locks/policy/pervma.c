/* SPDX-License-Identifier: MIT */
/*
 * pervma.c - Linux >= 6.4: visits read-lock one VMA, edits take the one lock of the map and write-lock the VMAs they
 * touch.
 *
 * WORDS       map.seq      the sequence of the next or present edit; bumped when it ends: all VMAs unlock at once
 *             slot.seq     == map.seq: write-locked by the present edit ("false locked" after 2^32 edits is harmless:
 *                          the visit takes the map's lock)
 *             pins         on the far line; W while an edit waits for the readers of a VMA (vma_word.h)
 * VISIT       M0 load map.seq; find; slot.seq differs; pin unless W; slot.seq and map.seq as before (M1). Anything else
 *             falls back to the map's lock, shared, as Linux does; so does a gap.
 *             M1 says: no edit ended since M0, so nobody changed what find saw, and the present edit, if any, has not
 *             write-locked this VMA: whoever does so from now on sees the pin.
 * EDIT        the map's lock, exclusive (rwsem.h). shut: S1 store slot.seq (seq_cst), then drain's load of pins (D2);
 *             a visit's pin (P1) comes before its load of slot.seq: one of the two sees the other. A VMA is shut
 *             before it is cut: counts do not follow a page into a new object.
 * EDGES       E1 edit_end's release of map.seq -> M0, M1 acquire. S1 -> M1 and P1 -> D2: the Dekker pair.
 * LOCK ORDER  map's lock -> VMA. A pinned visit takes nothing.
 * PROGRESS    as rwsem.h; a drain ends because who is pinned waits for nothing.
 * SOURCE      Linux Documentation/mm/process_addrs.rst, "VMA lock internals"; re-derived.
 */
#include <errno.h>

#include "base/assert.h"
#include "base/point.h"
#include "base/rcu.h"
#include "locks/policy/global.h"
#include "locks/rwsem.h"

struct pervma_state {
	struct rwsem sem;
	atomic_u32 seq PAIR_ALIGNED;             /* read by every visit, written once per edit, like global.owner  */
	struct global global;
};

enum pervma_mode { PERVMA_PINNED, PERVMA_SHARED, PERVMA_BORROWED };      /* own[0] of a visit                      */
enum { PERVMA_DOWNGRADED = 1 };                                          /* own[0] of an edit                      */

static int pervma_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	struct pervma_state *s = state;

	atomic_store_relaxed(&s->seq, 1);        /* a fresh slot's 0 is not locked                                 */
	return global_init(&s->global, space, view);
}

static void pervma_fini(void *state)
{
	ASSERT(atomic_load_relaxed(&((struct pervma_state *)state)->sem.word) == 0);
	(void)state;
}

/* Inside RCU. */
static bool pervma_pin(struct pervma_state *s, struct lock_visit *v)
{
	uint32_t seq = atomic_load_acquire(&s->seq);                             /* M0 -> E1 */

	if (unlikely(global_mine(&s->global, v->self)))
		return false;
	global_find(&s->global, v);
	BASE_POINT(visit_after_find);
	if (!v->slot || atomic_load_relaxed(&v->slot->seq) == seq)
		return false;
	BASE_POINT(visit_before_pin);
	if (!lock_pin(lock_far_pins(v->slot)))                                   /* P1 -> D2 */
		return false;
	BASE_POINT(visit_after_pin);
	if ((atomic_load_seqcst(&v->slot->seq) != seq && atomic_load_acquire(&s->seq) == seq) || /* M1 -> S1, E1 */
	    BASE_MUTANT(pervma_no_recheck))
		return true;
	lock_unpin(lock_far_pins(v->slot));
	return false;
}

/* The fall-back; outside RCU. */
static int pervma_shared(struct pervma_state *s, struct lock_visit *v, uint64_t deadline_ns)
{
	int err;

	v->own[0] = PERVMA_SHARED;
	if (rwsem_try_shared(&s->sem))
		return 0;
	if (global_mine(&s->global, v->self)) {
		v->own[0] = PERVMA_BORROWED;
		return lock_held_has(&s->global.held, v->r.lo) ? -EDEADLK : 0;
	}
	if (deadline_ns == LOCK_TRY)
		return -EAGAIN;
	ASSERT(!rcu_inside(v->self));
	err = rwsem_wait_shared(&s->sem, deadline_ns);
	return err;
}

static int pervma_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	struct pervma_state *s = state;
	struct lock_range wanted = v->r;
	int err;

	rcu_enter(v->self);
	v->own[0] = PERVMA_PINNED;
	if (likely(pervma_pin(s, v)))
		return 0;
	rcu_leave(v->self);
	v->r = wanted;
	err = pervma_shared(s, v, deadline_ns);
	if (err)
		return err;
	rcu_enter(v->self);
	global_find(&s->global, v);
	return 0;
}

static void pervma_visit_end(void *state, struct lock_visit *v)
{
	struct pervma_state *s = state;

	if (likely(v->own[0] == PERVMA_PINNED))
		lock_unpin(lock_far_pins(v->slot));
	rcu_leave(v->self);
	if (v->own[0] == PERVMA_SHARED)
		rwsem_unlock_shared(&s->sem);
}

static void pervma_edit_shut(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	struct pervma_state *s = state;

	(void)e;
	atomic_store_seqcst(&slot->seq, atomic_load_relaxed(&s->seq));           /* S1 -> M1 */
	lock_drain(lock_far_pins(slot));                                         /* D2 -> P1 */
}

static void pervma_edit_born(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	struct pervma_state *s = state;

	atomic_store_relaxed(&slot->seq, atomic_load_relaxed(&s->seq));
	global_born(state, e, slot);                             /* its release store carries seq along            */
}

static int pervma_lock(struct pervma_state *s, struct lock_edit *e, uint64_t deadline_ns)
{
	if (likely(rwsem_try_exclusive(&s->sem)))
		return 0;
	if (global_mine(&s->global, e->self))
		return global_may_nest(&s->global, e->r, deadline_ns);
	if (deadline_ns == LOCK_TRY)
		return -EAGAIN;
	ASSERT(!rcu_inside(e->self));
	return rwsem_wait_exclusive(&s->sem, deadline_ns);
}

static int pervma_brief_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct pervma_state *s = state;
	int err = pervma_lock(s, e, deadline_ns);

	if (err)
		return err;
	global_enter(&s->global, e);
	e->own[0] = 0;
	return 0;
}

static void pervma_edit_end(void *state, struct lock_edit *e)
{
	struct pervma_state *s = state;

	if (!global_leave(&s->global, e))
		return;
	if (e->own[0] == PERVMA_DOWNGRADED) {
		rwsem_unlock_shared(&s->sem);
		return;
	}
	atomic_store_release(&s->seq, atomic_load_relaxed(&s->seq) + 1);         /* E1 -> M0, M1 */
	rwsem_unlock_exclusive(&s->sem);
}

/* Shuts the VMA that crosses addr, then cuts it. */
static int pervma_cut(struct pervma_state *s, struct lock_edit *e, uint64_t addr)
{
	struct lock_seen left = { 0 }, right = { 0 };

	if (addr == 0 || addr >= ADDRESS_END)
		return 0;
	rcu_enter(e->self);
	s->global.view->find(s->global.space, addr - PAGE_BYTES, &left);
	s->global.view->find(s->global.space, addr, &right);
	rcu_leave(e->self);
	if (!left.slot || left.slot != right.slot)
		return 0;
	pervma_edit_shut(s, e, left.slot);
	return s->global.view->cut(s->global.space, addr);
}

static int pervma_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct pervma_state *s = state;
	int err = pervma_brief_begin(state, e, deadline_ns);

	if (err)
		return err;
	err = pervma_cut(s, e, e->r.lo);
	if (!err) {
		err = pervma_cut(s, e, e->r.hi);
		if (err)
			s->global.view->join(s->global.space, e->r.lo);
	}
	if (err)
		pervma_edit_end(state, e);
	return err;
}

static void pervma_edit_downgrade(void *state, struct lock_edit *e)
{
	struct pervma_state *s = state;

	if (s->global.held.n > 1 || e->own[0] == PERVMA_DOWNGRADED)
		return;
	e->own[0] = PERVMA_DOWNGRADED;
	atomic_store_release(&s->seq, atomic_load_relaxed(&s->seq) + 1);         /* E1 -> M0, M1 */
	rwsem_downgrade(&s->sem);
}

/* Under the map's lock: only readers can be in the way, and they are not waited for. */
static bool pervma_edit_take(void *state, struct lock_edit *e, struct lock_slot *slot, uint64_t border)
{
	struct pervma_state *s = state;
	uint32_t old = atomic_load_relaxed(&slot->seq);

	atomic_store_seqcst(&slot->seq, atomic_load_relaxed(&s->seq));           /* S1 -> M1 */
	if (atomic_load_seqcst(lock_far_pins(slot)) == 0)                        /* D2 -> P1 */
		return true;
	atomic_store_release(&slot->seq, old);                                  /* S1 -> M1: taken back */
	if (border)
		lock_note_merge(e, border);
	return false;
}

static void pervma_stats(const void *state, struct lock_stats *out)
{
	*out = (struct lock_stats){ 0 };
	global_stats(&((struct pervma_state *)state)->sem, out);
}

static void pervma_dump(const void *state, FILE *out)
{
	struct pervma_state *s = (struct pervma_state *)state;

	fprintf(out, "pervma: map lock %#x, sequence %u\n", atomic_load_relaxed(&s->sem.word),
		atomic_load_relaxed(&s->seq));
	global_dump(&s->global, out);
}

static uint64_t pervma_audit(const void *state, FILE *out)
{
	struct pervma_state *s = (struct pervma_state *)state;
	uint32_t word = atomic_load_acquire(&s->sem.word);                      /* L1 -> U1: quiescent */

	if (word && out)
		fprintf(out, "lock: the map's lock is in use, word %#x\n", word);
	return lock_audit_words(s->global.space, s->global.view, true, out) + s->global.held.n + (word != 0);
}

const struct lock_policy lock_policy_pervma = {
	.name = "pervma",
	.idea = "Linux >= 6.4: per-VMA readers, one writer per map",
	.source = "Linux Documentation/mm/process_addrs.rst, \"VMA lock internals\"",
	.weakness = "edits exclude each other; two visits of one VMA share its counter's line",
	.caps = LOCK_CAP_THREADS | LOCK_CAP_TRY | LOCK_CAP_DEADLINE | LOCK_CAP_DOWNGRADE | LOCK_CAP_FIFO,
	.state_bytes = sizeof(struct pervma_state),
	.slot_bytes = sizeof(struct lock_slot_far),
	.init = pervma_init, .fini = pervma_fini,
	.visit_begin = pervma_visit_begin, .visit_valid = lock_visit_always, .visit_end = pervma_visit_end,
	.edit_begin = pervma_edit_begin, .edit_shut = pervma_edit_shut, .edit_born = pervma_edit_born,
	.edit_dead = global_dead, .edit_downgrade = pervma_edit_downgrade, .edit_end = pervma_edit_end,
	.edit_take = pervma_edit_take, .edit_drop = global_drop,
	.brief_begin = pervma_brief_begin, .brief_end = pervma_edit_end,
	.stats = pervma_stats, .dump = pervma_dump, .audit = pervma_audit,
};
