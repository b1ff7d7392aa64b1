/* SPDX-License-Identifier: MIT */
/*
 * model_limit.cc - windows of limits (vmmap/space/limit.c): shared ones beside each other, exact ones alone, and units
 * between the pool and the quotas. What a window changes of the map is one plain word for each thread.
 */
#include "model.h"

#include "vmmap/space/space.h"

namespace {

const int64_t MOST = 7;

struct world {
	struct vmmap map;
	struct space_local local[MODEL_THREADS];
	model_plain<uint32_t> part[MODEL_THREADS];       /* one's own in a shared window, all in an exact one */
	atomic_u32 used;
} w;

void world_start(bool known)
{
	struct vmmap_config config = { sizeof(config) };

	memset((void *)&w, 0, sizeof(w));
	config.limit_commit = MOST;
	limit_init(&w.map.limits, &config);
	w.map.limits.batch.of[LIMIT_COMMIT] = 1;         /* so that quotas are kept, until few units are left      */
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		w.map.locals.block[i] = &w.local[i];
		w.local[i].limit.known = known;
		w.part[i] = 0;
	}
}

void use_alone(struct thread_slot *self)
{
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		w.part[i] = w.part[i] + 1;
	if (limit_left(&w.map, LIMIT_COMMIT) > 0) {
		limit_add(&w.map, self, LIMIT_COMMIT, 1);
		model_check(atomic_add_relaxed(&w.used, 1) < MOST, "no more than there are", __FILE__, __LINE__);
	} else {
		model_check(atomic_load_relaxed(&w.used) == MOST, "refused with room", __FILE__, __LINE__);
	}
}

/* One unit, as an operation takes it. */
void use_one(bool alone)
{
	struct thread_slot *self = thread_self();
	struct limit_units want = { { 0, 0, 1 } };

	limit_enter(&w.map, self);
	if (!alone && limit_reserve(&w.map, self, &want)) {
		w.part[self->number] = w.part[self->number] + 1;
		limit_add(&w.map, self, LIMIT_COMMIT, 1);
		model_check(atomic_add_relaxed(&w.used, 1) < MOST, "no more than there are", __FILE__, __LINE__);
	} else {
		limit_exact(&w.map, self);
		use_alone(self);
	}
	limit_leave(&w.map, self);
}

void world_finish()
{
	int64_t unused = w.map.limits.pool.of[LIMIT_COMMIT];

	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		unused += w.local[i].limit.quota.of[LIMIT_COMMIT];
		model_check(!w.local[i].limit.inside.word && !w.local[i].limit.depth &&
			    !w.local[i].limit.reserved.of[LIMIT_COMMIT], "closed", __FILE__, __LINE__);
	}
	model_check(w.map.limits.next.word == w.map.limits.serving.word, "no ticket is out", __FILE__, __LINE__);
	model_check(unused == MOST - (int64_t)w.used.word, "each unit is somewhere, once", __FILE__, __LINE__);
}

struct limit_one_exact {
	static void start() { world_start(true); }
	static void thread(unsigned i)
	{
		use_one(i == 2);
		use_one(false);
		use_one(false);
	}
	static void finish() { world_finish(); }
};

/* Each slot's first window is exact. */
struct limit_first {
	static void start() { world_start(false); }
	static void thread(unsigned)
	{
		use_one(false);
		use_one(false);
		use_one(false);
	}
	static void finish() { world_finish(); }
};

}

struct space_local *space_local_make(struct vmmap *map, struct thread_slot *self)
{
	return (struct space_local *)thread_local_mine(&map->locals, self);
}

MODEL_SUITE(limit_one_exact, 60000);
MODEL_SUITE(limit_first, 60000);
