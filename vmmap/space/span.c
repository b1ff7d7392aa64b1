/* SPDX-License-Identifier: MIT */
/*
 * span.c - VMAs whose slots stand in more than one leaf.
 *
 * The slots of one VMA are contiguous and all point to the same object. While a VMA's lock word is held, only the
 * holder changes its slots (decision 4: lock words are taken in leaf sections; the extension of a free neighbour, see
 * carve.c, asks for a free word). So the holder may walk them leaf by leaf without any further lock.
 */
#include "vmmap/space/space.h"

struct lock_range space_extent(struct vmmap *map, const struct vma *vma, uint64_t addr, struct lock_range within)
{
	struct vtree_seen seen;
	struct lock_range r;

	vtree_peek(&map->tree, addr, &seen);
	r = seen.r;
	while (r.lo > 0 && r.lo >= within.lo) {
		vtree_peek(&map->tree, r.lo - PAGE_BYTES, &seen);
		if (seen.vma != vma)
			break;
		r.lo = seen.r.lo;
	}
	while (r.hi < ADDRESS_END && r.hi <= within.hi) {
		vtree_peek(&map->tree, r.hi, &seen);
		if (seen.vma != vma)
			break;
		r.hi = seen.r.hi;
	}
	return r;
}

unsigned space_spans(struct vmmap *map, const struct vtree_section *s, const struct vtree_slot *slot)
{
	struct vtree_seen seen;
	unsigned sides = 0;

	if (slot->r.lo == s->r.lo && slot->r.lo > 0) {
		vtree_peek(&map->tree, slot->r.lo - PAGE_BYTES, &seen);
		sides |= seen.vma == slot->vma ? SPACE_BELOW : 0;
	}
	if (slot->r.hi == s->r.hi && slot->r.hi < ADDRESS_END) {
		vtree_peek(&map->tree, slot->r.hi, &seen);
		sides |= seen.vma == slot->vma ? SPACE_ABOVE : 0;
	}
	return sides;
}

void space_vma_copy(struct thread_slot *self, struct vma *right, const struct vma *vma)
{
	struct space_new attr = space_vma_attr(vma);

	space_vma_fill(self, right, &attr);
	space_backing_get(&attr);
}

void space_put(struct vtree_section *s, uint64_t lo, uint64_t hi, struct vma *vma)
{
	int below = lo > s->r.lo ? vtree_slot_ending(s, lo) : -1, above = hi < s->r.hi ? vtree_slot_over(s, hi) : -1;
	struct vtree_slot slot;

	if (BASE_MUTANT(put_apart))
		below = above = -1;
	if (below >= 0 && (slot = vtree_slot_at(s, (unsigned)below)).vma == vma) {
		lo = slot.r.lo;
		vtree_drop(s, (unsigned)below);
	}
	if (above >= 0 && (slot = vtree_slot_at(s, (unsigned)above)).vma == vma) {
		hi = slot.r.hi;
		vtree_drop(s, (unsigned)above);
	}
	vtree_add(s, lo, hi, vma);
}

int space_cut_held(struct vmmap *map, struct thread_slot *self, struct vma *vma, uint64_t addr, struct vma *right)
{
	struct vtree_section s;
	uint64_t at = addr;

	for (;;) {
		struct vtree_slot slot;
		int err = 0, i;

		if (at == addr)
			err = vtree_enter_room(&map->tree, self, at, 2, &s);
		else             /* only the first leaf needs a slot more than it drops; all have one to spare */
			vtree_pass(&map->tree, self, at, &s);
		if (err)
			return err;
		i = vtree_slot_over(&s, at);
		slot = i < 0 ? (struct vtree_slot){ 0 } : vtree_slot_at(&s, (unsigned)i);
		if (slot.vma != vma) {
			vtree_leave(&s);
			return 0;
		}
		vtree_drop(&s, (unsigned)i);
		if (slot.r.lo < at)
			vtree_add(&s, slot.r.lo, at, vma);
		space_put(&s, at, slot.r.hi, right);
		at = slot.r.hi;
		bool more = at == s.r.hi && at < ADDRESS_END;
		vtree_leave(&s);
		if (!more || BASE_MUTANT(cut_first_leaf_only))
			return 0;
		BASE_POINT(cut_between_leaves);
	}
}

/* The VMA that crosses addr, or NULL. */
static struct vma *span_crossing(struct vmmap *map, struct thread_slot *self, uint64_t addr)
{
	struct vtree_seen seen;
	bool crosses;

	rcu_enter(self);
	vtree_peek(&map->tree, addr, &seen);
	crosses = seen.vma && !vma_gap(seen.vma) &&
		  space_extent(map, seen.vma, addr, (struct lock_range){ addr, addr }).lo < addr;
	rcu_leave(self);
	return crosses ? seen.vma : NULL;
}

/* The dummy that crosses addr, if any, is in two slots from here on, so that one of them can be replaced alone. */
static int span_cut_dummy(struct vmmap *map, struct lock_edit *e, uint64_t addr)
{
	struct vma *dummy = e->mine.dummy ? space_vma(e->mine.dummy) : NULL;
	struct vtree_section s;
	struct vtree_slot slot;
	int err, i;

	if (!dummy || BASE_MUTANT(cut_spares_dummies))
		return 0;
	err = vtree_enter_room(&map->tree, e->self, addr, 2, &s);
	if (err)
		return err;
	i = vtree_slot_over(&s, addr);
	if (i >= 0 && (slot = vtree_slot_at(&s, (unsigned)i)).vma == dummy && slot.r.lo < addr) {
		vtree_drop(&s, (unsigned)i);
		vtree_add(&s, slot.r.lo, addr, dummy);
		vtree_add(&s, addr, slot.r.hi, dummy);
	}
	vtree_leave(&s);
	return 0;
}

int (space_cut)(struct vmmap *map, struct lock_edit *e, uint64_t addr)
{
	bool inside = addr > e->r.lo && addr < e->r.hi;
	struct vma *vma = inside ? span_crossing(map, e->self, addr) : NULL, *right;
	int err;

	if (!vma)
		return inside ? span_cut_dummy(map, e, addr) : 0;
	if (vma_reserve(&map->vmas, e->self, 1))
		return -ENOMEM;
	/* Counts do not follow a page elsewhere; nor does the group that a visit of before may set. */
	map->policy->edit_shut(map->lock_state, e, &vma->slot);
	right = vma_take(&map->vmas, e->self);
	space_vma_copy(e->self, right, vma);
	atomic_store_release(&right->slot.lk, e->number);                       /* R3 -> V0: born */
	map->policy->edit_born(map->lock_state, e, &right->slot);
	err = space_cut_held(map, e->self, vma, addr, right);
	if (err) {
		struct rmap *rmap = vma_rmap(right);

		map->policy->edit_dead(map->lock_state, e, &right->slot);
		vma_give(&map->vmas, e->self, right);
		space_backing_put(rmap);
	} else if (!e->mine.lk) {
		atomic_store_release(&vma->slot.lk, thread_next_number(e->self));       /* LOOK -> LOOK */
	}
	return err;
}
