/* SPDX-License-Identifier: MIT */
/* stats.c - see stats.h. */
#include "bench/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/prng.h"

#define ON_STACK 256

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Quantile of values that are in order already. */
static double of_sorted(const double *v, size_t n, double q)
{
	double at = q * (double)(n - 1);
	size_t i = (size_t)at;

	return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[n - 1];
}

double stats_quantile(const double *v, size_t n, double q)
{
	double few[ON_STACK], *sorted = few, result;

	if (n == 0)
		return NAN;
	if (n > ON_STACK) {
		sorted = malloc(n * sizeof(*sorted));
		CHECK(sorted != NULL);
	}
	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*sorted), by_value);
	result = of_sorted(sorted, n, q);
	if (sorted != few)
		free(sorted);
	return result;
}

double stats_median(const double *v, size_t n)
{
	return stats_quantile(v, n, 0.5);
}

double stats_geometric(const double *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i] <= 0)
			return 0;
		sum += log(v[i]);
	}
	return n ? exp(sum / (double)n) : NAN;
}

double stats_harmonic(const double *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i] <= 0)
			return 0;
		sum += 1 / v[i];
	}
	return n ? (double)n / sum : NAN;
}

/* Median of n values drawn from v with replacement. */
static double resampled_median(const double *v, size_t n, struct prng *rng, double *drawn)
{
	for (size_t i = 0; i < n; i++)
		drawn[i] = v[prng_below(rng, n)];
	qsort(drawn, n, sizeof(*drawn), by_value);
	return of_sorted(drawn, n, 0.5);
}

struct stats_interval stats_bootstrap_geometric(const double *const *v, const size_t *n, size_t rows, uint64_t seed)
{
	struct stats_interval result = { NAN, NAN, NAN };
	struct prng rng = prng_seed(seed, rows);
	double *means, *medians, *drawn;
	size_t longest = 0;

	for (size_t r = 0; r < rows; r++) {
		if (n[r] == 0)
			return result;
		longest = n[r] > longest ? n[r] : longest;
	}
	if (rows == 0)
		return result;
	means = malloc((STATS_RESAMPLES + rows + longest) * sizeof(*means));
	CHECK(means != NULL);
	medians = means + STATS_RESAMPLES;
	drawn = medians + rows;
	for (size_t i = 0; i < STATS_RESAMPLES; i++) {
		for (size_t r = 0; r < rows; r++)
			medians[r] = resampled_median(v[r], n[r], &rng, drawn);
		means[i] = rows == 1 ? medians[0] : stats_geometric(medians, rows);
	}
	for (size_t r = 0; r < rows; r++)
		medians[r] = stats_median(v[r], n[r]);
	result.median = rows == 1 ? medians[0] : stats_geometric(medians, rows);
	result.lo = stats_quantile(means, STATS_RESAMPLES, 0.025);
	result.hi = stats_quantile(means, STATS_RESAMPLES, 0.975);
	free(means);
	return result;
}

struct stats_interval stats_bootstrap(const double *v, size_t n, uint64_t seed)
{
	return stats_bootstrap_geometric(&v, &n, 1, seed);
}
