/* SPDX-License-Identifier: MIT */
/*
 * rival_list.c - a free list under one lock: a number for each frame, which is free behind it.
 *
 * STRONG    what was given last is taken first, while its lines are warm; the section is a load and a store; the lock
 *           is the queued one where it is contended (base/qspin.h).
 * WEAKNESS  each call of each thread writes the lock's line; no runs, and no way to ask which frames are neighbours.
 * SOURCE    K&R's free list; Linux's zone free list of before the per-CPU lists (2.4, mm/page_alloc.c). Re-derived.
 */
#include <stdlib.h>

#include "base/qspin.h"
#include "bench/frames/churn.h"

struct list {
	uint64_t frames;
	uint32_t *next;                          /* [frames]: number + 1 of the next free one                      */
	PAIR_ALIGNED struct qspin lock;
	uint32_t head;                           /* under the lock                                                 */
	uint64_t free;
};

static void list_destroy(void *s)
{
	struct list *l = s;

	free(l->next);
	free(l);
}

static void *list_create(uint64_t frames, unsigned threads)
{
	struct list *l = aligned_alloc(_Alignof(struct list), sizeof(*l));

	(void)threads;
	if (l == NULL)
		return NULL;
	*l = (struct list){ .frames = frames, .next = malloc(frames * sizeof(*l->next)), .head = 1, .free = frames };
	if (l->next == NULL) {
		list_destroy(l);
		return NULL;
	}
	for (uint64_t i = 0; i < frames; i++)
		l->next[i] = i + 1 < frames ? (uint32_t)i + 2 : 0;
	return l;
}

static ALWAYS_INLINE uint64_t take(void *s, void *mine)
{
	struct list *l = s;
	uint32_t first;

	(void)mine;
	qspin_lock(&l->lock);
	first = l->head;
	if (first != 0) {
		l->head = l->next[first - 1];
		l->free--;
	}
	qspin_unlock(&l->lock);
	return first != 0 ? first - 1 : SOURCE_NONE;
}

static ALWAYS_INLINE void give(void *s, void *mine, uint64_t frame)
{
	struct list *l = s;

	(void)mine;
	qspin_lock(&l->lock);
	l->next[frame] = l->head;
	l->head = (uint32_t)frame + 1;
	l->free++;
	qspin_unlock(&l->lock);
}

static uint64_t take_run(void *s, unsigned thread, unsigned order)
{
	(void)thread;
	return order == 0 ? take(s, NULL) : SOURCE_NONE;
}

static void give_run(void *s, unsigned thread, uint64_t frame, unsigned order)
{
	(void)thread;
	CHECK(order == 0);
	give(s, NULL, frame);
}

static uint64_t free_frames(void *s) { return ((struct list *)s)->free; }

static void pairs(struct churn *c) { churn_pair(c, NULL, take, give); }
static void bulk(struct churn *c) { churn_bulk(c, NULL, take, give); }
static void in_random_order(struct churn *c) { churn_random(c, NULL, take, give); }
static void hand_over(struct churn *c) { churn_hand_over(c, NULL, take, give); }

const struct source source_list = {
	.name = "list", .what = "a free list under one lock", .order = 0,
	.create = list_create, .destroy = list_destroy, .take = take_run, .give = give_run,
	.free_frames = free_frames, .loop = { pairs, bulk, in_random_order, hand_over },
};
