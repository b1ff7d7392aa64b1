/* SPDX-License-Identifier: MIT */
/*
 * remap.c - mremap: shrink is munmap, growth in place is a mapping beside, the rest is a move.
 *
 * MOVE    Both ranges are held while entries move one by one (never tables). A fixed target: the lower range is taken
 *         first. A free target: the source is held, the destination taken through the gap search and a try; when only
 *         locked gaps would fit the source is released before anybody waits.
 *         What is done while they are held: remap_move.c. Several steps under one hold: remap_whole.c.
 * UNLOCK  The target is ended before the source is merged: what the target's merges found held by the source is free or
 *         noted by then, and under one lock (merge.c) the lock is still there.
 */
#include <sys/mman.h>

#include "vmmap/space/remap.h"

/* The VMA over addr: attributes as a space_new, and where it ends. false: none. */
static bool remap_look(struct vmmap *map, struct thread_slot *self, uint64_t addr, struct space_new *attr,
		       struct lock_range *r)
{
	struct vtree_listed v;
	bool found;

	rcu_enter(self);
	found = vtree_list(&map->tree, addr, addr + PAGE_BYTES, &v);
	rcu_leave(self);
	if (!found)
		return false;
	*attr = (struct space_new){ .bits = v.bits, .delta = v.delta, .object = v.object };
	*r = v.r;
	return true;
}

/* ---- in place ---- */

static int remap_grow_held(struct vmmap *map, struct lock_edit *e, struct lock_range gap, const struct space_new *fresh)
{
	struct vma *vma;
	int err = space_prepare(map, e, gap, fresh, &vma);

	if (!err) {
		space_backing_get(fresh);
		if (fresh->rmap)
			rmap_extend(fresh->rmap, gap);
		space_replace(map, e, gap, vma);
	}
	if (limit_on(map))
		limit_end(map, e->self);
	return err;
}

/* Extends the VMA that ends at `end` by `more` bytes. -EEXIST: the gap is not free; -ENOMEM -EAGAIN -ETIMEDOUT: it may
 * be, and who wants memory, or is refused by a limit, is not moved instead (Linux). */
static int remap_grow(struct vmmap *map, struct thread_slot *self, uint64_t end, uint64_t more)
{
	struct lock_range r = { end - PAGE_BYTES, end + more }, gap = { end, end + more };
	struct lock_edit e;
	struct vtree_seen seen;
	struct space_new fresh;
	int err;

	if (more > map->hi - end)
		return -EEXIST;
	err = space_edit_begin(map, &e, self, r);
	if (err)
		return err == -EDEADLK ? -EEXIST : err;
	rcu_enter(self);
	vtree_find(&map->tree, r.lo, &seen);
	rcu_leave(self);
	if (!seen.vma || vma_gap(seen.vma) || !space_empty(map, self, gap)) {
		err = -EEXIST;
	} else {
		fresh = (struct space_new){ .bits = atomic_load_acquire(&seen.vma->bits),       /* B2 -> B1: held */
					    .delta = vma_delta(seen.vma), .object = vma_object(seen.vma),
					    .rmap = vma_rmap(seen.vma),
					    .anon = vma_anon(seen.vma) };
		if (limit_on(map))
			err = limit_grow(map, self, fresh.bits, more, 0);
		if (!err)
			err = remap_grow_held(map, &e, gap, &fresh);
	}
	space_merge(map, &e, r);
	space_edit_end(map, &e);
	return err;
}

/* ---- two ranges ---- */

static int remap_second(struct remap *m, struct lock_edit *e, struct lock_range r, uint64_t deadline)
{
	int err;

	lock_edit_init(e, m->self, r);
	err = m->map->policy->edit_begin(m->map->lock_state, e, deadline);
	if (!err)
		space_count(m->map, m->self, SPACE_GENERAL, 1);
	return err;
}

static void remap_give_up(struct remap *m, struct lock_edit *e)
{
	space_merge(m->map, e, e->r);
	space_edit_end(m->map, e);
}

int remap_lock_fixed(struct remap *m)
{
	bool source_first = m->from.lo < m->to.lo || BASE_MUTANT(remap_source_first);
	struct lock_edit *first = source_first ? &m->source : &m->target,
			 *second = source_first ? &m->target : &m->source;
	int err = space_edit_begin(m->map, first, m->self, source_first ? m->from : m->to);

	if (err)
		return err;
	BASE_POINT(remap_between_locks);
	err = remap_second(m, second, source_first ? m->to : m->from, m->self->deadline_ns);
	if (err) {
		remap_give_up(m, first);
		space_heal_notes(m->map, second);        /* where the begin that failed had cut */
	}
	return err;
}

/* Held: is all of the source mapped still? */
static bool remap_source_there(struct remap *m)
{
	struct lock_range r = { m->from.lo, m->from.lo };
	struct vma *vma;

	for (uint64_t at = m->from.lo; at < m->from.hi; at = r.hi)
		if (!remap_next(m, at, &vma, &r) || r.lo != at)
			return BASE_MUTANT(remap_source_unseen);
	return true;
}

/* -ERESTART: again, after the wait that was needed. -ESTALE: the source has changed since it was looked at. (A search
 * would take its gap, which we hold, for one that somebody else holds and will give back.) */
static int remap_lock_free(struct remap *m, const struct space_want *want)
{
	uint64_t locked = 0;
	int err = space_edit_begin(m->map, &m->source, m->self, m->from);

	if (err)
		return err;
	if (!remap_source_there(m)) {
		remap_give_up(m, &m->source);
		return -ESTALE;
	}
	err = space_place(m->map, m->self, want, &m->to, &locked);
	if (!err) {
		locked = 0;
		BASE_POINT(remap_after_place);
		err = remap_second(m, &m->target, m->to, LOCK_TRY);
		if (!err && (space_empty(m->map, m->self, m->to) || BASE_MUTANT(remap_no_still_free)) &&
		    !space_guarded(m->map, m->self, m->to.hi, NULL))
			return 0;
		if (!err)
			remap_give_up(m, &m->target);
		err = !err || err == -EAGAIN ? -ERESTART : err;
	}
	if (BASE_MUTANT(remap_waits_holding) && err == -ERESTART && locked)
		err = space_place_wait(m->map, m->self, locked);
	remap_give_up(m, &m->source);
	space_heal_notes(m->map, &m->target);            /* where a begin that failed had cut */
	return err == -ERESTART && locked ? space_place_wait(m->map, m->self, locked) : err;
}

void remap_unlock(struct remap *m)
{
	bool late = BASE_MUTANT(remap_ends_late);

	if (late)
		space_merge(m->map, &m->source, m->source.r);
	remap_give_up(m, &m->target);                            /* UNLOCK */
	if (late)
		space_edit_end(m->map, &m->source);
	else
		remap_give_up(m, &m->source);
}

/* ---- moves ---- */

static int64_t remap_free(struct remap *m, const struct space_want *want)
{
	struct park_spin spin = PARK_SPIN;
	int err;

	do
		err = remap_lock_free(m, want);
	while (err == -ERESTART && !(err = space_again(m->self, &spin)));
	if (err)
		return err == -ESTALE ? -ERESTART : err;         /* for the caller to look again                    */
	err = remap_move(m);
	remap_unlock(m);
	return err ? err : (int64_t)m->to.lo;
}

static int64_t remap_fixed(struct remap *m)
{
	int err = remap_lock_fixed(m);

	if (err)
		return err;
	err = remap_move(m);
	remap_unlock(m);
	return err ? err : (int64_t)m->to.lo;
}

/* A pure move to a fixed place may take several VMAs and the holes between them along: one move each, as in Linux,
 * which leaves alone what is mapped at the destination of a hole. */
static int64_t remap_many(struct remap *m, struct lock_range from, uint64_t to)
{
	for (uint64_t at = from.lo; at < from.hi;) {
		struct vtree_listed v;
		bool found;
		int64_t got;

		rcu_enter(m->self);
		found = vtree_list(&m->map->tree, at, from.hi, &v);
		rcu_leave(m->self);
		if (!found)
			break;
		m->from.lo = v.r.lo > at ? v.r.lo : at;
		m->from.hi = v.r.hi < from.hi ? v.r.hi : from.hi;
		m->to.lo = to + (m->from.lo - from.lo);
		m->to.hi = to + (m->from.hi - from.lo);
		got = remap_fixed(m);
		if (got < 0 && got != -ERESTART)
			return got;
		if (got >= 0)
			at = m->from.hi;
	}
	return (int64_t)to;
}

/* DONTUNMAP's new_addr is a hint: taken when it is free, as mmap's. */
static bool remap_hint(struct remap *m, int64_t *got)
{
	int err;

	if (m->to.lo < m->map->lo || m->to.lo == 0)
		return false;
	err = remap_lock_fixed(m);
	if (!err && (!space_empty(m->map, m->self, m->to) || space_guarded(m->map, m->self, m->to.hi, NULL))) {
		remap_unlock(m);
		return false;
	}
	if (!err) {
		err = remap_move(m);
		remap_unlock(m);
	}
	*got = err ? err : (int64_t)m->to.lo;
	return true;
}

/* old_len 0: another mapping of the same shared pages. */
static int64_t remap_duplicate(struct vmmap *map, struct thread_slot *self, const struct space_mremap *call)
{
	const uint64_t old = call->old, new_len = call->new_len, to = call->to;
	const int flags = call->flags;
	struct vtree_listed v;
	struct space_want want;
	struct space_mmap mm;
	int64_t err = -EFAULT;

	rcu_enter(self);
	if (vtree_list(&map->tree, old, old + PAGE_BYTES, &v)) {
		err = v.bits & VMA_SHARED ? 0 : -EINVAL;
		if (!err && !object_get_live(v.object))
			err = -EFAULT;                   /* unmapped meanwhile, for good */
	}
	rcu_leave(self);
	if (err)
		return err;
	if (limit_on(map))
		err = limit_grow_first(map, self, v.bits, new_len);
	if (!err && limit_counts(map))
		err = limit_mremap_first(map, self, 5);
	if (err || !(flags & MREMAP_MAYMOVE)) {
		object_put(v.object);
		return err ? err : -ENOMEM;
	}
	mm = (struct space_mmap){ .addr = to, .len = new_len, .prot = (int)(v.bits & VMA_PROT), .object = v.object,
				  .onfault = v.bits & VMA_LOCKONFAULT,
				  .flags = MAP_SHARED | (v.bits & VMA_NORESERVE ? MAP_NORESERVE : 0) |
					   (v.bits & VMA_LOCKED ? MAP_LOCKED : 0),
				  .offset = (uint64_t)((int64_t)(old >> PAGE_SHIFT) + v.delta) << PAGE_SHIFT };
	if (!(flags & MREMAP_FIXED)) {
		space_want_anywhere(map, self, new_len, false, &want);
		mm.want = &want;
	}
	err = space_mmap(map, self, &mm);
	object_put(v.object);
	return err;
}

static int64_t remap_run(struct vmmap *map, struct thread_slot *self, const struct space_mremap *call)
{
	const uint64_t old = call->old, old_len = call->old_len, new_len = call->new_len, to = call->to;
	const int flags = call->flags;
	struct remap m = { .map = map, .self = self, .from = { old, old + old_len },
			   .keep = flags & MREMAP_DONTUNMAP, .fixed = flags & MREMAP_FIXED };
	struct space_new attr;
	struct space_want want;
	struct lock_range r;
	int64_t got;
	int err;

	if (!remap_look(map, self, old, &attr, &r))
		return -EFAULT;
	BASE_POINT(remap_looked);
	if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && new_len <= old_len)
		return new_len < old_len && (err = space_munmap(map, self,
								(struct lock_range){ old + new_len, old + old_len }))
			       ? err
			       : (int64_t)old;
	/* Only a pure move to a fixed place may take several VMAs along. */
	if (old_len > r.hi - old && (new_len > old_len || (new_len == old_len && !(flags & MREMAP_FIXED))))
		return -EFAULT;
	if (limit_on(map) && new_len > old_len && (err = limit_grow_first(map, self, attr.bits, new_len - old_len)))
		return err;
	if (new_len > old_len && !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && old + old_len == r.hi) {
		err = remap_grow(map, self, r.hi, new_len - old_len);
		if (err != -EEXIST && !(err == -ENOMEM && BASE_MUTANT(grow_moves_instead)))
			return err ? err : (int64_t)old;
	}
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	if (flags & MREMAP_FIXED && new_len < old_len && new_len > r.hi - old)
		return -EFAULT;
	m.to = (struct lock_range){ to, to + new_len };
	if (flags & MREMAP_FIXED && (new_len < old_len || (new_len == old_len && space_may_give_up(self))))
		return remap_whole(&m);
	if (flags & MREMAP_FIXED)
		return new_len == old_len ? remap_many(&m, m.from, to) : remap_fixed(&m);
	if (m.keep && remap_hint(&m, &got))
		return got;
	space_want_anywhere(map, self, new_len, !attr.object && !(m.keep && to), &want);
	return remap_free(&m, &want);
}

int64_t space_mremap(struct vmmap *map, struct thread_slot *self, const struct space_mremap *r)
{
	struct park_spin spin = PARK_SPIN;
	int64_t got;

	if (limit_counts(map) && r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && limit_mremap_first(map, self, 7))
		return -ENOMEM;
	do                                       /* -ERESTART: the source changed between look and lock            */
		got = r->old_len ? remap_run(map, self, r) : remap_duplicate(map, self, r);
	while (got == -ERESTART && !(got = space_again(self, &spin)));
	if (got < 0)
		return got;
	space_count(map, self, SPACE_MREMAP, 1);
	if (r->old_len && (uint64_t)got != r->old && !(r->flags & MREMAP_DONTUNMAP))
		space_left(map, self, (struct lock_range){ r->old, r->old + r->old_len });
	if (r->new_len > r->old_len && unlikely(atomic_load_relaxed(&map->ever_locked)))
		space_populate_locked(map, self,
				      (struct lock_range){ (uint64_t)got + r->old_len, (uint64_t)got + r->new_len },
				      false);
	return got;
}
