/* SPDX-License-Identifier: MIT */
/*
 * holders.c - who holds what of a range lock beside the map, in books of the scenario's own.
 *
 * Under such a policy the words of VMAs keep out once more whom the range lock has let in by mistake. So its two calls
 * are wrapped: at each grant nobody else may hold anything that conflicts.
 */
#include "bench/explore/scenario.h"

#include "bench/sim/core.h"
#include "locks/policy/beside.h"
#include "vmmap/space/space.h"

_Static_assert(BESIDE_LOCKS == SCENE_RANGES, "a thread's range locks");

static const struct beside_lock *wrapped;

static bool conflict(const struct scene_range *a, const struct scene_range *b)
{
	return a->lo < b->hi && b->lo < a->hi && (a->exclusive || b->exclusive);
}

static void granted(uint32_t self, const struct scene_range *r)
{
	for (uint32_t i = 0; i < SCENARIO_CORES; i++)
		for (unsigned n = 0; i != self && n < SCENE_RANGES; n++)
			expect(!conflict(r, &scene.range[i][n]));        /* two hold what only one may              */
}

static int take(struct beside *b, const struct beside_want *w)
{
	struct scene_range r = { w->r.lo, w->r.hi, w->exclusive };
	uint32_t self = core_current->number;
	int err = wrapped->take(b, w);

	if (err || self >= SCENARIO_CORES)
		return err;
	granted(self, &r);
	scene.range[self][w->which] = r;
	return 0;
}

static void give(struct beside *b, struct thread_slot *slot, struct beside_thread *home, unsigned which)
{
	if (core_current->number < SCENARIO_CORES)
		scene.range[core_current->number][which] = (struct scene_range){ 0 };
	wrapped->give(b, slot, home, which);
}

void scene_watch_ranges(void)
{
	static const struct beside_lock watched = { take, give };
	struct beside *b = scene.map->lock_state;

	wrapped = b->lock;
	b->lock = &watched;
}
