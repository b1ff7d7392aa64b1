/* SPDX-License-Identifier: MIT */
/* spans.h - a set of addresses as sorted, disjoint, non-adjacent spans. */
#ifndef STRESS_REPLAY_SPANS_H
#define STRESS_REPLAY_SPANS_H

#include <stdbool.h>
#include <stdint.h>

struct span { uint64_t lo, hi; };
struct spans { struct span *span; uint32_t n, room; };

int  spans_add(struct spans *s, uint64_t lo, uint64_t hi);       /* -ENOMEM; so do the others that return int       */
int  spans_remove(struct spans *s, uint64_t lo, uint64_t hi);
/* What of [lo, hi) is in the set, as one span; n: how many pieces it is (0: nothing). */
struct span spans_meet(const struct spans *s, uint64_t lo, uint64_t hi, uint32_t *n);
/* Index of the first span that ends above addr; s->n: none. */
uint32_t spans_find(const struct spans *s, uint64_t addr);
uint64_t spans_bytes(const struct spans *s);
void spans_free(struct spans *s);

#endif
