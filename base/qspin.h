/* SPDX-License-Identifier: MIT */
/*
 * qspin.h - a queued spin lock: fair, and each waiter spins on a line of its own. For a lock that threads do want at
 * once; base/spin.h is half as large.
 *
 * WORD      FREE -> HELD -> FREE, while nobody waits: the two accesses of a thread alone. HELD -> OFFERED: free for the
 *           first in the queue only.
 * QUEUE     nodes on the waiters' stacks. `tail` is the youngest's, 0: nobody waits. Each stores itself into the `next`
 *           of the one before it. Who has the lock leaves the queue, and keeps who is next as `heir`, under the lock:
 *           0: nobody, or one that came to an empty queue.
 * HAND-OVER To an heir by its node's `turn`: the word goes on being HELD. Who came to an empty queue has been nobody's
 *           next: it watches the word, alone, and is offered the lock there.
 * LEAVING   A node with a next behind it is left by its `heir`; the last one by a CAS of the tail, from itself to 0. If
 *           that fails somebody has come, and is about to say so in `next`: that is waited for.
 * EDGES     U1 the release store of the word, or T1 of a turn -> L1 the CAS of the next holder, T2 the heir's look.
 *           Q1 a waiter's swap of the tail: its node is filled in before it is shown -> Q1 the next one's swap.
 *           N1 the link -> N2 the look of who leaves.
 *           The holder's look at the tail needs no order. If it sees the queue that was, and stores FREE: the first of
 *           the queue takes that. If it sees somebody: that one waits still, since nobody leaves but as the holder, and
 *           what holders before have stored it has seen (U1 -> L1).
 * PROGRESS  First come, first served, by the swap; but whose swap comes after the last look of a holder at the tail may
 *           be passed by one newcomer, who takes the FREE word. That one sees the queue, and offers.
 *           A leaf of the lock order. Waiters yield in time (base/park.h): a queue of threads that have lost their CPU
 *           takes as many time slices as it is long.
 * NOT PROMISED  trylock, deadlines: nobody here needs them.
 * SOURCE    Mellor-Crummey, Scott, "Algorithms for Scalable Synchronization on Shared-Memory Multiprocessors" (1991);
 *           a holder without a node: Auslander, Edelsohn and others (K42, 2002); the word before the queue, so that one
 *           thread alone pays a CAS and a store: Linux's qspinlock (Long, Zijlstra 2014). Re-derived.
 */
#ifndef BASE_QSPIN_H
#define BASE_QSPIN_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/compiler.h"

enum { QSPIN_FREE, QSPIN_HELD, QSPIN_OFFERED };

struct qspin_node;

struct qspin {                                   /* zeroed memory is a free lock                                    */
	atomic_u32 word;
	_Atomic(struct qspin_node *) tail;
	PLAIN(struct qspin_node *) heir;
};

void qspin_wait(struct qspin *q);
void qspin_hand_over(struct qspin *q);

static ALWAYS_INLINE void qspin_lock(struct qspin *q)
{
	uint32_t seen = QSPIN_FREE;

	if (unlikely(!atomic_cas_acquire(&q->word, &seen, QSPIN_HELD)))          /* L1 -> U1 */
		qspin_wait(q);
}

static ALWAYS_INLINE void qspin_unlock(struct qspin *q)
{
	if (likely(atomic_load_relaxed(&q->tail) == NULL))
		atomic_store_release(&q->word, QSPIN_FREE);                      /* U1 -> L1 */
	else
		qspin_hand_over(q);
}

#endif
