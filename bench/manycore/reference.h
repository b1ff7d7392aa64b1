/* SPDX-License-Identifier: MIT */
/*
 * reference.h - indexes whose scaling has been published, to see whether the model shows the known shapes. They
 * are instrumented as the engine is; small, fixed in size, and without reclamation: a node belongs to its key for ever.
 *
 * Keys 0 .. REFERENCE_KEYS - 1. Even ones are there from the set-up on, and are looked for; writers insert and
 * remove odd ones of their own.
 */
#ifndef BENCH_MANYCORE_REFERENCE_H
#define BENCH_MANYCORE_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#define REFERENCE_KEYS 2048u

struct reference {
	const char *name;
	void (*setup)(void);
	bool (*find)(uint32_t key);
	void (*insert)(uint32_t key);            /* of the caller alone                                             */
	void (*remove)(uint32_t key);
};

extern const struct reference reference_skiplist, reference_radix;

void reference_count(void);                      /* one counter for all                                             */

#endif
