/* SPDX-License-Identifier: MIT */
/* explore_out.h - what vmmap-explore was told, and what it says of what came of it: for explore_*.c only. */
#ifndef BENCH_EXPLORE_EXPLORE_OUT_H
#define BENCH_EXPLORE_EXPLORE_OUT_H

#include <stdio.h>

#include "bench/explore/campaign.h"

enum doing { EXPLORING, LISTING, REPLAYING, HUNTING, WEAKENING, FINDING_AGAIN };

struct arguments {
	struct settings settings;
	const struct scenario *scenarios[SCENARIOS_MAX + 1];
	unsigned n;
	uint32_t given;                  /* a bit for each option                                                   */
	enum doing doing;
	char *mutants;
	const char *weaken, *orders, *replay, *seeds, *write_seeds, *json;
	struct find finds[MUTANTS_MAX];
	unsigned nfinds;
	struct report *reports;                  /* of the n scenarios; NULL: it has not explored                   */
	unsigned bad;                            /* of them have failed                                            */
	struct coverage coverage;                /* of all of them                                                 */
};

/* Human-readable lines go there: not where standard output is the JSON's. */
FILE *out_page(const struct arguments *a);

/* Of what was explored: a table, then how to see what has failed. */
void out_table(const struct arguments *a);
void out_failures(const struct arguments *a);
void out_find(const struct arguments *a, const struct find *f);
/* With --json: all of it. */
void out_json(const struct arguments *a);

#endif
