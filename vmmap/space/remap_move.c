/* SPDX-License-Identifier: MIT */
/*
 * remap_move.c - the move of mremap: what is done while both ranges are held.
 *
 * PREPARE VMAs, tables and leaf room for the destination are there before anything changes: failure leaves the map as
 *         it was, the destination's old mappings included (Linux has unmapped them by then: docs/semantics.md).
 * FOLLOW  Entries of an object move past who walks its mappings (rmap.c). So, before anything is let go: what lies
 *         beyond the object's end by now is dropped, and shared entries of a pager's object lose WRITE. A walk that has
 *         not passed the source by then waits there until we are done; one that has, had its way with the entries. The
 *         end is looked at after the entries are in place: a resize that comes later finds the new place in the ring.
 * OFFSETS a private anonymous VMA that was never written takes its new address as offset; others keep theirs (Linux).
 * LIMITS  one window over all of it (limit.h), opened when nothing else can refuse it but want of a VMA.
 */
#include "vmmap/space/remap.h"

/* The next VMA of the source at or after `at` (no VMA crosses the borders of a held range). */
bool remap_next(struct remap *m, uint64_t at, struct vma **vma, struct lock_range *r)
{
	struct vtree_seen seen;
	bool found;

	rcu_enter(m->self);
	do {
		found = vtree_next(&m->map->tree, at, m->from.hi, &seen);
		at = seen.r.hi;
	} while (found && vma_gap(seen.vma));
	if (found) {
		*vma = seen.vma;
		*r = space_extent(m->map, seen.vma, seen.r.lo, (struct lock_range){ 0, ADDRESS_END });
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
						    .delta = vma_delta(vma),
						    .object = vma_object(vma),
						    .anon = anon };             /* B2 -> B1: held */
		} else if (attr->bits != atomic_load_acquire(&vma->bits) ||     /* B2 -> B1: held */
			   attr->delta != vma_delta(vma) || attr->object != vma_object(vma) ||
			   (attr->anon && anon && attr->anon != anon)) {
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

/* DONTUNMAP: nothing of the source's memory is left in place, as if it had never been written; nor is it locked. */
static void remap_forget(struct remap *m)
{
	struct lock_range r = { m->from.lo, m->from.lo };
	struct vma *vma;

	for (uint64_t at = m->from.lo; at < m->from.hi && remap_next(m, at, &vma, &r); at = r.hi) {
		uint64_t bits = atomic_load_acquire(&vma->bits);                /* B2 -> B1: held */

		if (!vma_object(vma))
			atomic_store_release(&vma->anon, thread_next_number(m->self));  /* B1 -> B2: in place, held */
		if (likely(!(bits & VMA_LOCKED)))
			continue;
		if (limit_on(m->map))
			limit_add(m->map, m->self, LIMIT_LOCKED, -(int64_t)((r.hi - r.lo) >> PAGE_SHIFT));
		bits &= ~(uint64_t)(VMA_LOCKED | VMA_LOCKONFAULT);
		atomic_store_release(&vma->bits, bits);                         /* B1 -> B2: in place, held */
		space_tell(m->map, m->self, r);
	}
	if (limit_on(m->map))
		limit_recount(m->map, m->self, m->from);
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

/* A mapping with another delta is another hint; anonymous memory at its first place needs none. */
static int remap_backing(struct remap *m, struct space_new *attr)
{
	if (!attr->object && !attr->delta)
		return 0;
	if (rmap_make(&attr->rmap, attr->object, m->map->gate))
		return -ENOMEM;
	rmap_place(attr->rmap, attr->delta, m->to);
	return 0;
}

/* The source goes, in one piece with its tail: what stands for a part of it alone could be one with what stands for a
 * gap of the tail, and would go with that. (In the same window: a move asks for more VMAs than a cut makes.) */
static void remap_leave(struct remap *m)
{
	struct lock_range gone = { m->from.lo, m->gone ? m->gone : m->from.hi };

	if (BASE_MUTANT(remap_tail_apart) && m->gone) {
		space_replace(m->map, &m->source, m->from, NULL);
		gone.lo = m->from.hi;
	}
	space_replace(m->map, &m->source, gone, NULL);
}

/* Who moves a frame of the object, and may have passed the destination already, sees that he has (object.h, V). */
static void remap_entries(struct remap *m, struct object *object)
{
	BASE_POINT(remap_before_move);
	if (object)
		atomic_add_seqcst(&object->moves, 1);                            /* V1 -> V2 */
	rcu_enter(m->self);
	if (pt_move(&m->map->pt, m->self, m->from, m->to.lo))
		CHECK(!"tables of the destination were made before");
	rcu_leave(m->self);
	if (object)
		atomic_add_seqcst(&object->moves, OBJECT_MOVED - 1);             /* V1 -> V2 */
}

static void remap_commit(struct remap *m, const struct space_new *attr, struct vma *vma)
{
	space_shut(m->map, &m->target, m->to);
	space_touch(m->map, m->self, m->to, LOCK_TOUCH_ENTRY, true);
	space_touch(m->map, m->self, m->from, LOCK_TOUCH_ENTRY, true);
	space_zap(m->map, m->self, m->to, false);
	remap_entries(m, attr->object);
	BASE_POINT(remap_after_move);
	if (attr->object)
		remap_follow(m, attr);
	space_replace_slots(m->map, &m->target, m->to, vma);
	if (m->keep)
		remap_forget(m);
	else
		remap_leave(m);
}

/* In a window, if the map has limits. */
static int remap_limited(struct remap *m, const struct space_new *attr)
{
	struct vma *vma;
	int err = space_prepare(m->map, &m->target, m->to, attr, &vma);

	if (!err)
		remap_commit(m, attr, vma);
	return err;
}

int remap_move(struct remap *m)
{
	struct space_new attr;
	int err = BASE_MUTANT(remap_looks_early) ? remap_attr(m, &attr) : 0;

	BASE_POINT(remap_before_shut);
	space_shut(m->map, &m->source, m->from);         /* a visit of before may write there for the first time   */
	if (!BASE_MUTANT(remap_looks_early))
		err = remap_attr(m, &attr);
	if (!err)
		err = remap_tables(m);
	if (!err)
		err = remap_backing(m, &attr);
	if (err)
		return err;
	if (limit_on(m->map))
		err = limit_move(m->map, m->self,
				 &(struct limit_move){ m->from, m->to, attr.bits, m->keep, m->fixed });
	if (!err) {
		err = remap_limited(m, &attr);
		if (limit_on(m->map))
			limit_end(m->map, m->self);
	}
	if (err)
		space_backing_put(attr.rmap);
	return err;
}
