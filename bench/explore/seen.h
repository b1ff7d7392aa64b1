/* SPDX-License-Identifier: MIT */
/* seen.h - a set of hashes that grows. Zeroed memory is an empty one. */
#ifndef BENCH_EXPLORE_SEEN_H
#define BENCH_EXPLORE_SEEN_H

#include <stdbool.h>
#include <stdint.h>

struct seen { uint64_t *hash, n, room; };

bool seen_has(const struct seen *s, uint64_t hash);
bool seen_add(struct seen *s, uint64_t hash);            /* true: it was not there                                  */

#endif
