/* SPDX-License-Identifier: MIT */
/* points.h - the table of a sweep: one line of points.tsv for each point, in the order in which they came. */
#ifndef BENCH_MANYCORE_POINTS_H
#define BENCH_MANYCORE_POINTS_H

#include "bench/manycore/options.h"

struct point {
	char policy[32], profile[32];
	unsigned cores;
	double ops_per_s, transfers;
	double resets, daemon;                   /* transfers there                                                 */
	double running, lines, asleep, spinning, meetings;       /* shares of the cores' time                       */
	unsigned steady;
	unsigned long refills, tables, graces, ops;
};

/* Appends to the file; 0 or -errno. */
int  points_add(const char *path, const struct measure_params *p, const struct measure_result *r);
/* All of directory dir, sorted by profile, policy, cores; *out is to be freed. Their number; 0: there are none. */
size_t points_read(const char *dir, struct point **out);

#endif
