/* SPDX-License-Identifier: MIT */
/*
 * rank.h - what one thread holds in one map, and the rule that makes deadlock impossible.
 *
 * RULE   A thread waits for a range only at an address above everything it holds there, and never with a pin in hand
 *        (dev builds count pins and assert that).
 *        If T waits at a for H, and H waits at b, then H holds a, so a < b: chains of waiting rise and end.
 *        What is out of order is asked for with LOCK_TRY, or refused with -EDEADLK.
 * Kept by its own thread only (a block of the map's thread table, or a global lock's state): no atomics.
 */
#ifndef LOCKS_RANK_H
#define LOCKS_RANK_H

#include <stdbool.h>
#include <stdint.h>

#include "locks/range.h"

#define LOCK_HELD_MAX 2

struct lock_held {
	struct lock_range r[LOCK_HELD_MAX];
	unsigned n;
	unsigned pins;                           /* dev builds: visits that are counted in some VMA                */
};

/* May this thread take r as well? 0; -EDEADLK: r meets what it holds, lies below it and may wait, or is one too
 * many. */
int  lock_held_may_add(const struct lock_held *h, struct lock_range r, bool may_wait);
void lock_held_add(struct lock_held *h, struct lock_range r);
void lock_held_drop(struct lock_held *h, struct lock_range r);
bool lock_held_has(const struct lock_held *h, uint64_t addr);
/* May it wait at addr? */
bool lock_held_may_wait(const struct lock_held *h, uint64_t addr);

#endif
