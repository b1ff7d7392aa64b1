/* SPDX-License-Identifier: MIT */
/*
 * strategy.h - which schedules are run, and in which order.
 *
 * bounded  all schedules with 0 preemptions (one for each order of cores), then all with 1, 2, 3: each is a run of
 *          before with one preemption more, behind the last one. A level that is too large is gone through in random
 *          order. Source: Musuvathi, Qadeer, CHESS (PLDI 2007).
 * pct      each core has a random priority, the highest that can runs; at 1 to 4 random points the running core's falls
 *          below all others. A bug of depth d is met with probability >= 1 / (n k^(d-1)).
 *          Source: Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees" (ASPLOS 2010).
 * random   at each point another core goes on with probability 1/2 ... 1/32, drawn for each run.
 * old      random; with weak memory one core sees nearly always the oldest values that it may. For what takes many old
 *          loads in a row, which the others hardly ever choose.
 * mixed    the first two levels of bounded, then bounded, pct and random in turn.
 * All are sequences that depend on the seed and on what earlier runs have shown, on nothing else.
 */
#ifndef BENCH_EXPLORE_STRATEGY_H
#define BENCH_EXPLORE_STRATEGY_H

#include "bench/explore/run.h"

enum strategy_kind { STRATEGY_MIXED, STRATEGY_BOUNDED, STRATEGY_PCT, STRATEGY_RANDOM, STRATEGY_OLD, STRATEGIES };
extern const char *const strategy_name[STRATEGIES];

struct strategy;

struct strategy *strategy_new(enum strategy_kind kind, uint32_t cores, uint64_t seed, bool everywhere);
void strategy_free(struct strategy *s);
/* Runs the next schedule. False: there is none left (bounded, small scenarios), and nothing was run. */
bool strategy_step(struct strategy *s, struct outcome *out);

/* Runs a given one. */
void strategy_replay(const struct schedule *schedule, struct outcome *out);

#endif
