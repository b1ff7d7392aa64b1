/* SPDX-License-Identifier: MIT */
/* test_rank.c - the order rule. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "locks/rank.h"

static struct lock_range range(uint64_t lo, uint64_t hi) { return (struct lock_range){ lo, hi }; }

static void test_order(void **state)
{
	struct lock_held h = { .n = 0 };

	(void)state;
	assert_int_equal(lock_held_may_add(&h, range(10, 20), true), 0);
	assert_true(lock_held_may_wait(&h, 0));
	lock_held_add(&h, range(10, 20));
	assert_int_equal(lock_held_may_add(&h, range(20, 30), true), 0);
	assert_int_equal(lock_held_may_add(&h, range(5, 10), true), -EDEADLK);
	assert_int_equal(lock_held_may_add(&h, range(5, 10), false), 0);
	assert_int_equal(lock_held_may_add(&h, range(19, 30), false), -EDEADLK);
	assert_false(lock_held_may_wait(&h, 9));
	assert_false(lock_held_may_wait(&h, 19));
	assert_true(lock_held_may_wait(&h, 20));
	assert_true(lock_held_has(&h, 10));
	assert_false(lock_held_has(&h, 20));
}

static void test_two_and_no_more(void **state)
{
	struct lock_held h = { .n = 0 };

	(void)state;
	lock_held_add(&h, range(10, 20));
	lock_held_add(&h, range(30, 40));
	assert_int_equal(lock_held_may_add(&h, range(50, 60), false), -EDEADLK);
	lock_held_drop(&h, range(10, 20));
	assert_int_equal(h.n, 1);
	assert_true(lock_held_has(&h, 35));
	assert_int_equal(lock_held_may_add(&h, range(10, 20), true), -EDEADLK);
	lock_held_drop(&h, range(30, 40));
	assert_int_equal(h.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_order), cmocka_unit_test(test_two_and_no_more) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
