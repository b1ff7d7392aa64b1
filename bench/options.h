/* SPDX-License-Identifier: MIT */
/*
 * options.h - the command line of every sub-command: one table of options, each command names those it takes.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stress/profile.h"

#define OPTIONS_LIST 32

enum options_key {                               /* above every character: long options only                       */
	OPT_WORKLOAD = 256, OPT_A, OPT_B, OPT_POLICY, OPT_THREADS, OPT_PAIRS, OPT_BLOCK, OPT_BLOCK_MS, OPT_BYTES,
	OPT_SHRINK, OPT_FROM, OPT_TO, OPT_HOLD_MS, OPT_DURATION, OPT_OP, OPT_COUNT, OPT_VMAS, OPT_WORKLOADS,
	OPT_POLICIES, OPT_COUNTS, OPT_SEGMENTS, OPT_LOOKUPS, OPT_FILTER, OPT_REPS, OPT_ONLY, OPT_OUT, OPT_SEED,
	OPT_JSON,
};

struct options {
	const struct profile *workload;
	const char *a, *b, *policy;              /* names of policies; b may be "global"                            */
	unsigned threads, pairs, from, to, reps, shrink;
	double block_ms, hold_ms;
	bool bytes;
	uint64_t seed, count, duration_ns;
	const char *json, *out, *op, *filter, *only;
	const char *policies[OPTIONS_LIST];      /* lists: what was given, else all that make sense                 */
	const struct profile *workloads[OPTIONS_LIST];
	uint64_t vmas[OPTIONS_LIST], counts[OPTIONS_LIST];       /* --vmas; --threads where it takes several        */
	uint64_t segments[OPTIONS_LIST], lookups[OPTIONS_LIST];
	size_t npolicies, nworkloads, nvmas, ncounts, nsegments, nlookups;
};

struct options_command {
	const short *keys;                       /* the options taken, from enum options_key, 0 at the end          */
	const char *doc;                         /* what it does, then '\v', then examples                          */
};

/* Parses into *o, which holds the defaults. --policy=help, --workload=help and --op=help print a list and exit. */
void options_parse(const struct options_command *command, int argc, char **argv, struct options *o);

/* "none", "rwlock" ...: ends the program when there is no such policy. */
const char *options_policy(const char *option, const char *name);

#endif
