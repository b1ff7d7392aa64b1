/* SPDX-License-Identifier: MIT */
/* race.h - data races: plain accesses of two cores, one of them a store, that nothing orders (vector clocks). */
#ifndef BENCH_EXPLORE_RACE_H
#define BENCH_EXPLORE_RACE_H

#include <stdint.h>

#include "bench/explore/run.h"
#include "bench/sim/access.h"

struct clocks { uint32_t of[RUN_CORES]; };

static inline void clocks_join(struct clocks *to, const struct clocks *from)
{
	for (uint32_t i = 0; i < RUN_CORES; i++)
		if (to->of[i] < from->of[i])
			to->of[i] = from->of[i];
}

static inline void clocks_tick(struct clocks *c, uint32_t core)
{
	c->of[core]++;
}

void race_begin(void);                                   /* of a run                                               */
/* Ends the run where this access races with one of before. */
void race_access(const struct access *a, uint32_t core, const struct clocks *now);

#endif
