/* SPDX-License-Identifier: MIT */
/* outside.h - frames as tests take and give them: in no read section. Include it last. */
#ifndef TESTS_UNIT_PHYS_OUTSIDE_H
#define TESTS_UNIT_PHYS_OUTSIDE_H

#include "vmmap/phys/frame.h"

static inline uint64_t outside_alloc(struct physmem *pm, struct thread_slot *self)
{
	return frame_take(pm, self, FRAME_OWNER_MAP);
}

static inline uint64_t outside_alloc_for(struct physmem *pm, struct thread_slot *self, enum frame_owner owner)
{
	return frame_take(pm, self, owner);
}

static inline uint64_t outside_alloc_named(struct physmem *pm, struct thread_slot *self, enum frame_owner owner,
					   uint64_t where, uint64_t page)
{
	uint64_t pfn;

	rcu_enter(self);
	pfn = frame_alloc_named(pm, self, owner, where, page);
	rcu_leave(self);
	return pfn;
}

static inline void outside_free(struct physmem *pm, struct thread_slot *self, uint64_t pfn)
{
	frame_give(pm, self, pfn, FRAME_OWNER_MAP);
}

static inline void outside_defer(struct physmem *pm, struct thread_slot *self, uint64_t pfn)
{
	frame_give_later(pm, self, pfn, FRAME_OWNER_MAP);
}

#undef frame_alloc
#undef frame_alloc_for
#define frame_alloc     outside_alloc
#define frame_alloc_for outside_alloc_for
#undef frame_alloc_named
#define frame_alloc_named outside_alloc_named
#define frame_free      outside_free
#define frame_free_by   frame_give
#define frame_defer     outside_defer
#define frame_defer_by  frame_give_later

#endif
