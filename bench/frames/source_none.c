/* SPDX-License-Identifier: MIT */
/* source_none.c - no allocator: numbers of the thread's own, in order. What a loop takes with it is the loop's. */
#include <stdlib.h>

#include "bench/frames/churn.h"

struct mine { uint64_t next; } PAIR_ALIGNED;
struct none { uint64_t frames; struct mine at[SOURCE_THREADS]; };

static void *none_create(uint64_t frames, unsigned threads)
{
	struct none *n = aligned_alloc(_Alignof(struct none), sizeof(*n));

	if (n == NULL)
		return NULL;
	*n = (struct none){ .frames = frames };
	for (unsigned i = 0; i < threads; i++)
		n->at[i].next = frames / threads * i;
	return n;
}

static uint64_t take_run(void *s, unsigned thread, unsigned order)
{
	(void)order;
	return ((struct none *)s)->at[thread].next++;
}

static void give_run(void *s, unsigned thread, uint64_t frame, unsigned order)
{
	(void)frame, (void)order;
	((struct none *)s)->at[thread].next--;
}

static uint64_t free_frames(void *s) { return ((struct none *)s)->frames; }

/* Of loops in which as many are given as were taken. */
static ALWAYS_INLINE uint64_t take(void *s, void *mine)
{
	(void)s;
	return (*(uint64_t *)mine)++;
}

static ALWAYS_INLINE void give(void *s, void *mine, uint64_t frame)
{
	(void)s, (void)frame;
	--*(uint64_t *)mine;
}

static void *mine_of(const struct churn *c) { return &((struct none *)c->source)->at[c->thread].next; }

static void pairs(struct churn *c) { churn_pair(c, mine_of(c), take, give); }
static void bulk(struct churn *c) { churn_bulk(c, mine_of(c), take, give); }
static void in_random_order(struct churn *c) { churn_random(c, mine_of(c), take, give); }

const struct source source_none = {
	.name = "loop", .what = "numbers in order: what the loop takes by itself", .order = 0,
	.create = none_create, .destroy = free, .take = take_run, .give = give_run,
	.free_frames = free_frames, .loop = { pairs, bulk, in_random_order, NULL },
};
