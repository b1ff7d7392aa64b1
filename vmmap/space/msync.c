/* SPDX-License-Identifier: MIT */
/*
 * msync.c - msync: for MS_SYNC, the dirty pages of shared mappings go to their pagers, VMA by VMA; else only checks.
 *
 * Holds nothing: each VMA is taken as a listing shows it, with a reference on its object, and the pages are written by
 * the object's own sync, which looks at them itself. As in Linux (mm/msync.c) a hole is told at the end, an error of a
 * write and a locked VMA under MS_INVALIDATE at once, and MS_ASYNC, alone, ends at the first hole.
 */
#include <sys/mman.h>

#include "vmmap/space/space.h"

/* The VMA over r.lo, or above it in r; *object: to be synced, with a reference. */
static bool msync_next(struct vmmap *map, struct thread_slot *self, struct lock_range r, struct vtree_listed *v,
		       struct object **object)
{
	bool found;

	rcu_enter(self);
	found = vtree_list(&map->tree, r.lo, r.hi, v);
	*object = found && v->bits & VMA_SHARED && v->object && object_paged(v->object) && object_get_live(v->object)
			  ? v->object
			  : NULL;
	rcu_leave(self);
	return found;
}

static int msync_pages(struct thread_slot *self, struct object *object, const struct vtree_listed *v,
		       struct lock_range r)
{
	uint64_t lo = (r.lo > v->r.lo ? r.lo : v->r.lo) >> PAGE_SHIFT;
	uint64_t hi = (r.hi < v->r.hi ? r.hi : v->r.hi) >> PAGE_SHIFT;

	return object_sync(object, self, lo + (uint64_t)v->delta, hi + (uint64_t)v->delta);
}

int space_msync(struct vmmap *map, struct thread_slot *self, struct lock_range r, int flags)
{
	struct object *object;
	struct vtree_listed v;
	int hole = 0, err = 0;

	for (uint64_t at = r.lo; at < r.hi; at = v.r.hi) {
		if (!msync_next(map, self, (struct lock_range){ at, r.hi }, &v, &object))
			return -ENOMEM;
		if (v.r.lo > at)
			hole = -ENOMEM;
		if (v.r.lo > at && flags == MS_ASYNC)
			err = -ENOMEM;
		else if (flags & MS_INVALIDATE && v.bits & VMA_LOCKED)
			err = -EBUSY;
		else if (flags & MS_SYNC && object)
			err = msync_pages(self, object, &v, r);
		if (object)
			object_put(object);
		if (err)
			return err;
	}
	return hole;
}
