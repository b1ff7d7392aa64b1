/* SPDX-License-Identifier: MIT */
/* shrink.h - fewer switches, the same failure. */
#ifndef BENCH_EXPLORE_SHRINK_H
#define BENCH_EXPLORE_SHRINK_H

#include "bench/explore/run.h"

/* *out failed; afterwards it is the outcome of a replay that fails in the same way with as few preemptions, then as few
 * segments, as leaving out one at a time leads to. Returns how many runs that took. */
uint32_t shrink(struct outcome *out);

#endif
