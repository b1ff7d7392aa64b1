/* SPDX-License-Identifier: MIT */
/* coverage_in.h - kinds of lock words: for coverage*.c only. */
#ifndef BENCH_EXPLORE_COVERAGE_IN_H
#define BENCH_EXPLORE_COVERAGE_IN_H

#include "bench/explore/coverage.h"

struct coverage_kind {
	const char *what;
	unsigned (*state_of)(uintptr_t at, uint64_t seen);
	const char *state[COVERAGE_STATES];      /* NULL behind the last                                           */
	const char *labels[4];                   /* how they end, of its words; a NULL is none                     */
};
extern const struct coverage_kind coverage_kinds[];
extern const unsigned coverage_kinds_n;

#endif
