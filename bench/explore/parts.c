/* SPDX-License-Identifier: MIT */
/*
 * parts.c - parts of the engine that a body uses without the rest. Compiled as the engine is: what stands here is told,
 * undone, and a scheduling point, as the engine's own accesses are.
 */
#include "bench/explore/scenario.h"

#include "base/mem.h"
#include "base/rcu.h"
#include "vmmap/space/space.h"

#undef PAGE
#define SPAN (UINT64_C(1) << 21)

int scene_move_entries(uint64_t at, uint64_t len, uint64_t to)
{
	struct thread_slot *self = thread_self();
	int err;

	rcu_enter(self);
	err = pt_move(&scene.map->pt, self, (struct lock_range){ at, at + len }, to);
	rcu_leave(self);
	return err;
}

bool scene_present(uint64_t at)
{
	struct thread_slot *self = thread_self();
	atomic_u64 *entry;
	bool present;

	rcu_enter(self);
	entry = pt_find(&scene.map->pt, at);
	present = entry != NULL && atomic_load_acquire(entry) != 0;
	rcu_leave(self);
	return present;
}

struct pt *scene_tables(void)
{
	struct pt *pt = mem_alloc(MEM_OTHER, sizeof(*pt), CACHE_LINE);

	expect(pt != NULL && pt_init(pt) == 0);
	return pt;
}

void scene_tables_unlink(struct pt *pt, unsigned n)
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	for (unsigned i = 0; i < n; i++)
		expect(pt_make(pt, self, SCENE_BASE + i * SPAN) != NULL);
	expect(pt_free_tables(pt, self, (struct lock_range){ SCENE_BASE, SCENE_BASE + n * SPAN }) == n);
	rcu_leave(self);
}

void scene_tables_end(struct pt *pt)
{
	pt_fini(pt);
}
