/* SPDX-License-Identifier: MIT */
/*
 * unmap.c - munmap. Holes are no error. Frames leave through retire.c, tables whose span lies wholly inside the range
 * through RCU.
 */
#include "vmmap/space/space.h"

/* For the mutant that decides too early that there is nothing to zap. */
static bool unmap_absent(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	uint64_t at = r.lo;
	bool absent;

	rcu_enter(self);
	absent = !pt_next(&map->pt, &at, r.hi);
	rcu_leave(self);
	return absent;
}

/* As Linux does: once nothing is mapped in r, faults elsewhere need not wait for the zap; edits still do. Only here,
 * where nothing but the zap is left to do. What the VMAs hold is put after it: entries still show frames of objects,
 * accesses that hit ask no lock, and who walks an object's mappings has to find these (rmap.c). */
static void unmap_downgraded(struct vmmap *map, struct lock_edit *e, struct lock_range r)
{
	struct vma *dead;

	space_shut(map, e, r);
	dead = space_unlink(map, e, r, NULL);
	if (BASE_MUTANT(downgrade_buries_first)) {
		space_bury(map, e->self, dead);
		dead = NULL;
	}
	map->policy->edit_downgrade(map->lock_state, e);
	BASE_POINT(unmap_downgraded);
	space_zap(map, e->self, r, true);
	space_bury(map, e->self, dead);
}

int space_munmap(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	struct carve c = { .kind = CARVE_UNMAP, .r = r };
	int err = space_brief(map, self, &c);
	struct lock_edit e;

	if (err == CARVE_GENERAL) {
		bool skip = BASE_MUTANT(unmap_table_before_lk) && unmap_absent(map, self, r);

		BASE_POINT(unmap_before_begin);
		err = space_edit_begin(map, &e, self, r);
		if (err)
			return err;
		if (skip) {
			space_replace_slots(map, &e, r, NULL);
			space_edit_end(map, &e);
			return 0;
		}
		BASE_POINT(unmap_after_begin);
		err = limit_on(map) ? limit_unmap(map, self, r) : 0;
		if (err) {
			space_merge(map, &e, r);
			space_edit_end(map, &e);
			return err;
		}
		if (map->policy->edit_downgrade)
			unmap_downgraded(map, &e, r);
		else
			space_replace(map, &e, r, NULL);
		if (limit_on(map))
			limit_end(map, self);
		space_edit_end(map, &e);
	}
	if (!err) {
		space_count(map, self, SPACE_MUNMAP, 1);
		space_place_again(map, self, r);
		space_left(map, self, r);
	}
	return err;
}
