/* SPDX-License-Identifier: MIT */
/* range.h - a range of addresses: bytes, half open, page aligned. */
#ifndef LOCKS_RANGE_H
#define LOCKS_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct lock_range { uint64_t lo, hi; };

static inline bool lock_range_meets(struct lock_range a, struct lock_range b) { return a.lo < b.hi && b.lo < a.hi; }
static inline bool lock_range_holds(struct lock_range a, uint64_t addr)       { return a.lo <= addr && addr < a.hi; }
static inline bool lock_range_covers(struct lock_range a, struct lock_range b) { return a.lo <= b.lo && b.hi <= a.hi; }

#endif
