/* SPDX-License-Identifier: MIT */
/*
 * engine.c - this library's frames, by the call that a fault makes (frame.h), and by the public ones (physmem.h).
 *
 * A fault knows its thread's slot already, and is inside a read section; here both are had once in each step of a loop.
 * The public calls ask each time, begin and end a section, and a free may be one of two at once: the frame's word
 * changes by a CAS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench/frames/churn.h"
#include "bench/frames/engine.h"
#include "vmmap/phys/frame.h"

_Static_assert(ENGINE_KEPT == FRAME_SPARE_MAX * FRAME_BATCH && ENGINE_DEPOT == FRAME_DEPOT_MAX * FRAME_BATCH,
	       "the loads of allocator.c are multiples of what caches and depot keep");

static void *engine_create(uint64_t frames, unsigned threads)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem *pm;

	(void)threads;
	config.pages = frames;
	return physmem_create(&pm, &config) == 0 ? pm : NULL;
}

static void engine_destroy(void *s)
{
	physmem_destroy(s);
}

static uint64_t take_run(void *s, unsigned thread, unsigned order)
{
	struct physmem_run run;

	(void)thread;
	return physmem_run_alloc(s, order, &run) == 0 ? run.pfn : SOURCE_NONE;
}

/* The generation is asked for by who keeps runs for long; here the order is enough. */
static void give_run(void *s, unsigned thread, uint64_t frame, unsigned order)
{
	struct physmem *pm = s;
	uint64_t word = atomic_load_relaxed(&pm->word[frame]);
	struct physmem_run run = { frame, (uint32_t)(word >> FRAME_LIVES_SHIFT), order };

	(void)thread;
	CHECK(physmem_run_free(pm, &run) == 0);
}

static uint64_t free_frames(void *s)
{
	struct physmem_usage usage;

	physmem_get_usage(s, &usage);
	return usage.frames - usage.owned;
}

/* ---- as a fault does ---- */

static ALWAYS_INLINE uint64_t take(void *s, void *self) { return frame_alloc(s, self); }
static ALWAYS_INLINE void give(void *s, void *self, uint64_t frame) { frame_free(s, self, frame); }

static uint64_t fault_take_run(void *s, unsigned thread, unsigned order)
{
	return order == 0 ? frame_take(s, thread_self(), FRAME_OWNER_MAP) : take_run(s, thread, order);
}

static void fault_give_run(void *s, unsigned thread, uint64_t frame, unsigned order)
{
	if (order == 0)
		frame_give(s, thread_self(), frame, FRAME_OWNER_MAP);
	else
		give_run(s, thread, frame, order);
}

static struct thread_slot *enter(void)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	return self;
}

static void pairs(struct churn *c)
{
	struct thread_slot *self = enter();

	churn_pair(c, self, take, give);
	rcu_leave(self);
}

static void bulk(struct churn *c)
{
	struct thread_slot *self = enter();

	churn_bulk(c, self, take, give);
	rcu_leave(self);
}

static void in_random_order(struct churn *c)
{
	struct thread_slot *self = enter();

	churn_random(c, self, take, give);
	rcu_leave(self);
}

static void hand_over(struct churn *c)
{
	struct thread_slot *self = enter();

	churn_hand_over(c, self, take, give);
	rcu_leave(self);
}

const struct source source_engine = {
	.name = "engine", .what = "this library's, as a fault asks for frames", .order = 9,
	.create = engine_create, .destroy = engine_destroy, .take = fault_take_run, .give = fault_give_run,
	.free_frames = free_frames, .loop = { pairs, bulk, in_random_order, hand_over },
};

/* ---- from outside ---- */

static ALWAYS_INLINE uint64_t public_take(void *s, void *mine)
{
	(void)mine;
	return physmem_frame_alloc(s);
}

static ALWAYS_INLINE void public_give(void *s, void *mine, uint64_t frame)
{
	(void)mine;
	CHECK(physmem_frame_free(s, frame) == 0);
}

static void public_pairs(struct churn *c) { churn_pair(c, NULL, public_take, public_give); }
static void public_bulk(struct churn *c) { churn_bulk(c, NULL, public_take, public_give); }
static void public_random(struct churn *c) { churn_random(c, NULL, public_take, public_give); }
static void public_hand_over(struct churn *c) { churn_hand_over(c, NULL, public_take, public_give); }

const struct source source_public = {
	.name = "public", .what = "this library's, by its public calls", .order = 9,
	.create = engine_create, .destroy = engine_destroy, .take = take_run, .give = give_run,
	.free_frames = free_frames, .loop = { public_pairs, public_bulk, public_random, public_hand_over },
};

/* ---- what a benchmark looks at ---- */

void engine_set_depot(void *s, uint32_t chains)
{
	((struct physmem *)s)->depot_max = chains;
}

/* Bytes of the process that are in memory. */
static uint64_t resident(void)
{
	FILE *statm = fopen("/proc/self/statm", "r");
	unsigned long long size, pages = 0;

	if (statm != NULL && fscanf(statm, "%llu %llu", &size, &pages) != 2)
		pages = 0;
	if (statm != NULL)
		fclose(statm);
	return pages << PAGE_SHIFT;
}

/* ... of one array. */
static uint64_t resident_of(void *array, uint64_t bytes)
{
	uint64_t pages = (bytes + PAGE_BYTES - 1) >> PAGE_SHIFT, n = 0;
	unsigned char *in = malloc(pages);

	if (in != NULL && mincore(array, bytes, in) == 0)
		for (uint64_t i = 0; i < pages; i++)
			n += in[i] & 1;
	free(in);
	return n << PAGE_SHIFT;
}

int engine_bytes(uint64_t frames, struct engine_bytes *out)
{
	uint64_t before = resident(), arrays, all;
	struct physmem *pm = engine_create(frames, 1);
	uint64_t pfn, last = PHYSMEM_NONE;

	if (pm == NULL)
		return -ENOMEM;
	while ((pfn = fault_take_run(pm, 0, 0)) != PHYSMEM_NONE) {
		atomic_store_relaxed(&pm->record[pfn - pm->base].page, last); /* a chain of all that is out      */
		last = pfn;
	}
	all = resident() - before;
	arrays = resident_of(pm->word, pm->span * sizeof(*pm->word)) +
		 resident_of(pm->batch_of, pm->span * sizeof(*pm->batch_of)) +
		 resident_of(pm->record, pm->span * sizeof(*pm->record));
	*out = (struct engine_bytes){
		sizeof(*pm->word) + sizeof(*pm->batch_of) + sizeof(*pm->record),
		(double)(pm->bits.block.units * pm->bits.block.unit + pm->bits.row.units * pm->bits.row.unit) * 8 /
			(double)frames,
		(double)(all - arrays) * 8 / (double)frames,
	};
	for (; last != PHYSMEM_NONE; last = pfn) {
		pfn = atomic_load_relaxed(&pm->record[last - pm->base].page);
		fault_give_run(pm, 0, last, 0);
	}
	physmem_destroy(pm);
	return 0;
}
