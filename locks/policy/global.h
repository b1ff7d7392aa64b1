/* SPDX-License-Identifier: MIT */
/*
 * global.h - what the policies with one lock over the map share: who holds it exclusively, nested edits, cut borders.
 *
 * STATE      owner, depth, held: written by the exclusive holder only. `owner` is read by others to answer "is it me?",
 *            a question whose answer no other thread can change.
 * NESTING    a thread's second edit finds the lock its own and only checks the order rule: wholly above what it holds,
 *            or LOCK_TRY. A visit of the owner needs no lock either, and is -EDEADLK inside what it holds.
 * WORDS      lk of a VMA is a version from birth to death and never taken: nobody but the lock's holder edits. Who cuts
 *            a VMA or has taken it in a brief edit stores a new one (view.h, look).
 */
#ifndef LOCKS_POLICY_GLOBAL_H
#define LOCKS_POLICY_GLOBAL_H

#include "locks/policy/policy.h"
#include "locks/rank.h"
#include "locks/rwsem.h"

struct global {
	struct lock_space *space;
	const struct lock_view *view;
	atomic_u32 owner;                        /* slot number + 1                                                */
	struct lock_held held;
};

int  global_init(struct global *g, struct lock_space *space, const struct lock_view *view);
/* The caller is the exclusive holder. */
bool global_mine(const struct global *g, const struct thread_slot *self);
/* For the owner: 0, or -EDEADLK if the order rule forbids a further edit of r. */
int  global_may_nest(const struct global *g, struct lock_range r, uint64_t deadline_ns);
/* After the lock was taken (or found our own): notes the range. */
void global_enter(struct global *g, struct lock_edit *e);
/* Forgets the range. True: it was the last, the caller releases the lock. */
bool global_leave(struct global *g, struct lock_edit *e);
/* Cuts at both borders of e->r. -ENOMEM: nothing is cut. */
int  global_cut(struct global *g, struct lock_edit *e);
/* Fills in a visit from find; the caller is inside RCU. */
void global_find(const struct global *g, struct lock_visit *v);

void global_born(void *state, struct lock_edit *e, struct lock_slot *slot);
void global_drop(void *state, struct lock_edit *e, struct lock_slot *slot);
void global_dead(void *state, struct lock_edit *e, struct lock_slot *slot);
void global_dump(const struct global *g, FILE *out);
/* Adds what a rwsem counted. */
void global_stats(struct rwsem *sem, struct lock_stats *out);

/* Quiescent: VMAs whose lock word or pins are not free, and dummies that were left. */
uint64_t lock_audit_words(struct lock_space *space, const struct lock_view *view, bool far, FILE *out);

#endif
