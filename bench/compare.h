/* SPDX-License-Identifier: MIT */
/*
 * compare.h - the comparisons that commands and bars are made of, on top of arms and pairs.
 */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include "bench/arm.h"
#include "bench/pairs.h"

struct compare {
	const struct profile *workload;
	const char *a, *b;                       /* policies; b may be "global": the better of rwlock and rwsem     */
	unsigned threads, pairs, shrink;         /* shrink: as in profile_params                                    */
	double block_ms;
	bool bytes;
	uint64_t seed, deadline_ns;              /* deadline as in pairs_plan                                       */
	struct gang *gang;
};

struct compare_result {
	struct stats_interval ratio;             /* rate of a / rate of b                                           */
	struct stats_interval other;             /* scaling: the same of `none`; beside: unused                     */
	struct stats_interval against;           /* scaling: ratio / other, paired                                  */
	struct stats_interval rate[PAIRS_ARMS];  /* operations per second of each arm                               */
	const char *b_used;                      /* which of the global locks was the better                        */
	unsigned pairs, dropped;
	bool noisy;
	uint64_t ops[PAIRS_ARMS];                /* [0] = a's, [1] = b's, by the engine's counters                  */
	double *ratios;                          /* within pairs, `pairs` of them; compare_free                     */
	struct pairs_round *round;               /* what the kept rounds looked like, `pairs` of them; compare_free */
};

void compare_free(struct compare_result *result);

/* Arm a against arm b. All three return 0 or a negative errno, the reason said on stderr. */
int compare_ratio(const struct compare *c, struct compare_result *result);

/* Policy a from `from` to `to` threads on one map; `none` the same on a private map per thread. rate: a at from, a at
 * to, none at from, none at to. */
int compare_scaling(const struct compare *c, unsigned from, unsigned to, struct compare_result *result);

/* What the neighbour costs: the rate of role 0 of workload c->workload (half of the threads) over the rate of profile
 * `alone` with that half alone, both under policy a. */
int compare_beside(const struct compare *c, const struct profile *alone, struct compare_result *result);

#endif
