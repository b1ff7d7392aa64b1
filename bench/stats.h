/* SPDX-License-Identifier: MIT */
/*
 * stats.h - the little statistics of a paired benchmark: medians, means, bootstrap intervals.
 *
 * Why medians: a block that a neighbour disturbed is an outlier by a factor, and a mean follows it. Why a bootstrap:
 * ratios of rates have no distribution that one would dare to name; resampling the pairs needs none (Efron 1979,
 * percentile interval). Fixed seeds: the same measurements give the same interval.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

struct stats_interval { double median, lo, hi; };

#define STATS_RESAMPLES 2000

/* Middle value of v[0..n), mean of the two middle ones when n is even. n == 0: NaN. v is not changed.
 * Cost: O(n log n), one allocation when n > 256. */
double stats_median(const double *v, size_t n);

/* The q-quantile (0 <= q <= 1), linear between neighbours (type 7 of Hyndman and Fan 1996). n == 0: NaN. */
double stats_quantile(const double *v, size_t n, double q);

/* Means of positive numbers; a value <= 0 makes them 0. n == 0: NaN. */
double stats_geometric(const double *v, size_t n);
double stats_harmonic(const double *v, size_t n);

/* Median of v with the percentile bootstrap's 95 % interval of it. n == 1: the value thrice. n == 0: NaN. */
struct stats_interval stats_bootstrap(const double *v, size_t n, uint64_t seed);

/* Geometric mean of `rows` medians with its 95 % interval: each row (row i: v[i][0..n[i])) is resampled on its own. */
struct stats_interval stats_bootstrap_geometric(const double *const *v, const size_t *n, size_t rows, uint64_t seed);

#endif
