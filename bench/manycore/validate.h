/* SPDX-License-Identifier: MIT */
/* validate.h - the parts of `vmmap-manycore validate`. */
#ifndef BENCH_MANYCORE_VALIDATE_H
#define BENCH_MANYCORE_VALIDATE_H

#include <stdio.h>
#include "base/tool/json.h"
#include "bench/manycore/options.h"

struct validation {
	const struct options *o;
	FILE *out;                               /* for people                                                      */
	struct json *root;
	unsigned held, missed;                   /* published shapes                                                */
};

/* Published shapes: a shared counter, two indexes. */
void validate_shapes(struct validation *v);
/* Real threads of this machine beside logical cores. */
void validate_real(struct validation *v);
/* Spearman's rank correlation of n pairs, ties shared: -1 to 1; NaN where there are less than two, or one side is all
 * alike. n is at most OPTIONS_MOST. */
double validate_ranks(const double *x, const double *y, size_t n);

#endif
