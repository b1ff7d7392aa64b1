/* SPDX-License-Identifier: MIT */
/* events.c - see events.h. */
#include <string.h>
#include "bench/manycore/events.h"

struct physmem;
struct frame_slot;
struct pt;
struct pt_table;
struct thread_slot;
struct vtree_graft;

static uint64_t count[EVENTS];

uint64_t events_count(enum event which)
{
	return count[which];
}

void events_reset(void)
{
	memset(count, 0, sizeof(count));
}

uint64_t __real_frame_alloc_slow(struct physmem *pm, struct thread_slot *self, unsigned owner);
uint64_t __wrap_frame_alloc_slow(struct physmem *pm, struct thread_slot *self, unsigned owner);
uint64_t __wrap_frame_alloc_slow(struct physmem *pm, struct thread_slot *self, unsigned owner)
{
	count[EVENT_REFILL]++;
	return __real_frame_alloc_slow(pm, self, owner);
}

uint32_t __real_frame_depot_take(struct physmem *pm, struct frame_slot *slot, unsigned kind);
uint32_t __wrap_frame_depot_take(struct physmem *pm, struct frame_slot *slot, unsigned kind);
uint32_t __wrap_frame_depot_take(struct physmem *pm, struct frame_slot *slot, unsigned kind)
{
	count[EVENT_TAKE]++;
	return __real_frame_depot_take(pm, slot, kind);
}

struct pt_table *__real_pt_table_take(struct pt *pt, struct thread_slot *self);
struct pt_table *__wrap_pt_table_take(struct pt *pt, struct thread_slot *self);
struct pt_table *__wrap_pt_table_take(struct pt *pt, struct thread_slot *self)
{
	count[EVENT_TABLE]++;
	return __real_pt_table_take(pt, self);
}

int __real_vtree_graft(struct vtree_graft *g);
int __wrap_vtree_graft(struct vtree_graft *g);
int __wrap_vtree_graft(struct vtree_graft *g)
{
	count[EVENT_GRAFT]++;
	return __real_vtree_graft(g);
}
