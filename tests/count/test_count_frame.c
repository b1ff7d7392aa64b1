/* SPDX-License-Identifier: MIT */
/*
 * test_count_frame.c - which words that others may write an allocation and a free of a frame write: none where the
 * slot's cache serves; in bulk one CAS of the depot, or two of blocks and rows, for each 64 frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "bench/frames/written.h"

#define BATCH 64

static struct written counted(enum written_load load)
{
	struct written w;

	assert_int_equal(written_count(load, &w), 0);
	print_message("%-9s %6lu calls: depot %lu, blocks %lu, rows %lu, other %lu\n", written_name[load],
		      (unsigned long)w.calls, (unsigned long)w.depot, (unsigned long)w.blocks, (unsigned long)w.rows,
		      (unsigned long)w.other);
	assert_int_equal(w.other, 0);
	return w;
}

static void test_cache(void **state)
{
	struct written one = counted(WRITTEN_CACHE), shelves = counted(WRITTEN_SHELVES);

	(void)state;
	assert_int_equal(written_shared(&one), 0);
	assert_int_equal(written_shared(&shelves), 0);
}

/* At most two for 64 calls; frames that nobody has had: exactly two for 64. */
static void test_bulk(void **state)
{
	struct written fresh = counted(WRITTEN_FRESH), depot = counted(WRITTEN_DEPOT),
		       overflow = counted(WRITTEN_OVERFLOW);

	(void)state;
	assert_int_equal(fresh.blocks, fresh.calls / BATCH);
	assert_int_equal(fresh.rows, fresh.calls / BATCH);
	assert_int_equal(fresh.depot, 0);
	assert_true(depot.depot * BATCH <= depot.calls);
	assert_int_equal(depot.rows + depot.blocks, 0);
	assert_true(written_shared(&overflow) * BATCH <= 2 * overflow.calls);
}

/* A chain whose frames lie anywhere costs two for each row that it meets: the test can see. */
static void test_random(void **state)
{
	struct written random = counted(WRITTEN_RANDOM);

	(void)state;
	assert_true(written_shared(&random) * BATCH > 2 * random.calls);
	assert_true(random.rows < random.calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache), cmocka_unit_test(test_bulk), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
