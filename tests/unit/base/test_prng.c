/* SPDX-License-Identifier: MIT */
/* test_prng.c - what seeds and streams give has nothing in common; a seed gives the same again. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/prng.h"

#define SEEDS   48
#define STREAMS 8
#define LENGTH  128
#define STEP    UINT64_C(0x9e3779b97f4a7c15)     /* of SplitMix64: seeds that differ by it invite one sequence     */

static uint64_t drawn[2 * SEEDS * STREAMS * LENGTH];

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Sequences that are shifted copies of each other would share nearly all of their values. */
static void test_no_shared_sequence(void **state)
{
	size_t n = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 2 * SEEDS; seed++) {
		for (uint64_t stream = 0; stream < STREAMS; stream++) {
			struct prng p = prng_seed(seed < SEEDS ? seed : seed * STEP, stream);

			for (unsigned i = 0; i < LENGTH; i++)
				drawn[n++] = prng_next(&p);
		}
	}
	qsort(drawn, n, sizeof(drawn[0]), by_value);
	for (size_t i = 1; i < n; i++)
		assert_true(drawn[i] != drawn[i - 1]);
}

static void test_same_again(void **state)
{
	struct prng a = prng_seed(7, 3), b = prng_seed(7, 3);

	(void)state;
	for (unsigned i = 0; i < LENGTH; i++)
		assert_true(prng_next(&a) == prng_next(&b));
}

static void test_below(void **state)
{
	struct prng p = prng_seed(1, 1);
	unsigned hits[7] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 7000; i++) {
		uint64_t value = prng_below(&p, 7);

		assert_true(value < 7);
		hits[value]++;
	}
	for (unsigned i = 0; i < 7; i++)
		assert_in_range(hits[i], 850, 1150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_shared_sequence),
		cmocka_unit_test(test_same_again),
		cmocka_unit_test(test_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
