/* SPDX-License-Identifier: MIT */
/*
 * vtree_graft.c - puts new children in the place of old ones: the only change of the tree's structure.
 *
 * STEPS    bottom-up: lock the parent of what goes; build its successor from its entries with the new ones; go on with
 *          the parent in the role of the child, until one place is found where one pointer can stand for one pointer:
 *          a child slot of a node that stays (locked meanwhile), or the root (root lock). Up to here nothing is visible
 *          and all can be taken back.
 *          Then: C1 that pointer is stored, seq_cst: the change. All old nodes DEAD, seq_cst. Raises that came into old
 *          bounds meanwhile are carried over (T1). New inner nodes and the place are opened. Old nodes are retired.
 *          Bounds above are made to cover the new nodes' (vtree_bound_settle).
 * A node that overflows becomes two. An inner node that has become sparse takes over a neighbour (only in joins, which
 * may fail: the neighbour's lock is out of order, hence try-lock). A root with one child gives way to that child.
 * Edges    C1 -> C2 of descents. T1: DEAD is stored, then the old bounds are read again; T2: a raiser stores a
 *          bound, then reads DEAD; all seq_cst, so a raise is either carried over or repeated by its raiser.
 * Mutants  vtree_old_leaf_alive, vtree_raise_not_carried.
 */
#include <errno.h>
#include "vmmap/vma/vtree_impl.h"

struct work {
	struct vtree_graft *g;
	struct vtree_inner *old[2 * VTREE_HEIGHT_MAX];   /* locked, to be replaced                                 */
	struct vtree_inner *fresh[2 * VTREE_HEIGHT_MAX]; /* born locked                                            */
	unsigned olds, freshes;
	struct vtree_place at;                           /* locked place of the store; parent NULL: the root       */
	uintptr_t put;                                   /* what is stored there                                   */
};

struct entries { unsigned n; struct vtree_entry at[2 * VTREE_SLOTS + 2]; };

static struct vtree_entry entry_of(const struct vtree_inner *inner, unsigned i)
{
	return (struct vtree_entry){
		.child = atomic_load_acquire(&inner->child[i]), .last = vtree_last_of(inner, i), /* C2 -> C1: held */
		.free = vtree_bound(inner, i), .fixed = atomic_load_relaxed(&inner->fixed) >> i & 1,
	};
}

static void entries_add(struct entries *e, const struct vtree_inner *inner, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		e->at[e->n++] = entry_of(inner, i);
}

/* A locked inner node with entries [from, to). */
static struct vtree_inner *inner_make(struct work *w, const struct entries *e, unsigned from, unsigned to,
				      uint32_t base)
{
	struct vtree_inner *inner = vtree_take_inner(w->g->t, w->g->self);
	uint32_t fixed = 0;

	if (inner == NULL)
		return NULL;
	w->fresh[w->freshes++] = inner;
	inner->n = to - from;
	inner->base = base;
	for (unsigned i = 0; i < VTREE_SLOTS; i++) {
		const struct vtree_entry *entry = from + i < to ? &e->at[from + i] : NULL;

		atomic_store_relaxed(&inner->last[i], simd_bias(entry ? entry->last : UINT32_MAX));
		atomic_store_relaxed(&inner->child[i], entry ? entry->child : 0);
		atomic_store_relaxed(&inner->bound[i].best, entry ? entry->free.best : 0);
		atomic_store_relaxed(&inner->bound[i].head, entry ? entry->free.head : 0);
		atomic_store_relaxed(&inner->bound[i].tail, entry ? entry->free.tail : 0);
		if (entry != NULL && entry->fixed)
			fixed |= UINT32_C(1) << i;
	}
	atomic_store_relaxed(&inner->fixed, fixed);
	atomic_store_relaxed(&inner->word, VTREE_WRITER);
	return inner;
}

static struct vtree_entry entry_for(const struct vtree_inner *inner, uint32_t last, bool fixed)
{
	return (struct vtree_entry){ (uintptr_t)inner, last, vtree_bound_fold(inner), fixed };
}

/* e as one or two nodes; these are the new ones of the level above. */
static int pack(struct work *w, const struct entries *e, uint32_t base)
{
	struct vtree_graft *g = w->g;
	unsigned half = e->n <= VTREE_SLOTS ? e->n : (e->n + 1) / 2;
	struct vtree_inner *low = inner_make(w, e, 0, half, base), *high = NULL;

	if (low == NULL)
		return -EAGAIN;
	g->come[0] = entry_for(low, e->at[half - 1].last, e->at[0].fixed);
	g->n = 1;
	if (half == e->n)
		return 0;
	high = inner_make(w, e, half, e->n, e->at[half - 1].last + 1);
	if (high == NULL)
		return -EAGAIN;
	g->come[1] = entry_for(high, e->at[e->n - 1].last, e->at[half].fixed);
	g->n = 2;
	return 0;
}

/* Locks the place where the first of the old children stands. */
static int lock_place(struct work *w)
{
	struct vtree_graft *g = w->g;

	for (;;) {
		if (!vtree_parent_of(g->t, g->block, g->page, g->old[0], &w->at))
			continue;                        /* passed a node that was just being replaced               */
		if (w->at.parent == NULL) {
			if (!vtree_lock_root(g->t, g->block, g->try))
				return -EBUSY;
			if (atomic_load_relaxed(&g->t->root[g->block]) == g->old[0])
				return 0;
			vtree_unlock_root(g->t, g->block);
			continue;
		}
		if (vtree_lock(&w->at.parent->word, g->try))
			return 0;
		if (g->try)
			return -EBUSY;
	}
}

/* A neighbour of child `index` that the sparse node can take over, locked; NULL: none. */
static struct vtree_inner *neighbour_for(const struct vtree_inner *above, unsigned index, unsigned n, bool *right)
{
	for (int side = 1; side >= -1; side -= 2) {
		unsigned i = index + (unsigned)side;             /* wraps to a huge number below 0                   */
		struct vtree_inner *other;

		if (i >= above->n)
			continue;
		other = (struct vtree_inner *)atomic_load_acquire(&above->child[i]);    /* C2 -> C1 */
		*right = side > 0;
		if (other->n + n <= VTREE_JOINED_MAX && vtree_lock(&other->word, true))
			return other;
	}
	return NULL;
}

/* The one new node is sparse: it takes over a neighbour, if one is free and fits. */
static int absorb(struct work *w)
{
	struct vtree_graft *g = w->g;
	struct vtree_inner *mine = (struct vtree_inner *)g->come[0].child, *other;
	struct entries e = { 0 };
	uint32_t base = mine->base;
	bool right;

	other = neighbour_for(w->at.parent, w->at.index, mine->n, &right);
	if (other == NULL)
		return 0;
	w->old[w->olds++] = other;
	if (!right) {
		entries_add(&e, other, 0, other->n);
		base = other->base;
		w->at.index--;
	}
	entries_add(&e, mine, 0, mine->n);
	if (right)
		entries_add(&e, other, 0, other->n);
	vtree_untake_inner(g->t, g->self, mine);
	w->freshes--;
	g->drop = 2;
	return pack(w, &e, base);
}

/* The place is a child slot of a node that must be replaced itself. */
static int replace_parent(struct work *w)
{
	struct vtree_graft *g = w->g;
	struct vtree_inner *p = w->at.parent;
	struct entries e = { 0 };
	int r;

	entries_add(&e, p, 0, w->at.index);
	g->come[0].fixed = atomic_load_relaxed(&p->fixed) >> w->at.index & 1;
	for (unsigned i = 0; i < g->n; i++)
		e.at[e.n++] = g->come[i];
	entries_add(&e, p, w->at.index + g->drop, p->n);
	w->old[w->olds++] = p;
	r = pack(w, &e, p->base);
	g->old[0] = (uintptr_t)p;
	g->drop = 1;
	return r;
}

/* The place is the root. */
static int replace_root(struct work *w)
{
	struct vtree_graft *g = w->g;
	struct entries e = { .n = 2, .at = { g->come[0], g->come[1] } };
	int r;

	if (g->n == 2) {
		e.at[0].fixed = false;
		r = pack(w, &e, 0);
		if (r != 0)
			return r;
	}
	w->put = g->come[0].child;
	if (!(w->put & VTREE_LEAF) && ((struct vtree_inner *)w->put)->n == 1) {
		struct vtree_inner *one = (struct vtree_inner *)w->put;

		ASSERT(w->fresh[w->freshes - 1] == one);
		w->put = atomic_load_relaxed(&one->child[0]);
		vtree_untake_inner(g->t, g->self, one);
		w->freshes--;
	}
	return 0;
}

/* Locks and builds, up to the place of the one store. */
static int prepare(struct work *w)
{
	struct vtree_graft *g = w->g;
	bool leaves = true;

	for (;;) {
		struct vtree_inner *p;
		int r = lock_place(w);

		if (r != 0) {
			w->at = (struct vtree_place){ NULL, UINT32_MAX };                /* nothing locked there */
			return r;
		}
		p = w->at.parent;
		if (p == NULL)
			return replace_root(w);
		if (leaves && g->drop == 2 && (w->at.index + 1 >= p->n ||
					       atomic_load_relaxed(&p->child[w->at.index + 1]) != g->old[1] ||
					       atomic_load_relaxed(&p->fixed) >> (w->at.index + 1) & 1))
			return -EBUSY;
		if (!leaves && g->try && g->n == 1 && ((struct vtree_inner *)g->come[0].child)->n <= VTREE_SPARSE) {
			r = absorb(w);
			if (r != 0)
				return r;
		}
		if (g->drop == 1 && g->n == 1) {
			w->put = g->come[0].child;
			return 0;
		}
		if (w->olds + 2 >= ARRAY_SIZE(w->old) || w->freshes + 2 >= ARRAY_SIZE(w->fresh))
			return -EBUSY;
		r = replace_parent(w);
		if (r != 0) {
			w->at = (struct vtree_place){ NULL, UINT32_MAX };                /* is among the old ones */
			return r;
		}
		leaves = false;
	}
}

static void open_place(struct work *w)
{
	if (w->at.parent != NULL)
		vtree_unlock(&w->at.parent->word);
	else if (w->at.index != UINT32_MAX)
		vtree_unlock_root(w->g->t, w->g->block);
}

static void take_back(struct work *w)
{
	open_place(w);
	while (w->olds > 0)
		vtree_unlock(&w->old[--w->olds]->word);
	while (w->freshes > 0)
		vtree_untake_inner(w->g->t, w->g->self, w->fresh[--w->freshes]);
}

/* T1. Children keep their order, so one walk over the new nodes meets all that were kept. The new nodes are locked. */
static void carry_over(struct work *w, const struct vtree_inner *old)
{
	for (unsigned f = 0; f < w->freshes; f++) {
		struct vtree_inner *fresh = w->fresh[f];

		for (unsigned i = 0, k = 0; i < fresh->n; i++) {
			uintptr_t child = atomic_load_relaxed(&fresh->child[i]);
			unsigned j = k;

			while (j < old->n && atomic_load_relaxed(&old->child[j]) != child)
				j++;
			if (j == old->n)
				continue;
			vtree_bound_max(fresh, i, vtree_bound(old, j));
			k = j + 1;
		}
	}
}

static void mark_dead(atomic_u64 *word)
{
	atomic_store_seqcst(word, (atomic_load_relaxed(word) & ~VTREE_WRITER) | VTREE_DEAD);     /* T1 */
}

static void commit(struct work *w, const uintptr_t leaves[2], unsigned n)
{
	struct vtree_graft *g = w->g;

	BASE_POINT(vtree_graft_before_link);
	if (w->at.parent != NULL)
		atomic_store_seqcst(&w->at.parent->child[w->at.index], w->put);          /* C1 */
	else
		atomic_store_seqcst(&g->t->root[g->block], w->put);                      /* C1 */
	BASE_POINT(vtree_graft_before_dead);
	for (unsigned i = 0; i < n; i++) {
		if (BASE_MUTANT(vtree_old_leaf_alive))
			vtree_unlock(&vtree_as_leaf(leaves[i])->word);
		else
			mark_dead(&vtree_as_leaf(leaves[i])->word);
	}
	for (unsigned i = 0; i < w->olds; i++)
		mark_dead(&w->old[i]->word);
	for (unsigned i = 0; i < w->olds && !BASE_MUTANT(vtree_raise_not_carried); i++)
		carry_over(w, w->old[i]);
	for (unsigned i = 0; i < w->freshes; i++)
		vtree_unlock(&w->fresh[i]->word);
	open_place(w);
}

int vtree_graft(struct vtree_graft *g)
{
	struct work w = { .g = g };
	const uintptr_t leaves[2] = { g->old[0], g->old[1] };
	unsigned n = g->drop;
	uint32_t settle[2 * VTREE_HEIGHT_MAX];
	int r = prepare(&w);

	if (r != 0) {
		take_back(&w);
		return r;
	}
	for (unsigned i = 0; i < w.freshes; i++)
		settle[i] = w.fresh[i]->base;
	commit(&w, leaves, n);
	for (unsigned i = 0; i < w.freshes; i++)
		vtree_bound_settle(g->t, g->block, settle[i]);
	for (unsigned i = 0; i < n; i++)
		vtree_retire(g->t, g->self, leaves[i]);
	for (unsigned i = 0; i < w.olds; i++)
		vtree_retire(g->t, g->self, (uintptr_t)w.old[i]);
	return 0;
}
