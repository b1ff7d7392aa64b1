/* SPDX-License-Identifier: MIT */
/*
 * gbench.h - Google Benchmark for C: benchmark::State as an opaque type, cases as a struct.
 *
 * Facts to know (Google Benchmark 1.7.1): the set-up runs before every trial, the search for an iteration count
 * included; threads are not pinned; with several threads and real time, the printed time is wall time over the sum of
 * iterations. gbench_next costs about 2 ns: operations below 100 ns take batches.
 */
#ifndef BENCH_GBENCH_H
#define BENCH_GBENCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gbench_state;

/* True while `n` more iterations are wanted; the caller then does all n of them. */
int gbench_next(struct gbench_state *state, int64_t n);
int gbench_thread(const struct gbench_state *state);
/* Stops and restarts the clock of this thread. */
void gbench_pause(struct gbench_state *state);
void gbench_resume(struct gbench_state *state);
/* Ends the case as failed, with a reason that is printed. */
void gbench_fail(struct gbench_state *state, const char *why);

struct gbench_case {
	const char *name;                                        /* copied                                          */
	void (*run)(struct gbench_state *state, void *ctx);      /* in each thread                                  */
	int  (*setup)(void *ctx, int threads);                   /* one thread, before each trial; 0 = fine         */
	void (*teardown)(void *ctx);                             /* one thread, after each trial                    */
	void *ctx;
	int threads;
	int repetitions;
};

/* At most GBENCH_MOST cases: 1.7.1 takes plain functions for set-up, one is made per case. -1: no more room. */
#define GBENCH_MOST 256
int gbench_add(const struct gbench_case *c);

/* Runs what `filter` (a regular expression) selects, each trial for about min_time seconds. json: path for Google
 * Benchmark's JSON, "-" = standard output (then nothing else is written there), NULL: none. How many cases ran. */
int gbench_run(const char *filter, double min_time, const char *json);

#ifdef __cplusplus
}
#endif
#endif
