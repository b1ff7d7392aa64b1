/* SPDX-License-Identifier: MIT */
/*
 * pt_lock.c - locks live in the tables of the page table: CortenMM_adv.
 *
 * VISIT       the lowest table over its page, exclusively, for the whole transaction (table_range.h, PAGE).
 * EDIT        general form: the tables of its range (table_range.h, RANGE), then the words of the tree in it (below),
 *             by try. Brief form: the tables; VMAs by LOCK_BRIEF in the leaf section, as anywhere.
 * TREE        CortenMM has no VMAs: its metadata are in the tables. Here a VMA may span tables, and with it what one
 *             edit cuts and another reads. So an edit that has its tables marks what it has in the tree, by a range
 *             lock (range_lock.h): VMAs by their word, gaps by a dummy. The marks keep nobody waiting who asks for
 *             tables first; they tell those who ask for none: a cut or a merge from another table (LOCK_BRIEF, by try,
 *             with a note for the holder if it fails); the gap search; and commits, which find a slot for each gap.
 * ONE VMA, SEVERAL TABLES  A visit holds its page, not its VMA. A cut at another table may leave its page to another
 *             object, and the one it found may change, die and come back. So it is valid only if lk shows the version
 *             of its look: who cuts, takes or buries a VMA has its word first, and gives it another version; a cut does
 *             before the pieces can part. A visit that failed twice pins the VMA (intree.h).
 * SET ASIDE   A thread that holds a range gives up its tables before it waits for others (table_range.h, NESTED): the
 *             marks stay. Who gets at its tables finds them: an edit then gives up its own, takes the marks first, by
 *             waiting for them as `vma` does, and its tables after that; a visit waits for the marks, then begins
 *             again.
 * DEADLOCK    none. Who waits for a mark holds no tables, and marks only below it (rank.h); who waits for a table holds
 *             tables only before it in pre-order, and marks. So follow who waits for whom: from mark to mark addresses
 *             rise, until one runs or waits for a table; from table to table the pre-order rises, until one runs, since
 *             nobody who holds tables waits for a mark.
 * LIFETIME    of tables: held ones are linked (table_range.h). Of VMAs: policy.h, as an optimistic policy.
 * PROGRESS    first come, first served at each table. Not promised: a place in a queue to a visit that waits for what
 *             is set aside; tables to a range that is set aside, when somebody has them (it then unlinks none).
 * VARIANT     adv, not rw (reader locks on the way down): it is the faster of the two, and what the paper's results are
 *             of. Against the artifact: an edit makes tables only where something is mapped; visits wait asleep.
 * COST        Two RMWs of a line for each table, a descent, a thread's block; general edits pay for the marks as well.
 *             munmap and mremap of memory that nobody has touched read the 512 words of a table that an edit has made:
 *             1.6 x rwlock's instructions for an mremap that shrinks and grows, at most 1.4 x elsewhere (callgrind).
 * WEAKNESS    All that happens below one table of entries (2 MiB) serializes, faults too. Wide edits lock a coarse
 *             covering table, and all tables below it, one by one; so does whatever crosses a border of 1 or 512 GiB.
 * SOURCE      CortenMM (SOSP'25), artifact, cortenmm-adv; asterinas RFC 0003. Re-derived.
 */
#include <errno.h>
#include <stddef.h>

#include "base/point.h"
#include "base/rcu.h"
#include "locks/policy/global.h"
#include "locks/policy/intree.h"
#include "locks/table_range.h"

struct pt_lock {
	struct intree in;                        /* first: the in-tree functions take it as their state            */
	struct table_locks tables;
};

/* own[2] of a visit: its table_page. own[2] of an edit: its hold. The others: intree.h. */

static int pt_lock_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	struct pt_lock *s = state;
	int err = intree_init(&s->in, space, view, offsetof(struct lock_slot, pins));

	if (err)
		return err;
	err = table_locks_init(&s->tables, space, view);
	if (err)
		intree_fini(&s->in);
	return err;
}

static void pt_lock_fini(void *state)
{
	struct pt_lock *s = state;

	table_locks_fini(&s->tables);
	intree_fini(&s->in);
}

/* Until what stands at addr is nobody's, or its holder has ended. */
static int pt_lock_gap_wait(void *state, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns)
{
	struct pt_lock *s = state;
	int err = intree_gap_wait(state, self, addr, LOCK_TRY);

	if (err != -EAGAIN || deadline_ns == LOCK_TRY)
		return err;
	table_set_aside(&s->tables, self);
	return intree_gap_wait(state, self, addr, deadline_ns);
}

/* ---- visits ---- */

/* What the visit found is held by one who has set it aside, or changes for a moment. 0: begin again. Outside RCU. */
static NOINLINE int visit_again(struct pt_lock *s, struct lock_visit *v, uint64_t deadline_ns, struct park_spin *spin)
{
	table_page_give(&s->tables, v->self, v->r.lo, v->own[2]);
	rcu_leave(v->self);
	if (lock_word_lock(v->own[0]))
		return pt_lock_gap_wait(s, v->self, v->r.lo, deadline_ns);
	if (deadline_ns == LOCK_TRY)
		return -EAGAIN;
	park_spin(spin);
	return 0;
}

/* Inside RCU, with the table: what the look has found may be visited. */
static ALWAYS_INLINE bool visit_enters(struct pt_lock *s, struct lock_visit *v)
{
	if (BASE_MUTANT(table_marks_unseen) || !v->slot)
		return true;
	return lock_word_free(v->own[0]) && (likely(v->own[3] < RANGE_INSISTS) || intree_visit_pin(&s->in, v));
}

static int pt_lock_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	struct pt_lock *s = state;
	struct park_spin spin = PARK_SPIN;
	uint64_t hi = v->r.hi;
	int err;

	for (;;) {
		err = table_page_take(&s->tables, v->self, &v->r, deadline_ns, &v->own[2]);
		if (unlikely(err))
			return err;
		v->own[0] = s->in.locks.view->look(s->in.locks.space, v->self, &v->r, &v->slot);
		v->own[1] = 0;
		BASE_POINT(visit_after_find);
		if (likely(visit_enters(s, v)))
			return 0;
		err = visit_again(s, v, deadline_ns, &spin);
		if (err)
			return err;
		v->r.hi = hi;
	}
}

static void pt_lock_visit_end(void *state, struct lock_visit *v)
{
	struct pt_lock *s = state;

	intree_visit_end(&s->in, v);
	table_page_give(&s->tables, v->self, v->r.lo, v->own[2]);
}

/* ---- edits ---- */

static int edit_tables(struct pt_lock *s, struct lock_edit *e, bool unlinks, uint64_t deadline_ns)
{
	return table_range_take(&s->tables, e->self, e->r, unlinks, deadline_ns, &e->own[2]);
}

/* Somebody has set aside what we want, or cuts or merges at its border: the marks first, holding no tables. */
static NOINLINE int edit_marks_first(struct pt_lock *s, struct lock_edit *e, uint64_t deadline_ns)
{
	struct lock_edit noted = *e;
	int err;

	table_set_aside(&s->tables, e->self);
	err = intree_edit_begin(&s->in, e, deadline_ns);
	if (!err) {
		err = edit_tables(s, e, true, deadline_ns);
		if (err) {
			intree_edit_end(&s->in, e);
			lock_note_merge(e, e->r.lo);
			lock_note_merge(e, e->r.hi);
		}
	}
	for (unsigned i = 0; i < noted.merges; i++)      /* cut by the try                                         */
		lock_note_merge(e, noted.merge_at[i]);
	if (noted.merge_in.hi)
		lock_note_merges(e, noted.merge_in);
	return err;
}

static int pt_lock_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct pt_lock *s = state;
	struct range_thread *home = range_thread_mine(&s->in.locks, e->self);
	int err = home ? lock_held_may_add(&home->held, e->r, deadline_ns != LOCK_TRY) : -ENOMEM;

	if (!err)
		err = edit_tables(s, e, true, deadline_ns);
	if (err)
		return err;
	err = intree_edit_begin(&s->in, e, LOCK_TRY);
	if (unlikely(err)) {
		table_range_give(&s->tables, e->self, e->own[2]);
		if (err == -EAGAIN && deadline_ns != LOCK_TRY)
			err = edit_marks_first(s, e, deadline_ns);
	}
	return err;
}

static void pt_lock_edit_end(void *state, struct lock_edit *e)
{
	struct pt_lock *s = state;

	intree_edit_end(&s->in, e);
	table_range_give(&s->tables, e->self, e->own[2]);
}

static int pt_lock_brief_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	int err = edit_tables(state, e, false, deadline_ns);

	return err ? err : intree_brief_begin(state, e, deadline_ns);
}

static void pt_lock_brief_end(void *state, struct lock_edit *e)
{
	struct pt_lock *s = state;

	table_range_give(&s->tables, e->self, e->own[2]);
}

/* ---- the rest ---- */

static void pt_lock_stats(const void *state, struct lock_stats *out)
{
	struct pt_lock *s = (struct pt_lock *)state;

	intree_stats(&s->in, out);
	out->visits_waited += atomic_load_relaxed(&s->tables.visits_waited);
	out->edits_waited += atomic_load_relaxed(&s->tables.edits_waited);
}

static void pt_lock_dump(const void *state, FILE *out)
{
	struct pt_lock *s = (struct pt_lock *)state;

	table_report(&s->tables, out);
	intree_dump(&s->in, out);
}

static uint64_t pt_lock_audit(const void *state, FILE *out)
{
	struct pt_lock *s = (struct pt_lock *)state;
	struct range_locks *locks = &s->in.locks;

	return lock_audit_words(locks->space, locks->view, false, out) + range_audit(locks, out) +
	       table_report(&s->tables, out);
}

const struct lock_policy lock_policy_pt_lock = {
	.name = "pt-lock",
	.idea = "locks in the tables of the page table: the covering one, then all below",
	.source = "CortenMM (SOSP'25, artifact), adv; asterinas RFC 0003",
	.weakness = "all below one table page (2 MiB) serializes, faults too; wide edits lock a coarse covering table",
	.caps = LOCK_CAP_THREADS | LOCK_CAP_DISJOINT_EDITS | LOCK_CAP_SUBRANGE | LOCK_CAP_TRY | LOCK_CAP_DEADLINE |
		LOCK_CAP_FIFO | LOCK_CAP_TABLES,
	.state_bytes = sizeof(struct pt_lock),
	.init = pt_lock_init, .fini = pt_lock_fini,
	.visit_begin = pt_lock_visit_begin, .visit_valid = intree_visit_valid, .visit_end = pt_lock_visit_end,
	.edit_begin = pt_lock_edit_begin, .edit_shut = intree_edit_shut, .edit_born = intree_edit_born,
	.edit_dead = intree_edit_dead, .edit_end = pt_lock_edit_end,
	.edit_take = intree_edit_take, .edit_drop = intree_edit_drop,
	.brief_begin = pt_lock_brief_begin, .brief_end = pt_lock_brief_end,
	.gap_wait = pt_lock_gap_wait,
	.stats = pt_lock_stats, .dump = pt_lock_dump, .audit = pt_lock_audit,
};
