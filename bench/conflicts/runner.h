/* SPDX-License-Identifier: MIT */
/*
 * runner.h - tests on the engine, on logical cores: core 0 sets up, core 1 runs A, core 2 runs B, each access is told.
 *
 * STATE    A test begins with a map of its own in steady state: each core has been at work on another part of it, and
 *          on other pages of the same two files, so that its caches are filled, and none of its counters is about to
 *          overflow. After the test everything is undone (undo.h): bit for bit, so no test depends on those before it.
 * WHEN     What RCU's worker has to do is done after the set-up, and not between A and B. What A and B ask it for is
 *          part of them, what it then does is not.
 * NOT SEEN libc, the kernel; costs that come once in many calls: a refill, a table, a batch's grace period, a round.
 *          Those are what vmmap-manycore counts.
 */
#ifndef BENCH_CONFLICTS_RUNNER_H
#define BENCH_CONFLICTS_RUNNER_H

#include "bench/conflicts/exec.h"
#include "bench/conflicts/trace.h"

#define RUNNER_CORES 3
#define RUNNER_WHY   160

/* Once, first. */
void runner_begin(void);
/* A map of this policy, in steady state. The one before it is undone. -errno. */
int  runner_policy(const char *policy);
/* 0; -errno: the set-up failed; -EILSEQ: the engine did not do what the model says (why[RUNNER_WHY]). */
int  runner_test(const struct placed *p, struct trace_verdict *verdict, char *why);
/* For tests of the runner: fn on core 0 before A and B, then two functions as A and B. Undone as well. */
struct runner_pair { void (*setup)(struct exec *e); void (*call[2])(struct exec *e); };
void runner_pair(const struct runner_pair *pair, struct trace_verdict *verdict);

#endif
