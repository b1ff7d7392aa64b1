/* SPDX-License-Identifier: MIT */
/* options.h - what the commands of vmmap-manycore can be asked for. */
#ifndef BENCH_MANYCORE_OPTIONS_H
#define BENCH_MANYCORE_OPTIONS_H

#include "bench/manycore/measure.h"

#define OPTIONS_MOST 32u

struct options {
	struct measure_params m;
	const char *costs;                       /* name of the scenario                                            */
	uint64_t ops;                            /* 0: 10,000 a core, 1,000 beyond 128 cores                        */
	double seconds;                          /* 0: no budget (budget.h)                                         */
	uint64_t most;                           /* sweep: cores, powers of two up to here                          */
	uint32_t counts[OPTIONS_MOST];           /* sweep: or these                                                 */
	size_t ncounts;
	const char *policies[OPTIONS_MOST], *profiles[OPTIONS_MOST];     /* sweep, validate                         */
	size_t npolicies, nprofiles;
	unsigned jobs;
	const char *out, *json;
	bool fresh, better;                      /* sweep: what is run although there is a point                    */
};

/* Which of them a command takes: a string of their letters. */
void options_parse(const char *letters, const char *doc, int argc, char **argv, struct options *o);
/* Costs by name; NULL past the last. */
const char *options_costs_name(unsigned i);
const struct turn_costs *options_costs(unsigned i);
/* Policies that can run on logical cores: not pthread's lock, not the one for a single thread (cores > 1). */
bool options_simulated(const char *policy, uint32_t cores);
/* Adds all that can run on so many: the default one, its rivals, the global locks before those that cost most. */
void options_all_policies(struct options *o, uint32_t cores);
uint64_t options_ops(const struct options *o, uint32_t cores);

#endif
