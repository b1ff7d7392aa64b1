/* SPDX-License-Identifier: MIT */
/*
 * remap.c - mremap: shrink is munmap, growth in place is a mapping beside, the rest is a move.
 *
 * MOVE    Both ranges are held while entries move one by one (never tables). A fixed target: the lower range is taken
 *         first. A free target: the source is held, the destination taken through the gap search and a try; when only
 *         locked gaps would fit the source is released before anybody waits.
 * PREPARE VMAs, tables and leaf room for the destination are there before anything changes: failure leaves the map as
 *         it was, the destination's old mappings included (Linux has unmapped them by then: docs/semantics.md).
 * WHOLE   several steps under one hold: remap_whole.c.
 * UNLOCK  The target is ended before the source is merged: what the target's merges found held by the source is free or
 *         noted by then, and under one lock (merge.c) the lock is still there.
 * FOLLOW  Entries of an object move past who walks its mappings (rmap.c). So, before anything is let go: what lies
 *         beyond the object's end by now is dropped, and shared entries of a pager's object lose WRITE. A walk that has
 *         not passed the source by then waits there until we are done; one that has, had its way with the entries. The
 *         end is looked at after the entries are in place: a resize that comes later finds the new place in the ring.
 * OFFSETS a private anonymous VMA that was never written takes its new address as offset; others keep theirs (Linux).
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
	found = vtree_list(&map->tree, addr, &v) && v.r.lo <= addr;
	rcu_leave(self);
	if (!found)
		return false;
	*attr = (struct space_new){ .bits = v.bits, .delta = v.delta, .object = v.object };
	*r = v.r;
	return true;
}

/* ---- in place ---- */

/* Extends the VMA that ends at `end` by `more` bytes. -EEXIST: the gap is not free; -ENOMEM -EAGAIN -ETIMEDOUT: it may
 * be, and who wants memory is not moved instead (Linux). */
static int remap_grow(struct vmmap *map, struct thread_slot *self, uint64_t end, uint64_t more)
{
	struct lock_range r = { end - PAGE_BYTES, end + more }, gap = { end, end + more };
	struct lock_edit e;
	struct vtree_seen seen;
	struct space_new fresh;
	struct vma *vma;
	int err;

	if (more > map->hi - end)
		return -EEXIST;
	err = space_edit_begin(map, &e, self, r);
	if (err)
		return err == -EDEADLK ? -EEXIST : err;
	rcu_enter(self);
	vtree_find(&map->tree, r.lo, &seen);
	rcu_leave(self);
	if (!seen.vma || atomic_load_acquire(&seen.vma->bits) & VMA_GAP || !space_empty(map, self, gap)) {
		err = -EEXIST;
	} else {
		fresh = (struct space_new){ .bits = atomic_load_acquire(&seen.vma->bits), .delta = seen.vma->delta,
					    .object = seen.vma->object, .rmap = seen.vma->rmap,
					    .anon = vma_anon(seen.vma) };
		err = space_prepare(map, &e, gap, &fresh, &vma);
	}
	if (!err) {
		space_backing_get(&fresh);
		if (fresh.rmap)
			rmap_extend(fresh.rmap, gap);
		space_replace(map, &e, gap, vma);
	}
	space_merge(map, &e, r);
	space_edit_end(map, &e);
	return err;
}

/* ---- two ranges ---- */

static int remap_second(struct remap *m, struct lock_edit *e, struct lock_range r, uint64_t deadline)
{
	int err;

	*e = (struct lock_edit){ .self = m->self, .r = r };
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

/* -ERESTART: again, after the wait that was needed. */
static int remap_lock_free(struct remap *m, const struct space_want *want)
{
	uint64_t locked = 0;
	int err = space_edit_begin(m->map, &m->source, m->self, m->from);

	if (err)
		return err;
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

/* ---- the move, both ranges held ---- */

/* The next VMA of the source at or after `at` (no VMA crosses the borders of a held range). */
bool remap_next(struct remap *m, uint64_t at, struct vma **vma, struct lock_range *r)
{
	struct vtree_seen seen;
	bool found;

	rcu_enter(m->self);
	do {
		found = vtree_next(&m->map->tree, at, &seen) && seen.r.lo < m->from.hi;
		at = seen.r.hi;
	} while (found && atomic_load_acquire(&seen.vma->bits) & VMA_GAP);
	if (found) {
		*vma = seen.vma;
		*r = space_extent(m->map, seen.vma, seen.r.lo);
	}
	rcu_leave(m->self);
	return found;
}

/* What the destination becomes. The source must be one VMA, or several that may merge; -ERESTART: it has changed since
 * it was looked at. */
static int remap_attr(struct remap *m, struct space_new *attr)
{
	struct vma *first = NULL, *vma;
	struct lock_range r = { m->from.lo, m->from.lo };

	for (uint64_t at = m->from.lo; at < m->from.hi; at = r.hi) {
		uint64_t anon;

		if (!remap_next(m, at, &vma, &r) || r.lo != at)
			return -ERESTART;
		anon = vma_anon(vma);
		if (!first) {
			first = vma;
			*attr = (struct space_new){ .bits = atomic_load_acquire(&vma->bits),
						    .delta = vma->delta,
						    .object = vma->object,
						    .anon = anon };
		} else if (attr->bits != atomic_load_acquire(&vma->bits) || attr->delta != vma->delta ||
			   attr->object != vma->object || (attr->anon && anon && attr->anon != anon)) {
			return -ERESTART;
		} else if (!attr->anon) {
			attr->anon = anon;
		}
	}
	if (attr->object || attr->anon)
		attr->delta += (int64_t)(m->from.lo >> PAGE_SHIFT) - (int64_t)(m->to.lo >> PAGE_SHIFT);
	else
		attr->delta = 0;
	return 0;
}

/* Tables over the destination wherever the source has some. */
static int remap_tables(struct remap *m)
{
	uint64_t at = m->from.lo;
	int err = 0;

	rcu_enter(m->self);
	while (!err && pt_next(&m->map->pt, &at, m->from.hi)) {
		uint64_t span_end = (at | ((UINT64_C(1) << 21) - 1)) + 1,
			 last = span_end < m->from.hi ? span_end : m->from.hi;

		/* One span of the source may meet two of the destination. */
		if (!pt_make(&m->map->pt, m->self, m->to.lo + (at - m->from.lo)) ||
		    !pt_make(&m->map->pt, m->self, m->to.lo + (last - PAGE_BYTES - m->from.lo)))
			err = -ENOMEM;
		at = last;
	}
	rcu_leave(m->self);
	return err;
}

/* DONTUNMAP: nothing of the source's memory is left in place, as if it had never been written. */
static void remap_forget(struct remap *m)
{
	struct lock_range r = { m->from.lo, m->from.lo };
	struct vma *vma;

	for (uint64_t at = m->from.lo; at < m->from.hi && remap_next(m, at, &vma, &r); at = r.hi)
		if (!vma->object)
			atomic_store_release(&vma->anon, thread_next_number(m->self));
}

/* FOLLOW: the entries are in the new place, both ranges are still held. */
static void remap_follow(struct remap *m, const struct space_new *attr)
{
	uint64_t pages = object_pages(attr->object), end = (pages - (uint64_t)attr->delta) << PAGE_SHIFT;
	uint64_t first = (m->to.lo >> PAGE_SHIFT) + (uint64_t)attr->delta;

	end = pages <= first ? m->to.lo : end;
	if (pages < first + ((m->to.hi - m->to.lo) >> PAGE_SHIFT) && !BASE_MUTANT(move_no_size))
		space_zap(m->map, m->self, (struct lock_range){ end, m->to.hi }, false);
	if (attr->bits & VMA_SHARED && object_paged(attr->object) && !BASE_MUTANT(move_keeps_write)) {
		rcu_enter(m->self);
		pt_protect(&m->map->pt, m->to, space_pt_access(attr->bits), false);
		rcu_leave(m->self);
	}
}

/* A mapping with another delta is another hint. */
static int remap_backing(struct remap *m, struct space_new *attr)
{
	if (!attr->object)
		return 0;
	if (attr->object->shared_anon) {
		object_get(attr->object);
		return 0;
	}
	if (rmap_make(&attr->rmap, attr->object, m->map->gate))
		return -ENOMEM;
	rmap_place(attr->rmap, attr->delta, m->to);
	return 0;
}

int remap_move(struct remap *m)
{
	struct space_new attr;
	struct vma *vma;
	int err = remap_attr(m, &attr);

	if (!err)
		err = remap_tables(m);
	if (!err)
		err = remap_backing(m, &attr);
	if (err)
		return err;
	err = space_prepare(m->map, &m->target, m->to, &attr, &vma);
	if (err) {
		space_backing_put(attr.object, attr.rmap);
		return err;
	}
	space_shut(m->map, &m->source, m->from);
	space_shut(m->map, &m->target, m->to);
	space_touch(m->map, m->self, m->to, LOCK_TOUCH_ENTRY, true);
	space_touch(m->map, m->self, m->from, LOCK_TOUCH_ENTRY, true);
	space_zap(m->map, m->self, m->to, false);
	rcu_enter(m->self);
	if (pt_move(&m->map->pt, m->self, m->from, m->to.lo))
		CHECK(!"tables of the destination were made before");
	rcu_leave(m->self);
	BASE_POINT(remap_after_move);
	if (attr.rmap)
		remap_follow(m, &attr);
	space_replace_slots(m->map, &m->target, m->to, vma);
	if (m->keep)
		remap_forget(m);
	else
		space_replace(m->map, &m->source, m->from, NULL);
	return 0;
}

static int64_t remap_free(struct remap *m, const struct space_want *want)
{
	struct park_spin spin = PARK_SPIN;
	int err;

	do
		err = remap_lock_free(m, want);
	while (err == -ERESTART && !(err = space_again(m->self, &spin)));
	if (err)
		return err;
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
		found = vtree_list(&m->map->tree, at, &v) && v.r.lo < from.hi;
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
	if (vtree_list(&map->tree, old, &v) && v.r.lo <= old) {
		err = v.bits & VMA_SHARED ? 0 : -EINVAL;
		if (!err && !object_get_live(v.object))
			err = -EFAULT;                   /* unmapped meanwhile, for good */
	}
	rcu_leave(self);
	if (err)
		return err;
	if (!(flags & MREMAP_MAYMOVE)) {
		object_put(v.object);
		return -ENOMEM;
	}
	mm = (struct space_mmap){ .addr = to, .len = new_len, .prot = (int)(v.bits & VMA_PROT), .object = v.object,
				  .flags = MAP_SHARED | (v.bits & VMA_NORESERVE ? MAP_NORESERVE : 0),
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
	struct remap m = { .map = map, .self = self, .from = { old, old + old_len }, .keep = flags & MREMAP_DONTUNMAP };
	struct space_new attr;
	struct space_want want;
	struct lock_range r;
	int64_t got;
	int err;

	if (!remap_look(map, self, old, &attr, &r))
		return -EFAULT;
	if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && new_len <= old_len)
		return new_len < old_len && (err = space_munmap(map, self,
								(struct lock_range){ old + new_len, old + old_len }))
			       ? err
			       : (int64_t)old;
	/* Only a pure move to a fixed place may take several VMAs along. */
	if (old_len > r.hi - old && (new_len > old_len || (new_len == old_len && !(flags & MREMAP_FIXED))))
		return -EFAULT;
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

	do                                       /* -ERESTART: the source changed between look and lock            */
		got = r->old_len ? remap_run(map, self, r) : remap_duplicate(map, self, r);
	while (got == -ERESTART && !(got = space_again(self, &spin)));
	if (got >= 0)
		space_count(map, self, SPACE_MREMAP, 1);
	return got;
}
