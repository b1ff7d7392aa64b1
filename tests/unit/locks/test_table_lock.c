/* SPDX-License-Identifier: MIT */
/*
 * test_table_lock.c - the lock of one table: order of arrival, who gives up, strays, and that nobody is left behind.
 *
 * mutant: table_quits_granted
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/park.h"
#include "base/point.h"
#include "base/prng.h"
#include "base/rcu.h"
#include "locks/table_lock.h"

#define WAITERS 4

static struct table_lock table;
static atomic_u32 turn;                                  /* grants so far                                          */

struct one { pthread_t thread; atomic_u32 queued, done; uint64_t deadline_ns; int rc; uint32_t turn; };

static void await(atomic_u32 *word)
{
	while (!atomic_load_acquire(word))
		usleep(100);
}

/* Queues, sleeps, and gives the lock on. */
static void *one_main(void *arg)
{
	struct thread_slot *self = thread_self();
	struct table_waiter w;
	struct one *o = arg;

	point_role("one");
	rcu_enter(self);
	o->rc = table_lock_queue(&table, self, &w);
	rcu_leave(self);
	atomic_store_release(&o->queued, 1);
	if (o->rc == 1)
		o->rc = table_lock_sleep(&table, self, &w, o->deadline_ns);
	if (!o->rc) {
		assert_true(table_lock_mine(&table, self));
		o->turn = atomic_add_relaxed(&turn, 1) + 1;
		table_lock_give(&table);
	}
	point_role(NULL);
	atomic_store_release(&o->done, 1);
	return NULL;
}

/* Returns when it is in the queue. */
static void one_start(struct one *o, uint64_t deadline_ns)
{
	*o = (struct one){ .deadline_ns = deadline_ns };
	assert_int_equal(pthread_create(&o->thread, NULL, one_main, o), 0);
	await(&o->queued);
}

static int one_end(struct one *o)
{
	pthread_join(o->thread, NULL);
	return o->rc;
}

static int setup(void **state)
{
	(void)state;
	table = (struct table_lock){ .shift = PAGE_SHIFT };
	atomic_store_relaxed(&turn, 0);
	return 0;
}

static uint32_t word(void) { return atomic_load_acquire(&table.word); }

static void test_states(void **state)
{
	struct thread_slot *self = thread_self();

	(void)state;
	assert_true(table_lock_try(&table, self));
	assert_true(table_lock_mine(&table, self));
	assert_false(table_lock_try(&table, self));
	table_lock_give(&table);
	assert_false(table_lock_mine(&table, self));
	assert_int_equal(word(), 0);
	assert_true(table_lock_try(&table, self));
	table_lock_stray(&table);
	assert_false(table_lock_mine(&table, self));
	assert_false(table_lock_try(&table, self));
	assert_true(table_lock_gone(&table));
	assert_int_equal(table_lock_queue(&table, self, &(struct table_waiter){ 0 }), -ESTALE);
	assert_int_equal(word(), TABLE_STRAY);
}

/* First come, first served; nobody comes in between. */
static void test_in_order(void **state)
{
	struct one one[WAITERS];

	(void)state;
	assert_true(table_lock_try(&table, thread_self()));
	for (unsigned i = 0; i < WAITERS; i++)
		one_start(&one[i], PARK_FOREVER);
	assert_int_equal(word(), TABLE_HELD | TABLE_QUEUED);
	table_lock_give(&table);
	for (unsigned i = 0; i < WAITERS; i++) {
		assert_int_equal(one_end(&one[i]), 0);
		assert_int_equal(one[i].turn, i + 1);
	}
	assert_int_equal(word(), 0);
}

/* The first, one in the middle, the last, all of them give up. */
static void test_give_up(void **state)
{
	(void)state;
	for (unsigned who = 0; who < 1u << WAITERS; who++) {
		struct one one[WAITERS];
		uint32_t next = 0;

		setup(NULL);
		assert_true(table_lock_try(&table, thread_self()));
		for (unsigned i = 0; i < WAITERS; i++)
			one_start(&one[i], who >> i & 1 ? 1 : PARK_FOREVER);    /* long over                       */
		for (unsigned i = 0; i < WAITERS; i++)
			if (who >> i & 1)
				assert_int_equal(one_end(&one[i]), -ETIMEDOUT);
		assert_int_equal(word(), TABLE_HELD | (who + 1 < 1u << WAITERS ? TABLE_QUEUED : 0));
		table_lock_give(&table);
		for (unsigned i = 0; i < WAITERS; i++)
			if (!(who >> i & 1)) {
				assert_int_equal(one_end(&one[i]), 0);
				assert_int_equal(one[i].turn, ++next);
			}
		assert_int_equal(word(), 0);
	}
}

/* Its time is over when the lock, or the news that it is a stray, is on its way: it takes that. */
static void quits_late(void (*let)(struct table_lock *t), int rc)
{
	struct one one;

	setup(NULL);
	assert_true(table_lock_try(&table, thread_self()));
	assert_int_equal(point_stop("one", "table_before_quit", NULL, NULL), 0);
	one_start(&one, 1);
	assert_true(point_wait_reached("one", "table_before_quit", UINT64_C(5000000000)));
	let(&table);
	point_release("one", "table_before_quit");
	assert_int_equal(one_end(&one), rc);
	assert_int_equal(word(), rc ? TABLE_STRAY : 0);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
}

static void give(struct table_lock *t) { table_lock_give(t); }

static void test_quit_against_grant(void **state)
{
	const char *mutant = getenv("VMMAP_MUTANT");

	(void)state;
	point_reset();
	assert_int_equal(point_mutant_select(mutant && *mutant ? mutant : NULL), 0);
	quits_late(give, 0);
	quits_late(table_lock_stray, -ESTALE);
}

static void test_stray_tells_all(void **state)
{
	struct one one[WAITERS];

	(void)state;
	assert_true(table_lock_try(&table, thread_self()));
	for (unsigned i = 0; i < WAITERS; i++)
		one_start(&one[i], PARK_FOREVER);
	table_lock_stray(&table);
	for (unsigned i = 0; i < WAITERS; i++)
		assert_int_equal(one_end(&one[i]), -ESTALE);
	assert_int_equal(word(), TABLE_STRAY);
}

/* ---- a crowd, of which some have little time ---- */

static uint64_t inside, entries;

static void *crowd_main(void *arg)
{
	struct thread_slot *self = thread_self();
	struct prng random = prng_seed(7, (uint64_t)(uintptr_t)arg);

	for (unsigned i = 0; i < 4000; i++) {
		struct table_waiter w;
		int rc = 0;

		rcu_enter(self);
		if (!table_lock_try(&table, self))
			rc = table_lock_queue(&table, self, &w);
		rcu_leave(self);
		if (rc == 1)
			rc = table_lock_sleep(&table, self, &w,
					      prng_next(&random) & 1 ? PARK_FOREVER : clock_ns() + 20000);
		if (rc)
			continue;
		assert_int_equal(++inside, 1);
		entries++;
		inside--;
		table_lock_give(&table);
	}
	return NULL;
}

static void test_crowd(void **state)
{
	pthread_t thread[WAITERS];

	(void)state;
	inside = entries = 0;
	for (uintptr_t i = 0; i < WAITERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, crowd_main, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < WAITERS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(word(), 0);
	assert_true(entries > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_states, setup),
		cmocka_unit_test_setup(test_in_order, setup),
		cmocka_unit_test_setup(test_give_up, setup),
		cmocka_unit_test_setup(test_quit_against_grant, setup),
		cmocka_unit_test_setup(test_stray_tells_all, setup),
		cmocka_unit_test_setup(test_crowd, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
