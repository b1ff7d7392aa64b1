/* SPDX-License-Identifier: MIT */
/* orders.h - memory-order mutants: the uses of atomics that tests/models/orders.list calls needed, each weakened. */
#ifndef BENCH_EXPLORE_ORDERS_H
#define BENCH_EXPLORE_ORDERS_H

#include "bench/explore/campaign.h"

/* Each weaker order of each use in the list, but for those that it says nobody notices, and uses that it leaves out
 * (suites '-'). Returns how many; ends the program if the file is not understood. */
unsigned orders_read(const char *path, struct find *finds, unsigned room);

#endif
