/* SPDX-License-Identifier: MIT */
/*
 * access.c - tells the listener of every access, then does what was asked (access_calls.h).
 *
 * One OS thread plays all cores, so nothing here needs to be atomic in hardware: between the listener's return and the
 * access no other core runs. The engine's few threads of its own do not exist (kernel.c makes them cores).
 */
#include "base/compiler.h"
#include "bench/sim/access.h"

static ALWAYS_INLINE bool tell(const struct access *a)
{
	const struct access_listener *l = access_listener;

	if (l == NULL || (a->op == ACCESS_LOAD && l->deaf_to_loads))
		return false;
	l->before(a);
	return true;
}

static ALWAYS_INLINE void tell_after(const struct access *a, uint64_t seen, uint64_t stored)
{
	if (access_listener->after != NULL)
		access_listener->after(a, seen, stored);
}

static ALWAYS_INLINE bool load_elsewhere(const struct access *a, uint64_t *value)
{
	return access_listener->load != NULL && access_listener->load(a, value);
}

static ALWAYS_INLINE bool store_elsewhere(const struct access *a, uint64_t value)
{
	return access_listener->store != NULL && access_listener->store(a, value);
}

#include "bench/sim/access_calls.h"
