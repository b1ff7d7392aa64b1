/* SPDX-License-Identifier: MIT */
/*
 * lock_view.c - the map as a lock policy sees it (locks/policy/policy.h): find, claim, cut, pass.
 *
 * CLAIM       one leaf section puts the claimant's word into everything of one leaf, low to high. A VMA that crosses a
 *             border of the range is cut in that section: the middle is born held, the outer pieces are free with a
 *             new version. lk is set by a seq_cst RMW (D1) before anything else about the VMA changes.
 * CUT         While a VMA is being cut it shows LOCK_BRIEF, not the claimant's word. Who wants a page of an outer piece
 *             would else queue on an acquisition that will not hold it, and sleep until its end: a chain that need not
 *             rise. A VMA in which a visit insists (pins in its slot) is not cut: the pin would be on another piece.
 * SPANS       a VMA that goes on in other leaves is taken first (its lk), then cut leaf by leaf while it is held.
 * LOOK        A thread's visit begins with what its last one met: a version stands for one VMA whose bounds only grow,
 *             so an equal lk says that the bounds remembered with it are still covered. Whoever shrinks or moves a VMA
 *             has its lk first and stores another version (claim, carve, cut); who only extends one need not. The
 *             memory of VMAs is type-stable, so the load of a dead one's lk is harmless.
 * PIN         A visit may be pinned on the piece that a cut leaves outside, with a page that the cut gave away. It
 *             locks its entry, then finds again; we publish the cut, then store the left piece's version seq_cst, then
 *             look at entries: either it finds the new slots, or we find its entry LOCKED.
 * PASS        from low to high; a VMA's word by a store (its holder alone changes a held word), a dummy's slots in leaf
 *             sections.
 */
#include "vmmap/space/space.h"

static void seen_fill(struct lock_seen *out, const struct vtree_seen *seen)
{
	out->slot = seen->vma ? &seen->vma->slot : NULL;
	out->lk = seen->lk;
	out->r = seen->r;
	out->dummy = seen->vma && vma_gap(seen->vma);
}

static void view_find(struct lock_space *space, uint64_t addr, struct lock_seen *out)
{
	struct vtree_seen seen;

	vtree_find(&space_of(space)->tree, addr, &seen);
	seen_fill(out, &seen);
}

/* Off the way of a visit that meets what the thread's last one met. */
static NOINLINE uint64_t look_in_tree(struct vmmap *map, struct space_local *local, struct lock_range *r,
				      struct lock_slot **slot)
{
	struct vtree_seen seen;

	vtree_find(&map->tree, r->lo, &seen);
	r->hi = seen.r.hi < r->hi ? seen.r.hi : r->hi;
	*slot = seen.vma ? &seen.vma->slot : NULL;
	if (likely(seen.vma && local && lock_word_free(seen.lk)))
		local->last = (struct space_last){ &seen.vma->slot, seen.lk, seen.r };
	return seen.lk;
}

static uint64_t view_look(struct lock_space *space, struct thread_slot *self, struct lock_range *r,
			  struct lock_slot **slot)
{
	struct vmmap *map = space_of(space);
	struct space_local *local = thread_local_mine(&map->locals, self);
	const struct space_last *last;

	if (unlikely(!local) || !lock_range_holds(local->last.r, r->lo) ||
	    atomic_load_acquire(&local->last.slot->lk) != local->last.lk)        /* LOOK -> D1 */
		return look_in_tree(map, local, r, slot);
	last = &local->last;
	r->hi = last->r.hi < r->hi ? last->r.hi : r->hi;
	*slot = last->slot;
	return last->lk;
}

static void view_next(struct lock_space *space, uint64_t addr, struct lock_seen *out)
{
	struct vtree_seen seen;

	if (!vtree_next(&space_of(space)->tree, addr, ADDRESS_END, &seen))
		seen = (struct vtree_seen){ 0 };
	seen_fill(out, &seen);
}

static void view_dummy_init(struct lock_space *space, void *buffer, struct lock_slot **slot)
{
	struct vma *dummy = buffer;

	(void)space;
	*dummy = (struct vma){ 0 };
	atomic_store_relaxed(&dummy->bits, VMA_GAP);
	*slot = &dummy->slot;
}

/* A piece of `vma`, with this lock word. vma_reserve was called. */
static struct vma *view_piece(struct vmmap *map, struct thread_slot *self, const struct vma *vma, uint64_t lk)
{
	struct vma *piece = vma_take(&map->vmas, self);

	space_vma_copy(self, piece, vma);
	atomic_store_release(&piece->slot.lk, lk);                              /* R3 -> V0: born */
	space_count(map, self, SPACE_SPLIT, 1);
	return piece;
}

/* For a piece that goes free. Each has a number of its own: before the next piece is cut the VMA of this one may have
 * died and have come back for that, and a version stands for one life (LOOK). */
static uint64_t claim_version(const struct lock_claim *c, struct thread_slot *self)
{
	return BASE_MUTANT(claim_one_version) ? c->mine.lk + 1 : thread_next_number(self);
}

static void view_piece_undo(struct vmmap *map, struct thread_slot *self, struct vma *piece)
{
	struct rmap *rmap = vma_rmap(piece);

	atomic_store_release(&piece->slot.lk, LOCK_DEAD);                       /* G1 -> V1, P2 */
	vma_give(&map->vmas, self, piece);
	space_backing_put(rmap);
}

/* The VMA is held by us and spans leaves. Cuts it to c->r; outer pieces are freed. *hi: where what we hold ends. */
static int claim_spanning(struct vmmap *map, struct thread_slot *self, struct lock_claim *c, struct vma *vma,
			  uint64_t *hi)
{
	struct lock_range has;
	struct vma *piece;
	int err = 0;

	rcu_enter(self);
	has = space_extent(map, vma, c->r.lo, c->r);
	rcu_leave(self);
	BASE_POINT(claim_after_extent);
	*hi = has.hi < c->r.hi ? has.hi : c->r.hi;
	if (has.hi > c->r.hi) {
		piece = view_piece(map, self, vma, BASE_MUTANT(claim_shows_outer) ? c->mine.lk : LOCK_BRIEF);
		err = space_cut_held(map, self, vma, c->r.hi, piece);
		if (err)
			view_piece_undo(map, self, piece);
		else
			atomic_store_release(&piece->slot.lk, claim_version(c, self));  /* R3 -> A1, V0 */
	}
	if (!err && has.lo < c->r.lo) {
		piece = view_piece(map, self, vma, c->mine.lk);
		err = space_cut_held(map, self, vma, c->r.lo, piece);
		if (err)
			view_piece_undo(map, self, piece);
		else
			atomic_store_seqcst(&vma->slot.lk, claim_version(c, self));     /* PIN -> P2; left piece */
	} else if (!err) {
		atomic_store_release(&vma->slot.lk, c->mine.lk);                /* D1 -> V0: ours */
	}
	if (err)
		atomic_store_release(&vma->slot.lk, claim_version(c, self));    /* R3 -> A1, V0 */
	return err;
}

/* In the section: the VMA in slot i lies in this leaf only and is free; takes it, cut to r. */
static void claim_cut(struct vmmap *map, struct vtree_section *s, struct lock_claim *c, struct vtree_slot slot,
		      unsigned i)
{
	struct lock_range r = { slot.r.lo < c->r.lo ? c->r.lo : slot.r.lo, slot.r.hi > c->r.hi ? c->r.hi : slot.r.hi };
	struct vma *middle = slot.vma;

	vtree_drop(s, i);
	if (slot.r.hi > r.hi)
		vtree_add(s, r.hi, slot.r.hi, view_piece(map, s->self, slot.vma, claim_version(c, s->self)));
	if (slot.r.lo < r.lo) {
		middle = view_piece(map, s->self, slot.vma,
				    BASE_MUTANT(claim_middle_free) ? thread_next_number(s->self) : c->mine.lk);
		vtree_add(s, slot.r.lo, r.lo, slot.vma);
	}
	vtree_add(s, r.lo, r.hi, middle);
}

enum claim_step { CLAIM_ON, CLAIM_LEAVE, CLAIM_BUSY, CLAIM_SPANS };

/* The object that was cut, its word before, and whether it is the left piece now, not the middle. Or what spans. */
struct claim_was { struct vma *vma; uint64_t old; bool left; };

/* A visit insists in there: it waits for nothing, and the cut would take its page from under its pin. */
static bool claim_pinned(struct lock_slot *slot)
{
	return unlikely(atomic_load_seqcst(&slot->pins) != 0) && !BASE_MUTANT(claim_cuts_pinned);        /* D2 -> P1 */
}

/* What stands at c->r.lo, in this section. *cut gets its word after the section. */
static enum claim_step claim_step(struct vmmap *map, struct vtree_section *s, struct lock_claim *c,
				  struct claim_was *cut, uint64_t *next)
{
	uint64_t end = c->r.hi < s->r.hi ? c->r.hi : s->r.hi, word, lk;
	int i = vtree_slot_over(s, c->r.lo);
	struct vtree_slot slot;

	if (i < 0) {
		uint32_t above = vtree_meets(s, c->r.lo, end);

		if (BASE_MUTANT(claim_skips_gap))
			*next = above ? vtree_slot_at(s, vtree_lowest(s, above)).r.lo : end;
		if (!vtree_room(s))
			return CLAIM_LEAVE;      /* it is next, in a section that makes room                       */
		*next = above ? vtree_slot_at(s, vtree_lowest(s, above)).r.lo : end;
		*next = *next < c->stop ? *next : c->stop;
		vtree_add(s, c->r.lo, *next, space_vma(c->mine.dummy));
		return CLAIM_ON;
	}
	slot = vtree_slot_at(s, (unsigned)i);
	lk = atomic_load_seqcst(&slot.vma->slot.lk);                            /* A1 -> R3; V0 -> D1: whose */
	if (lock_word_held(lk) && !(lk == LOCK_BRIEF && BASE_MUTANT(claim_steals_brief))) {
		c->held = (struct lock_seen){ &slot.vma->slot, lk, slot.r,
					      vma_gap(slot.vma) };
		return CLAIM_BUSY;
	}
	bool spans = space_spans(map, s, &slot) != 0, crosses = slot.r.lo < c->r.lo || slot.r.hi > c->r.hi;

	if (crosses && !spans && vtree_room(s) < 3)
		return CLAIM_LEAVE;
	word = (crosses || spans) && !BASE_MUTANT(claim_shows_outer) ? LOCK_BRIEF : c->mine.lk;
	if (!atomic_cas_seqcst(&slot.vma->slot.lk, &lk, word))   /* A1 -> R3; D1 -> F2, P2, LOOK */
		return CLAIM_LEAVE;
	if ((crosses || spans) && claim_pinned(&slot.vma->slot)) {
		atomic_store_release(&slot.vma->slot.lk, lk);           /* R3 -> A1, V0: nothing was done under ours */
		return CLAIM_LEAVE;
	}
	BASE_POINT(claim_after_lk);
	*next = slot.r.hi < end ? slot.r.hi : end;
	if (spans) {
		cut->vma = slot.vma;
		return CLAIM_SPANS;
	}
	if (crosses) {
		claim_cut(map, s, c, slot, (unsigned)i);
		*cut = (struct claim_was){ slot.vma, lk, slot.r.lo < c->r.lo };
	}
	return crosses ? CLAIM_LEAVE : CLAIM_ON;
}

static int view_claim(struct lock_space *space, struct lock_claim *c)
{
	struct vmmap *map = space_of(space);
	struct thread_slot *self = thread_self();
	enum claim_step step = CLAIM_ON;
	struct claim_was cut = { NULL, 0, false };
	struct vtree_section s;
	uint64_t from = c->r.lo, leaf_hi, next, version;

	if (vma_reserve(&map->vmas, self, 2) || vtree_enter_room(&map->tree, self, c->r.lo, 3, &s))
		return -ENOMEM;
	leaf_hi = s.r.hi;
	while (step == CLAIM_ON && c->r.lo < c->r.hi && c->r.lo < leaf_hi && c->r.lo < c->stop) {
		next = c->r.lo;
		step = claim_step(map, &s, c, &cut, &next);
		if (step == CLAIM_ON || step == CLAIM_LEAVE)
			c->r.lo = next;
	}
	version = cut.left ? claim_version(c, self) : 0;
	if (cut.left && BASE_MUTANT(claim_left_early))
		atomic_store_seqcst(&cut.vma->slot.lk, version);                /* PIN -> P2 */
	BASE_POINT(claim_before_leave);
	vtree_leave(&s);
	if (step == CLAIM_SPANS) {
		int err = claim_spanning(map, self, c, cut.vma, &next);

		c->r.lo = err ? c->r.lo : next;
		return err;
	}
	if (cut.left)                                    /* the left piece keeps the object */
		atomic_store_seqcst(&cut.vma->slot.lk,                                           /* PIN -> P2 */
				    BASE_MUTANT(claim_old_version) ? cut.old : version);
	else if (cut.vma)
		atomic_store_release(&cut.vma->slot.lk, c->mine.lk);            /* D1 -> V0: ours */
	return step == CLAIM_BUSY && c->r.lo == from ? -EBUSY : 0;
}

/* For global policies: no word is ever held, the caller keeps all others out. */
static int view_cut(struct lock_space *space, uint64_t addr)
{
	struct vmmap *map = space_of(space);
	struct thread_slot *self = thread_self();
	struct vtree_seen seen;
	struct vma *right;
	bool crosses;
	int err;

	if (addr == 0 || addr >= ADDRESS_END)
		return 0;
	rcu_enter(self);
	vtree_find(&map->tree, addr, &seen);
	crosses = seen.vma && space_extent(map, seen.vma, addr, (struct lock_range){ addr, addr }).lo < addr;
	rcu_leave(self);
	if (!crosses)
		return 0;
	if (vma_reserve(&map->vmas, self, 1))
		return -ENOMEM;
	right = view_piece(map, self, seen.vma, thread_next_number(self));
	err = space_cut_held(map, self, seen.vma, addr, right);
	if (err)
		view_piece_undo(map, self, right);
	else if (!BASE_MUTANT(cut_keeps_version))
		atomic_store_release(&seen.vma->slot.lk, thread_next_number(self));      /* LOOK */
	return err;
}

static void view_join(struct lock_space *space, uint64_t addr)
{
	space_join(space_of(space), thread_self(), addr);
}

/* Dummies of one leaf. false: no room to leave pieces standing; the slot was not touched. */
static bool pass_dummy(struct vmmap *map, struct thread_slot *self, struct lock_range r, struct lock_slot *from,
		       struct lock_slot *to, uint64_t *next)
{
	struct vtree_section s;
	struct vtree_slot slot;
	unsigned pieces;
	int i;

	if (vtree_enter_room(&map->tree, self, r.lo, 3, &s))
		vtree_enter(&map->tree, self, r.lo, &s);
	i = vtree_slot_over(&s, r.lo);
	*next = r.hi;
	if (i < 0 || (slot = vtree_slot_at(&s, (unsigned)i)).vma != space_vma(from)) {
		vtree_leave(&s);
		return true;
	}
	*next = slot.r.hi < r.hi ? slot.r.hi : r.hi;
	pieces = (slot.r.lo < r.lo) + (slot.r.hi > *next) + (to != NULL);
	if (pieces > vtree_room(&s)) {
		vtree_leave(&s);
		return false;
	}
	vtree_drop(&s, (unsigned)i);
	if (slot.r.lo < r.lo)
		vtree_add(&s, slot.r.lo, r.lo, slot.vma);
	if (slot.r.hi > *next)
		vtree_add(&s, *next, slot.r.hi, slot.vma);
	if (to)
		vtree_add(&s, r.lo, *next, space_vma(to));
	vtree_leave(&s);
	return true;
}

/* What `from` holds in r goes to `to`. A VMA that r covers only in part goes free: a waiter takes no more than it asked
 * for. Where a leaf has no room for the pieces of a dummy, that gap goes free as well: the waiter claims it itself. */
static void view_pass(struct lock_space *space, struct lock_range r, const struct lock_holder *from,
		      const struct lock_holder *to)
{
	struct vmmap *map = space_of(space);
	struct thread_slot *self = thread_self();
	uint64_t version = lock_word_held(to->lk) ? thread_next_number(self) : to->lk, next;
	struct vtree_seen seen;

	for (uint64_t at = r.lo; at < r.hi; at = next) {
		bool found, dummy;
		struct lock_range has = { 0, 0 };

		rcu_enter(self);
		found = vtree_next(&map->tree, at, r.hi, &seen);
		dummy = found && &seen.vma->slot == from->dummy;
		if (found && !dummy && lock_word_held(to->lk) &&
		    atomic_load_acquire(&seen.vma->slot.lk) == from->lk)        /* A1 -> R3: our own */
			has = space_extent(map, seen.vma, seen.r.lo, r);
		rcu_leave(self);
		if (!found)
			return;
		at = seen.r.lo > at ? seen.r.lo : at;
		next = seen.r.hi;
		if (dummy) {
			struct lock_range part = { at, seen.r.hi < r.hi ? seen.r.hi : r.hi };

			if (BASE_MUTANT(pass_dummy_whole))
				part = seen.r;
			if (!pass_dummy(map, self, part, from->dummy, to->dummy, &next) &&
			    !pass_dummy(map, self, seen.r, from->dummy, NULL, &next))
				next = seen.r.hi;
		} else if (atomic_load_acquire(&seen.vma->slot.lk) == from->lk) {       /* A1 -> R3: our own */
			bool whole = (has.lo >= r.lo && has.hi <= r.hi && has.lo < has.hi) ||
				     BASE_MUTANT(pass_vma_whole);

			BASE_POINT(pass_before_lk);
			atomic_store_release(&seen.vma->slot.lk, whole ? to->lk : version);      /* R3 -> A1 */
		}
	}
}

static struct table_lock *view_table_over(struct lock_space *space, struct lock_range r, bool unlinks)
{
	return pt_lock_over(&space_of(space)->pt, r, unlinks);
}

static struct table_lock *view_table_below(struct lock_space *space, struct table_lock *t, uint64_t addr)
{
	(void)space;
	return pt_lock_below(t, addr);
}

static struct table_lock *view_table_make(struct lock_space *space, struct thread_slot *self, struct table_lock *t,
					  uint64_t addr)
{
	return pt_lock_make(&space_of(space)->pt, self, t, addr);
}

const struct lock_view space_lock_view = {
	.find = view_find, .next = view_next, .look = view_look, .claim = view_claim, .cut = view_cut,
	.join = view_join, .pass = view_pass, .table_over = view_table_over, .table_below = view_table_below,
	.table_make = view_table_make, .dummy_init = view_dummy_init,
};
