/* SPDX-License-Identifier: MIT */
/*
 * remap_whole.c - moves to a fixed place in several steps: several VMAs, or a tail to be cut off.
 *
 * Both ranges are held whole before anything is done, so that a deadline that is over leaves the map as it was. Without
 * a deadline several VMAs move one by one (remap.c), so that disjoint calls go between.
 * The parts are cut inside what is held (span.c): VMAs, and the dummy of a gap, so that what is replaced never takes
 * the hold of its neighbour along. Want of memory ends it between two VMAs, as it does without a deadline.
 */
#include "vmmap/space/remap.h"

/* What of the source is mapped from `at` on, as far as it is one VMA or will be. */
static bool remap_part(struct remap *m, uint64_t at, struct lock_range *part)
{
	struct vma *vma, *next;
	struct lock_range r;

	if (!remap_next(m, at, &vma, part))
		return false;
	while (part->hi < m->from.hi && remap_next(m, part->hi, &next, &r) && r.lo == part->hi &&
	       vma_mergeable(vma, next)) {
		part->hi = r.hi;
		vma = vma_anon(vma) ? vma : next;
	}
	return true;
}

static int remap_move_part(struct remap *m, struct lock_range part)
{
	const struct lock_range from = m->from, to = m->to;
	int err;

	m->from = part;
	m->to = (struct lock_range){ to.lo + (part.lo - from.lo), to.lo + (part.hi - from.lo) };
	err = space_cut(m->map, &m->target, m->to.lo);
	if (!err)
		err = space_cut(m->map, &m->target, m->to.hi);
	if (!err)
		err = remap_move(m);
	BASE_POINT(remap_part_moved);
	m->from = from;
	m->to = to;
	return err;
}

/* Equal lengths: all VMAs, one by one. Else the source is cut to the length of the target. */
static int remap_parts(struct remap *m)
{
	const uint64_t end = m->from.lo + (m->to.hi - m->to.lo);
	struct lock_range part = { m->from.lo, m->from.lo };
	int err = space_cut(m->map, &m->source, end);

	if (!err && (!remap_part(m, m->from.lo, &part) || part.lo > m->from.lo))
		return -ERESTART;
	if (!err && end < m->from.hi) {
		part.hi = part.hi < end ? part.hi : end;         /* pieces of a cut are mergeable                  */
		m->gone = m->from.hi;
		return part.hi < end ? -ERESTART : remap_move_part(m, part);
	}
	do
		err = err ? err : remap_move_part(m, part);
	while (!err && part.hi < m->from.hi && remap_part(m, part.hi, &part));
	return err;
}

int64_t remap_whole(struct remap *m)
{
	int err = remap_lock_fixed(m);

	if (err)
		return err;
	err = remap_parts(m);
	remap_unlock(m);
	return err ? err : (int64_t)m->to.lo;
}
