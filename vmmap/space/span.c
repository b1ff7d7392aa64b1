/* SPDX-License-Identifier: MIT */
/*
 * span.c - VMAs whose slots stand in more than one leaf.
 *
 * The slots of one VMA are contiguous and all point to the same object. While a VMA's lock word is held, only the
 * holder changes its slots (decision 4: lock words are taken in leaf sections; the extension of a free neighbour, see
 * carve.c, asks for a free word). So the holder may walk them leaf by leaf without any further lock.
 */
#include "vmmap/space/space.h"

struct lock_range space_extent(struct vmmap *map, const struct vma *vma, uint64_t addr)
{
	struct vtree_seen seen;
	struct lock_range r;

	vtree_find(&map->tree, addr, &seen);
	r = seen.r;
	while (r.lo > 0) {
		vtree_find(&map->tree, r.lo - 1, &seen);
		if (seen.vma != vma)
			break;
		r.lo = seen.r.lo;
	}
	while (r.hi < ADDRESS_END) {
		vtree_find(&map->tree, r.hi, &seen);
		if (seen.vma != vma)
			break;
		r.hi = seen.r.hi;
	}
	return r;
}

bool space_spans(struct vmmap *map, const struct vtree_section *s, const struct vtree_slot *slot)
{
	struct vtree_seen seen;

	if (slot->r.lo == s->r.lo && slot->r.lo > 0) {
		vtree_find(&map->tree, slot->r.lo - 1, &seen);
		if (seen.vma == slot->vma)
			return true;
	}
	if (slot->r.hi == s->r.hi && slot->r.hi < ADDRESS_END) {
		vtree_find(&map->tree, slot->r.hi, &seen);
		if (seen.vma == slot->vma)
			return true;
	}
	return false;
}

void space_vma_copy(struct vma *right, const struct vma *vma)
{
	atomic_store_relaxed(&right->bits, atomic_load_relaxed(&vma->bits));
	atomic_store_relaxed(&right->anon, atomic_load_acquire(&vma->anon));
	right->delta = vma->delta;
	right->object = vma->object;
	if (right->object)
		object_get(right->object);
}

int space_cut_held(struct vmmap *map, struct thread_slot *self, struct vma *vma, uint64_t addr, struct vma *right)
{
	struct vtree_section s;
	uint64_t at = addr;

	for (;;) {
		int err = vtree_enter_room(&map->tree, self, at, at == addr ? 2 : 1, &s), i;
		struct vtree_slot slot;

		if (err) {
			/* Only the first leaf needs a slot more than it drops; the others always have one to spare. */
			CHECK(at == addr);
			return err;
		}
		i = vtree_slot_over(&s, at);
		slot = i < 0 ? (struct vtree_slot){ 0 } : vtree_slot_at(&s, (unsigned)i);
		if (slot.vma != vma) {
			vtree_leave(&s);
			return 0;
		}
		vtree_drop(&s, (unsigned)i);
		if (slot.r.lo < at)
			vtree_add(&s, slot.r.lo, at, vma);
		vtree_add(&s, at, slot.r.hi, right);
		at = slot.r.hi;
		bool more = at == s.r.hi && at < ADDRESS_END;
		vtree_leave(&s);
		if (!more || BASE_MUTANT(cut_first_leaf_only))
			return 0;
		BASE_POINT(cut_between_leaves);
	}
}
