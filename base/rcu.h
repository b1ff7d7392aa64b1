/* SPDX-License-Identifier: MIT */
/*
 * rcu.h - the only door to grace periods.
 *
 * Read sections nest. Nothing may sleep inside one (asserted in dev builds). Two kinds of grace period:
 *   rcu_retire      tree nodes, page tables: liburcu's grace period, one for the open items of all slots
 *   rcu_poll_*      frames: a polled grace period over one word per slot (Debian's liburcu 0.13.2 has no polling)
 * A pointer is published by a release store and read by an acquire load of base/atomic, never by liburcu's macros.
 */
#ifndef BASE_RCU_H
#define BASE_RCU_H

#include "base/atomic.h"
#include "base/thread.h"

struct rcu_item { struct rcu_item *next; void (*fn)(struct rcu_item *); };       /* embedded in what is retired */

static ALWAYS_INLINE void rcu_enter(struct thread_slot *self);
static ALWAYS_INLINE void rcu_leave(struct thread_slot *self);
/*
 * A brief section: polled grace periods wait for it, liburcu's do not. So it may reach frames and what goes with them,
 * nothing that is retired (a tree, a page table), and has no full section inside; it may itself stand in one. For calls
 * that take a few instructions, of which a full section would be the most.
 */
static ALWAYS_INLINE void rcu_enter_brief(struct thread_slot *self);
static ALWAYS_INLINE void rcu_leave_brief(struct thread_slot *self);
static inline bool rcu_inside(const struct thread_slot *self) { return self->rcu_nest != 0; }

/*
 * Calls item->fn(item) after a grace period, from a thread of rcu.c's own, or from one that drains or forks. Never
 * waits, never fails; callable inside a read section. fn may retire, but not drain. Cost: one uncontended
 * compare-and-swap; each 64th call also asks for a round, which comes within 10 ms or so, or at once where 1,024
 * items wait. Fewer than 64 may stay open until the next flush, drain or the thread's exit. (The first one to ask
 * starts the thread; where that fails, the next one tries again.)
 */
void rcu_retire(struct thread_slot *self, struct rcu_item *item, void (*fn)(struct rcu_item *));
/* The same for an item that stands for n of them. */
void rcu_retire_many(struct thread_slot *self, struct rcu_item *item, void (*fn)(struct rcu_item *), uint32_t n);
/*
 * Asks for a round, also when this slot's batch is not full. Never waits; the round comes within 10 ms or so.
 */
void rcu_retire_flush(struct thread_slot *self);
/* Returns when everything that any slot retired before the call has been freed. Outside read sections; waits. */
void rcu_drain(void);
/* The same, waiting until the deadline at the longest, and not at all where nothing is retired. 0; -EAGAIN (PARK_TRY),
 * -ETIMEDOUT: something still waits. */
int  rcu_drain_until(uint64_t deadline_ns);
/* Waits for a grace period of both kinds. Counted by rcu_waits(). */
void rcu_synchronize(void);
/* Waits for a polled grace period, until the deadline (base/park.h). 0, -EAGAIN (PARK_TRY: never waits), -ETIMEDOUT. */
int  rcu_poll_wait(uint64_t deadline_ns);

/*
 * Starts a polled grace period; its cookie is done when each read section that was open has ended. Never waits; costs
 * a membarrier (1 to 10 us: batch what it is for). May be called inside a read section: the caller's own section then
 * keeps the cookie from being done until it has left. Cookies rise; done(c) implies done of each smaller cookie.
 */
uint64_t rcu_poll_start(void);
bool     rcu_poll_done(uint64_t cookie);

/* For base/thread: the calling thread's slot begins and ends a life. */
void rcu_thread_online(struct thread_slot *self);
void rcu_thread_offline(struct thread_slot *self);

/* For base/atfork. prepare sleeps until no grace period is under way. False: the child may not use the library, as it
 * was forked inside a read section while one was. */
void rcu_fork_prepare(void);
void rcu_fork_parent(void);
bool rcu_fork_child(void);

/* How often rcu_synchronize or rcu_drain waited, in the whole process: 0 inside operations (promise P-7). */
uint64_t rcu_waits(void);

#include "base/rcu_inline.h"

#endif
