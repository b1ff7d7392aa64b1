/* SPDX-License-Identifier: MIT */
/*
 * table_lock.h - the lock of one table of the page table: exclusive, first come, first served, for tables that go.
 *
 * WORD     bit 0 HELD     somebody has it
 *          bit 1 QUEUED   threads wait: whoever lets go hands it to the oldest
 *          bit 2 BUSY     the queue is being changed: a few stores
 *          bit 3 STRAY    the table has been unlinked: its lock is to be had no more. In one word with HELD, so that
 *                         nobody can hold a table and overlook that it is a stray
 *          free (0) -> HELD by CAS; HELD -> free by CAS, if nobody waits; all else under BUSY, with a release store.
 *          A new table that its maker links is born HELD by it, if the maker holds the table above (pt_table_lock.c).
 * OWNER    who has it: slot number + 1. Written by the holder; asked by others only for "is it me?", an answer that
 *          nobody else can change, and by dumps.
 * QUEUE    nodes on the waiters' stacks, a ring of which `last` is the newest, under BUSY.
 * NODE     WAITING -> GRANTED: the lock is the waiter's. WAITING -> GONE: a stray, look the address up again. Both
 *          under BUSY, and the last access of who lets go. A waiter that gives up takes its node out, while it is
 *          WAITING.
 * MEMORY   A table is freed by RCU after it became a stray. So: its word is touched inside a read section that found
 *          it, or by who holds it, or a table above it (who unlinks a table holds the one above). A waiter sleeps
 *          outside of both, and looks at its own node only; to give up it enters a read section, then looks once more:
 *          WAITING says that the table had not become a stray when the section began, so its grace period waits for us.
 * EDGES    U1 a release of the word (CAS or store) -> L1 an acquiring CAS of it: what was done under the lock, or to
 *          the queue. G1 a node's state, release -> G2 the waiter's acquire: the same, handed over.
 * PROGRESS Whoever lets go passes the lock to the oldest waiter; nobody takes it in between: no waiter is overtaken.
 *          Before it queues, a newcomer spins a little: most holders are done in less than a sleep takes. BUSY is held
 *          for a few stores, by threads that wait for nothing.
 * SOURCE   CortenMM (SOSP'25, artifact, cursor/locking.rs): lock and stray mark in a table's metadata; queue our own.
 */
#ifndef LOCKS_TABLE_LOCK_H
#define LOCKS_TABLE_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/thread.h"

enum { TABLE_HELD = 1, TABLE_QUEUED = 2, TABLE_BUSY = 4, TABLE_STRAY = 8 };

struct table_waiter;

struct table_lock {                      /* in the head of a table; zeroed memory is a free lock                    */
	struct table_waiter *last;       /* under BUSY                                                             */
	atomic_u32 word, owner;
	uint8_t shift, step;             /* bytes that the table spans, and what one word of it, as shifts; step 0: a
	                                    table of entries, with none below                       [const, linked] */
};

enum table_waits { TABLE_WAITING, TABLE_GRANTED, TABLE_GONE };

struct table_waiter {                    /* on the waiter's stack                                                   */
	struct table_waiter *next;       /* under BUSY: the next younger; of the youngest: the oldest               */
	atomic_u32 state;
};

static ALWAYS_INLINE bool table_lock_mine(struct table_lock *t, const struct thread_slot *self)
{
	return atomic_load_relaxed(&t->owner) == self->number + 1;
}

static ALWAYS_INLINE bool table_lock_try(struct table_lock *t, const struct thread_slot *self)
{
	uint32_t free = 0;

	if (!atomic_cas_acquire(&t->word, &free, TABLE_HELD))                    /* L1 -> U1 */
		return false;
	atomic_store_relaxed(&t->owner, self->number + 1);
	return true;
}

/* A table of entries. */
static ALWAYS_INLINE bool table_lock_lowest(const struct table_lock *t) { return t->step == 0; }

/* A stray: its lock is not to be had. */
static inline bool table_lock_gone(struct table_lock *t)
{
	return atomic_load_relaxed(&t->word) & TABLE_STRAY;
}

/* Somebody waits. */
void table_lock_pass(struct table_lock *t);

static ALWAYS_INLINE void table_lock_give(struct table_lock *t)
{
	uint32_t held = TABLE_HELD;

	ASSERT(atomic_load_relaxed(&t->owner) != 0);
	atomic_store_relaxed(&t->owner, 0);
	if (unlikely(!atomic_cas_release(&t->word, &held, 0)))                   /* U1 -> L1 */
		table_lock_pass(t);
}

/* A try failed. 0: it is ours after all. 1: a node stands in the queue, table_lock_sleep is next. -ESTALE: a stray.
 * (In a read section, or with the table above held.) */
int  table_lock_queue(struct table_lock *t, struct thread_slot *self, struct table_waiter *w);
/* Outside of read sections. 0: ours. -ESTALE: a stray now. -ETIMEDOUT. */
int  table_lock_sleep(struct table_lock *t, struct thread_slot *self, struct table_waiter *w, uint64_t deadline_ns);
/* By the holder, of a table that is unlinked and not yet retired: all who wait are told. */
void table_lock_stray(struct table_lock *t);

#endif
