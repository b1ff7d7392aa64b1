/* SPDX-License-Identifier: MIT */
/*
 * rwsem.h - the strongest global reader-writer lock we can write: one word, spin then park, hand-over, downgrade.
 *
 * WORD       bit 0 W       held exclusively
 *            bit 1 QUEUED  somebody waits in the queue: releasers wake
 *            bit 2 HANDOFF the first in the queue has been passed twice: nobody may barge
 *            bits 8..31    shared holders (and, for an instant, shared newcomers that will take themselves back)
 * QUEUE      nodes on the waiters' stacks, oldest first, under `queue_lock` (a spin lock held for a few stores).
 *            QUEUED is set and cleared under it.
 * NODE       WAITING -> WOKEN (an exclusive waiter, to try itself) -> WAITING (by a CAS) ...; either -> GRANTED, the
 *            granter's last access: the node may be gone right after.
 * EDGES      L1 every lock is an acquiring RMW of the word; U1 every unlock a releasing one. G1 GRANTED release -> G2.
 *            Not lost: Q1 a waiter sets QUEUED before it looks at the word for the last time; a releaser looks for
 *            QUEUED in the value that its own RMW (U1) returned. One of the two sees the other, since both are RMWs of
 *            one word. A shared newcomer that takes itself back and leaves the word free wakes like a releaser.
 * PROGRESS   Barging is what makes it fast: who runs takes the free lock while the woken one is still waking. Who is
 *            first in the queue looks when it is woken, and every LOOK_NS for shared holders (a stream of them may
 *            never leave the word free); when it has found the lock taken twice, it sets HANDOFF: from then on
 *            nobody comes in but by the queue, and the next releaser grants it the lock. Shared waiters are granted
 *            in runs.
 *            An overtake is counted at each such look.
 * NOT PROMISED  recursion. NUMA.
 * SOURCE     the roles of count, handoff bit and optimistic spinning are Linux's rwsem's (Documentation); code our own.
 */
#ifndef LOCKS_RWSEM_H
#define LOCKS_RWSEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"

struct rwsem_node;

struct rwsem {
	atomic_u32 word;
	atomic_u32 queue_lock PAIR_ALIGNED;      /* touched only when somebody waits, or has waited                */
	struct rwsem_node *first, *last;
	/* written under queue_lock; statistics are read at any time */
	atomic_u64 hand_overs, max_overtakes, waits_shared, waits_exclusive;
} PAIR_ALIGNED;

enum { RWSEM_W = 1, RWSEM_QUEUED = 2, RWSEM_HANDOFF = 4, RWSEM_READER = 256 };

int  rwsem_wait_shared(struct rwsem *s, uint64_t deadline_ns);
int  rwsem_wait_exclusive(struct rwsem *s, uint64_t deadline_ns);
void rwsem_wake(struct rwsem *s);
/* Gives back a shared count that did not become a lock. */
void rwsem_take_back(struct rwsem *s);

static ALWAYS_INLINE bool rwsem_try_shared(struct rwsem *s)
{
	if (likely(!(atomic_add_acqrel(&s->word, RWSEM_READER) & (RWSEM_W | RWSEM_HANDOFF)))) /* L1 */
		return true;
	rwsem_take_back(s);
	return false;
}

static ALWAYS_INLINE bool rwsem_try_exclusive(struct rwsem *s)
{
	uint32_t free = 0;

	return atomic_cas_acqrel(&s->word, &free, RWSEM_W);                                              /* L1 */
}

static ALWAYS_INLINE void rwsem_unlock_shared(struct rwsem *s)
{
	uint32_t old = atomic_sub_acqrel(&s->word, RWSEM_READER);                                        /* U1 */

	if (unlikely((old & RWSEM_QUEUED) && old < 2 * RWSEM_READER))
		rwsem_wake(s);
}

static ALWAYS_INLINE void rwsem_unlock_exclusive(struct rwsem *s)
{
	if (unlikely(atomic_sub_acqrel(&s->word, RWSEM_W) & RWSEM_QUEUED))                               /* U1 */
		rwsem_wake(s);
}

/* Exclusive becomes shared; those who wait shared at the head come in. */
static ALWAYS_INLINE void rwsem_downgrade(struct rwsem *s)
{
	if (atomic_add_acqrel(&s->word, RWSEM_READER - RWSEM_W) & RWSEM_QUEUED)                          /* U1 */
		rwsem_wake(s);
}

#endif
