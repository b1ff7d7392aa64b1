/* SPDX-License-Identifier: MIT */
/*
 * request.h - CortenMM's micro-benchmarks: 4,096 requests of each thread in a round, at a fixed stride, in the thread's
 * own block ("low contention") or shuffled over all threads ("high contention").
 */
#ifndef STRESS_PROFILE_REQUEST_H
#define STRESS_PROFILE_REQUEST_H

#include <errno.h>
#include <stdlib.h>

#include "stress/profile_ops.h"

#define REQUESTS 4096u

struct request_shared { uint64_t stride; struct profile_shuffle shuffle; };

static inline uint64_t request_count(const struct profile_map *map)
{
	return profile_size(map, REQUESTS, 64);
}

static inline uint64_t request_frames(const struct profile_map *map)
{
	return map->threads * request_count(map);
}

static inline int request_setup(struct profile_map *map, uint64_t stride)
{
	struct request_shared *shared = malloc(sizeof(*shared));

	if (!shared)
		return -ENOMEM;
	shared->stride = stride;
	shared->shuffle = profile_shuffle_make(map->threads * request_count(map), map->params->seed);
	map->shared = shared;
	return 0;
}

/* One untouched VMA over everything. */
static inline int request_anew(struct profile_map *map)
{
	const struct request_shared *shared = map->shared;

	return map_anew(map, PROFILE_BASE, map->threads * request_count(map) * shared->stride * PROFILE_PAGE,
			PROFILE_RW, PROFILE_ANON);
}

static inline uint64_t request_low(const struct profile_thread *t, uint64_t i, uint64_t stride)
{
	return PROFILE_BASE + (t->index * request_count(t->at) + i) * stride * PROFILE_PAGE;
}

static inline uint64_t request_high(const struct profile_thread *t, uint64_t i, uint64_t stride)
{
	const struct request_shared *shared = t->at->shared;

	return PROFILE_BASE + profile_shuffle_at(&shared->shuffle, t->index * request_count(t->at) + i) * stride *
	       PROFILE_PAGE;
}

#endif
