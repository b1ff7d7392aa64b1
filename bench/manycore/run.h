/* SPDX-License-Identifier: MIT */
/* run.h - what all commands that measure one point share: check, measure, print, write. */
#ifndef BENCH_MANYCORE_RUN_H
#define BENCH_MANYCORE_RUN_H

#include "bench/manycore/measure.h"
#include "bench/manycore/options.h"

#define RUN_DEAR 3                               /* exit code: the budget does not allow the point               */

/* Exit code. fn: as measure(). */
int run_point(struct options *o, int (*fn)(const struct measure_params *p, struct measure_result *result));

#endif
