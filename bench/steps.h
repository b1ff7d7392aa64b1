/* SPDX-License-Identifier: MIT */
/*
 * steps.h - instructions of a piece of code, counted one by one: a child executes it under PTRACE_SINGLESTEP.
 *
 * A count, not a time: the same on each run and each machine with that code. For hundreds of thousands of instructions,
 * not for millions (microseconds each); no counters of the processor are needed.
 */
#ifndef BENCH_STEPS_H
#define BENCH_STEPS_H

#include <stdint.h>

/* Instructions that fn(arg) executes, a fixed few around it included; 0: nobody may be traced here. */
uint64_t steps_count(void (*fn)(void *arg), void *arg);

#endif
