/* SPDX-License-Identifier: MIT */
/* seeds.h - the list of mutants with the scenario and the seed that find them: seeds.list. */
#ifndef BENCH_EXPLORE_SEEDS_H
#define BENCH_EXPLORE_SEEDS_H

#include "bench/explore/campaign.h"

/* Lines "MUTANT SCENARIO STRATEGY SEED RUNS", or "FILE FUNCTION OPERATION N ORDER" in place of the mutant's name; '#'
 * begins a comment. Ends the program if one is not understood. */
unsigned seeds_read(const char *path, struct find *finds, unsigned room);
/* The list that is kept with the sources that the program was built from. NULL: it is not there. */
const char *seeds_kept(void);
int seeds_write(const char *path, const struct find *finds, unsigned n);

#endif
