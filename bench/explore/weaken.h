/* SPDX-License-Identifier: MIT */
/* weaken.h - memory-order mutants by place in the code. */
#ifndef BENCH_EXPLORE_WEAKEN_H
#define BENCH_EXPLORE_WEAKEN_H

#include <stdbool.h>

#include "bench/sim/access.h"

/* "FILE FUNCTION OPERATION N", as in tests/models/orders.list: its number; -1: there is no such use. All of them before
 * the first run. */
int weaken_add(const char *name);
/* relaxed, acquire, release, acqrel; false: no such order. */
bool weaken_set(int place, const char *order);
void weaken_unset(int place);                    /* as it stands in the code                                       */
bool weaken_reached(int place);                  /* it has ever been made                                          */
/* What the access demands, or less, if it is made at a place that is weakened. */
int weaken_order(const struct access *a);

#endif
