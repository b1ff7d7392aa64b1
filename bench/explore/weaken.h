/* SPDX-License-Identifier: MIT */
/* weaken.h - memory-order mutants by place in the code. */
#ifndef BENCH_EXPLORE_WEAKEN_H
#define BENCH_EXPLORE_WEAKEN_H

#include <stdbool.h>

#include "bench/sim/access.h"

/* "FILE FUNCTION OPERATION N", as in tests/models/orders.list; order: relaxed, acquire, release, acqrel. */
bool weaken_select(const char *name, const char *order);
/* What the access demands, or less, if it is the chosen one. */
int weaken_order(const struct access *a);
bool weaken_reached(void);                       /* the chosen one has ever been made                              */

#endif
