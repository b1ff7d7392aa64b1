/* SPDX-License-Identifier: MIT */
/*
 * pin.c - pages that stay in the frames that they have, for who reaches these past the page table.
 *
 * PIN      a reference on the frame that is no entry (frame_record.h), taken while the entry is LOCKED and lets stores
 *          through: so the frame is this map's own, or a page that its object shares, or becomes so by a write fault
 *          first. An entry of the map's own says PINNED from then on: whoever takes it out asks the frame's count, and
 *          frees it only if no pin is left. One of an object's page frees nothing, so it says nothing: who takes the
 *          page out of the object always asks (object_leaves).
 * OBJECT   the page still has the frame, since who takes it away takes all entries first, and waits for LOCKED (Z1,
 *          X1 of object.h). It shows nobody else's: a fork shares the object, and its pages, as they are. A page with
 *          a pager stays dirty (Y4).
 * WHO ASKS Nobody asks the policy: as a store that hits (access.c), the pin is before or after each edit of the page,
 *          since every writer of the entry waits for LOCKED.
 * WHERE    never in a segment that takes only what can be moved: with the entry LOCKED it is looked where the frame is;
 *          one that is there goes elsewhere by the mover, without the entry, and it is looked again. So such segments
 *          have no pins, whoever else moves the page meanwhile.
 * MIGRATE  finds a reference that is no entry, with all entries LOCKED, and leaves the frame where it is (migrate.c).
 *          A pin that comes later finds the entry LOCKED, or another frame in it.
 * FORK     copies a private page that is pinned at once (fork.c): were it shared, the next store would leave the pin
 *          with a frame that nobody shows. So such a frame has one entry at the most.
 * UNMAP    takes the entry, and the frame's name (its map may be gone before the pin is); the frame goes with the last
 *          pin. The same a resize, and the object's end, with the page of an object.
 * UNPIN    by frame, since the page may have moved, or be gone. PINNED stays in the entry: it says only that the count
 *          is to be asked.
 * EDGES    S1 the entry, PINNED -> S2 whoever takes it out, or shares it: the count of before is seen.
 *          K1, K2 of frame_record.h: what was done with the frame, before it is another's. Y5 -> Y4 of object.h.
 * ORDER    one entry; nothing is waited for, allocated or called while it is LOCKED. Who holds a range only tries to
 *          move a page: a resize, a sync may have it, and wait for that range (-EDEADLK).
 * PROGRESS a page that is in use all the time by faults, or moved back, is looked at again, as the mover says.
 * NOT HERE a limit of pins.
 * SOURCE   pin_user_pages with FOLL_LONGTERM (Linux, Documentation/core-api/pin_user_pages.rst).
 */
#include "vmmap/space/migrate.h"

#define PIN_REFILLS 2                            /* the mover wants for other memory as well: not for ever         */

enum pin_step {
	PIN_DONE,
	PIN_FAULT,                               /* it is not there, lets no stores through, or has just changed   */
	PIN_MOVE,                                /* its frame is in a segment for what can be moved                */
};

struct pin_try { struct park_spin spin; unsigned refills; bool moved; };

/* Its place is looked at while the entry is LOCKED. */
static bool pin_stays(struct vmmap *map, const struct pin_try *t, uint64_t pfn)
{
	return !frame_is_for_movable(map->physmem, pfn) || BASE_MUTANT(pin_anywhere) ||
	       (t->moved && BASE_MUTANT(pin_looks_once));
}

/* Of the page's entry. Inside RCU. */
static enum pin_step pin_entry(struct vmmap *map, struct thread_slot *self, const struct pin_try *t, uint64_t addr,
			       uint64_t *pfn)
{
	atomic_u64 *entry = pt_find(&map->pt, addr);
	uint64_t seen = entry ? atomic_load_acquire(entry) : 0;                 /* S2 -> S1 */
	uint32_t toucher = pt_toucher(seen) == self->number + 1 ? self->number + 1 : 0;
	uint64_t says = seen & PT_OBJECT ? 0 : PT_PINNED;

	if ((seen & (PT_PRESENT | PT_WRITE | PT_LOCKED)) != (PT_PRESENT | PT_WRITE))
		return PIN_FAULT;
	BASE_POINT(pin_before_lock);
	if (!pt_lock(entry, seen))
		return PIN_FAULT;
	*pfn = pt_pfn(seen);
	if (!pin_stays(map, t, *pfn)) {
		pt_store(entry, seen);
		return PIN_MOVE;
	}
	if (!BASE_MUTANT(pin_counts_late))
		frame_share(map->physmem, *pfn, 1, 0);                           /* Y5 -> Y4 */
	pt_store(entry, pt_entry(*pfn, (seen & PT_BITS) | says | PT_DIRTY | PT_YOUNG, toucher));         /* S1 -> S2 */
	BASE_POINT(pin_stored);
	if (BASE_MUTANT(pin_counts_late))
		frame_share(map->physmem, *pfn, 1, 0);
	return PIN_DONE;
}

/* The page goes to a frame that may be pinned. 0: look again. */
static int pin_move(struct vmmap *map, struct thread_slot *self, struct pin_try *t, uint64_t pfn)
{
	enum frame_moved is = migrate_out(map->physmem, self, pfn);

	t->moved |= is == FRAME_MOVED;
	BASE_POINT(pin_moved);
	if (is == FRAME_NO_MEMORY && t->refills++ == PIN_REFILLS)
		return -ENOMEM;
	if (is == FRAME_NO_MEMORY)
		return frame_refill_unmovable(map->physmem, self);
	/* A resize that has the object may wait for our range. */
	return self->holds && t->spin.rounds >= SPACE_ROUNDS && !BASE_MUTANT(pin_waits_holding) ? -EDEADLK : 0;
}

static int pin_page(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t *pfn)
{
	struct pin_try t = { .spin = PARK_SPIN };

	for (;;) {
		enum pin_step step;
		int err;

		rcu_enter(self);
		step = pin_entry(map, self, &t, addr, pfn);
		rcu_leave(self);
		if (step == PIN_DONE)
			return 0;
		err = step == PIN_MOVE ? pin_move(map, self, &t, *pfn)
				       : space_fault(map, self, addr, VMA_WRITE, false, NULL);
		if (!err)
			err = space_again(self, &t.spin);
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
		frame_give_later(pm, self, pfn, frame_owner_of(pm, pfn));
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
