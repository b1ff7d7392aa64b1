/* SPDX-License-Identifier: MIT */
/* migrate.h - what the scripts over moved frames share: the mover as a body of a thread, the frame of a page. */
#ifndef TESTS_WINDOWS_MIGRATE_H
#define TESTS_WINDOWS_MIGRATE_H

#include "tests/windows/fork.h"

static inline uint64_t frame_at(struct vmmap *map, uint64_t addr)
{
	struct thread_slot *self = thread_self();
	atomic_u64 *entry;
	uint64_t pfn;

	rcu_enter(self);
	entry = pt_find(&map->pt, addr);
	pfn = entry && pt_has_frame(atomic_load_acquire(entry)) ? pt_pfn(atomic_load_acquire(entry)) : PHYSMEM_NONE;
	rcu_leave(self);
	return pfn;
}

/* Body: the frame of the page at addr moves; how it went. */
static inline void window_migrate(struct window_thread *t)
{
	t->result = space_mover.move(t->map->physmem, thread_self(), frame_at(t->map, t->addr), NULL);
}

static inline uint64_t frames_owned(struct vmmap *map)
{
	struct physmem_usage usage;

	physmem_get_usage(map->physmem, &usage);
	return usage.owned;
}

#endif
