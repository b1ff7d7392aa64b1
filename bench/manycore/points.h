/* SPDX-License-Identifier: MIT */
/*
 * points.h - the table of a sweep: one line of points.tsv for each point, in the order in which they came.
 *
 * Each line has the digest of the program that ran it. A later line of the same policy, profile and cores takes
 * the place of an earlier one.
 */
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
	unsigned long refills, tables, graces, ops;      /* ops: of all cores, in the window                        */
	char build[20];                          /* points_build then                                               */
	unsigned warm;                           /* blocks                                                          */
	size_t line;                             /* in the file                                                     */
};

/* The digest of the program that runs, in hexadecimal. */
const char *points_build(void);

/* Appends to the file; 0 or -errno. */
int  points_add(const char *path, const struct measure_params *p, const struct measure_result *r);
/* All of directory dir, sorted by profile, policy, cores; *out is to be freed. Their number; 0: there are none. */
size_t points_read(const char *dir, struct point **out);
/* DIR/points.json: the same, for others. 0 or -errno. */
int  points_json(const char *dir, const struct point *points, size_t n);

#endif
