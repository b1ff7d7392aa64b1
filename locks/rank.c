/* SPDX-License-Identifier: MIT */
/* rank.c - the order rule, evaluated over the one or two ranges that a thread can hold. */
#include "locks/rank.h"

#include <errno.h>

#include "base/assert.h"

int lock_held_may_add(const struct lock_held *h, struct lock_range r, bool may_wait)
{
	if (h->n == LOCK_HELD_MAX)
		return -EDEADLK;
	for (unsigned i = 0; i < h->n; i++)
		if (lock_range_meets(h->r[i], r) || (may_wait && r.lo < h->r[i].hi))
			return -EDEADLK;
	return 0;
}

void lock_held_add(struct lock_held *h, struct lock_range r)
{
	ASSERT(h->n < LOCK_HELD_MAX);
	h->r[h->n++] = r;
}

void lock_held_drop(struct lock_held *h, struct lock_range r)
{
	unsigned i = 0;

	while (i < h->n && (h->r[i].lo != r.lo || h->r[i].hi != r.hi))
		i++;
	CHECK(i < h->n);
	h->r[i] = h->r[--h->n];
}

bool lock_held_has(const struct lock_held *h, uint64_t addr)
{
	for (unsigned i = 0; i < h->n; i++)
		if (lock_range_holds(h->r[i], addr))
			return true;
	return false;
}

bool lock_held_may_wait(const struct lock_held *h, uint64_t addr)
{
	for (unsigned i = 0; i < h->n; i++)
		if (addr < h->r[i].hi)
			return false;
	return true;
}
