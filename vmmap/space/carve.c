/* SPDX-License-Identifier: MIT */
/*
 * carve.c - the brief form: a change inside one leaf, in one leaf section.
 *
 * STEPS       enter the leaf; look at the slots that meet r; take each VMA that changes (LOCK_BRIEF, or nothing);
 *             entries; the new set of slots, neighbours merged in; leave (one store publishes everything); give the
 *             lock words back with a new version. Whatever does not fit this shape takes the general form instead:
 *             a held VMA or gap, a VMA that goes on in another leaf, many entries, many VMAs.
 * EDGES       Towards faults: take is a seq_cst RMW on lk before the first load of an entry (T1 of the policy -> F2).
 *             Publication before the release of lk: a fault that finds lk free again finds the new slots too.
 * NEIGHBOURS  carve_join.c.
 * SPANS       A VMA that goes on in one neighbour leaf may be cut here: the piece on that side keeps the object, or,
 *             where r begins at that border of the leaf, none does, and the object is elsewhere; so no other leaf has
 *             to change. It is taken like any other: a section of the other leaf finds it held, and takes the general
 *             form, which waits. The same for one that grows (carve_join.c).
 * LIMITS      A window is open around the section (limit.h). What is paid for is known here, to the page and the VMA:
 *             each border that changes is looked at before it is published. Where VMAs are counted and r ends with
 *             the leaf, the start above is another leaf's: general form.
 * PLACES      All pieces that one section publishes appear at one instant: a region that is only replaced never shows
 *             a hole.
 */
#include "vmmap/space/carve.h"

/* Entries too, or only what VMAs say? */
static bool work_visits(const struct carve *c)
{
	return c->kind != CARVE_BITS || c->rebits->prot;
}

/* The start above r is in the next leaf, and has to be looked at with r held (limit_count.c, HELD). */
static bool above_uncounted(const struct carve_work *w)
{
	return limit_counts(w->map) && w->c->r.hi == w->s.r.hi && !BASE_MUTANT(limit_no_look_above) &&
	       !BASE_MUTANT(limit_looks_late);
}

/* Fills old[]. CARVE_GENERAL, or an error that ends the call, or 0. */
static int work_collect(struct carve_work *w)
{
	uint32_t mask = vtree_meets(&w->s, w->c->r.lo, w->c->r.hi);

	if (w->c->r.hi > w->s.r.hi || above_uncounted(w))
		return CARVE_GENERAL;
	while (mask) {
		unsigned i = vtree_lowest(&w->s, mask);
		struct vtree_slot slot = vtree_slot_at(&w->s, i);

		mask &= ~(UINT32_C(1) << i);
		if (vma_gap(slot.vma))
			return CARVE_GENERAL;
		if (w->c->kind == CARVE_MAP && w->c->only_free && !BASE_MUTANT(map_no_still_free))
			return -EEXIST;
		if (w->n == CARVE_VMAS)
			return CARVE_GENERAL;
		w->old[w->n] = slot;
		w->old_slot[w->n++] = (int)i;
	}
	if (w->n && w->c->r.hi - w->c->r.lo > SPACE_BRIEF_PAGES * PAGE_BYTES && work_visits(w->c))
		return CARVE_GENERAL;
	return 0;
}

/* In the section that shows all of r as free (grow.c, GUARD). */
static NOINLINE int work_guard(const struct carve_work *w)
{
	bool guarded = w->c->unguarded && space_guarded(w->map, w->e->self, w->c->r.hi, NULL);

	return guarded && !BASE_MUTANT(map_no_guard) ? -EEXIST : 0;
}

/* CARVE_BITS: cuts w->r at the first hole; the result is -ENOMEM then, with the part before it to be done. */
static int work_cut_at_hole(struct carve_work *w)
{
	uint64_t at = w->r.lo;
	unsigned i;

	for (i = 0; i < w->n && w->old[i].r.lo <= at; i++)
		at = w->old[i].r.hi;
	if (at < w->r.hi) {
		if (w->c->every)
			return CARVE_GENERAL;
		w->n = i;
		w->r.hi = at;
		w->result = -ENOMEM;
	}
	return 0;
}

/* One more piece of old[i]: its object (keeps), or one to be made. Written in place: reading a copy back stalls. */
static struct carve_piece *work_part(struct carve_work *w, unsigned i, bool keeps, uint64_t lo, uint64_t hi)
{
	const struct vtree_slot *old = &w->old[i];
	struct carve_piece *p = &w->piece[w->pieces++];

	p->r.lo = lo, p->r.hi = hi;
	p->vma = keeps ? old->vma : NULL;
	p->is = space_vma_attr(old->vma);
	p->slot = keeps ? w->old_slot[i] : -1;
	p->ours = keeps;
	p->spans = keeps && w->spans >> i & 1;
	p->store = false;
	p->moved = !keeps || old->r.lo != lo || old->r.hi != hi;
	return p;
}

static void work_fresh(struct carve_work *w)
{
	struct carve_piece *p = &w->piece[w->pieces++];

	p->r.lo = w->r.lo, p->r.hi = w->r.hi;
	p->vma = NULL;
	p->is = *w->c->fresh;
	p->slot = -1;
	p->ours = p->spans = p->store = false;
	p->moved = true;
}

/* What stands over the VMAs that meet r when we are done. An outer piece keeps the object (the left one first). */
static void work_pieces(struct carve_work *w)
{
	bool mapped = w->c->kind != CARVE_MAP;

	for (unsigned i = 0; i < w->n; i++) {
		uint64_t lo = w->old[i].r.lo, hi = w->old[i].r.hi;
		bool left = lo < w->r.lo, right = hi > w->r.hi, here = !(w->elsewhere >> i & 1);

		if (left) {
			work_part(w, i, here && !w->right_keeps, lo, w->r.lo);
			lo = w->r.lo;
		}
		if (!mapped) {
			work_fresh(w);
			mapped = true;
		}
		if (w->c->kind == CARVE_BITS) {
			struct carve_piece *m = work_part(w, i, here && !left && !right, lo, right ? w->r.hi : hi);
			uint64_t bits = m->is.bits;

			m->is.bits = w->c->rebits->fn(w->old[i].vma, bits, w->c->rebits->arg);
			m->store = m->vma && m->is.bits != bits;
		}
		if (right)
			work_part(w, i, here && (!left || w->right_keeps), w->r.hi, hi);
	}
	if (!mapped)
		work_fresh(w);
}

/* The window gets back what w->r was, and pays for what it will be. */
static NOINLINE void work_pay(struct carve_work *w)
{
	for (unsigned i = 0; i < w->n; i++)
		limit_part(w->map, w->e->self, atomic_load_acquire(&w->old[i].vma->bits),       /* B2 -> B1: held */
			   w->old[i].r, w->r, -1);
	for (unsigned i = 0; i < w->pieces; i++)
		limit_part(w->map, w->e->self, w->piece[i].is.bits, w->piece[i].r, w->r, 1);
	w->counted = limit_counted(w->map, &w->s, w->r);
}

static void work_entries(struct carve_work *w)
{
	struct space_retire retire;

	if (w->c->kind == CARVE_BITS) {
		for (unsigned i = 0; work_visits(w->c) && i < w->pieces; i++) {
			struct lock_range r = w->piece[i].r;

			r.lo = r.lo < w->r.lo ? w->r.lo : r.lo;
			r.hi = r.hi > w->r.hi ? w->r.hi : r.hi;
			if (r.lo < r.hi)
				pt_protect(&w->map->pt, r, space_pt_access(w->piece[i].is.bits),
					   space_object_write(w->piece[i].is.bits, w->piece[i].is.object));
		}
		return;
	}
	if (!w->n)
		return;
	space_retire_init(&retire, w->map, w->e->self);
	pt_zap(&w->map->pt, w->r, &retire.batch);
	retire.batch.flush(&retire.batch);
}

/* Old VMAs of which nothing stays in this leaf: dropped by carve_join already, or here. */
static void work_drop_unmapped(struct carve_work *w)
{
	for (unsigned i = 0; i < w->n; i++) {
		bool stays = false;

		for (unsigned j = 0; j < w->pieces; j++)
			stays |= w->piece[j].vma == w->old[i].vma;
		for (unsigned j = 0; j < w->deads; j++)
			stays |= w->dead[j] == w->old[i].vma;
		if (stays)
			continue;
		vtree_drop(&w->s, (unsigned)w->old_slot[i]);
		if (!(w->elsewhere >> i & 1) || BASE_MUTANT(carve_elsewhere_dies))
			w->dead[w->deads++] = w->old[i].vma;
	}
}

static void work_make(struct carve_work *w, struct carve_piece *p)
{
	struct carve *c = w->c;

	p->vma = vma_take(&w->map->vmas, w->e->self);
	space_vma_fill(w->e->self, p->vma, &p->is);
	if (p->is.object && c->kind == CARVE_MAP && p->is.object == c->fresh->object &&
	    p->is.rmap == c->fresh->rmap && !c->taken_object) {
		c->taken_object = true;
		if (c->pays)
			object_pay(p->is.object, w->map, w->e->self);
	} else {
		space_backing_get(&p->is);
	}
	atomic_store_release(&p->vma->slot.lk, w->e->number);                   /* R3 -> V0: born */
}

static void work_slots(struct carve_work *w)
{
	for (unsigned i = 0; i < w->pieces; i++) {
		struct carve_piece *p = &w->piece[i];

		if (p->vma && p->store) {
			atomic_store_release(&p->vma->bits, p->is.bits);        /* B1 -> B2: in place, held */
			vtree_touch(&w->s);
		}
		if (p->moved && p->slot >= 0)
			vtree_drop(&w->s, (unsigned)p->slot);
	}
	for (unsigned i = 0; i < w->pieces; i++) {
		struct carve_piece *p = &w->piece[i];

		if (!p->moved)
			continue;
		if (!p->vma)
			work_make(w, p);
		vtree_add(&w->s, p->r.lo, p->r.hi, p->vma);
	}
}

static void work_release(struct carve_work *w)
{
	const struct lock_policy *pol = w->map->policy;

	for (unsigned i = 0; i < w->n; i++) {
		bool dead = false;

		for (unsigned j = 0; j < w->deads; j++)
			dead |= w->dead[j] == w->old[i].vma;
		if (!dead)
			pol->edit_drop(w->map->lock_state, w->e, &w->old[i].vma->slot);
	}
	for (unsigned i = 0; i < w->beside; i++)
		pol->edit_drop(w->map->lock_state, w->e, &w->neighbour[i]->slot);
	for (unsigned i = 0; i < w->deads; i++) {
		struct rmap *rmap = vma_rmap(w->dead[i]);

		pol->edit_dead(w->map->lock_state, w->e, &w->dead[i]->slot);
		vma_give(&w->map->vmas, w->e->self, w->dead[i]);
		space_backing_put(rmap);
	}
}

/* For the mutant that lets go before anything is published. */
static void work_release_early(struct carve_work *w)
{
	for (unsigned i = 0; i < w->n; i++)
		w->map->policy->edit_drop(w->map->lock_state, w->e, &w->old[i].vma->slot);
}

/* old[i] goes on in other leaves: can its object stay there, and in what is left of it here? In a map that counts its
 * VMAs its start has a mark, which a section has to see go and come (limit_count.c, count_meets): not at the leaf's
 * lower edge, and not in the leaf above. */
static bool work_side_keeps(struct carve_work *w, unsigned i, unsigned sides)
{
	const struct lock_range *old = &w->old[i].r;
	bool below = sides == SPACE_BELOW, none = below ? w->r.lo <= old->lo : w->r.hi >= old->hi;

	if (sides == (SPACE_BELOW | SPACE_ABOVE))
		return false;
	if (limit_counts(w->map) && !below && (none || old->lo == w->s.r.lo) && !BASE_MUTANT(carve_start_unseen))
		return false;
	w->spans |= 1u << i;
	w->elsewhere |= (uint32_t)none << i;
	w->right_keeps |= !below && old->lo < w->r.lo && !BASE_MUTANT(carve_left_keeps);
	return true;
}

static bool work_take(struct carve_work *w)
{
	const struct lock_policy *pol = w->map->policy;
	bool early[CARVE_VMAS] = { false }, ok = true;
	unsigned n;

	if (BASE_MUTANT(carve_spans_early))
		for (n = 0; n < w->n; n++)
			early[n] = !space_spans(w->map, &w->s, &w->old[n]);
	BASE_POINT(carve_before_take);
	for (n = 0; n < w->n && ok; n++)
		ok = pol->edit_take(w->map->lock_state, w->e, &w->old[n].vma->slot, 0);
	n -= !ok;
	/* Only now: its last holder may have let it grow into another leaf before it let go. */
	for (unsigned i = 0; i < n && ok; i++) {
		unsigned sides = early[i] ? 0 : space_spans(w->map, &w->s, &w->old[i]);

		ok = !sides || work_side_keeps(w, i, sides);
	}
	while (!ok && n--)
		pol->edit_drop(w->map->lock_state, w->e, &w->old[n].vma->slot);
	return ok;
}

static bool work_changes(const struct carve_work *w)
{
	if (w->c->kind != CARVE_BITS)
		return w->n || w->c->kind == CARVE_MAP;
	for (unsigned i = 0; i < w->n; i++) {
		uint64_t bits = atomic_load_acquire(&w->old[i].vma->bits);      /* B2 -> B1: held */

		if (w->c->rebits->fn(w->old[i].vma, bits, w->c->rebits->arg) != bits)
			return true;
	}
	return false;
}

static void work_commit(struct carve_work *w, const struct vmmap *map)
{
	work_pieces(w);
	if (limit_on(map))
		work_pay(w);
	work_entries(w);
	carve_join(w);
	BASE_POINT(carve_before_slots);
	work_drop_unmapped(w);
	work_slots(w);
	if (BASE_MUTANT(carve_releases_early))
		work_release_early(w);
	BASE_POINT(carve_before_leave);
	if (limit_on(map))
		limit_leave_section(w->map, &w->s, w->r, w->counted);
	else
		vtree_leave(&w->s);
	BASE_POINT(carve_after_leave);
	if (BASE_MUTANT(limit_looks_late))
		limit_recount(w->map, w->e->self, (struct lock_range){ w->r.hi, w->r.hi });
	work_release(w);
}

static NOINLINE int carve_limited(struct vmmap *map, struct lock_edit *e, struct carve *c)
{
	int err;

	if (!limit_brief(map, e->self, c))
		return CARVE_GENERAL;
	c->limited = true;
	err = space_carve(map, e, c);
	limit_leave(map, e->self);
	return err;
}

int space_carve(struct vmmap *map, struct lock_edit *e, struct carve *c)
{
	struct carve_work w;                     /* not zeroed as a whole: most of it is room that few edits need  */
	bool changes;
	int err;

	if (limit_on(map) && !c->limited)
		return carve_limited(map, e, c);
	w.map = map, w.e = e, w.c = c;
	w.r.lo = c->r.lo, w.r.hi = c->r.hi;
	w.result = 0, w.right_keeps = false, w.spans = w.elsewhere = 0, w.n = w.pieces = w.deads = w.beside = 0;
	w.heal[0] = w.heal[1] = 0;

	if (vma_reserve(&map->vmas, e->self, 2))
		return -ENOMEM;
	err = vtree_enter_room(&map->tree, e->self, c->r.lo, 4, &w.s);
	if (err)
		return err;
	err = work_collect(&w);
	if (!err && c->kind == CARVE_BITS)
		err = work_cut_at_hole(&w);
	if (unlikely(atomic_load_acquire(&map->stacks)) && !err)                 /* K2 -> K1 */
		err = work_guard(&w);
	changes = !err && work_changes(&w);
	if (!changes || !work_take(&w)) {
		vtree_leave(&w.s);
		BASE_POINT(carve_not_done);
		if (BASE_MUTANT(carve_looks_again))
			changes = work_changes(&w);      /* at VMAs that are no longer what they were in the section */
		return err ? err : changes ? CARVE_GENERAL : w.result;
	}
	BASE_POINT(carve_after_take);
	work_commit(&w, map);
	if (vtree_sparse(&w.s))
		vtree_join(&map->tree, e->self, w.s.r);
	if (c->kind != CARVE_BITS)
		frame_tidy(map->physmem, e->self);
	space_count(map, e->self, SPACE_BRIEF, 1);
	for (unsigned i = 0; i < 2; i++)
		if (w.heal[i])
			lock_note_merge(e, w.heal[i]);
	return w.result;
}

int space_brief(struct vmmap *map, struct thread_slot *self, struct carve *c)
{
	struct lock_edit e;
	int err;

	if (!map->policy->brief_begin)
		return CARVE_GENERAL;
	err = space_brief_begin(map, &e, self, c->r);
	if (err)
		return err;
	err = space_carve(map, &e, c);
	space_brief_end(map, &e);
	return err;
}
