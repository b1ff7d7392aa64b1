/* SPDX-License-Identifier: MIT */
/*
 * told.c - access.c, for who is always told: most accesses are hits, and end in the function that the compiler called.
 */
#include "base/compiler.h"
#include "bench/manycore/turn.h"

static ALWAYS_INLINE bool tell(const struct access *a)
{
	if (!turn_hit(a)) {
		struct access copy = *a;         /* only here it needs to be in memory */

		turn_access(&copy);
	}
	return false;
}

static ALWAYS_INLINE void tell_after(const struct access *a, uint64_t seen, uint64_t stored)
{
	(void)a;
	(void)seen;
	(void)stored;
}

static ALWAYS_INLINE bool load_elsewhere(const struct access *a, uint64_t *value)
{
	(void)a;
	(void)value;
	return false;
}

static ALWAYS_INLINE bool store_elsewhere(const struct access *a, uint64_t value)
{
	(void)a;
	(void)value;
	return false;
}

#include "bench/sim/access_calls.h"
