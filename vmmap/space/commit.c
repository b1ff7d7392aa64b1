/* SPDX-License-Identifier: MIT */
/*
 * commit.c - the general form: begin and end of an edit, and what is done under it.
 *
 * A commit allocates nothing: in every leaf that r meets, at least one slot of r goes (a VMA's or a dummy's) and one
 * comes, and a leaf always has one slot to spare. Only under a global policy, which leaves gaps empty, a leaf may have
 * nothing to drop: space_prepare makes room there first, and the global lock keeps it.
 *
 * While several leaves change, all of r stays held: by the VMAs that are going, the one that comes (born held), or the
 * dummy. A fault meets a held word everywhere in r and waits; nobody sees a hole where a mapping is only replaced.
 */
#include "vmmap/space/space.h"

int space_edit_begin(struct vmmap *map, struct lock_edit *e, struct thread_slot *self, struct lock_range r)
{
	int err;

	lock_edit_init(e, self, r);
	err = map->policy->edit_begin(map->lock_state, e, self->deadline_ns);
	if (err)
		space_heal_notes(map, e);
	else
		space_count(map, self, SPACE_GENERAL, 1);
	return err;
}

/* merge.c, ONE LOCK */
static void commit_join(struct vmmap *map, struct lock_edit *e)
{
	if (unlikely(space_merges_due(e)) && space_one_lock(map) && !BASE_MUTANT(merge_after_lock))
		space_heal_held(map, e);
}

void space_edit_end(struct vmmap *map, struct lock_edit *e)
{
	commit_join(map, e);
	map->policy->edit_end(map->lock_state, e);
	if (unlikely(space_merges_due(e)))
		space_heal_notes(map, e);
}

int space_brief_begin(struct vmmap *map, struct lock_edit *e, struct thread_slot *self, struct lock_range r)
{
	lock_edit_init(e, self, r);
	return map->policy->brief_begin(map->lock_state, e, self->deadline_ns);
}

void space_brief_end(struct vmmap *map, struct lock_edit *e)
{
	commit_join(map, e);
	map->policy->brief_end(map->lock_state, e);
	if (unlikely(space_merges_due(e)))
		space_heal_notes(map, e);
}

/* The next VMA or dummy at or after *at, below hi; its bounds in one leaf. */
static bool commit_next(struct vmmap *map, struct thread_slot *self, uint64_t at, uint64_t hi, struct vtree_seen *seen)
{
	bool found;

	rcu_enter(self);
	found = vtree_next(&map->tree, at, hi, seen);
	rcu_leave(self);
	return found;
}

static bool seen_dummy(const struct vtree_seen *seen)
{
	return vma_gap(seen->vma);
}

bool space_empty(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	struct vtree_seen seen;

	for (uint64_t at = r.lo; commit_next(map, self, at, r.hi, &seen); at = seen.r.hi)
		if (!seen_dummy(&seen))
			return false;
	return true;
}

int (space_room)(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	struct vtree_section s;

	for (uint64_t at = r.lo; at < r.hi; at = s.r.hi) {
		if (vtree_enter_room(&map->tree, self, at, 1, &s))
			return -ENOMEM;
		vtree_leave(&s);
	}
	return 0;
}

int (space_prepare)(struct vmmap *map, struct lock_edit *e, struct lock_range r, const struct space_new *fresh,
		  struct vma **vma)
{
	struct vma *v;

	if (vma_reserve(&map->vmas, e->self, 1) || (!e->mine.dummy && space_room(map, e->self, r)))
		return -ENOMEM;
	v = vma_take(&map->vmas, e->self);
	space_vma_fill(e->self, v, fresh);
	atomic_store_release(&v->slot.lk, e->number);                           /* R3 -> V0: born */
	map->policy->edit_born(map->lock_state, e, &v->slot);
	*vma = v;
	return 0;
}

void space_shut(struct vmmap *map, struct lock_edit *e, struct lock_range r)
{
	struct vtree_seen seen;

	for (uint64_t at = r.lo; commit_next(map, e->self, at, r.hi, &seen); at = seen.r.hi)
		if (!seen_dummy(&seen))
			map->policy->edit_shut(map->lock_state, e, &seen.vma->slot);
}

void space_zap(struct vmmap *map, struct thread_slot *self, struct lock_range r, bool tables)
{
	struct space_retire retire;

	space_retire_init(&retire, map, self);
	rcu_enter(self);
	pt_zap(&map->pt, r, &retire.batch);
	retire.batch.flush(&retire.batch);
	if (tables)
		pt_free_tables(&map->pt, self, r);
	rcu_leave(self);
	frame_tidy(map->physmem, self);
}

/* A slot goes; goes_on: it belongs to a VMA whose start went with a leaf below. */
static void replace_pay(struct vmmap *map, struct lock_edit *e, struct vtree_slot go, bool goes_on)
{
	uint64_t bits = atomic_load_acquire(&go.vma->bits);                     /* B2 -> B1: held */

	if (bits & VMA_GAP)
		return;
	limit_pages(map, e->self, bits, -(int64_t)((go.r.hi - go.r.lo) >> PAGE_SHIFT));
	if (!goes_on)
		limit_add(map, e->self, LIMIT_VMAS, -(int64_t)vma_counted(go.vma));
}

/* One leaf of space_replace. VMAs of which no slot is left are chained to *dead. Returns where the leaf ends. */
static uint64_t replace_leaf(struct vmmap *map, struct lock_edit *e, struct lock_range r, struct vma *vma,
			     struct vma **dead)
{
	struct vma *put = vma ? vma : e->mine.dummy ? space_vma(e->mine.dummy) : NULL;
	struct vtree_section s;
	uint32_t mask;
	uint64_t hi;

	vtree_enter(&map->tree, e->self, r.lo, &s);
	hi = r.hi < s.r.hi ? r.hi : s.r.hi;
	mask = vtree_meets(&s, r.lo, hi);
	while (mask) {
		unsigned i = vtree_lowest(&s, mask);
		struct vtree_slot slot = vtree_slot_at(&s, i);
		struct vma *old = slot.vma;

		ASSERT(slot.r.lo >= r.lo && slot.r.hi <= hi);
		ASSERT(!e->mine.lk || atomic_load_acquire(&old->slot.lk) == e->mine.lk); /* A1 -> R3: our own */
		if (unlikely(limit_on(map)))
			replace_pay(map, e, slot, *dead == old);
		mask &= ~(UINT32_C(1) << i);
		vtree_drop(&s, i);
		if (!vma_gap(old) && *dead != old) {
			atomic_store_relaxed(&old->next_free, *dead);    /* slots of one VMA come one after the other */
			*dead = old;
		}
	}
	if (put)
		space_put(&s, r.lo, hi, put);
	BASE_POINT(replace_before_leave);
	vtree_leave(&s);
	BASE_POINT(replace_after_leave);
	return hi;
}

struct vma *space_unlink(struct vmmap *map, struct lock_edit *e, struct lock_range r, struct vma *vma)
{
	struct vma *dead = NULL;

	space_touch(map, e->self, r, LOCK_TOUCH_GAP, true);
	for (struct lock_range rest = r; rest.lo < rest.hi;)
		rest.lo = replace_leaf(map, e, rest, vma, &dead);
	if (unlikely(limit_on(map))) {
		int64_t n = (int64_t)((r.hi - r.lo) >> PAGE_SHIFT);

		if (vma)
			limit_pages(map, e->self, atomic_load_acquire(&vma->bits), n);  /* B2 -> B1: held */
		limit_recount(map, e->self, r);
	}
	for (struct vma *old = dead; old; old = atomic_load_relaxed(&old->next_free))
		map->policy->edit_dead(map->lock_state, e, &old->slot);
	return dead;
}

void space_bury(struct vmmap *map, struct thread_slot *self, struct vma *dead)
{
	while (dead) {
		struct vma *next = atomic_load_relaxed(&dead->next_free);
		struct rmap *rmap = vma_rmap(dead);

		vma_give(&map->vmas, self, dead);
		space_backing_put(rmap);
		dead = next;
	}
}

void space_replace_slots(struct vmmap *map, struct lock_edit *e, struct lock_range r, struct vma *vma)
{
	space_bury(map, e->self, space_unlink(map, e, r, vma));
}

/* For the mutant that takes the old VMAs out before the new one is in. */
static void replace_leave_hole(struct vmmap *map, struct lock_edit *e, struct lock_range r)
{
	struct lock_edit holeless = *e;

	holeless.mine.dummy = NULL;
	space_replace_slots(map, &holeless, r, NULL);
}

void space_replace(struct vmmap *map, struct lock_edit *e, struct lock_range r, struct vma *vma)
{
	space_shut(map, e, r);
	space_touch(map, e->self, r, LOCK_TOUCH_TABLE, true);
	space_touch(map, e->self, r, LOCK_TOUCH_ENTRY, true);
	space_zap(map, e->self, r, true);
	if (BASE_MUTANT(replace_unpublishes_first))
		replace_leave_hole(map, e, r);
	space_replace_slots(map, e, r, vma);
	vtree_join(&map->tree, e->self, r);
}

/* All of the VMA, also what lies in other leaves: its bits are stored once. */
static void change_pay(struct vmmap *map, struct lock_edit *e, const struct vtree_seen *seen, uint64_t before,
		       uint64_t after)
{
	struct lock_range r;
	int64_t n;

	rcu_enter(e->self);
	r = space_extent(map, seen->vma, seen->r.lo, (struct lock_range){ 0, ADDRESS_END });
	rcu_leave(e->self);
	n = (int64_t)((r.hi - r.lo) >> PAGE_SHIFT);
	limit_pages(map, e->self, before, -n);
	limit_pages(map, e->self, after, n);
}

/* In each leaf: one may have been split by now. As a section after the change it also does half of merge.c's LOOK; the
 * mutant that has none skips it, too. */
void space_tell(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	if (BASE_MUTANT(merge_looks_outside))
		return;
	while (r.lo < r.hi) {
		struct vtree_section s;

		vtree_enter(&map->tree, self, r.lo, &s);
		r.lo = s.r.hi;
		vtree_touch(&s);
		vtree_leave(&s);
	}
}

bool space_change(struct vmmap *map, struct lock_edit *e, struct lock_range r, const struct space_rebits *rebits,
		  bool every)
{
	struct vtree_seen seen;
	const struct vma *changed = NULL;
	uint64_t at = r.lo;
	bool whole = true;

	while (at < r.hi) {
		uint64_t bits, next;

		if (!commit_next(map, e->self, at, r.hi, &seen))
			return false;
		if (seen.r.lo > at || seen_dummy(&seen)) {
			whole = false;
			if (!every)
				return false;
		}
		at = seen.r.hi;
		if (seen_dummy(&seen))
			continue;
		bits = atomic_load_acquire(&seen.vma->bits);                    /* B2 -> B1: held */
		next = BASE_MUTANT(change_decides_early) ? rebits->fn(seen.vma, bits, rebits->arg) : bits;
		space_touch(map, e->self, seen.r, LOCK_TOUCH_VMA, true);
		BASE_POINT(change_before_shut);
		/* A VMA that spans leaves is seen once per leaf: its bits were stored at the first. */
		map->policy->edit_shut(map->lock_state, e, &seen.vma->slot);
		if (!BASE_MUTANT(change_decides_early))         /* a visit of before may have written there       */
			next = rebits->fn(seen.vma, bits, rebits->arg);
		if (rebits->prot) {
			rcu_enter(e->self);
			pt_protect(&map->pt, seen.r, space_pt_access(next),
				   space_object_write(next, vma_object(seen.vma)));
			rcu_leave(e->self);
		}
		if (next != bits) {
			if (unlikely(limit_on(map)))
				change_pay(map, e, &seen, bits, next);
			atomic_store_release(&seen.vma->bits, next);            /* B1 -> B2: in place, held */
			changed = seen.vma;
			BASE_POINT(change_before_tell);
		}
		if (seen.vma == changed)
			space_tell(map, e->self, seen.r);
	}
	return whole;
}
