/* SPDX-License-Identifier: MIT */
/*
 * spf.c - speculative page faults: visits announce nothing and validate under the entry's lock; one writer per map
 * (writer.h has the lock and the sequences).
 *
 * WORDS       lk           the VMA's sequence count: never the same version twice, so that an equal one says that no
 *                          edit touched the VMA in between, even if its memory lived several lives
 *             slot.seq     == writer.seq: an edit is inside (the odd count of a seqlock; no sweep has to make it even)
 * VISIT       in RCU: look (VMA, bounds, lk); slot.seq differs from writer.seq (M0). What is read after that is
 *             believed once the entry is LOCKED and lk is still the same (V1). A gap, a VMA that an edit is in, the
 *             next attempt of a visit that was not valid: the map's lock, shared, under which nothing changes.
 * EDIT        the map's lock, exclusive. shut, take: slot.seq, then S1 a new version into lk (seq_cst), then entries.
 *             Whoever looks from then on finds slot.seq beside that version and takes the lock; whoever looked before
 *             sees another version at V1, or has locked its entry before S1: the edit finds LOCKED, waits, and sees
 *             what was stored. No other visit is waited for, and that one for the few instructions of a LOCKED entry.
 *             A cut stores a version after its publication, a brief edit another one when it is done (drop): bounds
 *             that were looked up in between, with S1's version, do not outlive it.
 * EDGES       S1 -> V1: Dekker, with the entry (pt.c). S1 release -> V0 look's acquire of lk: slot.seq, and
 *             with it writer.seq, is at least that edit's. M0 -> E1 of writer.h: the VMA as that edit left it.
 * LOCK ORDER  nothing below the map's lock.
 * PROGRESS    a visit fails once, then queues as in rwsem.h; an edit waits for no visit but by the lock.
 * NOT PROMISED  VMA fields may change under a visit that is not valid, and the object may be another VMA by then.
 * WEAKNESS    Writers have one lock for the map: edits of ranges that have nothing in common serialize, and eight cores
 *             get less done than one (docs/rivals.md). A visit that fails, or finds a gap, queues behind them.
 * SOURCE      Peter Zijlstra's and Laurent Dufour's patches (2010 to 2018), Michel Lespinasse's of 2021: the sequence
 *             is bumped before the zap, and looked at again under the page table's lock. Re-derived.
 */
#include "base/point.h"
#include "base/rcu.h"
#include "locks/policy/writer.h"

/* v->own: [0] enum writer_visit; [1] failures; [2] the version that was seen. */

/* Inside RCU. */
static bool spf_look(struct writer *w, struct lock_visit *v)
{
	if (unlikely(v->own[1] && !BASE_MUTANT(spf_never_falls_back)) || unlikely(global_mine(&w->global, v->self)))
		return false;
	v->own[2] = w->global.view->look(w->global.space, v->self, &v->r, &v->slot);
	BASE_POINT(visit_after_find);
	return v->slot && (atomic_load_relaxed(&v->slot->seq) != atomic_load_acquire(&w->seq) || /* M0 -> E1 */
			   BASE_MUTANT(spf_ignores_writer));
}

static int spf_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	struct lock_range wanted = v->r;

	rcu_enter(v->self);
	v->own[0] = WRITER_PASSED;
	if (likely(spf_look(state, v)))
		return 0;
	rcu_leave(v->self);
	v->r = wanted;
	return writer_visit_shared(state, v, deadline_ns);
}

static bool spf_visit_valid(void *state, struct lock_visit *v)
{
	(void)state;
	BASE_POINT(visit_before_valid);
	if (v->own[0] != WRITER_PASSED || likely(atomic_load_seqcst(&v->slot->lk) == v->own[2]) ||       /* V1 -> S1 */
	    BASE_MUTANT(spf_no_recheck))
		return true;
	v->own[1]++;
	return false;
}

static void spf_visit_end(void *state, struct lock_visit *v)
{
	writer_visit_end(state, v);
}

static void spf_edit_shut(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	struct writer *w = state;

	atomic_store_relaxed(&slot->seq, atomic_load_relaxed(&w->seq));
	if (!BASE_MUTANT(spf_shut_keeps_version))
		atomic_store_seqcst(&slot->lk, thread_next_number(e->self));     /* S1 -> V1, V0 */
}

static bool spf_edit_take(void *state, struct lock_edit *e, struct lock_slot *slot, uint64_t border)
{
	(void)border;
	spf_edit_shut(state, e, slot);
	return true;
}

static void spf_edit_born(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	struct writer *w = state;

	atomic_store_relaxed(&slot->seq, atomic_load_relaxed(&w->seq));
	global_born(state, e, slot);                             /* its release store carries seq along            */
}

static int spf_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	return writer_edit_begin(state, e, deadline_ns, spf_edit_shut);
}

static void spf_dump(const void *state, FILE *out)
{
	writer_dump(state, "spf", out);
}

static uint64_t spf_audit(const void *state, FILE *out)
{
	return writer_audit(state, false, out);
}

const struct lock_policy lock_policy_spf = {
	.name = "spf",
	.idea = "speculative page faults, one writer per map",
	.source = "Zijlstra, Dufour: speculative page faults v12 (2018); Lespinasse's of 2021",
	.weakness = "edits exclude each other; a visit that an edit of its VMA overtakes is done twice",
	.caps = LOCK_CAP_THREADS | LOCK_CAP_VISIT_NO_WRITE | LOCK_CAP_TRY | LOCK_CAP_DEADLINE | LOCK_CAP_DOWNGRADE |
		LOCK_CAP_FIFO,
	.state_bytes = sizeof(struct writer),
	.init = writer_init, .fini = writer_fini,
	.visit_begin = spf_visit_begin, .visit_valid = spf_visit_valid, .visit_end = spf_visit_end,
	.edit_begin = spf_edit_begin, .edit_shut = spf_edit_shut, .edit_born = spf_edit_born,
	.edit_dead = global_dead, .edit_downgrade = writer_edit_downgrade, .edit_end = writer_edit_end,
	.edit_take = spf_edit_take, .edit_drop = global_drop,
	.brief_begin = writer_brief_begin, .brief_end = writer_edit_end,
	.stats = writer_stats, .dump = spf_dump, .audit = spf_audit,
};
