/* SPDX-License-Identifier: MIT */
/*
 * qspin.h - a queued spin lock: each waiter spins on a line of its own, and who waits is not passed for long. For a
 * lock that threads do want at once; base/spin.h is half as large.
 *
 * WORD      FREE -> HELD -> FREE: whoever finds it so takes it, a newcomer too. HELD -> OFFERED: free for the first in
 *           the queue only, who has said that it is `impatient`.
 * QUEUE     nodes on the waiters' stacks. `tail` is the youngest's, 0: nobody waits. Each stores itself into the `next`
 *           of the one before it. The first watches the word, alone; the others their node's `turn`, to be first. Who
 *           has got the lock leaves the queue, and keeps who is next as `heir`, under the lock; its release tells the
 *           heir. 0: nobody is next, or one that is first already, having come to an empty queue.
 * LEAVING   A node with a next behind it is left by its `heir`; the last one by a CAS of the tail, from itself to 0. If
 *           that fails somebody has come, and is about to say so in `next`: that is waited for.
 * EDGES     U1 the release store of the word -> L1 the CAS of the next holder.
 *           Q1 a waiter's swap of the tail: its node is filled in before it is shown -> Q1 the next one's swap.
 *           N1 the link -> N2 the look of who leaves.
 *           T1 the turn is stored -> T2 the heir's look: the store is over before the node is.
 *           The holder's looks at tail and impatience need no order. What an earlier one of the queue stored it has
 *           seen (U1 -> L1). If it sees somebody in the queue, or impatient, that one waits still: nobody leaves but as
 *           the holder. If it does not see it yet, the word is FREE once more.
 * PROGRESS  First come, first served among those in the queue. Newcomers may pass its first: threads may outnumber
 *           CPUs, and a lock that is handed to one that has lost its CPU stands still for a time slice. It is impatient
 *           once it has lost the word to a newcomer before its eyes, or looked QSPIN_PATIENCE times; then the next
 *           release that sees it is for it.
 *           A leaf of the lock order. Waiters yield in time (base/park.h).
 * NOT PROMISED  trylock, deadlines: nobody here needs them.
 * SOURCE    Mellor-Crummey, Scott, "Algorithms for Scalable Synchronization on Shared-Memory Multiprocessors" (1991);
 *           a holder without a node: Auslander, Edelsohn and others (K42, 2002); the word before the queue, so that one
 *           thread alone pays a CAS and a store, and newcomers that may pass where CPUs are scarce: Linux's qspinlock
 *           (Long, Zijlstra 2014) and its form for guests. Re-derived.
 */
#ifndef BASE_QSPIN_H
#define BASE_QSPIN_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/compiler.h"

enum { QSPIN_FREE, QSPIN_HELD, QSPIN_OFFERED };

#define QSPIN_PATIENCE 64                        /* looks; the later half of them yield the CPU                     */

struct qspin_node;

struct qspin {                                   /* zeroed memory is a free lock                                    */
	atomic_u32 word;
	_Atomic(struct qspin_node *) tail;
	PLAIN(struct qspin_node *) heir;
	atomic_u32 impatient;
};

void qspin_wait(struct qspin *q);
void qspin_pass_on(struct qspin *q);

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
		qspin_pass_on(q);
}

#endif
