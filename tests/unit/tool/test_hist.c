/* SPDX-License-Identifier: MIT */
/* test_hist.c - buckets cover all values without gaps; percentiles agree with sorting. */
#include <stdlib.h>
#include "base/prng.h"
#include "base/tool/hist.h"
#include "tests/unit/base/crew.h"

static struct hist h, other;

static void buckets_cover_all_values(void **state)
{
	uint64_t top = 0;

	(void)state;
	for (uint32_t b = 0; b < HIST_BUCKETS; b++) {
		uint64_t low = b == 0 ? 0 : top + 1;

		top = hist_bucket_top(b);
		assert_true(top >= low);
		assert_int_equal(hist_bucket_of(low), b);
		assert_int_equal(hist_bucket_of(top), b);
		assert_true(low < HIST_SUB || top - low + 1 <= low / HIST_SUB);  /* off by at most 1/32 */
	}
	assert_true(top == UINT64_MAX);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void percentiles_agree_with_sorting(void **state)
{
	enum { N = 20011 };
	static const double percent[] = { 0, 1, 50, 90, 99, 99.9, 99.99, 100 };
	static uint64_t value[N];
	struct prng random = prng_seed(1, 2);

	(void)state;
	hist_reset(&h);
	for (int i = 0; i < N; i++) {
		value[i] = prng_next(&random) >> prng_below(&random, 64);
		hist_add(&h, value[i]);
	}
	qsort(value, N, sizeof(value[0]), by_value);
	for (size_t p = 0; p < ARRAY_SIZE(percent); p++) {
		size_t rank = (size_t)(percent[p] / 100 * N + 0.999999);
		uint64_t exact = value[rank == 0 ? 0 : rank - 1], got = hist_percentile(&h, percent[p]);

		assert_true(got >= exact);
		assert_true(got - exact <= exact / HIST_SUB);
	}
	assert_true(hist_percentile(&h, 100) == value[N - 1]);
	assert_int_equal(h.count, N);
}

static void merging_is_adding(void **state)
{
	struct prng random = prng_seed(3, 4);
	static struct hist both;

	(void)state;
	hist_reset(&h);
	hist_reset(&other);
	hist_reset(&both);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = prng_below(&random, 1000000);

		hist_add(i % 3 ? &h : &other, v);
		hist_add(&both, v);
	}
	hist_merge(&h, &other);
	assert_memory_equal(&h, &both, sizeof(h));
}

static void empty_is_zero(void **state)
{
	(void)state;
	hist_reset(&h);
	assert_int_equal(hist_percentile(&h, 99), 0);
	assert_true(hist_mean(&h) == 0.0);
	hist_add(&h, 10);
	hist_add(&h, 20);
	assert_true(hist_mean(&h) == 15.0);
	assert_int_equal(hist_percentile(&h, 50), 10);
	assert_int_equal(hist_percentile(&h, 51), 20);
	assert_int_equal(h.max, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_cover_all_values),
		cmocka_unit_test(percentiles_agree_with_sorting),
		cmocka_unit_test(merging_is_adding),
		cmocka_unit_test(empty_is_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
