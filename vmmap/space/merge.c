/* SPDX-License-Identifier: MIT */
/*
 * merge.c - neighbours that have become mergeable become one VMA, so that a quiet map is in Linux's canonical form.
 *
 * RULE        Two VMAs that meet at a border are joined by whoever made them mergeable, before it lets go of its own.
 *             The one outside is tried, never waited for (it may be below: ascending order). A failed try leaves a note
 *             with the holder, who retries the border as a fresh acquisition after its own release. Between the two, a
 *             listing puts mergeable neighbours together (vtree_list), so nobody sees the difference.
 * JOIN        The left object stays. The slots of the right one get its pointer, leaf by leaf; the slot of the left
 *             one changes only where both stand in one leaf. Both are held meanwhile: faults wait.
 * PROGRESS    space_heal never waits while it holds anything; two healers of one border exclude each other by range.
 */
#include "vmmap/space/space.h"

static bool merge_held(const struct lock_edit *e, const struct vma *vma)
{
	return e->mine.lk && atomic_load_acquire(&vma->slot.lk) == e->mine.lk;
}

/* Takes a VMA outside the edit, in a section that shows it over addr. */
static bool merge_take(struct vmmap *map, struct lock_edit *e, struct vma *vma, uint64_t addr, uint64_t border)
{
	struct vtree_section s;
	bool taken = false;
	int i;

	vtree_enter(&map->tree, e->self, addr, &s);
	i = vtree_slot_over(&s, addr);
	if (i >= 0 && vtree_slot_at(&s, (unsigned)i).vma == vma)
		taken = map->policy->edit_take(map->lock_state, e, &vma->slot, border);
	vtree_leave(&s);
	return taken;
}

static void merge_let(struct vmmap *map, struct lock_edit *e, struct vma *vma, bool taken)
{
	if (taken)
		map->policy->edit_drop(map->lock_state, e, &vma->slot);
}

/* The groups become one, or stay two. */
static bool merge_groups(struct vma *left, struct vma *right)
{
	uint64_t mine = 0, other = atomic_load_acquire(&right->anon);

	return !other || atomic_cas_acqrel(&left->anon, &mine, other) || mine == other;
}

/* All slots of `right`, from addr upwards, get `left` instead. */
static void merge_slots(struct vmmap *map, struct thread_slot *self, struct vma *left, struct vma *right, uint64_t addr)
{
	for (;;) {
		struct vtree_section s;
		struct vtree_slot go;
		bool more;
		int i;

		vtree_enter(&map->tree, self, addr, &s);
		i = vtree_slot_over(&s, addr);
		go = i < 0 ? (struct vtree_slot){ 0 } : vtree_slot_at(&s, (unsigned)i);
		if (go.vma != right) {
			vtree_leave(&s);
			return;
		}
		vtree_drop(&s, (unsigned)i);
		space_put(&s, go.r.lo, go.r.hi, left);
		addr = go.r.hi;
		more = addr == s.r.hi && addr < ADDRESS_END;
		vtree_leave(&s);
		if (!more)
			return;
	}
}

/* Do two mergeable VMAs meet at `at`? Both are found again after their attributes were read: in between one may have
 * become another VMA elsewhere, and a wrong "no" would leave the border to nobody. */
static bool merge_pair(struct vmmap *map, struct thread_slot *self, uint64_t at, struct vtree_seen *left,
		       struct vtree_seen *right)
{
	struct vtree_seen left_again, right_again;
	bool pair, same;

	rcu_enter(self);
	do {
		vtree_find(&map->tree, at - PAGE_BYTES, left);
		vtree_find(&map->tree, at, right);
		pair = left->vma && right->vma && left->vma != right->vma &&
		       !(atomic_load_acquire(&left->vma->bits) & VMA_GAP) && vma_mergeable(left->vma, right->vma);
		vtree_find(&map->tree, at - PAGE_BYTES, &left_again);
		vtree_find(&map->tree, at, &right_again);
		same = left->vma == left_again.vma && right->vma == right_again.vma && left->lk == left_again.lk &&
		       right->lk == right_again.lk;
	} while (!pair && !same);
	rcu_leave(self);
	return pair;
}

static void merge_border(struct vmmap *map, struct lock_edit *e, uint64_t at)
{
	bool left_taken = false, right_taken = false;
	struct vtree_seen left, right;
	struct object *object;

	if (at == 0 || at >= ADDRESS_END || !merge_pair(map, e->self, at, &left, &right))
		return;
	if (!merge_held(e, left.vma) && !(left_taken = merge_take(map, e, left.vma, at - PAGE_BYTES, at)))
		return;
	if (!merge_held(e, right.vma) && !(right_taken = merge_take(map, e, right.vma, at, at))) {
		merge_let(map, e, left.vma, left_taken);
		return;
	}
	if (!vma_mergeable(left.vma, right.vma) || !merge_groups(left.vma, right.vma)) {
		merge_let(map, e, right.vma, right_taken);
		merge_let(map, e, left.vma, left_taken);
		return;
	}
	if (!right_taken)
		map->policy->edit_shut(map->lock_state, e,
				       &right.vma->slot); /* it dies: visits of before must be out */
	BASE_POINT(merge_before_slots);
	merge_slots(map, e->self, left.vma, right.vma, at);
	object = right.vma->object;
	map->policy->edit_dead(map->lock_state, e, &right.vma->slot);
	vma_give(&map->vmas, e->self, right.vma);
	merge_let(map, e, left.vma, left_taken);
	if (object)
		object_put(object);
	space_count(map, e->self, SPACE_MERGE, 1);
}

void space_merge(struct vmmap *map, struct lock_edit *e, struct lock_range r)
{
	struct vtree_seen seen;
	uint64_t at = r.lo;

	for (;;) {
		bool found;

		merge_border(map, e, at);
		if (at >= r.hi)
			return;
		rcu_enter(e->self);
		found = vtree_next(&map->tree, at, &seen);
		rcu_leave(e->self);
		if (!found)
			return;
		at = seen.r.lo > at ? seen.r.lo : seen.r.hi;
		if (at > r.hi)
			at = r.hi;
	}
}

/* One border, as an edit of the two VMAs that meet there. false: nothing to do, or no memory for it. */
static bool heal_border(struct vmmap *map, struct thread_slot *self, uint64_t addr, struct lock_edit *e)
{
	struct vtree_seen left, right;
	struct lock_range hull;

	if (addr == 0 || addr >= ADDRESS_END || !merge_pair(map, self, addr, &left, &right))
		return false;
	rcu_enter(self);
	hull.lo = space_extent(map, left.vma, addr - PAGE_BYTES).lo;
	hull.hi = space_extent(map, right.vma, addr).hi;
	rcu_leave(self);
	*e = (struct lock_edit){ .self = self, .r = hull };
	if (map->policy->edit_begin(map->lock_state, e, LOCK_FOREVER))
		return false;
	space_merge(map, e, hull);
	map->policy->edit_end(map->lock_state, e);
	return true;
}

#define HEAL_QUEUE 16

void space_heal(struct vmmap *map, struct thread_slot *self, uint64_t addr)
{
	uint64_t queue[HEAL_QUEUE] = { addr };
	struct lock_edit e;
	unsigned n = 1;

	while (n) {
		if (!heal_border(map, self, queue[--n], &e))
			continue;
		if (e.merge_in.hi) {
			space_heal_notes(map, &e);
			continue;
		}
		for (unsigned i = 0; i < e.merges; i++)
			if (n < HEAL_QUEUE)
				queue[n++] = e.merge_at[i];
			else
				space_heal(map, self, e.merge_at[i]);
	}
}
