/* SPDX-License-Identifier: MIT */
/*
 * scavenge.c - page tables and leaves of places where nothing is mapped any more.
 *
 * A munmap frees the tables whose span lies inside its range (commit.c): what else of a span is a gap it does not hold.
 * So each thread notes the spans at the two ends of what it unmapped, or moved away, in SCAVENGE_SETS sets, the latest
 * first. The note that a new one pushes out of its set is looked at: if the span is empty, or even that of the table
 * above, it is held, by a try, looked at once more, its table unlinked; and leaves that threads had split for
 * themselves are joined, but not the one it still works in.
 *
 * WHY LATE   who maps and unmaps one place over and over finds its table and its leaf there: a note that is the first
 *            of its set already is two loads. Only who wanders pays, for a span that he has left behind.
 * HELD       a table goes while its span is held and empty: no VMA, so no entry but those that late faults lock and
 *            give back (pt_table.c, T1). Both looks are needed: the first so that nobody waits for a try in a span in
 *            use, the second because only then nothing can come.
 * BOUND      tables of empty spans: SCAVENGE_PLACES for each slot of a thread that unmapped something. So many that
 *            who hands memory on to a hundred others (profile pipeline) finds their tables there when he comes again.
 * NOT PROMISED  a span whose try met a holder is forgotten until somebody unmaps there again; the notes of a thread
 *            that has gone wait for the next one with its slot.
 * SOURCE     Linux frees tables up to the neighbouring VMAs (mm/memory.c, free_pgtables), under one lock.
 */
#include "vmmap/space/space.h"

#define LEAF_SPAN  pt_level_shift(1)             /* what a table of entries spans: 2 MiB                           */
#define ABOVE_SPAN pt_level_shift(2)

static struct lock_range span_of(uint64_t addr, unsigned shift)
{
	uint64_t lo = addr >> shift << shift;

	return (struct lock_range){ lo, lo + (UINT64_C(1) << shift) };
}

static bool table_there(struct vmmap *map, struct thread_slot *self, uint64_t addr)
{
	bool there;

	rcu_enter(self);
	there = pt_find(&map->pt, addr);
	rcu_leave(self);
	return there;
}

/* r was empty a moment ago. */
static void scavenge_tables(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	uint64_t deadline = thread_deadline(self, LOCK_TRY);
	bool hold = !BASE_MUTANT(scavenge_holds_nothing);
	struct lock_edit e;

	BASE_POINT(scavenge_before_hold);
	if (!hold || !space_edit_begin(map, &e, self, r)) {
		bool empty = space_empty(map, self, r);

		if (empty || BASE_MUTANT(scavenge_looks_once)) {
			BASE_POINT(scavenge_held);
			rcu_enter(self);
			pt_free_tables(&map->pt, self, r);
			rcu_leave(self);
		}
		if (hold && !empty && !BASE_MUTANT(scavenge_leaves_cuts))        /* empty: nothing was cut */
			space_merge(map, &e, r);
		if (hold)
			space_edit_end(map, &e);
	}
	thread_deadline(self, deadline);
}

/* now: where this thread works. */
static NOINLINE void scavenge(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t now)
{
	struct lock_range r = span_of(addr, LEAF_SPAN), above = span_of(addr, ABOVE_SPAN);

	if (!space_empty(map, self, r))
		return;
	if (table_there(map, self, addr))
		scavenge_tables(map, self, space_empty(map, self, above) ? above : r);
	vtree_join_idle(&map->tree, self, r, now);
}

/* Puts the note first in its set, the others behind it, and returns the one that has no place any more, or 0. */
static uint64_t note_first(uint64_t *set, uint64_t note)
{
	uint64_t last = note;

	for (unsigned i = 0; i < SCAVENGE_WAYS && last; i++) {
		uint64_t here = set[i];

		set[i] = last;
		if (here == note)
			return 0;
		last = here;
	}
	return last;
}

static inline void left_span(struct vmmap *map, struct thread_slot *self, struct space_local *local, uint64_t addr)
{
	uint64_t note = (addr >> LEAF_SPAN) + 1;         /* 0: none                                                */
	uint64_t *set = local->left[scavenge_set(addr)], pushed_out;

	if (likely(set[0] == note))
		return;
	pushed_out = note_first(set, note);
	if (pushed_out && !BASE_MUTANT(scavenge_nothing))
		scavenge(map, self, (pushed_out - 1) << LEAF_SPAN, addr);
}

void space_left(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	struct space_local *local = thread_local_mine(&map->locals, self);

	if (!local)
		return;
	left_span(map, self, local, r.lo);
	if ((r.hi - 1) >> LEAF_SPAN != r.lo >> LEAF_SPAN)
		left_span(map, self, local, r.hi - 1);
}
