/* SPDX-License-Identifier: MIT */
/*
 * grow.c - stacks: the fault that misses a GROWSDOWN VMA extends it downwards, and nothing is placed in its guard gap.
 *
 * RULE        Linux's (mm/vma.c, expand_downwards): the VMA next above the page is GROWSDOWN; the one next below ends
 *             SPACE_GUARD or more below the page, or is itself GROWSDOWN, or allows nothing. Else: MAPERR.
 * LOOK        In a visit (space_may_grow; global policies keep edits out), at one instant: the hole, and what is above.
 *             Nothing, or a VMA that is free and no stack: MAPERR, certainly. One that is held may be on its way out,
 *             after a stack below it and before one above it: then the answer is given under the hold, as for a stack.
 * HOLD        [page - SPACE_GUARD, end of the stack), by a fault that has left its visit, holds nothing and is not
 *             pinned; one range, upwards. What was seen before is forgotten: all is looked at again, and nothing in
 *             there can change: the answer, a refusal too, is true at that instant.
 * STEPS       1 room: the dummy that stands over the page is cut there (the only allocation; failure changes nothing);
 *               a window, if there are limits (limit.h): what they refuse is MAPERR
 *             2 the anonymous group, as Linux makes it with the growth
 *             3 leaf by leaf, from the stack downwards: its slot takes the dummy's place
 *             4 merge, release; the fault begins again, finds the page in the stack, and checks the protection
 * WHOLE       Whoever lists meanwhile sees one contiguous VMA with the end it always had: a growth over leaf borders
 *             is a row of growths, each of one publication. The VMA's object stays, `delta` too: offsets stay right.
 *             Its bounds only grow, so what others remember of it (lock_view.c, LOOK) stays true.
 * GUARD       A mapping that is placed (not fixed) ends at or below start - SPACE_GUARD of a stack next above. Who
 *             takes the place asks space_guarded in the leaf section that shows all of it as free, or holding it. A
 *             growth that would make the answer wrong holds the place too (page - SPACE_GUARD and up, taken low to
 *             high, before its first publication, given back after its last): so either its dummy is met at the
 *             place, or its new start is seen, or it has not begun and will find the new mapping.
 * EDGES       K1 `stacks` is set (seq_cst) before the first stack of a map is published, and never cleared.
 *             K2 readers load it (acquire) after they entered the section or met the hole: what shows them a stack's
 *             work shows it too. All else goes by the sections' words and lk, as in any edit.
 * LOCK ORDER  as any general edit; the look at what is above, inside a section, takes nothing (a reader's).
 * PROGRESS    A growth waits like any edit. It begins again only after another thread has changed the map there.
 * NOT PROMISED  that two calls keep apart of which one places a mapping and the other makes a stack where there was
 *             none (mmap, mremap, munmap of what lay below a stack), each in leaves of its own: then it is as if the
 *             placed one had come first, though a listing between the two may have shown the stack.
 * Source: Linux 6.18, mm/vma.c and mm/mmap.c. "Let go, take, look again": Linux's rule for upgrades of mmap_lock.
 */
#include "vmmap/space/space.h"

/* ---- the guard gap ---- */

bool space_guard_meets(struct vmmap *map, struct thread_slot *self, uint64_t end, uint64_t *from)
{
	struct vtree_listed v;
	bool stack;

	rcu_enter(self);
	stack = vtree_above(&map->tree, end, end + SPACE_GUARD, &v) && v.bits & VMA_GROWSDOWN;
	rcu_leave(self);
	if (!stack)
		return false;
	if (from)
		*from = v.r.lo > SPACE_GUARD ? v.r.lo - SPACE_GUARD : 0;
	return true;
}

/* ---- growth ---- */

/* Inside a visit that met a hole. */
static bool grow_perhaps(struct vmmap *map, uint64_t page)
{
	struct vtree_listed v;

	if (page < map->lo || !vtree_list(&map->tree, page, ADDRESS_END, &v))
		return false;
	return v.r.lo <= page || v.bits & VMA_GROWSDOWN || (lock_word_held(v.lk) && !BASE_MUTANT(grow_trusts_held));
}

int space_may_grow(struct vmmap *map, struct thread_slot *self, uint64_t page)
{
	struct lock_visit v = { .self = self, .r = { page, page + PAGE_BYTES } };
	int err = map->policy->visit_begin(map->lock_state, &v, self->deadline_ns);
	bool perhaps;

	if (err)
		return err;
	perhaps = v.slot || grow_perhaps(map, page) || !map->policy->visit_valid(map->lock_state, &v);
	if (perhaps && !pt_make(&map->pt, self, page))           /* where tables are locked it is made in a visit  */
		err = -ENOMEM;
	if (BASE_MUTANT(grow_inside_visit) && perhaps && !err)
		err = space_grow(map, self, page, &(unsigned){ 0 });
	map->policy->visit_end(map->lock_state, &v);
	return err ? err : perhaps ? 0 : -EFAULT;
}

/* What a growth to `page` has to hold. false: the page is mapped by now, or nothing is above. */
static bool grow_range(struct vmmap *map, struct thread_slot *self, uint64_t page, struct lock_range *r)
{
	struct vtree_listed v;
	bool found;

	rcu_enter(self);
	found = vtree_list(&map->tree, page, ADDRESS_END, &v) && v.r.lo > page;
	rcu_leave(self);
	if (!found)
		return false;
	r->lo = page - map->lo > SPACE_GUARD ? page - SPACE_GUARD : map->lo;
	r->hi = v.bits & VMA_GROWSDOWN ? v.r.hi : v.r.lo + PAGE_BYTES;
	if (BASE_MUTANT(grow_holds_no_guard))
		r->lo = page;
	return true;
}

/* The VMAs next below and next above a page that is not mapped, as slots, in a range that is held. */
struct grow_beside { struct vma *below, *above; uint64_t below_hi, above_lo; bool mapped; };

static struct grow_beside grow_look(struct vmmap *map, struct lock_edit *e, uint64_t page)
{
	struct grow_beside b = { 0 };
	struct vtree_seen seen;

	rcu_enter(e->self);
	for (uint64_t at = e->r.lo; !b.above && vtree_next(&map->tree, at, e->r.hi, &seen); at = seen.r.hi) {
		if (vma_gap(seen.vma))
			continue;
		if (seen.r.hi <= page)
			b.below = seen.vma, b.below_hi = seen.r.hi;
		else
			b.above = seen.vma, b.above_lo = seen.r.lo;
	}
	rcu_leave(e->self);
	b.mapped = b.above && b.above_lo <= page;
	return b;
}

/* Linux's conditions, but for limits. */
static bool grow_allowed(const struct grow_beside *b, uint64_t page)
{
	uint64_t below = b->below ? atomic_load_acquire(&b->below->bits) : 0;   /* B2 -> B1: held */

	if (!(atomic_load_acquire(&b->above->bits) & VMA_GROWSDOWN) &&          /* B2 -> B1: held */
	    !BASE_MUTANT(grow_trusts_look))
		return false;
	if (below & VMA_PROT && !(below & VMA_GROWSDOWN) && page - b->below_hi < SPACE_GUARD)
		return false;
	/* written memory that was moved keeps its offsets: they cannot fall below 0 */
	return (int64_t)(page >> PAGE_SHIFT) + atomic_load_acquire(&b->above->delta) >= 0;      /* B2 -> B1: held */
}

/* Makes sure that grow_leaf will find room in every leaf of gap, and no dummy across its lower end. */
static int grow_room(struct vmmap *map, struct lock_edit *e, struct lock_range gap)
{
	struct vtree_section s;
	struct vtree_slot slot;
	int i;

	if (!e->mine.dummy)
		return space_room(map, e->self, gap);
	if (vtree_enter_room(&map->tree, e->self, gap.lo, 2, &s))
		return -ENOMEM;
	i = vtree_slot_over(&s, gap.lo);
	ASSERT(i >= 0);
	slot = vtree_slot_at(&s, (unsigned)i);
	if (slot.r.lo < gap.lo) {
		vtree_drop(&s, (unsigned)i);
		vtree_add(&s, slot.r.lo, gap.lo, slot.vma);
		vtree_add(&s, gap.lo, slot.r.hi, slot.vma);
	}
	vtree_leave(&s);
	return 0;
}

/* The part of gap that lies in the leaf of addr becomes the stack's. Returns it. All of gap is still a dummy: a leaf
 * that was done may have been joined with the next one meanwhile, and what it has of the stack must not go. */
static struct lock_range grow_leaf(struct vmmap *map, struct thread_slot *self, struct lock_range gap, uint64_t addr,
				   struct vma *stack)
{
	struct lock_range part = gap;
	struct vtree_section s;
	uint32_t mask;

	vtree_enter(&map->tree, self, addr, &s);
	part.lo = part.lo > s.r.lo ? part.lo : s.r.lo;
	part.hi = part.hi < s.r.hi ? part.hi : s.r.hi;
	for (mask = vtree_meets(&s, part.lo, part.hi); mask; mask &= mask - 1)
		vtree_drop(&s, (unsigned)__builtin_ctz(mask));           /* dummies of this edit */
	space_put(&s, part.lo, part.hi, stack);
	vtree_leave(&s);
	BASE_POINT(grow_after_leaf);
	return part;
}

static void grow_slots(struct vmmap *map, struct thread_slot *self, struct lock_range gap, struct vma *stack)
{
	if (BASE_MUTANT(grow_low_first)) {
		while (gap.lo < gap.hi)
			gap.lo = grow_leaf(map, self, gap, gap.lo, stack).hi;
		return;
	}
	for (uint64_t at = gap.hi; at > gap.lo;) {
		at = grow_leaf(map, self, gap, at - PAGE_BYTES, stack).lo;
		gap.hi = BASE_MUTANT(grow_forgets_done) ? gap.hi : at;
	}
}

/* Do limits refuse it? If not, a window is open. A lock split may have cut off the upper part of Linux's VMA. */
static bool grow_limited(struct vmmap *map, struct thread_slot *self, const struct grow_beside *b, uint64_t page)
{
	struct vtree_listed whole = { .r = { 0 } };
	uint64_t bits = atomic_load_acquire(&b->above->bits);                   /* B2 -> B1: held */

	rcu_enter(self);
	vtree_list(&map->tree, b->above_lo, b->above_lo + PAGE_BYTES, &whole);
	rcu_leave(self);
	return limit_grow(map, self, bits, b->above_lo - page, whole.r.hi - page) != 0;
}

/* In the window. */
static void grow_pay(struct vmmap *map, struct thread_slot *self, struct lock_range gap, const struct vma *stack)
{
	if (!BASE_MUTANT(grow_pays_nothing))
		limit_pages(map, self, atomic_load_acquire(&stack->bits),       /* B2 -> B1: held */
			    (int64_t)((gap.hi - gap.lo) >> PAGE_SHIFT));
	limit_recount(map, self, gap);
	limit_end(map, self);
}

/* e holds the page, the guard gap below, and what stands next above. */
static int grow_held(struct vmmap *map, struct lock_edit *e, uint64_t page, unsigned *grew)
{
	struct grow_beside b = grow_look(map, e, page);
	struct lock_range gap = { page, b.above_lo };
	bool limited = limit_on(map) || map->limits.stack;

	BASE_POINT(grow_after_look);
	if (!b.above || b.mapped)
		return 0;
	if (!grow_allowed(&b, page))
		return -EFAULT;
	if (grow_room(map, e, gap))
		return -ENOMEM;
	if (limited && grow_limited(map, e->self, &b, page))
		return -EFAULT;
	space_touch(map, e->self, gap, LOCK_TOUCH_GAP, true);
	BASE_POINT(grow_before_slots);
	if (!vma_anon(b.above))
		vma_anon_join(b.above, thread_next_number(e->self) | 1);
	if (unlikely(vma_rmap(b.above) != NULL))
		rmap_extend(vma_rmap(b.above), gap);
	grow_slots(map, e->self, gap, b.above);
	if (limited)
		grow_pay(map, e->self, gap, b.above);
	*grew = 1;
	return 0;
}

int space_grow(struct vmmap *map, struct thread_slot *self, uint64_t page, unsigned *grew)
{
	struct lock_range r;
	struct lock_edit e;
	int err;

	if (!grow_range(map, self, page, &r))
		return 0;
	BASE_POINT(grow_before_hold);
	err = space_edit_begin(map, &e, self, r);
	if (err)
		return err;
	BASE_POINT(grow_held);
	err = grow_held(map, &e, page, grew);
	space_merge(map, &e, r);
	space_edit_end(map, &e);
	return err;
}
