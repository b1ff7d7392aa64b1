/* SPDX-License-Identifier: MIT */
/*
 * pairs.h - the paired runner: a few arms measured block by block, in random order inside each round.
 *
 * METHOD    A round runs one block of every arm (two arms: a pair; three where "the global lock" is the better of
 *           two). The order inside a round is drawn anew each time, so that drift of the machine favours no arm, and
 *           both arms of a round get the same seed. Results are ratios within rounds, their median, and a bootstrap
 *           interval; no rate is ever compared with one of another round.
 * DROPPED   A round in which the machine disturbed a block (stolen time, involuntary switches of the measuring
 *           threads, each over its limit) is dropped and replaced, up to twice the number asked. When even that
 *           leaves too few, the least disturbed rounds are kept and the result is marked noisy.
 * HONESTY   Every block says how many operations the engine's own counters saw, and whether they bear out what its loop
 *           counted; one block that does not makes the whole run fail with -EPROTO: an arm that never ran has no rate.
 */
#ifndef BENCH_PAIRS_H
#define BENCH_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/stats.h"

#define PAIRS_ARMS 16

struct pairs_block {
	double rate;                             /* operations per second                                           */
	double part[2];                          /* rates of the two halves of a workload that has halves           */
	uint64_t ops;                            /* as the engine counted them                                      */
	bool proven;                             /* they bear out the loop's own count                              */
	uint64_t switches;                       /* involuntary, of all measuring threads                           */
};

/* One arm. block: 0, or a negative errno that ends the run. May sleep. */
struct pairs_arm {
	const char *name;
	int (*block)(void *ctx, uint64_t seed, struct pairs_block *out);
	void *ctx;
};

struct pairs_plan {
	struct pairs_arm arm[PAIRS_ARMS];
	unsigned arms;
	unsigned pairs;                          /* rounds wanted, 1 .. 1000                                        */
	uint64_t seed;
	uint64_t steal_limit;                    /* stolen ticks per round that are still borne                     */
	uint64_t switch_limit;                   /* involuntary switches per round that are still borne             */
	uint64_t deadline_ns;                    /* CLOCK_MONOTONIC: no new round after it once 3 are done; 0: none */
	void (*progress)(void *ctx, unsigned done, unsigned pairs);      /* NULL: silent                            */
	void *progress_ctx;
};

struct pairs_round { struct pairs_block block[PAIRS_ARMS]; uint64_t steal, switches; };

struct pairs_result {
	struct pairs_round *round;               /* the kept ones                                                   */
	unsigned pairs, dropped;
	bool noisy;                              /* disturbed rounds had to be kept                                 */
	uint64_t ops[PAIRS_ARMS];                /* by the engine's counters, kept and dropped rounds               */
};

/* Runs the plan. 0; -ENOMEM; -EPROTO: counters disagree (said on stderr); what a block returned. */
int  pairs_run(const struct pairs_plan *plan, struct pairs_result *result);
void pairs_free(struct pairs_result *result);

/* Median and interval of rate(arm a) / rate(arm b) within rounds. */
struct stats_interval pairs_ratio(const struct pairs_result *result, unsigned a, unsigned b);
/* The ratios themselves, result->pairs of them, into out. */
void pairs_ratios(const struct pairs_result *result, unsigned a, unsigned b, double *out);
/* Median and interval of the rate of one arm. */
struct stats_interval pairs_rate(const struct pairs_result *result, unsigned arm);

#endif
