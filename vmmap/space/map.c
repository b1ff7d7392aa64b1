/* SPDX-License-Identifier: MIT */
/*
 * map.c - mmap: into a gap as one leaf insert, over existing mappings as a replacement.
 */
#include <sys/mman.h>

#include "vmmap/space/space.h"

static NOINLINE uint64_t map_rare_bits(const struct space_mmap *m)
{
	uint64_t bits = m->flags & MAP_GROWSDOWN ? VMA_GROWSDOWN : 0;

	if (m->flags & MAP_LOCKED)
		bits |= m->onfault ? VMA_LOCKED | VMA_LOCKONFAULT : VMA_LOCKED;
	return bits;
}

static ALWAYS_INLINE struct space_new map_fresh(const struct space_mmap *m, uint64_t addr)
{
	bool shared = (m->flags & MAP_TYPE) != MAP_PRIVATE;
	uint64_t bits = (uint64_t)m->prot & VMA_PROT;

	if (shared)
		bits |= VMA_SHARED;
	if (m->flags & MAP_NORESERVE)
		bits |= VMA_NORESERVE;
	else if (!shared && bits & VMA_WRITE)
		bits |= VMA_ACCOUNT;
	if (unlikely(m->flags & (MAP_GROWSDOWN | MAP_LOCKED)))
		bits |= map_rare_bits(m);
	return (struct space_new){ .bits = bits,
				   .object = m->object,
				   .rmap = m->rmap,
				   .delta = m->object
						    ? (int64_t)(m->offset >> PAGE_SHIFT) - (int64_t)(addr >> PAGE_SHIFT)
						    : 0 };
}

#define MAP_LIMIT_LOCKED (-ENOLCK)               /* in this file: -EAGAIN for a limit, not for a try               */

/* Whoever walks the object's mappings finds this one from here on, which is before anybody can fault there. */
static inline void map_place(const struct space_new *fresh, struct lock_range r)
{
	if (unlikely(fresh->rmap != NULL))
		rmap_place(fresh->rmap, fresh->delta, r);
}

/* c->r is held, and may be replaced. */
static int map_held(struct vmmap *map, struct lock_edit *e, const struct carve *c, bool *taken)
{
	struct vma *vma;
	int err = limit_on(map) ? limit_map(map, e->self, c->r, c->fresh, c->pays) : 0;

	if (err)
		return err == -EAGAIN ? MAP_LIMIT_LOCKED : err;
	err = space_prepare(map, e, c->r, c->fresh, &vma);
	if (!err) {
		*taken = true;
		if (c->pays)
			object_pay(c->fresh->object, map, e->self);
		space_replace(map, e, c->r, vma);
	}
	if (limit_on(map))
		limit_end(map, e->self);
	return err;
}

/* The general form of c. -EEXIST: wanted free, is not, or lies in a guard gap. */
static int map_general(struct vmmap *map, struct thread_slot *self, const struct carve *c, bool *taken)
{
	struct lock_range r = c->r;
	struct lock_edit e;
	int err = space_edit_begin(map, &e, self, r);

	if (err)
		return err;
	if ((c->only_free && !space_empty(map, self, r)) ||
	    (c->unguarded && space_guarded(map, self, r.hi, NULL) && !BASE_MUTANT(map_no_guard)))
		err = -EEXIST;
	else
		err = map_held(map, &e, c, taken);
	space_merge(map, &e, r);
	space_edit_end(map, &e);
	return err;
}

static int map_at(struct vmmap *map, struct thread_slot *self, const struct space_mmap *m, struct lock_range r,
		  bool *taken)
{
	struct space_new fresh = map_fresh(m, r.lo);
	struct carve c = { .kind = CARVE_MAP, .r = r, .fresh = &fresh, .only_free = m->noreplace,
			   .unguarded = m->unguarded, .pays = m->pays };
	int err;

	map_place(&fresh, r);
	err = space_brief(map, self, &c);
	*taken = c.taken_object;
	return err == CARVE_GENERAL ? map_general(map, self, &c, taken) : err;
}

/* The place that was proposed. Who holds a range may find one below it: that is tried, and looked for again. */
static int map_brief_begin(struct vmmap *map, struct lock_edit *e, struct thread_slot *self, struct lock_range fit)
{
	int err;

	lock_edit_init(e, self, fit);
	err = map->policy->brief_begin(map->lock_state, e, self->holds ? LOCK_TRY : self->deadline_ns);
	return err == -EAGAIN ? -ERESTART : err;
}

/* One try of an unaddressed mmap. -ERESTART: the place was lost or is locked, look again. */
static int map_somewhere(struct vmmap *map, struct thread_slot *self, const struct space_mmap *m,
			 struct lock_range *fit, bool *taken)
{
	bool brief = map->policy->brief_begin != NULL;
	bool begun = brief && (space_one_lock(map) || BASE_MUTANT(map_holds_all));
	struct lock_edit e;
	uint64_t locked = 0;
	int err = 0;

	if (begun) {
		err = space_brief_begin(map, &e, self, m->want->want.within);
		if (err)
			return err;
	}
	err = space_place(map, self, m->want, fit, &locked);
	if (!err && brief && !begun) {                   /* of the place alone: others look for theirs beside us   */
		err = map_brief_begin(map, &e, self, *fit);
		if (err)
			return err;
		begun = true;
	}
	struct space_new fresh = map_fresh(m, fit->lo);
	struct carve c;
	bool general = !err && !brief;

	if (!err) {
		map_place(&fresh, *fit);
		c = (struct carve){ .kind = CARVE_MAP, .r = *fit, .fresh = &fresh, .only_free = true,
				    .unguarded = true, .pays = m->pays };
	}
	if (!err && brief) {
		BASE_POINT(mmap_after_place);
		err = space_carve(map, &e, &c);
		*taken = c.taken_object;
		general = err == CARVE_GENERAL;
	}
	if (begun)
		space_brief_end(map, &e);
	if (err == -ERESTART)
		return space_place_wait(map, self, locked);
	if (general)
		err = map_general(map, self, &c, taken);
	if (err == -EAGAIN && !space_one_lock(map))
		return -ERESTART;                        /* a try: the place is locked now; others may be free      */
	return err == -EEXIST ? -ERESTART : err;
}

/* Before it can be seen (grow.c, GUARD). */
static NOINLINE void map_has(struct vmmap *map, int flags)
{
	if (flags & MAP_GROWSDOWN)
		atomic_store_seqcst(&map->stacks, 1);                            /* K1 -> K2 */
	if (flags & MAP_LOCKED)
		atomic_store_relaxed(&map->ever_locked, 1);
}

static NOINLINE void map_populate(struct vmmap *map, struct thread_slot *self, const struct space_mmap *m,
				  struct lock_range r)
{
	bool write = m->prot & PROT_WRITE && (m->flags & MAP_TYPE) == MAP_PRIVATE;

	if (m->flags & MAP_LOCKED)
		space_populate_locked(map, self, r, false);
	else if (!(m->flags & MAP_NONBLOCK))
		space_populate(map, self, r, write ? VMA_WRITE : VMA_READ);
}

int64_t space_mmap(struct vmmap *map, struct thread_slot *self, struct space_mmap *m)
{
	struct lock_range r = { m->addr, m->addr + m->len };
	struct park_spin spin = PARK_SPIN;
	bool taken = false;
	int err;

	if (unlikely(m->object && rmap_make(&m->rmap, m->object, map->gate)))
		return -ENOMEM;
	if (unlikely(m->flags & (MAP_GROWSDOWN | MAP_LOCKED)))
		map_has(map, m->flags);
	if (m->want) {
		do
			err = map_somewhere(map, self, m, &r, &taken);
		while (err == -ERESTART && !(err = space_again(self, &spin)));
	} else {
		err = map_at(map, self, m, r, &taken);
	}
	if (!taken)
		space_backing_put(m->rmap);
	if (err)
		return err == MAP_LIMIT_LOCKED ? -EAGAIN : err;
	space_count(map, self, SPACE_MMAP, 1);
	if (unlikely(m->flags & (MAP_POPULATE | MAP_LOCKED)))
		map_populate(map, self, m, r);
	return (int64_t)r.lo;
}
