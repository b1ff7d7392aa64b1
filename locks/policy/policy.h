/* SPDX-License-Identifier: MIT */
/*
 * policy.h - what a locking policy is to the map, and the map to a policy.
 *
 * The conductor (vmmap/space) knows two verbs, whatever the policy:
 *
 *   VISIT  shared use of a few pages, tree unchanged: fault, access, DONTNEED/FREE/WILLNEED/POPULATE.
 *          begin, then per entry { CAS entry -> LOCKED; valid? store : restore and begin again }, end.
 *          Optimistic policies announce nothing in begin and tell the truth in valid; counting and global policies
 *          hold something from begin to end and valid is `true`. A negative answer is given after valid too.
 *   EDIT   exclusive use of a range, gaps included: mmap, munmap, mprotect, mremap, flag advice, brk.
 *          General form:  edit_begin, prepare (may fail), for each VMA to change { edit_shut }, entries, publications
 *                         with { edit_born } before and { edit_dead } after, merge (edit_take of neighbours), edit_end.
 *          Brief form:    brief_begin, one leaf section in which each VMA touched is { edit_take .. edit_drop },
 *                         brief_end. No border is cut, nobody waits inside; a take that fails sends the caller to
 *                         the general form.
 *
 *   VISIT against EDIT of the same page: a visit's entry is stored only if no edit that covers the page began between
 *   begin and that store, or the edit sees the stored value when it reads the entry after edit_shut (edit_take).
 *   EDIT against EDIT: ranges that meet exclude each other; others never wait for each other (if DISJOINT_EDITS).
 *
 * LIFETIME  VMAs are type-stable and reused at once. A split keeps the object for an outer piece, and a VMA object dies
 *           only under an edit that covers all of it. So who keeps edits out of the whole VMA may read its fields from
 *           begin to end; an optimistic policy, and one that holds only pages (an edit elsewhere in the VMA may cut it,
 *           and leave them to another object), reads them between two equal looks at lk.
 *
 * What a policy may hold on to is its own state, the slot inside each VMA, and the caller's struct below. No TLS.
 */
#ifndef LOCKS_POLICY_POLICY_H
#define LOCKS_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/park.h"
#include "base/thread.h"
#include "locks/range.h"
#include "locks/view.h"
#include "locks/vma_word.h"

/* ---- what the caller holds: on its stack ------------------------------------------------------------------------- */

struct lock_visit {
	struct thread_slot *self;                /* in                                                             */
	struct lock_range r; /* in: wanted. out: hi cut to what this visit covers (one VMA, or a gap) */
	struct lock_slot *slot;                  /* out: the VMA, usable until end; NULL: nothing mapped at r.lo   */
	uint64_t own[4];                         /* zeroed before the first begin, kept when a visit that was not
	                                            valid begins again: there it grows old and comes to insist     */
};

struct lock_edit {
	struct thread_slot *self;                /* in                                                             */
	struct lock_range r;                     /* held; no VMA crosses its borders (general form)                */
	uint64_t number;                         /* unique per acquisition, even: version after release            */
	struct lock_holder mine;                 /* out, of edit_begin: what stands in held VMAs and gaps. Global
	                                            policies: { 0, NULL }, held gaps are simply empty              */
	unsigned merges;                         /* out, after edit_end, brief_end or a failed edit_begin: borders */
	uint64_t merge_at[4];                    /* at which a merge is due; the caller tries it as a fresh edit   */
	struct lock_range merge_in;              /* ... and at every border in here, the ends included; hi 0: none */
	bool shuts;                              /* in: what edit_take takes is shut before it changes, so that it
	                                            need not mind who is still inside                              */
	uint64_t own[6];
};

/* Before each begin. Field by field: merge_at may hold anything, and to clear it all takes longer than a lock does. */
static inline void lock_edit_init(struct lock_edit *e, struct thread_slot *self, struct lock_range r)
{
	e->self = self;
	e->r.lo = r.lo, e->r.hi = r.hi;
	e->number = 0;
	e->mine = (struct lock_holder){ 0, NULL };
	e->merges = 0;
	e->merge_in = (struct lock_range){ 0, 0 };
	e->shuts = false;
	for (unsigned i = 0; i < ARRAY_SIZE(e->own); i++)
		e->own[i] = 0;
}

#define LOCK_TRY      PARK_TRY                   /* deadline_ns: never wait                                         */
#define LOCK_FOREVER  PARK_FOREVER

enum lock_caps {
	LOCK_CAP_THREADS        = 1 << 0,        /* off only for `none`                                              */
	LOCK_CAP_VISIT_NO_WRITE = 1 << 1,        /* a visit that hits writes no line of ours                         */
	LOCK_CAP_DISJOINT_EDITS = 1 << 2,        /* edits on disjoint ranges do not wait for each other              */
	LOCK_CAP_SUBRANGE       = 1 << 3,        /* ... also inside one VMA                                          */
	LOCK_CAP_TRY            = 1 << 4,        /* LOCK_TRY is honoured exactly                                     */
	LOCK_CAP_DEADLINE       = 1 << 5,        /* off: a call with a deadline waits as long as it takes             */
	LOCK_CAP_DOWNGRADE      = 1 << 6,
	LOCK_CAP_FIFO           = 1 << 7,        /* overtakes are bounded (promise P-6); pthread_rwlock: not          */
	LOCK_CAP_TABLES         = 1 << 8,        /* locks live in the tables of the page table: what is disjoint there
	                                            is (its tables are made, unlinked under their locks: view.h)   */
};

enum lock_touch { LOCK_TOUCH_VMA, LOCK_TOUCH_GAP, LOCK_TOUCH_TABLE, LOCK_TOUCH_ENTRY };

struct lock_stats { uint64_t visits_waited, edits_waited, hand_overs, max_overtakes, merge_notes; };

struct lock_policy {
	const char *name;                        /* --policy=, test names, rows of results                           */
	const char *idea;                        /* one line                                                         */
	const char *source;                      /* paper, document                                                  */
	const char *weakness;                    /* known, one line                                                  */
	unsigned caps;
	size_t state_bytes;                      /* per map, CACHE_PAIR aligned, zeroed                              */
	size_t slot_bytes;                       /* per VMA beyond struct lock_slot, on a line of its own, at
	                                            (char *)slot + LOCK_SLOT_FAR                                     */

	int  (*init)(void *state, struct lock_space *, const struct lock_view *);
	void (*fini)(void *state);

	/* May wait, holding nothing; returns inside an RCU section that visit_end leaves. On error: outside, nothing
	   held. 0 -EAGAIN -ETIMEDOUT -EDEADLK (this thread holds the page in an edit) */
	int  (*visit_begin)(void *state, struct lock_visit *, uint64_t deadline_ns);
	bool (*visit_valid)(void *state, struct lock_visit *);
	void (*visit_end)(void *state, struct lock_visit *);

	/* Takes e->r, ascending. Second edit of a thread: wholly above the first, or LOCK_TRY.
	   0 -EAGAIN -ETIMEDOUT -ENOMEM (dummy, cut) -EDEADLK. On error nothing is held; a border that was cut on the
	   way is reported in merge_at. Not inside an RCU section */
	int  (*edit_begin)(void *state, struct lock_edit *, uint64_t deadline_ns);
	/* Before the first change under this VMA: returns when no visit of before is still inside. */
	void (*edit_shut)(void *state, struct lock_edit *, struct lock_slot *);
	/* A new VMA, before it is published inside e->r (general form: born held, edit_end releases it; brief form:
	   born free); an old one, after it has been unpublished. */
	void (*edit_born)(void *state, struct lock_edit *, struct lock_slot *);
	void (*edit_dead)(void *state, struct lock_edit *, struct lock_slot *);
	/* Visits may come in again; the range stays closed to edits. NULL: no downgrade. */
	void (*edit_downgrade)(void *state, struct lock_edit *);
	/* Releases what lies below `end`, a border of VMAs, for good; the rest stays held. NULL: all is, to the end. */
	void (*edit_part)(void *state, struct lock_edit *, uint64_t end);
	/* Releases everything, wakes and grants; reports merges to retry. Never fails. */
	void (*edit_end)(void *state, struct lock_edit *);

	/* Inside a leaf section, for a VMA that the edit does not hold (a neighbour to merge with; any VMA of a brief
	   edit). Never waits. true: visits of before are out or will notice; drop (or edit_dead) gives it back, with
	   a new version. A false answer leaves a note with the holder, so that it retries the merge at `border` (0: no
	   note wanted), or with this edit, if there is no holder who would.
	   Asked by merges where `mine` is a word or edits are DISJOINT, after an edit's end too (then in an edit that
	   began nothing). Else an edit has all of the map, and only what dies is shut. */
	bool (*edit_take)(void *state, struct lock_edit *, struct lock_slot *, uint64_t border);
	void (*edit_drop)(void *state, struct lock_edit *, struct lock_slot *);

	/* NULL: no brief form. e->r is where it may act; global policies take their lock here, others may lock e->r.
	   0 -EAGAIN -ETIMEDOUT -EDEADLK, -ENOMEM (a thread's first in this map) */
	int  (*brief_begin)(void *state, struct lock_edit *, uint64_t deadline_ns);
	void (*brief_end)(void *state, struct lock_edit *);

	/* Waits, holding nothing, until the edit that holds addr (a dummy in a gap) has ended; returns at once if none
	   does. 0 -EAGAIN -ETIMEDOUT. NULL: no gap is ever locked. */
	int  (*gap_wait)(void *state, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns);

	/* `checked`: asserts that what the calling thread holds covers r (exclusive: by an edit). NULL elsewhere. */
	void (*touch)(void *state, struct thread_slot *self, struct lock_range r, enum lock_touch what, bool exclusive);

	void (*stats)(const void *state, struct lock_stats *);
	void (*dump)(const void *state, FILE *);                 /* holders, queues, wait-for chain: any time      */
	uint64_t (*audit)(const void *state, FILE *);            /* quiescent: number of words not free            */
};

const struct lock_policy *lock_policy_find(const char *name);        /* NULL: unknown                              */
const struct lock_policy *lock_policy_at(unsigned i);                /* NULL: past the last                        */

/* Notes in e that a merge is due at this border, at every border of hull (its ends included). */
void lock_note_merge(struct lock_edit *e, uint64_t border);
void lock_note_merges(struct lock_edit *e, struct lock_range hull);

/* Ready-made members for policies that need nothing there */
bool lock_visit_always(void *state, struct lock_visit *);
void lock_edit_nothing(void *state, struct lock_edit *, struct lock_slot *);
bool lock_take_always(void *state, struct lock_edit *, struct lock_slot *, uint64_t border);

#endif
