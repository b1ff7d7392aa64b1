/* SPDX-License-Identifier: MIT */
/*
 * hot.h - which lines the cores fight for: transfers by who asks, and who wrote the line last.
 */
#ifndef BENCH_MANYCORE_HOT_H
#define BENCH_MANYCORE_HOT_H

#include <stddef.h>
#include <stdint.h>

struct hot {
	const void *by, *from;                   /* code: the access, and the store before it                       */
	uint64_t count, took;                    /* transfers; ps                                                   */
	uint64_t lines;                          /* different ones, roughly: changes of address                     */
	uintptr_t at;                            /* one of them                                                     */
};

void hot_add(const void *by, const void *from, uintptr_t at, uint64_t took);
void hot_reset(void);
/* The n with the most transfers, or fewer; into out[]. */
size_t hot_most(struct hot *out, size_t n);

#endif
