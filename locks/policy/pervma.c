/* SPDX-License-Identifier: MIT */
/*
 * pervma.c - Linux >= 6.4: visits read-lock one VMA, edits take the one lock of the map and write-lock the VMAs they
 * touch (writer.h has the lock and the sequences).
 *
 * WORDS       slot.seq     == writer.seq: write-locked by the present edit
 *             pins         on the far line; W while an edit waits for the readers of a VMA (vma_word.h)
 * VISIT       M0 load writer.seq; find; slot.seq differs; pin unless W; slot.seq and writer.seq as before (M1). Else it
 *             falls back to the map's lock, shared, as Linux does; so does a gap.
 *             M1 says: no edit ended since M0, so nobody changed what find saw, and the present edit, if any, has not
 *             write-locked this VMA: whoever does so from now on sees the pin.
 * EDIT        shut: S1 store slot.seq (seq_cst), then drain's load of pins (D2); a visit's pin (P1) comes before its
 *             load of slot.seq: one of the two sees the other.
 * EDGES       E1 of writer.h -> M0, M1 acquire. S1 -> M1 and P1 -> D2: the Dekker pair.
 * LOCK ORDER  map's lock -> VMA. A pinned visit takes nothing.
 * PROGRESS    as rwsem.h; a drain ends because who is pinned waits for nothing.
 * SOURCE      Linux Documentation/mm/process_addrs.rst, "VMA lock internals"; re-derived.
 */
#include "base/point.h"
#include "base/rcu.h"
#include "locks/policy/writer.h"

/* Inside RCU. */
static bool pervma_pin(struct writer *w, struct lock_visit *v)
{
	uint32_t seq = atomic_load_acquire(&w->seq);                             /* M0 -> E1 */

	if (unlikely(global_mine(&w->global, v->self)))
		return false;
	global_find(&w->global, v);
	BASE_POINT(visit_after_find);
	if (!v->slot || atomic_load_relaxed(&v->slot->seq) == seq)
		return false;
	BASE_POINT(visit_before_pin);
	if (!lock_pin(lock_far_pins(v->slot)))                                   /* P1 -> D2 */
		return false;
	BASE_POINT(visit_after_pin);
	if ((atomic_load_seqcst(&v->slot->seq) != seq && atomic_load_acquire(&w->seq) == seq) || /* M1 -> S1, E1 */
	    BASE_MUTANT(pervma_no_recheck))
		return true;
	lock_unpin(lock_far_pins(v->slot));
	return false;
}

static int pervma_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	struct lock_range wanted = v->r;

	rcu_enter(v->self);
	v->own[0] = WRITER_PASSED;
	if (likely(pervma_pin(state, v)))
		return 0;
	rcu_leave(v->self);
	v->r = wanted;
	return writer_visit_shared(state, v, deadline_ns);
}

static void pervma_visit_end(void *state, struct lock_visit *v)
{
	if (likely(v->own[0] == WRITER_PASSED))
		lock_unpin(lock_far_pins(v->slot));
	writer_visit_end(state, v);
}

static void pervma_edit_shut(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	struct writer *w = state;

	(void)e;
	atomic_store_seqcst(&slot->seq, atomic_load_relaxed(&w->seq));           /* S1 -> M1 */
	lock_drain(lock_far_pins(slot));                                         /* D2 -> P1 */
}

static void pervma_edit_born(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	struct writer *w = state;

	atomic_store_relaxed(&slot->seq, atomic_load_relaxed(&w->seq));
	global_born(state, e, slot);                             /* its release store carries seq along            */
}

static int pervma_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	return writer_edit_begin(state, e, deadline_ns, pervma_edit_shut);
}

/* Under the map's lock: only readers can be in the way, and they are not waited for. */
static bool pervma_edit_take(void *state, struct lock_edit *e, struct lock_slot *slot, uint64_t border)
{
	struct writer *w = state;
	uint32_t old = atomic_load_relaxed(&slot->seq);

	atomic_store_seqcst(&slot->seq, atomic_load_relaxed(&w->seq));           /* S1 -> M1 */
	if (atomic_load_seqcst(lock_far_pins(slot)) == 0)                        /* D2 -> P1 */
		return true;
	atomic_store_release(&slot->seq, old);                                  /* S1 -> M1: taken back */
	if (border)
		lock_note_merge(e, border);
	return false;
}

static void pervma_dump(const void *state, FILE *out)
{
	writer_dump(state, "pervma", out);
}

static uint64_t pervma_audit(const void *state, FILE *out)
{
	return writer_audit(state, true, out);
}

const struct lock_policy lock_policy_pervma = {
	.name = "pervma",
	.idea = "Linux >= 6.4: per-VMA readers, one writer per map",
	.source = "Linux Documentation/mm/process_addrs.rst, \"VMA lock internals\"",
	.weakness = "edits exclude each other; two visits of one VMA share its counter's line",
	.caps = LOCK_CAP_THREADS | LOCK_CAP_TRY | LOCK_CAP_DEADLINE | LOCK_CAP_DOWNGRADE | LOCK_CAP_FIFO,
	.state_bytes = sizeof(struct writer),
	.slot_bytes = sizeof(struct lock_slot_far),
	.init = writer_init, .fini = writer_fini,
	.visit_begin = pervma_visit_begin, .visit_valid = lock_visit_always, .visit_end = pervma_visit_end,
	.edit_begin = pervma_edit_begin, .edit_shut = pervma_edit_shut, .edit_born = pervma_edit_born,
	.edit_dead = global_dead, .edit_downgrade = writer_edit_downgrade, .edit_end = writer_edit_end,
	.edit_take = pervma_edit_take, .edit_drop = global_drop,
	.brief_begin = writer_brief_begin, .brief_end = writer_edit_end,
	.stats = writer_stats, .dump = pervma_dump, .audit = pervma_audit,
};
