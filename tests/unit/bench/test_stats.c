/* SPDX-License-Identifier: MIT */
/* Statistics of the paired runner: values computed by hand, and the coverage of the bootstrap interval. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"
#include "bench/stats.h"

static int near(double a, double b)
{
	return fabs(a - b) < 1e-9 * (1 + fabs(b));
}

static void test_median(void **state)
{
	const double odd[] = { 9, 1, 5 }, even[] = { 4, 1, 3, 2 };

	(void)state;
	assert_true(near(stats_median(odd, 3), 5));
	assert_true(near(stats_median(even, 4), 2.5));
	assert_true(near(stats_median(even, 1), 4));
	assert_true(isnan(stats_median(odd, 0)));
	assert_true(odd[0] == 9 && odd[1] == 1 && odd[2] == 5);
}

static void test_quantile(void **state)
{
	double many[1001];

	(void)state;
	for (int i = 0; i < 1001; i++)
		many[i] = 1000 - i;
	assert_true(near(stats_quantile(many, 1001, 0), 0));
	assert_true(near(stats_quantile(many, 1001, 1), 1000));
	assert_true(near(stats_quantile(many, 1001, 0.999), 999));
	assert_true(near(stats_quantile(many, 1001, 0.0005), 0.5));
}

static void test_means(void **state)
{
	const double v[] = { 1, 4, 16 }, with_zero[] = { 1, 0 };

	(void)state;
	assert_true(near(stats_geometric(v, 3), 4));
	assert_true(near(stats_harmonic(v, 3), 3 / (1 + 0.25 + 0.0625)));
	assert_true(stats_geometric(with_zero, 2) == 0);
	assert_true(stats_harmonic(with_zero, 2) == 0);
	assert_true(isnan(stats_geometric(v, 0)));
	assert_true(isnan(stats_harmonic(v, 0)));
}

static void test_bootstrap_shape(void **state)
{
	const double same[] = { 2, 2, 2, 2, 2 }, spread[] = { 1, 2, 3, 4, 5, 6, 7 };
	struct stats_interval i = stats_bootstrap(same, 5, 1), j = stats_bootstrap(spread, 7, 1);
	struct stats_interval again = stats_bootstrap(spread, 7, 1);

	(void)state;
	assert_true(near(i.median, 2) && near(i.lo, 2) && near(i.hi, 2));
	assert_true(near(j.median, 4));
	assert_true(j.lo >= 1 && j.lo < 4 && j.hi > 4 && j.hi <= 7);
	assert_true(j.lo == again.lo && j.hi == again.hi);
	assert_true(isnan(stats_bootstrap(spread, 0, 1).median));
	assert_true(near(stats_bootstrap(spread, 1, 1).hi, 1));
}

/* Of intervals around the median of 15 draws, about 95 % must hold the true median: well over 80, well under all. */
static void test_bootstrap_coverage(void **state)
{
	struct prng rng = prng_seed(7, 7);
	int holds = 0, rounds = 200;

	(void)state;
	for (int r = 0; r < rounds; r++) {
		double v[15];
		struct stats_interval i;

		for (int k = 0; k < 15; k++)
			v[k] = exp(((double)prng_below(&rng, 1000001) / 1000000 - 0.5) * 2);     /* median exp(0) = 1 */
		i = stats_bootstrap(v, 15, (uint64_t)r);
		assert_true(i.lo <= i.median && i.median <= i.hi);
		holds += i.lo <= 1 && 1 <= i.hi;
	}
	assert_in_range(holds, rounds * 88 / 100, rounds * 99 / 100);
}

static void test_bootstrap_geometric(void **state)
{
	const double a[] = { 4, 4, 4 }, b[] = { 1, 1 };
	const double *const rows[] = { a, b };
	const size_t n[] = { 3, 2 };
	const size_t none[] = { 3, 0 };
	struct stats_interval i = stats_bootstrap_geometric(rows, n, 2, 1);

	(void)state;
	assert_true(near(i.median, 2) && near(i.lo, 2) && near(i.hi, 2));
	assert_true(isnan(stats_bootstrap_geometric(rows, none, 2, 1).median));
	assert_true(isnan(stats_bootstrap_geometric(rows, n, 0, 1).median));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_median), cmocka_unit_test(test_quantile), cmocka_unit_test(test_means),
		cmocka_unit_test(test_bootstrap_shape), cmocka_unit_test(test_bootstrap_coverage),
		cmocka_unit_test(test_bootstrap_geometric),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
