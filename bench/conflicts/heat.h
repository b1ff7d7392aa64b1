/* SPDX-License-Identifier: MIT */
/* heat.h - the matrix as a picture: one per policy, packed beside spread, through gnuplot (bench/plot.h). */
#ifndef BENCH_CONFLICTS_HEAT_H
#define BENCH_CONFLICTS_HEAT_H

#include "bench/conflicts/tally.h"

/* Writes conflicts-POLICY.gp into dir, which must exist, and conflicts-POLICY.svg or .png from it. The colour of a cell
 * is the share of tests that are free of conflicts; the number in it says how many are not, `w` how many more are
 * waived. tallies: one or two, of one policy. 0; -ENOENT: gnuplot is not installed; -EIO, another errno. */
enum heat_format { HEAT_SVG, HEAT_PNG };
int heat_write(const char *dir, enum heat_format format, const struct tally *const *tallies, size_t n,
	       uint64_t distance);

#endif
