/* SPDX-License-Identifier: MIT */
/*
 * world.h - N VMAs twice: in the engine's tree, and as a sorted array of their starts.
 *
 * The one place of bench/ that looks inside the library: the tree's own speed has no public face. VMA i starts at a
 * place that is computed from i, not stored, so that drawing an address costs no cache miss:
 *     base + i * 16 pages + (hash of i) % 8 pages, and is 4 pages long.
 * The tree is filled in random order, as a living map would be; the array is what bsearch(3) wants.
 */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include <stdint.h>

#include "bench/pairs.h"
#include "bench/gang.h"

struct world;

/* 1 <= vmas <= 4,000,000. -ENOMEM */
int  world_create(struct world **out, uint64_t vmas, uint64_t seed);
void world_destroy(struct world *w);

enum world_kind { WORLD_TREE, WORLD_ARRAY, WORLD_EDIT };

/* An arm: random addresses, each inside a VMA, in `threads` threads for `ms`. What was found is checked against what
 * was asked before and after a block, not inside.
 *   TREE   address -> VMA pointer, bounds checked, VMA not read, inside RCU
 *   ARRAY  libc's bsearch() for the start at or below the address
 *   EDIT   one erase or one insert of a random VMA (they alternate; one operation = one of the two); one thread
 * dependent: the next address cannot be computed before this lookup has ended. */
struct world_arm {
	struct world *world;
	enum world_kind kind;
	int dependent;
	unsigned threads;
	double ms;
	struct gang *gang;
};
int world_block(void *ctx, uint64_t seed, struct pairs_block *out);

#endif
