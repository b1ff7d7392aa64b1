/* SPDX-License-Identifier: MIT */
/*
 * pin.c - pages that stay in the frames that they have, for who reaches these past the page table.
 *
 * PIN      a reference on the frame that is no entry (frame_record.h), taken while the entry is LOCKED and lets stores
 *          through: so the frame is this map's own, or becomes so by a write fault first. The entry says PINNED from
 *          then on: whoever takes it out asks the frame's count, and frees it only if no pin is left.
 * WHO ASKS Nobody asks the policy: as a store that hits (access.c), the pin is before or after each edit of the page,
 *          since every writer of the entry waits for LOCKED.
 * MIGRATE  finds a reference that is no entry, with all entries LOCKED, and leaves the frame where it is (migrate.c).
 *          A pin that comes later finds the entry LOCKED, or another frame in it.
 * FORK     copies a pinned page at once (fork.c): were it shared, the next store would leave the pin with a frame that
 *          nobody shows. So a pinned frame has one entry at the most.
 * UNMAP    takes the entry, and the frame's name (its map may be gone before the pin is); the frame goes with the last
 *          pin.
 * UNPIN    by frame, since the page may have moved, or be gone. PINNED stays in the entry: it says only that the count
 *          is to be asked.
 * EDGES    S1 the entry, PINNED -> S2 whoever takes it out, or shares it: the count of before is seen.
 *          K1, K2 of frame_record.h: what was done with the frame, before it is another's.
 * ORDER    one entry; nothing is waited for, allocated or called while it is LOCKED.
 * NOT HERE pages of objects through shared mappings: their frames are not counted (-EOPNOTSUPP). A limit of pins.
 * SOURCE   pin_user_pages with FOLL_LONGTERM (Linux, Documentation/core-api/pin_user_pages.rst).
 */
#include "vmmap/space/space.h"

enum pin_step { PIN_DONE, PIN_FAULT, PIN_OBJECT };

/* Of the page's entry, if it is there and lets stores through. Inside RCU. */
static enum pin_step pin_entry(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t *pfn)
{
	atomic_u64 *entry = pt_find(&map->pt, addr);
	uint64_t seen = entry ? atomic_load_acquire(entry) : 0;                 /* S2 -> S1 */
	uint32_t toucher = pt_toucher(seen) == self->number + 1 ? self->number + 1 : 0;

	if ((seen & (PT_PRESENT | PT_WRITE | PT_LOCKED)) != (PT_PRESENT | PT_WRITE))
		return PIN_FAULT;
	if (seen & PT_OBJECT)
		return PIN_OBJECT;
	BASE_POINT(pin_before_lock);
	if (!pt_lock(entry, seen))
		return PIN_FAULT;
	*pfn = pt_pfn(seen);
	if (!BASE_MUTANT(pin_counts_late))
		frame_share(map->physmem, *pfn, 1, 0);
	pt_store(entry, pt_entry(*pfn, (seen & PT_BITS) | PT_PINNED | PT_DIRTY | PT_YOUNG, toucher));    /* S1 -> S2 */
	BASE_POINT(pin_stored);
	if (BASE_MUTANT(pin_counts_late))
		frame_share(map->physmem, *pfn, 1, 0);
	return PIN_DONE;
}

static int pin_page(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t *pfn)
{
	struct park_spin spin = PARK_SPIN;

	for (;;) {
		enum pin_step step;
		int err;

		rcu_enter(self);
		step = pin_entry(map, self, addr, pfn);
		rcu_leave(self);
		if (step != PIN_FAULT)
			return step == PIN_DONE ? 0 : -EOPNOTSUPP;
		err = space_fault(map, self, addr, VMA_WRITE, false, NULL);
		if (!err)
			err = space_again(self, &spin);
		if (err)
			return err;
	}
}

int space_pin(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t *pfn)
{
	int err = 0;

	for (uint64_t at = r.lo; at < r.hi; at += PAGE_BYTES) {
		uint64_t n = (at - r.lo) >> PAGE_SHIFT;

		err = pin_page(map, self, at, &pfn[n]);
		if (!err)
			continue;
		CHECK(space_unpin(map, self, pfn, n) == 0);
		break;
	}
	return err;
}

static int unpin_one(struct physmem *pm, struct thread_slot *self, uint64_t pfn)
{
	bool last;

	if (pfn < pm->base || pfn - pm->base >= pm->span)
		return -EINVAL;
	if (!frame_unpin(pm, pfn, &last))
		return -EALREADY;
	BASE_POINT(unpin_before_free);
	if (last)
		frame_give_later(pm, self, pfn, FRAME_OWNER_MAP);
	return 0;
}

int space_unpin(struct vmmap *map, struct thread_slot *self, const uint64_t *pfn, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n; i++) {
		int one = unpin_one(map->physmem, self, pfn[i]);

		err = err ? err : one;
	}
	return err;
}
