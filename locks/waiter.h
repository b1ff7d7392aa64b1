/* SPDX-License-Identifier: MIT */
/*
 * waiter.h - who waits for a range lock: records of the thread slots, and the queue word of a lock object.
 *
 * QUEUE WORD   count of acquisitions << 32 | index of the newest waiter; 0: nobody, QUEUE_CLOSED: no acquisition is
 *              open. open    by the owner, a store: same count, nobody              (before the lock stands anywhere)
 *              push    by a waiter, a CAS that expects the count it loaded    Q1
 *              close   by the owner, one swap: count + 1, QUEUE_CLOSED        Q2; what it returns is the whole list
 *              An acquisition that gives up its lower part closes the queue, sweeps that part, and opens it again: to
 *              waiters one acquisition has ended, and another one, of the rest, has begun.
 *              A waiter loads the count (acquire, Q3 <- Q2), then finds its address again and sees the same lock there,
 *              then pushes. An equal count at the push says that the acquisition of that count had not been closed, and
 *              the find, which Q3 orders after every sweep of an earlier acquisition, says that this one stands in the
 *              way. Without the second find it could queue on a later acquisition that holds something else.
 *              After Q2 no push succeeds until the next open, so no waiter is lost. Costs one RMW when nobody waits.
 *              The count wraps after 2^32 acquisitions of one object, during which a waiter would have to sleep.
 *
 * STATE        FREE -> WAITING       owner, before the push
 *              WAITING -> CLAIMED    the releaser, before it gives anything
 *              CLAIMED -> GRANTED    the releaser's last access; the state is the futex word
 *              WAITING -> CANCELLED  owner, timed out; the record stays in the list
 *              CANCELLED -> WAITING  owner, waits again for the same acquisition
 *              CANCELLED -> FREE     the releaser returns it; GRANTED -> FREE: the owner does
 *              Records are type-stable (they live as long as the map's thread table): a late wake is spurious.
 * EDGES        Q1 release -> Q2 acquire: the waiter's fields. W1 GRANTED release -> W2 the waiter's acquire. Where both
 *              want the record, a CAS each: C1 the owner cancels, or fills it in anew and waits again -> C2 the
 *              releaser claims it; C3 the releaser gives it back -> C4 the owner finds it FREE. W3 WAITING release ->
 *              W4 a dump.
 * PROGRESS     a record per acquisition that a thread ever timed out on is bounded by the locks there are; when a
 *              thread's pool is empty all the same, it polls instead of queueing.
 */
#ifndef LOCKS_WAITER_H
#define LOCKS_WAITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/thread.h"
#include "locks/range.h"
#include "locks/vma_word.h"

#define WAITERS_PER_THREAD 16
#define QUEUE_CLOSED       UINT32_MAX

enum waiter_state { WAITER_FREE, WAITER_WAITING, WAITER_CLAIMED, WAITER_GRANTED, WAITER_CANCELLED };
enum waiter_kind { WAITER_VISIT, WAITER_EDIT, WAITER_GAP };
enum waiter_given {
	WAITER_RETRY,                            /* look again                                                     */
	WAITER_PART,                             /* the same: what lies below has gone free, the holder goes on    */
	WAITER_HANDED,                           /* edit: something from `addr` upwards is the taker's             */
	WAITER_PINNED,                           /* visit: `slot` is pinned; NULL: the page was a gap              */
};

struct range_waiter {
	atomic_u32 state;
	atomic_u32 next;                         /* index of the next older                                        */
	atomic_u64 addr, ticket;                 /* atomic for dump                                                */
	_Atomic(struct range_lock *) on;
	PLAIN(uint32_t) count;                   /* acquisition of `on`                                            */
	PLAIN(uint32_t) kind;
	PLAIN(bool) insist;
	PLAIN(uint64_t) hi;                      /* edit: wants [addr, hi)                                         */
	PLAIN(struct range_lock *) taker;        /* edit: who gets what is handed over                             */
	/* written by the releaser between CLAIMED and GRANTED */
	struct range_waiter *later;
	PLAIN(uint32_t) given;
	PLAIN(struct lock_slot *) slot;
	PLAIN(uint64_t) version;                 /* edit: the end of what was handed over                          */
} PAIR_ALIGNED;

struct range_queue { atomic_u64 word; };

static inline uint32_t range_queue_count(uint64_t word) { return (uint32_t)(word >> 32); }
static inline uint32_t range_queue_head(uint64_t word)  { return (uint32_t)word; }
static inline bool range_queue_open_now(uint64_t word)  { return (uint32_t)word != QUEUE_CLOSED; }

void     range_queue_open(struct range_queue *q);
uint32_t range_queue_close(struct range_queue *q);       /* the list's head                                        */
bool     range_queue_push(struct range_queue *q, uint32_t count, struct range_waiter *w, uint32_t index);

/* A record of this pool for a wait on (on, count): a free one, or one that still stands in that queue. NULL: none. */
struct range_waiter *range_waiter_get(struct range_waiter pool[], const struct range_lock *on, uint32_t count);
/* Sleeps until granted (0, the record is still the caller's) or cancelled (-ETIMEDOUT). */
int  range_waiter_sleep(struct range_waiter *w, uint64_t deadline_ns);
void range_waiter_put(struct range_waiter *w);
/* Claims the list that close returned; oldest ticket first. `at` finds a record by its index. */
typedef struct range_waiter *range_waiter_at(void *arg, uint32_t index);
struct range_waiter *range_waiter_claim(uint32_t head, range_waiter_at *at, void *arg);
/* Grants and wakes; the record is the waiter's again. */
void range_waiter_grant(struct range_waiter *w, enum waiter_given given);

#endif
