/* SPDX-License-Identifier: MIT */
/* waiter.c - the queue word and the states of a waiter; waiter.h has the protocol. */
#include "locks/waiter.h"

#include <errno.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/park.h"
#include "base/point.h"

void range_queue_open(struct range_queue *q)
{
	uint64_t word = atomic_load_relaxed(&q->word);

	ASSERT(!range_queue_open_now(word) || BASE_MUTANT(queue_left_open));
	atomic_store_release(&q->word, word & ~(uint64_t)UINT32_MAX);   /* Q2 -> Q3: ... to who reads the new word */
}

uint32_t range_queue_close(struct range_queue *q)
{
	uint64_t word = atomic_load_relaxed(&q->word);
	uint64_t closed = (uint64_t)(range_queue_count(word) + 1) << 32 | QUEUE_CLOSED;

	ASSERT(range_queue_open_now(word));
	if (BASE_MUTANT(queue_left_open))
		closed = word & ~(uint64_t)UINT32_MAX;
	return range_queue_head(atomic_swap_seqcst(&q->word, closed));           /* Q2 -> Q1; N2 -> N1 (notes) */
}

bool range_queue_push(struct range_queue *q, uint32_t count, struct range_waiter *w, uint32_t index)
{
	uint64_t seen = atomic_load_acquire(&q->word);                          /* Q1 -> Q2: the CAS compares it */

	while (range_queue_open_now(seen) && (range_queue_count(seen) == count || BASE_MUTANT(push_any_count))) {
		atomic_store_relaxed(&w->next, range_queue_head(seen));
		if (atomic_cas_acqrel(&q->word, &seen, (seen & ~(uint64_t)UINT32_MAX) | index)) /* Q1 -> Q2 */
			return true;
	}
	return false;
}

struct range_waiter *range_waiter_get(struct range_waiter pool[], const struct range_lock *on, uint32_t count)
{
	struct range_waiter *free = NULL;

	for (unsigned i = 0; i < WAITERS_PER_THREAD; i++) {
		struct range_waiter *w = &pool[i];
		uint32_t state = atomic_load_acquire(&w->state);                /* C4 -> C3 */

		if (state == WAITER_CANCELLED && atomic_load_relaxed(&w->on) == on && w->count == count)
			return w;
		if (state == WAITER_FREE && !free)
			free = w;
	}
	return free;
}

int range_waiter_sleep(struct range_waiter *w, uint64_t deadline_ns)
{
	uint32_t state;

	while ((state = atomic_load_acquire(&w->state)) != WAITER_GRANTED) {             /* W2 -> W1 */
		if (park_wait(&w->state, state, deadline_ns) != -ETIMEDOUT) {
			if (BASE_MUTANT(waiter_believes_wake))
				return 0;
			continue;
		}
		BASE_POINT(waiter_before_cancel);
		state = BASE_MUTANT(cancel_takes_claimed)
				? atomic_load_acquire(&w->state)                /* C1 -> C2 */
				: WAITER_WAITING;
		if (atomic_cas_acqrel(&w->state, &state, WAITER_CANCELLED))     /* C1 -> C2 */
			return -ETIMEDOUT;
		deadline_ns = PARK_FOREVER;              /* claimed: the grant is on its way                       */
	}
	return 0;
}

void range_waiter_put(struct range_waiter *w)
{
	atomic_store_release(&w->state, WAITER_FREE);                           /* C3 -> C4: our own */
}

static struct range_waiter *insert_by_ticket(struct range_waiter *list, struct range_waiter *w)
{
	uint64_t ticket = atomic_load_relaxed(&w->ticket);
	struct range_waiter **link = &list;

	/* The list comes newest first, so this is nearly always the front. */
	while (*link && atomic_load_relaxed(&(*link)->ticket) < ticket && !BASE_MUTANT(claim_ignores_tickets))
		link = &(*link)->later;
	w->later = *link;
	*link = w;
	return list;
}

struct range_waiter *range_waiter_claim(uint32_t head, range_waiter_at *at, void *arg)
{
	struct range_waiter *list = NULL;

	while (head) {
		struct range_waiter *w = at(arg, head);
		uint32_t state = WAITER_WAITING;

		head = atomic_load_relaxed(&w->next);
		for (;;) {
			if (atomic_cas_acqrel(&w->state, &state, WAITER_CLAIMED)) {     /* C2 -> C1 */
				w->given = WAITER_RETRY;
				list = insert_by_ticket(list, w);
				break;
			}
			ASSERT(state == WAITER_CANCELLED);
			if (BASE_MUTANT(claim_takes_cancelled))
				continue;                /* `state` lets the first CAS take it                     */
			if (atomic_cas_release(&w->state, &state, WAITER_FREE)) /* C3 -> C4 */
				break;
			state = WAITER_WAITING;          /* it waits again: claim it after all                     */
		}
	}
	return list;
}

void range_waiter_grant(struct range_waiter *w, enum waiter_given given)
{
	w->given = given;
	BASE_POINT(handover_before_grant);
	atomic_store_release(&w->state, WAITER_GRANTED);                         /* W1 -> W2 */
	BASE_POINT(grant_stored);
	park_wake(&w->state, 1);
}
