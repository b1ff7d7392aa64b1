/* SPDX-License-Identifier: MIT */
/*
 * range_lock.h - exclusive locks on ranges of a map, held in the map itself: words in VMAs, dummies in gaps.
 *
 * OBJECT     struct range_lock, two per thread and map (nested edits), type-stable: one object stands for all that one
 *            acquisition holds. A VMA shows its address + 1 in lk; a gap shows its embedded dummy, whose lk is the
 *            same word for ever.
 * ACQUIRE    A1 a cursor goes from low to high; view->claim takes what is free at it, leaf by leaf (lk by a seq_cst
 *               CAS). What another holds is waited for at the cursor, and the cursor is an address: what was seen
 *               before the sleep is looked up again.
 * RELEASE    R1 close the queue (waiter.h), R2 give what insisting waiters get, R3 sweep low to high: every lk gets
 *            a new version, every dummy goes, R4 grant the waiters, oldest ticket first. A waiter that comes between
 *            R1 and R3 finds the queue closed and polls until the word has changed.
 * PART       R1 to R4 of what lies below an address, and the queue is opened again before R4: the acquisition goes on.
 *            Who waits above is told to look again. Its words stay, so an upper VMA must not be reached by the sweep:
 *            the address is a border of VMAs.
 * INSISTING  A waiter that failed twice, or looked 16 times where there is no queue (LOCK_BRIEF, a closed one, a lost
 *            race), insists: it says so, and nobody younger takes what stands over its address (range_insist.c). To an
 *            insisting edit the releaser passes the unbroken run of what it holds that starts at the waiter's cursor;
 *            a VMA that the waiter wants only in part goes free and is claimed for it at once. An insisting visit gets
 *            a pin on its VMA, which whoever takes the VMA next must drain, and which nobody cuts.
 * EDGES      R3 a release store of a word that is free, or new -> A1, or a brief edit's T1 (intree.h): what the holder
 *            did -> V0 the first look at lk, beside its slot: what the VMA is like. D1 a held word -> V0: its lock
 *            object is made. D1 A1's RMW of lk -> P2 a visit's seq_cst re-load (the Dekker pair with the page-table
 *            entry). B1 an object's first use -> B2 who finds it by its slot. R5 `busy` goes -> R6 dumps. N1 a note's
 *            RMWs and N1' the re-load of the queue -> N2 R1's swap, then the loads of the notes: the note is read, or
 *            its writer sees the queue closed.
 * ORDER      rank.h: waits only above what the thread holds. Nothing is waited for inside RCU.
 * PROGRESS   Chains of waiting rise in address, so they end. A waiter is overtaken twice before it insists, then
 *            once by each other thread: at most threads + 2 times at one address. An overtake is counted where a
 *            waiter that was granted a retry finds the address held again; where one that polls for the end of an
 *            acquisition finds another one; where a visit was not valid.
 * NOT PROMISED  Who comes first to a leaf section. How often a gap's waiter, who wants any gap and holds no place in a
 *            queue, finds what came free taken again.
 * INVARIANTS (audit) quiescent: queues closed, no record in use, nothing held, every lk a version, no dummy, no pin.
 * SOURCE     docs/protocol.md; the one last store of a hand-over as in glibc's rwlock and Lespinasse's fine-grained
 *            mmap lock (ideas, no code).
 */
#ifndef LOCKS_RANGE_LOCK_H
#define LOCKS_RANGE_LOCK_H

#include <stdio.h>

#include "base/point.h"
#include "base/thread.h"
#include "locks/rank.h"
#include "locks/view.h"
#include "locks/waiter.h"

struct range_thread;

struct range_lock {
	struct range_queue queue;                /* others push                                                    */
	atomic_u64 note_lo, note_hi;             /* others: hull of the borders at which a merge with us failed    */

	struct lock_holder mine PAIR_ALIGNED;    /* const after the first use                                      */
	struct range_thread *home;
	uint32_t owner;
	atomic_u32 busy;                         /* from open to the last grant; atomic for dump, like the next    */
	atomic_u64 lo, hi, cursor;               /* wanted; taken so far                                           */
	uint64_t last;                           /* number of the release before (mutant release_old_version)      */

	unsigned char dummy[LOCK_DUMMY_BYTES] PAIR_ALIGNED;
};

struct range_thread {                            /* what one thread slot has in one map                            */
	struct range_lock lock[LOCK_HELD_MAX];
	struct range_waiter waiter[WAITERS_PER_THREAD];
	struct lock_held held;
	atomic_u64 visits_waited, edits_waited, hand_overs, max_overtakes, merge_notes;

	atomic_u32 ready PAIR_ALIGNED;           /* this line others read                                          */
	atomic_u64 insist_at, insist_ticket;     /* where its waiter insists, and since when; ticket 0: it does not */
};

struct range_locks {                             /* per map                                                        */
	struct lock_space *space;
	const struct lock_view *view;
	size_t pins_at;                          /* where in a slot the pins word is                               */
	struct thread_local_table threads;
	atomic_u64 tickets PAIR_ALIGNED;         /* touched by waiters only                                        */
	atomic_u64 insisting PAIR_ALIGNED;       /* threads that insist; read before anything is taken              */
};

/* ---- waiting: one operation's, over all its sleeps ---- */
struct range_passing { uint64_t lk, acquisition; };

struct range_wait {
	struct range_locks *locks;
	struct thread_slot *self;
	enum waiter_kind kind;
	uint64_t deadline_ns;
	uint64_t hi;                             /* edit: wants [addr, hi)                                         */
	struct range_lock *taker;                /* edit                                                           */
	uint64_t ticket;                         /* 0 until the first sleep                                        */
	uint64_t fails_at;                       /* the address that `fails` counts for                            */
	uint32_t fails;                          /* grants that were lost again, holders that passed while it polled */
	uint32_t looks;                          /* in vain, not in a queue                                        */
	struct range_passing passing;            /* the holder whose end it last polled for                        */
	bool said;                               /* that it insists                                                */
	struct lock_slot *slot;                  /* out: visit, pinned                                             */
	uint64_t version;                        /* out: its version once it is free; edit: where the gift ends    */
};
#define RANGE_INSISTS 2
#define RANGE_LOOKS   16

/* Returns when addr is not held by another acquisition. 0: inside RCU, *seen is what stands there, not held.
 * 1: outside RCU, something was given: an edit looks what is its own now, a visit has a pin on w->slot (NULL: a gap),
 * a gap's waiter has seen the holder end.
 * -EAGAIN -ETIMEDOUT; -EDEADLK: this thread holds it, or something above it. Errors: outside RCU. */
int range_wait(struct range_wait *w, uint64_t addr, struct lock_seen *seen);

/* ---- insisting (range_insist.c) ---- */
void range_wait_at(struct range_wait *w, uint64_t addr);         /* counts anew at another address                 */
void range_ticket(struct range_wait *w);
bool range_insists(const struct range_wait *w, uint64_t addr);
void range_insist(struct range_wait *w, uint64_t addr);          /* says so, if it does                            */
void range_looked(struct range_wait *w, uint64_t addr);          /* in vain, and not in a queue                    */

/* What stands over addr, with its bounds in all leaves. They stay only if the caller holds it. */
void range_over(struct range_locks *locks, struct thread_slot *self, uint64_t addr, struct lock_seen *seen);

void range_insist_unsay(struct range_wait *w);

/* Each wait that may have said so ends with this. */
static inline void range_insist_end(struct range_wait *w)
{
	if (unlikely(w->said))
		range_insist_unsay(w);
}

struct range_heir { const struct range_lock *lock; uint64_t ticket; };           /* who is to have something        */

static inline bool range_somebody_insists(const struct range_locks *locks)
{
	return unlikely(atomic_load_relaxed(&locks->insisting) != 0) && !BASE_MUTANT(insisting_unheard);
}

/* How far up r is there nothing over which one older than the heir insists? */
uint64_t range_heed(struct range_locks *locks, struct thread_slot *self, const struct range_heir *heir,
		    struct lock_range r);
/* Does any other thread insist over this VMA? */
bool range_heeds_slot(struct range_locks *locks, struct thread_slot *self, const struct lock_slot *slot);

/* ---- acquiring ---- */
struct range_take {
	struct thread_slot *self;
	struct lock_range r;
	uint64_t number;                         /* what release stores                                            */
	struct range_lock *lock;                 /* out                                                            */
	bool touched;                            /* out: something was taken before an error: borders may be cut   */
	bool handed;                             /* out: some of it came by hand-over                              */
	struct lock_range notes;                 /* out, by its release: hull of the borders noted (lo > hi: none) */
};

int  range_locks_init(struct range_locks *locks, struct lock_space *space, const struct lock_view *view,
		      size_t pins_at);
void range_locks_fini(struct range_locks *locks);
/* The caller's block; NULL: no memory. */
struct range_thread *range_thread_mine(struct range_locks *locks, struct thread_slot *self);
struct range_thread *range_thread_at(struct range_locks *locks, uint32_t slot);

/* 0 -EAGAIN -ETIMEDOUT -ENOMEM -EDEADLK; on error nothing is held. Outside RCU. */
int  range_take(struct range_locks *locks, struct range_take *t, uint64_t deadline_ns);
/* Releases what it has below `end`, a border of VMAs inside of it, and goes on; who waits above is not overtaken. */
void range_give_part(struct range_locks *locks, struct range_take *t, uint64_t end);
/* Releases all of it, or the rest. */
void range_give(struct range_locks *locks, struct range_take *t);
/* A merge at `border` met this held word: its holder is to retry. False: no holder will; the caller must. */
bool range_leave_note(struct range_locks *locks, struct thread_slot *self, struct lock_slot *slot, uint64_t border);
/* The same, by who knows that the lock is held. */
void range_note_merge(struct range_lock *lock, uint64_t border);

/* What an insisting waiter gets from a lock whose queue is closed; `given` is what went to others before.
 * (range_handover.c) */
struct range_given { struct lock_range r[8]; unsigned n; };
enum waiter_given range_hand(struct range_locks *locks, struct range_lock *from, uint64_t number,
			     struct range_waiter *w, struct range_given *given);

struct range_stats { uint64_t visits_waited, edits_waited, hand_overs, max_overtakes, merge_notes; };

void range_stats(struct range_locks *locks, struct range_stats *out);
void range_dump(struct range_locks *locks, FILE *out);
uint64_t range_audit(struct range_locks *locks, FILE *out);

/* Outside RCU: what stops a wait before it begins. */
int  range_may_wait(struct range_wait *w, uint64_t addr);

static inline atomic_u32 *range_pins(const struct range_locks *locks, struct lock_slot *slot)
{
	return (atomic_u32 *)((char *)slot + locks->pins_at);
}

/* A visit that insists. Where all are counted, on a line of its own, it is counted in the slot as well: what a slot
 * counts is not cut (view.h, claim). */
bool range_pin_staying(const struct range_locks *locks, struct lock_slot *slot);
void range_unpin_staying(const struct range_locks *locks, struct lock_slot *slot);

#endif
