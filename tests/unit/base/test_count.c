/* SPDX-License-Identifier: MIT */
/*
 * test_count.c - a counting build reports each atomic write, and nothing else. This file is a counting build of itself:
 * it compiles base/count.c in, whatever the rest of the program was built as.
 */
#ifndef VMMAP_COUNT_WRITES
#define VMMAP_COUNT_WRITES
#endif
#define atomic_count_start     own_count_start
#define atomic_count_stop      own_count_stop
#define atomic_count_available own_count_available
#define atomic_count_write     own_count_write
#include "base/count.c"
#include "tests/unit/base/crew.h"

struct log { const volatile void *where[64]; uint32_t n; };

static void note(const volatile void *where, void *arg)
{
	struct log *l = arg;
	atomic_u32 mine = 0;

	atomic_store_relaxed(&mine, 1);                  /* what the hook writes must not come back to it */
	if (l->n < ARRAY_SIZE(l->where))
		l->where[l->n] = where;
	l->n++;
}

static void each_write_is_reported_in_order(void **state)
{
	struct log l = { .n = 0 };
	atomic_u32 a = 0, b = 0;
	uint32_t expected = 5;

	(void)state;
	assert_true(atomic_count_available());
	atomic_count_start(note, &l);
	atomic_store_release(&a, 1);
	(void)atomic_load_seqcst(&b);
	(void)atomic_add_acqrel(&b, 1);
	(void)atomic_cas_seqcst(&a, &expected, 2);       /* fails: takes the line all the same */
	(void)atomic_swap_acqrel(&b, 7);
	(void)atomic_and_acqrel(&a, 1);
	atomic_bump(&b, 1);
	atomic_count_stop();
	atomic_store_release(&a, 3);
	assert_int_equal(l.n, 6);
	assert_ptr_equal(l.where[0], &a);
	assert_ptr_equal(l.where[1], &b);
	assert_ptr_equal(l.where[2], &a);
	assert_ptr_equal(l.where[3], &b);
	assert_ptr_equal(l.where[4], &a);
	assert_ptr_equal(l.where[5], &b);
	assert_int_equal(atomic_load_relaxed(&b), 8);
}

static void *write_elsewhere(void *arg)
{
	atomic_store_release((atomic_u32 *)arg, 1);
	return NULL;
}

static void other_threads_are_not_reported(void **state)
{
	struct log l = { .n = 0 };
	atomic_u32 a = 0;

	(void)state;
	atomic_count_start(note, &l);
	crew_join(crew_start(write_elsewhere, &a));
	atomic_count_stop();
	assert_int_equal(l.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_write_is_reported_in_order),
		cmocka_unit_test(other_threads_are_not_reported),
	};

	crew_mutant();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
