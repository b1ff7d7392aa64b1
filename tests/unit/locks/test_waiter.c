/* SPDX-License-Identifier: MIT */
/*
 * test_waiter.c - the queue word and the states of a waiter's record.
 * mutant: waiter_believes_wake
 * mutant: push_any_count
 * mutant: cancel_takes_claimed
 * mutant: claim_takes_cancelled
 * mutant: claim_ignores_tickets
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/park.h"
#include "base/point.h"
#include "locks/waiter.h"

static struct range_waiter pool[WAITERS_PER_THREAD];

static struct range_waiter *at(void *arg, uint32_t index)
{
	(void)arg;
	return &pool[index - 1];
}

static struct range_waiter *waiting(unsigned i, uint64_t ticket)
{
	memset(&pool[i], 0, sizeof(pool[i]));
	atomic_store_relaxed(&pool[i].ticket, ticket);
	atomic_store_relaxed(&pool[i].state, WAITER_WAITING);
	return &pool[i];
}

static struct range_queue closed(void)
{
	struct range_queue q;

	atomic_store_relaxed(&q.word, QUEUE_CLOSED);
	return q;
}

static void test_open_close(void **state)
{
	struct range_queue q = closed();

	(void)state;
	assert_false(range_queue_open_now(atomic_load_relaxed(&q.word)));
	range_queue_open(&q);
	assert_true(range_queue_open_now(atomic_load_relaxed(&q.word)));
	assert_int_equal(range_queue_close(&q), 0);
	assert_int_equal(range_queue_count(atomic_load_relaxed(&q.word)), 1);
	range_queue_open(&q);
	assert_int_equal(range_queue_count(atomic_load_relaxed(&q.word)), 1);
	assert_int_equal(range_queue_close(&q), 0);
}

/* A push counts only for the acquisition whose count was loaded. */
static void test_push_expects_count(void **state)
{
	struct range_queue q = closed();

	(void)state;
	assert_false(range_queue_push(&q, 0, waiting(0, 1), 1));         /* not open                              */
	range_queue_open(&q);
	assert_false(range_queue_push(&q, 1, waiting(0, 1), 1));         /* another acquisition                   */
	assert_true(range_queue_push(&q, 0, waiting(0, 1), 1));
	assert_int_equal(range_queue_close(&q), 1);
	assert_false(range_queue_push(&q, 0, waiting(1, 2), 2));         /* closed                                */
	range_queue_open(&q);
	assert_false(range_queue_push(&q, 0, waiting(1, 2), 2));         /* the next one                          */
	assert_int_equal(range_queue_close(&q), 0);
}

/* Oldest ticket first, whatever the order of pushes; cancelled ones are returned. */
static void test_claim_sorts(void **state)
{
	static const uint64_t tickets[] = { 30, 10, 50, 20, 40 };
	struct range_queue q = closed();
	struct range_waiter *list;
	uint64_t last = 0;
	unsigned n = 0;

	(void)state;
	range_queue_open(&q);
	for (unsigned i = 0; i < ARRAY_SIZE(tickets); i++)
		assert_true(range_queue_push(&q, 0, waiting(i, tickets[i]), i + 1));
	atomic_store_relaxed(&pool[2].state, WAITER_CANCELLED);
	list = range_waiter_claim(range_queue_close(&q), at, NULL);
	for (; list; list = list->later, n++) {
		assert_true(atomic_load_relaxed(&list->ticket) > last);
		assert_int_equal(atomic_load_relaxed(&list->state), WAITER_CLAIMED);
		last = atomic_load_relaxed(&list->ticket);
	}
	assert_int_equal(n, 4);
	assert_int_equal(atomic_load_relaxed(&pool[2].state), WAITER_FREE);
}

/* Who timed out finds its record again if it waits for the same acquisition, and another one otherwise. */
static void test_records(void **state)
{
	struct range_lock *a = (struct range_lock *)(uintptr_t)0x1000, *b = (struct range_lock *)(uintptr_t)0x2000;
	struct range_waiter *w;

	(void)state;
	memset(pool, 0, sizeof(pool));
	w = range_waiter_get(pool, a, 7);
	assert_non_null(w);
	atomic_store_relaxed(&w->on, a);
	w->count = 7;
	atomic_store_relaxed(&w->state, WAITER_WAITING);
	assert_int_equal(range_waiter_sleep(w, clock_ns() + 1000000), -ETIMEDOUT);
	assert_int_equal(atomic_load_relaxed(&w->state), WAITER_CANCELLED);
	assert_ptr_equal(range_waiter_get(pool, a, 7), w);
	assert_ptr_not_equal(range_waiter_get(pool, a, 8), w);
	assert_ptr_not_equal(range_waiter_get(pool, b, 7), w);
	for (unsigned i = 0; i < WAITERS_PER_THREAD; i++)
		atomic_store_relaxed(&pool[i].state, WAITER_CANCELLED);
	assert_null(range_waiter_get(pool, b, 7));
}

static void *grant(void *arg)
{
	usleep(20000);
	range_waiter_grant(arg, WAITER_HANDED);
	return NULL;
}

/* A grant that is on its way is waited for, deadline or not. */
static void test_claimed_is_not_cancelled(void **state)
{
	struct range_waiter *w = waiting(0, 1);
	pthread_t thread;

	(void)state;
	atomic_store_relaxed(&w->state, WAITER_CLAIMED);
	assert_int_equal(pthread_create(&thread, NULL, grant, w), 0);
	assert_int_equal(range_waiter_sleep(w, clock_ns() + 1000000), 0);
	pthread_join(thread, NULL);
	assert_int_equal(w->given, WAITER_HANDED);
	range_waiter_put(w);
	assert_int_equal(atomic_load_relaxed(&w->state), WAITER_FREE);
}

static atomic_u32 awake, sleeper_slot;                   /* the slot's number + 1                                  */
static uint64_t blocked_before;                          /* in that slot's earlier lives                           */

static void *sleeper(void *arg)
{
	blocked_before = park_blocked_self();
	atomic_store_release(&sleeper_slot, thread_self()->number + 1);
	(void)range_waiter_sleep(arg, PARK_FOREVER);
	atomic_store_release(&awake, 1);
	return NULL;
}

static bool slept(unsigned times)
{
	uint32_t slot = atomic_load_acquire(&sleeper_slot);

	return slot && atomic_load_relaxed(&thread_at(slot - 1)->park_blocked) >= blocked_before + times;
}

/* A record is used for one wait after the other, so a wake-up meant for an earlier one may come late. It is spurious:
 * the state is the answer. */
static void test_late_wake_up(void **state)
{
	struct range_waiter *w = waiting(0, 1);
	pthread_t thread;
	uint32_t early;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, sleeper, w), 0);
	while (!slept(1))
		usleep(100);
	while (!slept(2) && !atomic_load_acquire(&awake)) {      /* it goes to sleep again, or believes it           */
		usleep(100);
		park_wake(&w->state, 1);
	}
	early = atomic_load_acquire(&awake);
	range_waiter_grant(w, WAITER_HANDED);
	pthread_join(thread, NULL);
	assert_int_equal(early, 0);
	range_waiter_put(w);
}

int main(void)
{
	const char *mutant = getenv("VMMAP_MUTANT");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_close),
		cmocka_unit_test(test_push_expects_count),
		cmocka_unit_test(test_claim_sorts),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_claimed_is_not_cancelled),
		cmocka_unit_test(test_late_wake_up),
	};

	if (mutant && point_mutant_select(mutant))
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
