/* SPDX-License-Identifier: MIT */
/* print.h - a schedule as an interleaving that one can read. */
#ifndef BENCH_EXPLORE_PRINT_H
#define BENCH_EXPLORE_PRINT_H

#include <stdio.h>

#include "bench/explore/run.h"

/* Runs the schedule once more and writes its switches, sleeps, and accesses to words that cores fight over: a lane for
 * each core, the operation, the word, its value before and after, and where in the code. everything: also what a core
 * has seen before, and each load in a line of its own. */
void print_interleaving(const struct scenario *scenario, const struct schedule *schedule, bool everything, FILE *to);

#endif
