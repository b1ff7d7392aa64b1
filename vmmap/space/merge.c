/* SPDX-License-Identifier: MIT */
/*
 * merge.c - neighbours that have become mergeable become one VMA, so that a quiet map is in Linux's canonical form.
 *
 * RULE        Two VMAs that meet at a border are joined by whoever made them mergeable, before it lets go of its own.
 *             The one outside is tried, never waited for (it may be below: ascending order). A failed try leaves a note
 *             with the holder, who heals the border after its own release. Between the two, a listing puts mergeable
 *             neighbours together (vtree_list), so nobody sees the difference.
 * LOOK        Whoever changes what stands at a border looks at it afterwards, in a section of the leaf that shows the
 *             page above the border. Sections of one leaf follow each other, so of two neighbours that change at the
 *             same time the later look sees both changes (a brief edit's look is the section that changes).
 * JOIN        The left object stays. The slots of the right one get its pointer, leaf by leaf; the slot of the left
 *             one changes only where both stand in one leaf. Both are held meanwhile: faults wait. What it says about
 *             where an object is mapped covers the right one before that (rmap.c).
 * HEAL        A border that is left after a release is joined by a brief edit: both VMAs are taken by tries
 *             (LOCK_BRIEF), the right one is shut, since it dies. A failed try ends in one of three ways:
 *               held, and the holder took the note    done: it heals the border after its release, and so does each
 *                                                     holder that it may meet then
 *               the word was lost, is LOCK_BRIEF,     again, from the look: a few steps of another thread, which waits
 *               or its holder is closing              for no range meanwhile (waiter.h, carve.c)
 *               another VMA stands there              again, from the look
 *             So a quiet map is canonical also if every call of its life was a try. Healing waits for no range, needs
 *             no memory, and may be done while ranges are held. Counted visits do not stop it: they are shut out, as
 *             from any VMA that dies, and wait for nothing inside.
 * ONE LOCK    Under a policy with one lock for all edits (no DISJOINT_EDITS) nobody may be there to be left a note, and
 *             to ask for the lock again may be to wait. There every border is joined before the lock goes: an edit has
 *             all of the map, so that no take fails; a cut of a begin that fails is undone by the policy (view.h,
 *             join); mremap ends its target before it merges its source.
 * PROGRESS    space_heal waits for no range; of two healers of one border the second finds LOCK_BRIEF and looks again.
 */
#include "vmmap/space/space.h"

/* Its word says so; where an edit leaves no words, it has all of the map, or (DISJOINT_EDITS, a brief one) nothing. */
static bool merge_held(struct vmmap *map, const struct lock_edit *e, const struct vma *vma)
{
	if (!e->mine.lk)
		return space_one_lock(map);
	return atomic_load_acquire(&vma->slot.lk) == e->mine.lk;                /* A1 -> R3: our own */
}

/* Takes a VMA outside the edit, in a section that shows it over addr. */
static bool merge_take(struct vmmap *map, struct lock_edit *e, struct vma *vma, uint64_t addr, uint64_t border)
{
	struct vtree_section s;
	bool taken = false;
	int i;

	vtree_pass(&map->tree, e->self, addr, &s);
	i = vtree_slot_over(&s, addr);
	if (i >= 0 && vtree_slot_at(&s, (unsigned)i).vma == vma)
		taken = map->policy->edit_take(map->lock_state, e, &vma->slot, border);
	else
		lock_note_merge(e, border);              /* another merge put its VMA there: look again later      */
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
	uint64_t other = vma_anon(right);

	return !other || vma_anon_join(left, other);
}

/* All slots of `right`, from addr upwards, get `left` instead. */
static void merge_slots(struct vmmap *map, struct thread_slot *self, struct vma *left, struct vma *right, uint64_t addr)
{
	for (;;) {
		struct vtree_section s;
		struct vtree_slot go;
		bool more;
		int i;

		vtree_pass(&map->tree, self, addr, &s);
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

/* The VMA that ends at `at` in another leaf, believed once it was found again after its attributes were read; but only
 * a free lock word says by being the same that nothing happened. Held by another: true, so that it is left a note. */
static bool merge_below(struct vmmap *map, uint64_t mine, uint64_t at, const struct vma *right, struct vma **left)
{
	struct vtree_seen seen, again;
	bool pair;

	do {
		vtree_peek(&map->tree, at - PAGE_BYTES, &seen);
		BASE_POINT(merge_below_found);
		pair = seen.vma && seen.vma != right && !vma_gap(seen.vma) &&
		       vma_mergeable(seen.vma, right);
		BASE_POINT(merge_below_compared);
		vtree_peek(&map->tree, at - PAGE_BYTES, &again);
	} while ((seen.vma != again.vma || seen.lk != again.lk) && !BASE_MUTANT(merge_one_look));
	*left = seen.vma;
	if (!pair && lock_word_held(seen.lk) && seen.lk != mine && !BASE_MUTANT(merge_trusts_held))
		return seen.vma != right && !vma_gap(seen.vma);
	return pair;
}

/* For the mutant: a look without a section. */
static bool merge_glance(struct vmmap *map, struct thread_slot *self, uint64_t mine, uint64_t at)
{
	struct vtree_seen above;
	struct vma *left;
	bool pair;

	rcu_enter(self);
	vtree_peek(&map->tree, at, &above);
	pair = above.vma && merge_below(map, mine, at, above.vma, &left);
	rcu_leave(self);
	return pair;
}

/* Do two VMAs meet at `at` that are mergeable, or may be for all one can see? mine: the lock word of this edit. */
static bool merge_pair(struct vmmap *map, struct thread_slot *self, uint64_t mine, uint64_t at, struct vma **left,
		       struct vma **right)
{
	struct vtree_section s;
	bool pair = false;
	int above, below;

	if (BASE_MUTANT(merge_looks_outside) && !merge_glance(map, self, mine, at))
		return false;
	vtree_pass(&map->tree, self, at, &s);                                    /* LOOK */
	above = vtree_slot_starting(&s, at);
	*right = above < 0 ? NULL : vtree_slot_at(&s, (unsigned)above).vma;
	if (*right && !vma_gap(*right)) {
		if (at == s.r.lo) {
			pair = merge_below(map, mine, at, *right, left);
		} else if ((below = vtree_slot_ending(&s, at)) >= 0) {
			*left = vtree_slot_at(&s, (unsigned)below).vma;
			pair = !vma_gap(*left) && vma_mergeable(*left, *right);
		}
	}
	vtree_leave(&s);
	return pair;
}

static void merge_border(struct vmmap *map, struct lock_edit *e, uint64_t at)
{
	bool left_taken = false, right_taken = false;
	struct vma *left, *right;
	struct rmap *rmap;

	if (at == 0 || at >= ADDRESS_END || !merge_pair(map, e->self, e->mine.lk, at, &left, &right))
		return;
	if (!merge_held(map, e, left) && !(left_taken = merge_take(map, e, left, at - PAGE_BYTES, at)))
		return;
	BASE_POINT(merge_left_taken);
	if (!merge_held(map, e, right) && !(right_taken = merge_take(map, e, right, at, at))) {
		merge_let(map, e, left, left_taken);
		return;
	}
	if ((!right_taken || e->shuts) && !BASE_MUTANT(merge_no_drain))  /* it may die: visits of before must be out */
		map->policy->edit_shut(map->lock_state, e, &right->slot);
	if (!vma_mergeable(left, right) || !merge_groups(left, right)) {
		merge_let(map, e, right, right_taken);
		merge_let(map, e, left, left_taken);
		return;
	}
	BASE_POINT(merge_before_slots);
	rmap = vma_rmap(right);
	if (rmap)
		rmap_swallow(vma_rmap(left), rmap);
	ASSERT(!limit_counts(map) || !vma_counted(right));       /* limit_count.c, HELD */
	merge_slots(map, e->self, left, right, at);
	map->policy->edit_dead(map->lock_state, e, &right->slot);
	vma_give(&map->vmas, e->self, right);
	merge_let(map, e, left, left_taken);
	space_backing_put(rmap);
	space_count(map, e->self, SPACE_MERGE, 1);
}

void space_merge(struct vmmap *map, struct lock_edit *e, struct lock_range r)
{
	struct vtree_seen seen;
	bool found;

	merge_border(map, e, r.lo);
	for (uint64_t at = r.lo; at < r.hi;) {
		rcu_enter(e->self);
		found = vtree_next(&map->tree, at, r.hi, &seen);
		rcu_leave(e->self);
		if (!found)
			return;                          /* a gap: nothing of ours ends at r.hi                 */
		at = seen.r.lo > at ? seen.r.lo : seen.r.hi;
		if (at >= r.hi && vma_gap(seen.vma))
			return;                          /* the same; what is above may be another thread's        */
		at = at < r.hi ? at : r.hi;
		merge_border(map, e, at);
	}
}

void space_join(struct vmmap *map, struct thread_slot *self, uint64_t addr)
{
	struct lock_edit e = { .self = self, .r = { addr, addr } };

	ASSERT(space_one_lock(map));
	merge_border(map, &e, addr);
}

void space_heal_held(struct vmmap *map, struct lock_edit *e)
{
	struct lock_edit due = *e;

	ASSERT(space_one_lock(map));
	for (unsigned i = 0; i < due.merges; i++)
		merge_border(map, e, due.merge_at[i]);
	if (due.merge_in.hi)
		space_merge(map, e, due.merge_in);
	e->merges = 0;
	e->merge_in = (struct lock_range){ 0, 0 };
}

void space_heal(struct vmmap *map, struct thread_slot *self, uint64_t addr)
{
	struct park_spin spin = PARK_SPIN;
	struct lock_edit e;

	for (;;) {
		lock_edit_init(&e, self, (struct lock_range){ addr, addr });
		e.number = thread_next_number(self);
		e.shuts = true;
		merge_border(map, &e, addr);                             /* HEAL */
		if (!e.merges || BASE_MUTANT(heal_tries_once))
			return;
		BASE_POINT(heal_again);
		park_spin(&spin);
	}
}

void space_heal_notes(struct vmmap *map, const struct lock_edit *e)
{
	struct vtree_seen seen;
	bool found = true;

	if (space_one_lock(map))
		return;                                  /* ONE LOCK: joined before it went                           */
	for (unsigned i = 0; i < e->merges; i++)
		space_heal(map, e->self, e->merge_at[i]);
	for (uint64_t at = e->merge_in.lo; found && at <= e->merge_in.hi && e->merge_in.hi;) {
		space_heal(map, e->self, at);
		rcu_enter(e->self);
		found = vtree_next(&map->tree, at, e->merge_in.hi + PAGE_BYTES, &seen);
		rcu_leave(e->self);
		at = found && seen.r.lo > at ? seen.r.lo : found ? seen.r.hi : at;
	}
}
