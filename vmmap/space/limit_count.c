/* SPDX-License-Identifier: MIT */
/*
 * limit_count.c - which VMAs are counted, when a map has a limit of VMAs.
 *
 * WHAT        The number of VMAs is the number of starts: addresses where a VMA begins that could not be one with what
 *             lies below. Pieces of a lock split and pending merges could be, so they are no starts; dummies are no
 *             VMAs. Each VMA object says whether its start is counted (vma.h, vma_counted): a fact about one border.
 * RULE        The mark of a VMA is read and written in sections of the leaf that shows its start, and nowhere else.
 *             Whoever changes what stands on either side of a border looks at it afterwards in such a section, makes
 *             the mark true, and pays or gets back the difference (limit_add): this is the LOOK of merge.c. Of two
 *             neighbours that change at the same time the later look sees both changes. Whoever takes a start out of
 *             the tree (unmap, replace, join) gets its mark back in the section that does.
 * BORDER      left side by X, right side by Y, in whatever order: the marks follow from the last look alone.
 *               X unmaps, Y keeps      X's look: real.          both unmap           the start goes with its mark.
 *               X changes, Y keeps     X's look: as they are.   X and Y change       the later look: as they are.
 *               X holds, Y changes     Y's look.                X joins both         marks of what is swallowed go.
 *               X cuts (lock split)    no look: a cut piece is born without a mark, and its border is not real.
 *             Looks are inside the windows of the operations that changed something; so in an exact window, when all
 *             others are closed, the sum of the marks is the number of VMAs.
 * HELD        A look is made in the section that changes, or while what was changed is held. Else what stands above a
 *             border of leaves might by now be the rest of a VMA that others have joined, and are cutting or taking
 *             away leaf by leaf: not a start. So a brief edit that ends where its leaf ends takes the general form
 *             (carve.c). And so a start that is joined to what lies below has no mark any more (merge.c).
 * GROUPS      Two pieces of a lock split may get different anonymous groups by first write faults, the left one also by
 *             a fault whose page the cut has just given to the right one. Then they stay two for good, without
 *             anybody's having paid: no mark, until the next change there. Linux would have one VMA.
 * INVARIANT   (limit_audit) quiescent: a mark is set iff the border is real, but for GROUPS.
 */
#include "vmmap/space/space.h"

/* Does a VMA that could be one with the VMA of this slot end at addr, in another leaf? *same: it is the same VMA. */
static bool count_joins_below(struct vmmap *map, uint64_t addr, const struct vma *vma, bool *same)
{
	struct vtree_seen seen, again;
	bool joins;

	do {
		vtree_peek(&map->tree, addr - PAGE_BYTES, &seen);
		*same = seen.vma == vma;
		joins = seen.vma && !vma_gap(seen.vma) && vma_mergeable(seen.vma, vma);
		vtree_peek(&map->tree, addr - PAGE_BYTES, &again);
	} while (seen.vma != again.vma || seen.lk != again.lk);
	return joins;
}

enum count_border { COUNT_NONE, COUNT_JOINED, COUNT_REAL };

/* What the start of this slot is: none (a dummy, or a VMA that goes on from the leaf below), joined, real. */
static enum count_border count_look(struct vmmap *map, const struct vtree_section *s, const struct vtree_slot *slot)
{
	bool joins = false, same = false;
	int below;

	if (vma_gap(slot->vma))
		return COUNT_NONE;
	if (slot->r.lo > s->r.lo) {
		below = vtree_slot_ending(s, slot->r.lo);
		if (below >= 0) {
			const struct vma *left = vtree_slot_at(s, (unsigned)below).vma;

			joins = !vma_gap(left) && vma_mergeable(left, slot->vma);
		}
	} else if (slot->r.lo > 0) {
		joins = count_joins_below(map, slot->r.lo, slot->vma, &same);
	}
	return same ? COUNT_NONE : joins ? COUNT_JOINED : COUNT_REAL;
}

/* Slots that meet r or its borders. Not the one below r that reaches down to the leaf's edge: it may go on there, in
 * the hands of another, who has begun to take it away; r does not change its start. */
static uint32_t count_meets(const struct vtree_section *s, struct lock_range r)
{
	uint32_t mask = vtree_meets(s, r.lo > PAGE_BYTES ? r.lo - PAGE_BYTES : 0, r.hi + PAGE_BYTES);

	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		uint64_t start = vtree_slot_at(s, i).r.lo;

		if (start == s->r.lo && start < r.lo)
			mask &= ~(UINT32_C(1) << i);
	}
	return mask;
}

int64_t limit_counted(struct vmmap *map, const struct vtree_section *s, struct lock_range r)
{
	int64_t n = 0;

	if (!limit_counts(map))
		return 0;
	for (uint32_t mask = count_meets(s, r); mask; mask &= mask - 1) {
		struct vtree_slot slot = vtree_slot_at(s, (unsigned)__builtin_ctz(mask));

		n += count_look(map, s, &slot) != COUNT_NONE && vma_counted(slot.vma);
	}
	return n;
}

/* VMAs that should be counted; then they are. */
static int64_t count_anew(struct vmmap *map, const struct vtree_section *s, struct lock_range r)
{
	int64_t n = 0;

	for (uint32_t mask = count_meets(s, r); mask; mask &= mask - 1) {
		struct vtree_slot slot = vtree_slot_at(s, (unsigned)__builtin_ctz(mask));
		enum count_border border = count_look(map, s, &slot);

		if (border == COUNT_NONE)
			continue;
		vma_count(slot.vma, border == COUNT_REAL);
		n += border == COUNT_REAL;
	}
	return n;
}

void limit_recount(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	uint64_t at = r.lo;

	if (!limit_counts(map))
		return;
	BASE_POINT(limit_before_recount);
	while (at <= r.hi && at < ADDRESS_END) {
		struct vtree_section s;
		uint32_t mask;

		vtree_enter(&map->tree, self, at, &s);
		mask = vtree_meets(&s, at, r.hi + PAGE_BYTES);
		for (; mask; mask &= mask - 1) {
			struct vtree_slot slot = vtree_slot_at(&s, (unsigned)__builtin_ctz(mask));
			enum count_border border = slot.r.lo < r.lo ? COUNT_NONE : count_look(map, &s, &slot);

			if (border == COUNT_NONE)
				continue;
			limit_add(map, self, LIMIT_VMAS, (border == COUNT_REAL) - (int)vma_counted(slot.vma));
			vma_count(slot.vma, border == COUNT_REAL);
		}
		at = s.r.hi;
		vtree_leave(&s);
	}
}

void limit_leave_section(struct vmmap *map, struct vtree_section *s, struct lock_range r, int64_t counted)
{
	if (limit_counts(map))
		limit_add(map, s->self, LIMIT_VMAS, count_anew(map, s, r) - counted);
	vtree_leave(s);
}
