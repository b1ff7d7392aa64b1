/* SPDX-License-Identifier: MIT */
/*
 * hist.h - latency histogram: log-linear, 32 buckets per power of two (a value is off by at most 1/32, upwards).
 *
 * One histogram per thread, merged at the end: no locks, not shared while it is written. 15 KiB each.
 */
#ifndef BASE_TOOL_HIST_H
#define BASE_TOOL_HIST_H

#include <stdint.h>
#include "base/compiler.h"

#define HIST_SUB_BITS 5
#define HIST_SUB      (1u << HIST_SUB_BITS)
#define HIST_BUCKETS  ((64 - HIST_SUB_BITS + 1) * HIST_SUB)

/* Zeroed memory is an empty histogram. */
struct hist {
	uint64_t count, sum, max;
	uint64_t bucket[HIST_BUCKETS];
};

static ALWAYS_INLINE uint32_t hist_bucket_of(uint64_t value)
{
	uint32_t e;

	if (value < HIST_SUB)
		return (uint32_t)value;
	e = 63 - (uint32_t)__builtin_clzll(value);
	return (e - HIST_SUB_BITS + 1) * HIST_SUB + (uint32_t)(value >> (e - HIST_SUB_BITS) & (HIST_SUB - 1));
}

/* Adds one value (ns). A few ns; call it from the histogram's one thread. */
static ALWAYS_INLINE void hist_add(struct hist *h, uint64_t value)
{
	h->count++;
	h->sum += value;
	h->max = value > h->max ? value : h->max;
	h->bucket[hist_bucket_of(value)]++;
}

/* Largest value that falls into that bucket. */
uint64_t hist_bucket_top(uint32_t bucket);
void     hist_reset(struct hist *h);
void     hist_merge(struct hist *into, const struct hist *from);
/* Smallest recorded value (rounded up to its bucket's top, never above max) that at least `percent` % of all values
 * do not exceed; percent in [0, 100]; 0 when empty. hist_percentile(h, 99.9). */
uint64_t hist_percentile(const struct hist *h, double percent);
double   hist_mean(const struct hist *h);                /* 0 when empty */

#endif
