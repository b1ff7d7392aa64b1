/* SPDX-License-Identifier: MIT */
/*
 * remap.c - mremap: shrink is munmap, growth in place is a mapping beside, the rest is a move.
 *
 * MOVE    Both ranges are held while entries move one by one (never tables). A fixed target: the lower range is taken
 *         first. A free target: the source is held, the destination taken through the gap search and a try; when only
 *         locked gaps would fit the source is released before anybody waits.
 * PREPARE VMAs, tables and leaf room for the destination are there before anything changes: failure leaves the map as
 *         it was, the destination's old mappings included (Linux has unmapped them by then: docs/semantics.md).
 * OFFSETS a private anonymous VMA that was never written takes its new address as offset; others keep theirs (Linux).
 */
#include <sys/mman.h>

#include "vmmap/space/space.h"

struct remap {
	struct vmmap *map;
	struct thread_slot *self;
	struct lock_range from, to;              /* to.lo unknown while the target is free                         */
	bool keep;                               /* MREMAP_DONTUNMAP                                               */
	struct lock_edit source, target;
};

/* The VMA over addr: attributes as a space_new, and where it ends. false: none. */
static bool remap_look(struct vmmap *map, struct thread_slot *self, uint64_t addr, struct space_new *attr, struct lock_range *r)
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

/* Extends the VMA that ends at `end` by `more` bytes. -ENOMEM: the gap is not free, or no memory. */
static int remap_grow(struct vmmap *map, struct thread_slot *self, uint64_t end, uint64_t more)
{
	struct lock_range r = { end - PAGE_BYTES, end + more }, gap = { end, end + more };
	struct lock_edit e;
	struct vtree_seen seen;
	struct space_new fresh;
	struct vma *vma;
	int err;

	if (more > map->hi - end)
		return -ENOMEM;
	err = space_edit_begin(map, &e, self, r);
	if (err)
		return -ENOMEM;
	rcu_enter(self);
	vtree_find(&map->tree, r.lo, &seen);
	rcu_leave(self);
	if (!seen.vma || atomic_load_acquire(&seen.vma->bits) & VMA_GAP || !space_empty(map, self, gap)) {
		err = -ENOMEM;
	} else {
		fresh = (struct space_new){ .bits = atomic_load_acquire(&seen.vma->bits), .delta = seen.vma->delta,
					    .object = seen.vma->object, .anon = atomic_load_acquire(&seen.vma->anon) };
		err = space_prepare(map, &e, gap, &fresh, &vma);
	}
	if (!err) {
		if (fresh.object)
			object_get(fresh.object);
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

static int remap_lock_fixed(struct remap *m)
{
	bool source_first = m->from.lo < m->to.lo;
	struct lock_edit *first = source_first ? &m->source : &m->target, *second = source_first ? &m->target : &m->source;
	int err = space_edit_begin(m->map, first, m->self, source_first ? m->from : m->to);

	if (err)
		return err;
	err = remap_second(m, second, source_first ? m->to : m->from, LOCK_FOREVER);
	if (err)
		remap_give_up(m, first);
	return err;
}

/* -EAGAIN: again, after the wait that was needed. */
static int remap_lock_free(struct remap *m, const struct space_want *want)
{
	uint64_t locked = 0;
	int err = space_edit_begin(m->map, &m->source, m->self, m->from);

	if (err)
		return err;
	err = space_place(m->map, m->self, want, &m->to, &locked);
	if (!err) {
		locked = 0;
		err = remap_second(m, &m->target, m->to, LOCK_TRY);
		if (!err && space_empty(m->map, m->self, m->to))
			return 0;
		if (!err) {
			remap_give_up(m, &m->target);
			err = -EAGAIN;
		}
	}
	remap_give_up(m, &m->source);
	if (err == -EAGAIN && locked && m->map->policy->gap_wait)
		m->map->policy->gap_wait(m->map->lock_state, m->self, locked, LOCK_FOREVER);
	return err;
}

static void remap_unlock(struct remap *m)
{
	space_merge(m->map, &m->target, m->to);
	space_merge(m->map, &m->source, m->from);
	space_edit_end(m->map, &m->target);
	space_edit_end(m->map, &m->source);
}

/* ---- the move, both ranges held ---- */

struct remap_piece { struct lock_range from, to; struct vma *old, *vma; };

/* The VMA of the source at or after `at`, cut to nothing but itself (no VMA crosses the borders of a held range). */
static bool remap_next(struct remap *m, uint64_t at, struct remap_piece *p)
{
	struct vtree_seen seen;
	bool found;

	rcu_enter(m->self);
	do {
		found = vtree_next(&m->map->tree, at, &seen) && seen.r.lo < m->from.hi;
		at = seen.r.hi;
	} while (found && atomic_load_acquire(&seen.vma->bits) & VMA_GAP);
	if (found) {
		p->old = seen.vma;
		p->from = space_extent(m->map, seen.vma, seen.r.lo);
	}
	rcu_leave(m->self);
	if (!found)
		return false;
	p->to.lo = m->to.lo + (p->from.lo - m->from.lo);
	p->to.hi = p->from.hi == m->from.hi ? m->to.hi : m->to.lo + (p->from.hi - m->from.lo);
	return true;
}

static struct space_new remap_attr(const struct remap_piece *p)
{
	uint64_t anon = atomic_load_acquire(&p->old->anon);
	int64_t delta = p->old->delta;

	if (p->old->object || anon)
		delta += (int64_t)(p->from.lo >> PAGE_SHIFT) - (int64_t)(p->to.lo >> PAGE_SHIFT);
	else
		delta = 0;
	return (struct space_new){ .bits = atomic_load_acquire(&p->old->bits), .delta = delta, .object = p->old->object, .anon = anon };
}

/* Tables over the destination wherever the source has some. */
static int remap_tables(struct remap *m)
{
	uint64_t at = m->from.lo;
	int err = 0;

	rcu_enter(m->self);
	while (!err && pt_next(&m->map->pt, &at, m->from.hi)) {
		uint64_t span_end = (at | ((UINT64_C(1) << 21) - 1)) + 1, last = span_end < m->from.hi ? span_end : m->from.hi;

		/* One span of the source may meet two of the destination. */
		if (!pt_make(&m->map->pt, m->self, m->to.lo + (at - m->from.lo)) ||
		    !pt_make(&m->map->pt, m->self, m->to.lo + (last - PAGE_BYTES - m->from.lo)))
			err = -ENOMEM;
		at = last;
	}
	rcu_leave(m->self);
	return err;
}

#define REMAP_PIECES 64

static int remap_prepare(struct remap *m, struct remap_piece *piece, unsigned *n)
{
	uint64_t at = m->from.lo;
	int err = remap_tables(m);

	for (*n = 0; !err && remap_next(m, at, &piece[*n]); at = piece[(*n)++].from.hi) {
		struct space_new attr;

		if (*n == REMAP_PIECES) {
			err = -ENOMEM;
			break;
		}
		attr = remap_attr(&piece[*n]);
		err = space_prepare(m->map, &m->target, piece[*n].to, &attr, &piece[*n].vma);
		if (err)
			break;
		if (attr.object)
			object_get(attr.object);
	}
	if (err)
		while ((*n)--) {
			if (piece[*n].vma->object)
				object_put(piece[*n].vma->object);
			space_prepare_undo(m->map, &m->target, piece[*n].vma);
		}
	return err;
}

static int remap_move(struct remap *m)
{
	struct remap_piece piece[REMAP_PIECES + 1];
	unsigned n;
	int err = remap_prepare(m, piece, &n);

	if (err)
		return err;
	space_shut(m->map, &m->source, m->from);
	space_shut(m->map, &m->target, m->to);
	space_zap(m->map, m->self, m->to, false);
	rcu_enter(m->self);
	for (unsigned i = 0; i < n; i++)
		if (pt_move(&m->map->pt, m->self, piece[i].from, piece[i].to.lo))
			CHECK(!"tables of the destination were made before");
	rcu_leave(m->self);
	BASE_POINT(remap_after_move);
	space_replace_slots(m->map, &m->target, m->to, NULL);
	for (unsigned i = 0; i < n; i++)
		space_replace_slots(m->map, &m->target, piece[i].to, piece[i].vma);
	if (!m->keep) {
		space_replace(m->map, &m->source, m->from, NULL);
		return 0;
	}
	for (unsigned i = 0; i < n; i++)
		if (!piece[i].old->object)               /* nothing of it is left here: as if never written */
			atomic_store_release(&piece[i].old->anon, 0);
	return 0;
}

static int64_t remap_free(struct remap *m, const struct space_want *want)
{
	struct park_spin spin = PARK_SPIN;
	int err;

	while ((err = remap_lock_free(m, want)) == -EAGAIN)
		park_spin(&spin);
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

/* old_len 0: another mapping of the same shared pages. */
static int64_t remap_duplicate(struct vmmap *map, struct thread_slot *self, uint64_t old, uint64_t new_len, int flags, uint64_t to)
{
	struct vtree_listed v;
	struct space_want want;
	struct space_mmap mm;
	int64_t err = -EFAULT;

	rcu_enter(self);
	if (vtree_list(&map->tree, old, &v) && v.r.lo <= old) {
		err = v.bits & VMA_SHARED ? 0 : -EINVAL;
		if (!err)
			object_get(v.object);            /* safe inside RCU: the last put waits for us */
	}
	rcu_leave(self);
	if (err)
		return err;
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

static int64_t remap_run(struct vmmap *map, struct thread_slot *self, uint64_t old, uint64_t old_len, uint64_t new_len, int flags, uint64_t to)
{
	struct remap m = { .map = map, .self = self, .from = { old, old + old_len }, .keep = flags & MREMAP_DONTUNMAP };
	struct space_new attr;
	struct space_want want;
	struct lock_range r;
	int err;

	if (!remap_look(map, self, old, &attr, &r))
		return -EFAULT;
	if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && new_len <= old_len)
		return new_len < old_len && (err = space_munmap(map, self, (struct lock_range){ old + new_len, old + old_len }))
			? err : (int64_t)old;
	/* Only a pure move to a fixed place may take several VMAs along. */
	if (old_len > r.hi - old && (new_len > old_len || (new_len == old_len && !(flags & MREMAP_FIXED))))
		return -EFAULT;
	if (new_len > old_len && !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && old + old_len == r.hi &&
	    !remap_grow(map, self, r.hi, new_len - old_len))
		return (int64_t)old;
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	if (flags & MREMAP_FIXED && new_len < old_len) {
		err = space_munmap(map, self, (struct lock_range){ old + new_len, old + old_len });
		if (err)
			return err;
		m.from.hi = old + new_len;
	}
	if (flags & MREMAP_FIXED) {
		m.to = (struct lock_range){ to, to + new_len };
		return remap_fixed(&m);
	}
	space_want_anywhere(map, self, new_len, !attr.object, &want);
	return remap_free(&m, &want);
}

int64_t space_mremap(struct vmmap *map, struct thread_slot *self, uint64_t old, uint64_t old_len, uint64_t new_len, int flags, uint64_t to)
{
	int64_t got = old_len ? remap_run(map, self, old, old_len, new_len, flags, to)
			      : remap_duplicate(map, self, old, new_len, flags, to);

	if (got >= 0)
		space_count(map, self, SPACE_MREMAP, 1);
	return got;
}
