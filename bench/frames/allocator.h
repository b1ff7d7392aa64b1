/* SPDX-License-Identifier: MIT */
/* allocator.h - the frame allocator's part of `vmmap-bench physmem`: rows, tables, bars. */
#ifndef BENCH_FRAMES_ALLOCATOR_H
#define BENCH_FRAMES_ALLOCATOR_H

#include <stdint.h>
#include <stdio.h>

#include "bench/ask.h"

struct allocator_plan {
	unsigned pairs;
	double block_ms;
	uint64_t seed;
	FILE *out;
	struct json *rows;                       /* {measure, threads, ratio, ...}                                  */
	struct ask *ask;
};

/* Each 0 or a negative errno, the reason said on stderr. Rates, bars of rates. */
int allocator_measure(const struct allocator_plan *plan);
/* Words that others may write, by the program that counts; bytes beside the frame. */
int allocator_count(const struct allocator_plan *plan);

#endif
