/* SPDX-License-Identifier: MIT */
/*
 * carve_join.c - the brief form: neighbours become one VMA.
 *
 * NEIGHBOURS  A VMA beside r that only grows is not taken: its lock word is free and lock words are taken only inside
 *             sections of a leaf that shows it, so nobody edits it before we leave, and its old pages do not change.
 *             That holds only if it stands in this leaf alone. It was free before we asked where it stands, and still
 *             has that word: else its holder may have taken it through another leaf, and out of that one, in between.
 *             One that goes on in another leaf is taken, and keeps its object: what is on our side of it is swallowed.
 *             Two of them, one on each side, are merged by space_heal.
 *             One that is swallowed must be taken: optimistic faults on it have to notice.
 */
#include "vmmap/space/carve.h"

static struct carve_piece piece_of(const struct vtree_slot *slot, int index)
{
	return (struct carve_piece){ .r = slot->r, .vma = slot->vma, .slot = index, .is = space_vma_attr(slot->vma) };
}

static bool pieces_mergeable(const struct carve_piece *p, const struct carve_piece *q)
{
	return p->r.hi == q->r.lo && p->is.bits == q->is.bits && p->is.delta == q->is.delta &&
	       p->is.object == q->is.object && (p->is.anon == q->is.anon || !p->is.anon || !q->is.anon);
}

/* Nobody has taken it since its word was lk. */
static bool neighbour_kept(struct vma *vma, uint64_t lk)
{
	bool free = !lock_word_held(lk) || BASE_MUTANT(merge_into_held);

	return free && atomic_load_seqcst(&vma->slot.lk) == lk;                          /* V0 -> R3 */
}

/* It goes on in another leaf: it is ours from now on, or left a note. What was read of it holds: who changes it tells
 * each of its leaves before it lets go (space_tell). A map that counts its VMAs has a mark at its start, which may be
 * in the other leaf (limit_count.c): then space_heal joins. */
static bool neighbour_take(struct carve_work *w, bool left, struct carve_piece *nb)
{
	const struct carve_piece *edge = &w->piece[left ? 0 : w->pieces - 1];
	uint64_t at = left ? edge->r.lo : edge->r.hi;

	if (edge->spans || limit_counts(w->map)) {
		w->heal[left ? 0 : 1] = at;
		return false;
	}
	if (!w->map->policy->edit_take(w->map->lock_state, w->e, &nb->vma->slot, at))
		return false;
	w->neighbour[w->beside++] = nb->vma;
	nb->ours = nb->spans = true;
	return true;
}

/* The neighbour beside the pieces at addr, if it is in this leaf and may merge; else notes where to heal later. */
static bool piece_neighbour(struct carve_work *w, bool left, struct carve_piece *out)
{
	const struct carve_piece *edge = &w->piece[left ? 0 : w->pieces - 1];
	uint64_t at = left ? edge->r.lo : edge->r.hi;
	struct vtree_slot slot;
	uint64_t lk;
	int i;

	if (at == (left ? w->s.r.lo : w->s.r.hi)) {
		w->heal[left ? 0 : 1] = at;
		return false;
	}
	i = left ? vtree_slot_ending(&w->s, at) : vtree_slot_starting(&w->s, at);
	if (i < 0)
		return false;
	slot = vtree_slot_at(&w->s, (unsigned)i);
	if (atomic_load_acquire(&slot.vma->bits) != edge->is.bits)      /* B2 -> B1: taken, or in this leaf only */
		return false;                            /* the most frequent answer, before anything is copied    */
	*out = piece_of(&slot, i);
	if (!(left ? pieces_mergeable(out, edge) : pieces_mergeable(edge, out)))
		return false;
	lk = atomic_load_seqcst(&slot.vma->slot.lk);                                     /* V0 -> R3 */
	if (lock_word_held(lk) && !BASE_MUTANT(merge_into_held)) {
		/* Its holder merges for us when it is done: edit_take fails and leaves the note. */
		if (!w->map->policy->edit_take(w->map->lock_state, w->e, &slot.vma->slot, at))
			return false;
		w->map->policy->edit_drop(w->map->lock_state, w->e, &slot.vma->slot);
		lk = atomic_load_seqcst(&slot.vma->slot.lk);                             /* V0 -> R3 */
	}
	BASE_POINT(extend_before_spans);
	if (space_spans(w->map, &w->s, &slot) && !BASE_MUTANT(extend_spanning))
		return neighbour_take(w, left, out);
	if (!neighbour_kept(slot.vma, lk) && !BASE_MUTANT(extend_one_look)) {
		w->heal[left ? 0 : 1] = at;              /* another leaf's section could be taking its lock word */
		return false;
	}
	out->is = space_vma_attr(slot.vma);
	return left ? pieces_mergeable(out, edge) : pieces_mergeable(edge, out);
}

/* Whose object do the two keep? That of who goes on elsewhere; else what exists, or is not even touched. In a map that
 * counts its VMAs a start at the leaf's edge keeps its object: count_meets may not see it, so its mark cannot move. */
static bool right_stays(const struct carve_work *w, const struct carve_piece *p, const struct carve_piece *q)
{
	bool edge = limit_counts(w->map) && p->r.lo == w->s.r.lo && !BASE_MUTANT(join_start_moves);

	if (p->spans)
		return false;
	if (q->spans && !BASE_MUTANT(join_spanning_dies))
		return true;
	return q->vma && (!p->vma || (p->ours && !q->ours && !edge));
}

/* p and q become one; the survivor's object is returned in p. false: they stay two. */
static bool pieces_join(struct carve_work *w, struct carve_piece *p, struct carve_piece *q)
{
	struct carve_piece *stay = p, *go = q;

	if (!pieces_mergeable(p, q))
		return false;
	if (q->spans && (p->spans || (limit_counts(w->map) && !BASE_MUTANT(join_start_unseen)))) {
		lock_note_merge(w->e, q->r.lo);          /* p's start may be at the leaf's edge: see work_side_keeps */
		return false;
	}
	if (right_stays(w, p, q))
		stay = q, go = p;
	if (go->vma && !go->ours) {                      /* an outside neighbour that would be swallowed */
		BASE_POINT(join_before_take);
		if (!w->map->policy->edit_take(w->map->lock_state, w->e, &go->vma->slot, q->r.lo))
			return false;            /* (piece_neighbour saw it free and in this leaf only) */
		if (!BASE_MUTANT(join_group_early))
			go->is.anon = vma_anon(go->vma); /* a fault may have set it until now */
	}
	if (stay->vma && go->is.anon && !vma_anon_join(stay->vma, go->is.anon)) {
		if (go->vma && !go->ours)
			w->map->policy->edit_drop(w->map->lock_state, w->e, &go->vma->slot);
		return false;
	}
	if (stay->is.rmap)
		rmap_extend(stay->is.rmap, go->r);
	if (go->vma) {
		w->dead[w->deads++] = go->vma;
		if (go->slot >= 0)
			vtree_drop(&w->s, (unsigned)go->slot);
	}
	stay->is.anon = stay->is.anon ? stay->is.anon : go->is.anon;
	struct lock_range both = { p->r.lo, q->r.hi };
	*p = *stay;
	p->r = both;
	p->moved = true;
	return true;
}

void carve_join(struct carve_work *w)
{
	struct carve_piece nb;
	bool left, right;
	unsigned n = 1, joined = 0;

	if (!w->pieces)
		return;
	left = w->piece[0].r.lo == w->r.lo && piece_neighbour(w, true, &nb);
	right = w->piece[w->pieces - 1].r.hi == w->r.hi;
	if (left && pieces_join(w, &nb, &w->piece[0])) {
		w->piece[0] = nb;
		joined++;
	}
	for (unsigned from = 1; from < w->pieces; from++) {
		if (pieces_join(w, &w->piece[n - 1], &w->piece[from]))
			joined++;
		else if (n++ != from)
			w->piece[n - 1] = w->piece[from];
	}
	w->pieces = n;
	if (right && piece_neighbour(w, false, &nb))
		joined += pieces_join(w, &w->piece[n - 1], &nb);
	if (joined)
		space_count(w->map, w->e->self, SPACE_MERGE, joined);
}
