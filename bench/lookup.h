/* SPDX-License-Identifier: MIT */
/* lookup.h - one row of `vmmap-bench lookup`, for the command and for `bars`. */
#ifndef BENCH_LOOKUP_H
#define BENCH_LOOKUP_H

#include "bench/world.h"

struct lookup_plan { unsigned pairs; double block_ms; uint64_t seed, deadline_ns; struct gang *gang; /* of 2 */ };

struct lookup_row {
	uint64_t vmas;
	struct stats_interval dependent, independent;    /* time in the tree / time of bsearch()                    */
	struct stats_interval scaling2, array_scaling2;  /* rate of two threads / rate of one                       */
	struct stats_interval insert_erase;              /* time of one insert or erase / time of bsearch()         */
	double tree_ns, array_ns;                        /* context: dependent                                      */
	unsigned dropped;
};

/* 0 or a negative errno (said on stderr). */
int lookup_measure(const struct lookup_plan *plan, uint64_t vmas, struct lookup_row *row);

#endif
