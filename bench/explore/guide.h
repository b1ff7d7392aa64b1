/* SPDX-License-Identifier: MIT */
/*
 * guide.h - which weaker orders a scenario can show: many are tried in one run, and who fails says which.
 *
 * There are some 150 weaker uses of atomics and more scenarios: to try each pair alone takes hours, and nearly all of
 * that in vain. So a scenario runs with every place of the list weakened at once, each to one of its orders. When a run
 * fails, its schedule is run again with each place alone: those that fail so are good for a hunt here, and are left as
 * they were from then on. If none does, it takes several: what is not needed is put back, and of the rest one.
 */
#ifndef BENCH_EXPLORE_GUIDE_H
#define BENCH_EXPLORE_GUIDE_H

#include "bench/explore/campaign.h"

enum guide {
	GUIDE_ELSEWHERE,                 /* the scenario does not come by the place                                 */
	GUIDE_REACHED,
	GUIDE_FAILED,                    /* it fails where this order alone is weaker                               */
};

/* In a process of its own. runs: replays included. says: of each find. */
void guide_scenario(const struct settings *s, const struct scenario *scenario, const struct find *finds, unsigned n,
		    uint64_t runs, uint8_t *says);

#endif
