/* SPDX-License-Identifier: MIT */
/*
 * retire.c - where the frames of zapped entries go.
 *
 * An access that hits a present entry takes no lock (access.c): it may still be copying bytes when the entry is gone.
 * A frame that only the zapping thread ever touched goes back at once; others wait for a polled grace period, which
 * stands for the TLB shootdown and is counted as one. A frame that a fork has shared goes with its last entry; one that
 * is pinned with its last pin.
 */
#include "vmmap/space/space.h"

#define RETIRE_OTHER \
	(PT_PRESENT | PT_ZERO | PT_OBJECT | PT_SHARED | (BASE_MUTANT(unmap_frees_pinned) ? 0 : (unsigned)PT_PINNED))

/* What an entry shows but a frame of its own: nothing to free, or a share to give up. Who gives up the last one frees:
 * later, as all that several threads may have touched. */
static NOINLINE void retire_other(struct vmmap *map, struct thread_slot *self, uint64_t entry)
{
	if (!pt_has_frame(entry) || entry & PT_OBJECT)
		return;
	if (entry & PT_PINNED && !BASE_MUTANT(pin_keeps_name))
		frame_unname(map->physmem, pt_pfn(entry));
	if (!frame_drop(map->physmem, pt_pfn(entry), true))
		return;
	frame_defer(map->physmem, self, pt_pfn(entry));
	space_count(map, self, SPACE_FRAME_DEFERRED, 1);
}

void space_retire_entry(struct vmmap *map, struct thread_slot *self, uint64_t entry)
{
	if (unlikely((entry & RETIRE_OTHER) != PT_PRESENT)) {
		retire_other(map, self, entry);
		return;
	}
	if (pt_toucher(entry) == self->number + 1 || BASE_MUTANT(retire_at_once)) {
		frame_free(map->physmem, self, pt_pfn(entry));
		space_count(map, self, SPACE_FRAME_DIRECT, 1);
	} else {
		frame_defer(map->physmem, self, pt_pfn(entry));
		space_count(map, self, SPACE_FRAME_DEFERRED, 1);
	}
}

static void retire_flush(struct pt_batch *batch)
{
	struct space_retire *r = batch->arg;

	rcu_enter(r->self);
	for (unsigned i = 0; i < batch->n; i++)
		space_retire_entry(r->map, r->self, batch->entry[i]);
	rcu_leave(r->self);
	if (!rcu_inside(r->self))
		frame_tidy(r->map->physmem, r->self);
	batch->n = 0;
}

void space_retire_init(struct space_retire *r, struct vmmap *map, struct thread_slot *self)
{
	r->map = map;
	r->self = self;
	r->batch.n = 0;
	r->batch.flush = retire_flush;
	r->batch.arg = r;
}
