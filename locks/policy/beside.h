/* SPDX-License-Identifier: MIT */
/*
 * beside.h - what `range-tree` and `range-list` share: range locks that are kept beside the map, in a structure of
 * their own. A policy brings that structure (struct beside_lock: take a range, give it); the rest is here.
 *
 * VISIT      the range lock of its pages, shared, from begin to end; then the look at the map. A visit of several pages
 *            looks once before, so that it locks no more than one VMA or gap.
 * EDIT       the range lock of all of e->r, exclusive; then view->claim puts its word and its dummy into what it has
 *            got, and cuts at the borders. So it keeps what it holds in two places. Of these
 *              the range lock  says who waits, for whom, and in which order; and keeps gaps, and pages, apart
 *              the words       say it to who does not ask for ranges: listings, the search for a place (which passes
 *                              over dummies), merges; and hold a slot for each gap, so that a commit allocates nothing
 *            There are no others' words in a range that was granted, but for a few steps: LOCK_BRIEF while a VMA that
 *            reaches into it is cut or merged; the word of an edit that has just merged a neighbour into its own VMA,
 *            and is at its end. Both are spun for.
 * BRIEF      the range lock of e->r, exclusive, and no words; each VMA that changes is taken as in intree.h, T1.
 * ONE VMA, SEVERAL EDITS  A VMA may reach over ranges of several holders as long as nobody has cut it. Then, and where
 *            a brief edit changes the part of it that lies in e->r, a visit elsewhere in that VMA holds its page, but
 *            not the object: the cut may leave its page to another object, and the one that it found may change, die
 *            and come back. So a visit is valid only if lk shows the version of the look (V1): who cuts, takes or
 *            buries a VMA has it first (D1, T1: an RMW before the first look at an entry), and gives it another
 *            version. After two failures the visit asks for the range of all that it sees of the VMA, by a try: no
 *            cut begins in there while it has it.
 * CUTS       view->cut is for one lock over all: of two cuts in one VMA one would find another object than it saw.
 *            claim's cuts hold the VMA's word.
 * NOTES      A merge that meets a held word tells the holder, which heals the border after its release. note_lock keeps
 *            `open` and the hull of the notes together: a note is read by the holder's end, or refused.
 * ORDER      rank.h. A thread that holds a range waits only above it; what lies below is asked for by a try, and is
 *            refused with -EDEADLK.
 * WORDS      lk of a VMA as in vma_word.h: a held word is the address of a struct beside_edit + 1. Nothing is pinned.
 * EDGES      R3 a release store of a word that is free, or new -> A1, T1, V0; V0 a look at a held word -> D1: whose it
 *            is; T1 the RMW of a take -> V1 the visit's seq_cst re-load (Dekker, with the entry); G1 a VMA dies -> V1;
 *            B1 a thread's block is made -> B2 who looks at all blocks.
 * MEMORY     A thread's first edit in a map makes its block, and may fail; a visit that gets none uses a spare one, one
 *            visit at a time.
 * SOURCE     LPC 2019, range locking of mmap_sem (Bueso; Dufour and Glisse): a range lock in the place of the map's
 *            lock, and why VMAs need looking after when their edits run side by side.
 */
#ifndef LOCKS_POLICY_BESIDE_H
#define LOCKS_POLICY_BESIDE_H

#include "base/thread.h"
#include "locks/policy/policy.h"
#include "locks/rank.h"

enum { BESIDE_VISIT = LOCK_HELD_MAX, BESIDE_LOCKS };     /* a thread's range locks: its edits, its visit           */

struct beside_edit {                             /* what an edit in general form shows in the map; type-stable     */
	struct lock_holder mine;                 /* const after the first use                                      */
	atomic_u32 note_lock;                    /* base/spin.h: of the next three                                 */
	bool open;
	uint64_t note_lo, note_hi;
	unsigned char dummy[LOCK_DUMMY_BYTES] PAIR_ALIGNED;
};

struct beside_thread {                           /* first in a policy's block of a thread                          */
	struct lock_held held;                   /* of this thread, in this map                                    */
	bool busy[LOCK_HELD_MAX];                /* which of its edits are in use                                  */
	atomic_u32 ready;
	atomic_u64 visits_waited, edits_waited, merge_notes;
	struct beside_edit edit[LOCK_HELD_MAX];
};

struct beside;

struct beside_want {
	struct thread_slot *self;
	struct beside_thread *home;
	unsigned which;                          /* of its BESIDE_LOCKS; free, or (give) taken                     */
	struct lock_range r;
	bool exclusive;
	uint64_t deadline_ns;
};

struct beside_lock {
	/* 0 -EAGAIN -ETIMEDOUT -ENOMEM. Outside RCU. */
	int  (*take)(struct beside *b, const struct beside_want *w);
	void (*give)(struct beside *b, struct thread_slot *self, struct beside_thread *home, unsigned which);
};

struct beside {                                  /* first in a policy's state                                      */
	struct lock_space *space;
	const struct lock_view *view;
	const struct beside_lock *lock;
	struct beside_thread *spare;
	struct thread_local_table threads;
	atomic_u32 spare_lock PAIR_ALIGNED;      /* the visit that uses the spare block                            */
};

/* block_bytes: of a policy's block of a thread. spare: one such block, zeroed, in the policy's state. */
int  beside_init(struct beside *b, const struct beside_lock *lock, struct lock_space *space,
		 const struct lock_view *view, size_t block_bytes, struct beside_thread *spare);
void beside_fini(void *state);
/* The block of slot `number`; NULL: none yet. THREAD_MAX: the spare one. */
struct beside_thread *beside_at(const struct beside *b, uint32_t number);

int  beside_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns);
bool beside_visit_valid(void *state, struct lock_visit *v);
void beside_visit_end(void *state, struct lock_visit *v);

int  beside_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns);
void beside_edit_born(void *state, struct lock_edit *e, struct lock_slot *slot);
void beside_edit_dead(void *state, struct lock_edit *e, struct lock_slot *slot);
void beside_edit_end(void *state, struct lock_edit *e);
bool beside_edit_take(void *state, struct lock_edit *e, struct lock_slot *slot, uint64_t border);
void beside_edit_drop(void *state, struct lock_edit *e, struct lock_slot *slot);
int  beside_brief_begin(void *state, struct lock_edit *e, uint64_t deadline_ns);
void beside_brief_end(void *state, struct lock_edit *e);
int  beside_gap_wait(void *state, struct thread_slot *self, uint64_t addr, uint64_t deadline_ns);

/* In a policy's table of operations. */
#define BESIDE_CAPS \
	(LOCK_CAP_THREADS | LOCK_CAP_DISJOINT_EDITS | LOCK_CAP_SUBRANGE | LOCK_CAP_TRY | LOCK_CAP_DEADLINE | \
	 LOCK_CAP_FIFO)
#define BESIDE_OPERATIONS \
	.visit_begin = beside_visit_begin, .visit_valid = beside_visit_valid, .visit_end = beside_visit_end, \
	.edit_begin = beside_edit_begin, .edit_shut = lock_edit_nothing, .edit_born = beside_edit_born, \
	.edit_dead = beside_edit_dead, .edit_end = beside_edit_end, \
	.edit_take = beside_edit_take, .edit_drop = beside_edit_drop, \
	.brief_begin = beside_brief_begin, .brief_end = beside_brief_end

/* Adds what the threads have counted. */
void beside_stats(const struct beside *b, struct lock_stats *out);
/* Quiescent: words that are not free, ranges that are held. */
uint64_t beside_audit(const struct beside *b, FILE *out);

#endif
