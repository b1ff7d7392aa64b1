/* SPDX-License-Identifier: MIT */
/*
 * vtree_bound.c - how much free space may lie below a node: upper bounds, raised by who frees, lowered by who searches.
 *
 * BOUND    three numbers of each child of an inner node: its longest free run (best), free pages from its first page on
 *          (head), and up to its last page (tail). Dummies count as free. Each says nothing about neighbours, so who
 *          frees looks at its own leaf and at its own way up only; a run over several children is put together from
 *          tail, whole children and head by vtree_bound_fold and by the search. Saturated: no bound.
 * RULE     for each child c with parent slot (P, i):  bound(P, i) >= what c says (a leaf: its published slots; an inner
 *          node: the fold of its bounds), except while a thread is on its way to make it so. Whoever
 *            - publishes a leaf word that frees pages,
 *            - raises a bound of P, or links a new node with bounds of its own,
 *            - has lowered a bound and finds the child changed,
 *          goes on upwards until the rule holds for what it did (raise, settle).
 * RAISE    CAS-max at (P, i), then look whether P is DEAD: then again from the root. If nothing was lower, somebody
 *          else has raised it and is (or was) bound to go on upwards: stop. Upwards goes what child i has to do with:
 *          its own runs and those that go on in its neighbours (fold_of). Of two who raise parts of one run each stores
 *          its part, then reads the other's: one of them sees all of it.
 * LOWER    store what the child says now by CAS from the value that misled, then read the child again (it may be
 *          another one); if it says more: raise.
 * Edges    all seq_cst, pairs of store-then-load; of two, at least one sees the other:
 *            X1 publication, X2 load of the bound         against  Y1 store of a lower bound, Y2 load of the word
 *            X1 store of a bound below, X2 load above it  against  Y1 lower above, Y2 load of the bounds below
 *            T2 raise, then load of DEAD                  against  T1 DEAD, then load of the old bounds (vtree_graft.c)
 * So steady churn (free, take, free the same) writes no bound.
 * Progress  lower: at most one round; raise: again only if the structure changed meanwhile.
 * Mutants  vtree_bound_not_raised, vtree_raise_alone, vtree_raise_no_recheck, vtree_lower_no_recheck.
 */
#include "vmmap/vma/vtree_impl.h"

struct vtree_free vtree_bound_fold(const struct vtree_inner *inner)
{
	struct vtree_free all = { 0, 0, 0 };
	uint32_t first = inner->base, run = 0;           /* run: free pages that end before `first`                  */
	bool open = true;                                /* all free up to here                                      */

	for (unsigned i = 0; i < inner->n; i++) {
		uint32_t last = vtree_last_of(inner, i), span = vtree_run(first, last);
		struct vtree_free c = vtree_bound(inner, i);
		uint32_t over = vtree_sat_add(run, c.head);

		if (c.best > all.best)
			all.best = c.best;
		if (over > all.best)
			all.best = over;
		if (open)
			all.head = vtree_sat_add(all.head, c.head);
		open = open && c.head >= span;
		run = c.tail >= span ? vtree_sat_add(run, span) : c.tail;
		first = last + 1;
	}
	if (run > all.best)
		all.best = run;
	all.tail = run;
	return all;
}

/* A run of free pages that begins beside child i and goes away from it. *out: it goes beyond the node. */
static uint32_t run_beside(const struct vtree_inner *inner, unsigned i, int step, bool *out)
{
	uint32_t run = 0;

	for (i += (unsigned)step; i < inner->n; i += (unsigned)step) {           /* below 0 it wraps               */
		uint32_t span = vtree_run(vtree_first_of(inner, i), vtree_last_of(inner, i));
		uint32_t part = step < 0 ? vtree_bound(inner, i).tail : vtree_bound(inner, i).head;

		if (part < span) {
			*out = false;
			return vtree_sat_add(run, part);
		}
		run = vtree_sat_add(run, span);
	}
	*out = true;
	return run;
}

/* Those parts of the fold that child i has to do with; the others are 0. Looks beyond it only as far as free pages go
 * on, so that who raises the bounds of different children does not meet there. */
static struct vtree_free fold_of(const struct vtree_inner *inner, unsigned i)
{
	bool first, last;
	uint32_t left = run_beside(inner, i, -1, &first), right = run_beside(inner, i, 1, &last);
	struct vtree_free c = vtree_bound(inner, i);
	bool whole = c.head >= vtree_run(vtree_first_of(inner, i), vtree_last_of(inner, i));
	uint32_t low = vtree_sat_add(left, whole ? vtree_sat_add(c.head, right) : c.head);
	uint32_t high = vtree_sat_add(right, whole ? vtree_sat_add(c.tail, left) : c.tail);

	if (BASE_MUTANT(vtree_raise_alone))
		return c;
	c.best = low > c.best ? low : c.best;
	c.best = high > c.best ? high : c.best;
	c.head = first ? low : 0;
	c.tail = last ? high : 0;
	return c;
}

static bool word_max(atomic_u32 *word, uint32_t value)
{
	uint32_t seen = atomic_load_seqcst(word);                                        /* X2 */

	while (seen < value)
		if (atomic_cas_seqcst(word, &seen, value))                               /* X1 of the level above, T2 */
			return true;
	return false;
}

bool vtree_bound_max(struct vtree_inner *inner, unsigned i, struct vtree_free free)
{
	bool best = word_max(&inner->bound[i].best, free.best);
	bool head = word_max(&inner->bound[i].head, free.head);
	bool tail = word_max(&inner->bound[i].tail, free.tail);

	return best | head | tail;
}

static bool is_dead(const struct vtree_inner *inner)
{
	return atomic_load_seqcst(&inner->word) & VTREE_DEAD;                            /* T2 */
}

/* The way from the root to the leaf that owns page: at[n - 1] is the leaf's place. */
struct way {
	struct vtree_place at[VTREE_HEIGHT_MAX];
	unsigned n;
	struct vtree_leaf *leaf;
};

static void find_way(const struct vtree *t, unsigned block, uint32_t page, struct way *way)
{
	uintptr_t node = atomic_load_acquire(&t->root[block]);                           /* C2 -> C1 */

	way->n = 0;
	while (!(node & VTREE_LEAF)) {
		struct vtree_inner *inner = (struct vtree_inner *)node;
		unsigned i = vtree_child_of(inner, page);

		CHECK(way->n < VTREE_HEIGHT_MAX);
		way->at[way->n++] = (struct vtree_place){ inner, i };
		node = atomic_load_acquire(&inner->child[i]);                            /* C2 -> C1 */
	}
	way->leaf = vtree_as_leaf(node);
}

void vtree_bound_raise(struct vtree *t, unsigned block, struct vtree_leaf *leaf, struct vtree_free free)
{
	bool all_the_way = false;
	struct way way;

again:
	find_way(t, block, leaf->base, &way);
	if (way.leaf != leaf)
		return;          /* replaced after our publication: its successors' bounds were made from it      */
	BASE_POINT(vtree_raise_before_store);
	for (unsigned level = way.n; level-- > 0;) {
		struct vtree_place *at = &way.at[level];
		bool raised = vtree_bound_max(at->parent, at->index, free);

		if (is_dead(at->parent) && !BASE_MUTANT(vtree_raise_no_recheck)) {
			all_the_way = true;
			goto again;
		}
		if (!raised && !all_the_way)
			return;
		free = fold_of(at->parent, at->index);
	}
}

void vtree_bound_settle(struct vtree *t, unsigned block, uint32_t page)
{
	struct way way;
	bool dead;

	do {
		dead = false;
		find_way(t, block, page, &way);
		for (unsigned level = way.n; level-- > 1 && !dead;) {
			struct vtree_place *above = &way.at[level - 1];

			vtree_bound_max(above->parent, above->index, vtree_bound_fold(way.at[level].parent));
			dead = is_dead(above->parent);
		}
	} while (dead);
}

/* What a child says now. false: a leaf that is DEAD. *word: of a leaf, what it was read from. */
static bool child_says(uintptr_t child, struct vtree_free *free, uint64_t *word)
{
	struct vtree_items items;
	struct vtree_leaf *leaf;

	if (!(child & VTREE_LEAF)) {
		*free = vtree_bound_fold((struct vtree_inner *)child);
		return true;
	}
	leaf = vtree_as_leaf(child);
	for (uint64_t now = atomic_load_seqcst(&leaf->word);;) {                         /* Y2 */
		*word = now;
		if (now & VTREE_DEAD)
			return false;
		vtree_items_read(leaf, (uint32_t)(now & VTREE_MASK), &items);
		now = atomic_load_seqcst(&leaf->word);                                   /* W2 */
		if (vtree_same(*word, now))
			break;
	}
	*free = vtree_items_free(&items, leaf->base, leaf->limit);
	return true;
}

static void word_lower(atomic_u32 *word, uint32_t seen, uint32_t value)
{
	if (value < seen)
		(void)atomic_cas_seqcst(word, &seen, value);             /* Y1; lost: was just raised      */
}

void vtree_bound_lower(struct vtree *t, unsigned block, struct vtree_inner *inner, unsigned i, struct vtree_free seen)
{
	uintptr_t child = atomic_load_seqcst(&inner->child[i]);                 /* C2 -> C1 */
	struct vtree_free now;
	uint64_t word = 0;

	if (!child_says(child, &now, &word) || vtree_free_within(seen, now))
		return;
	BASE_POINT(vtree_lower_before_store);
	word_lower(&inner->bound[i].best, seen.best, now.best);
	word_lower(&inner->bound[i].head, seen.head, now.head);
	word_lower(&inner->bound[i].tail, seen.tail, now.tail);
	BASE_POINT(vtree_lower_stored);
	if (BASE_MUTANT(vtree_lower_no_recheck))
		return;
	if (child & VTREE_LEAF) {
		struct vtree_leaf *leaf = vtree_as_leaf(child);

		if (vtree_same(word, atomic_load_seqcst(&leaf->word)))                   /* Y2 */
			return;
		if (child_says(child, &now, &word))      /* DEAD: its successors' bounds owe nothing to ours          */
			vtree_bound_raise(t, block, leaf, now);
		return;
	}
	vtree_bound_settle(t, block, vtree_first_of(inner, i));                          /* Y2 */
}

void vtree_bound_tighten(struct vtree *t, unsigned block, uint32_t page)
{
	struct way way;

	find_way(t, block, page, &way);
	for (unsigned level = way.n; level-- > 0;) {
		struct vtree_place *at = &way.at[level];

		vtree_bound_lower(t, block, at->parent, at->index, vtree_bound(at->parent, at->index));
	}
}

/* The run around page, which is free, in a leaf whose slots `taken` are occupied. */
static void run_around(const struct vtree_leaf *leaf, uint32_t taken, uint32_t page, uint32_t *first, uint32_t *last)
{
	*first = leaf->base;
	*last = leaf->limit;
	for (; taken != 0; taken &= taken - 1) {
		unsigned i = (unsigned)__builtin_ctz(taken);
		uint32_t f = simd_bias(atomic_load_relaxed(&leaf->first[i]));
		uint32_t l = simd_bias(atomic_load_relaxed(&leaf->last[i]));

		if (l < page && l >= *first)
			*first = l + 1;
		if (f > page && f <= *last)
			*last = f - 1;
	}
}

void vtree_bound_freed(const struct vtree_section *s, struct vtree_free *free)
{
	const struct vtree_leaf *leaf = s->leaf;
	uint32_t page = vtree_page(s->freed.lo), end = vtree_page(s->freed.hi - 1), taken = 0;
	uint32_t best = 0, head = 0, tail = 0;

	for (uint32_t kept = s->kept; kept != 0; kept &= kept - 1) {
		unsigned i = (unsigned)__builtin_ctz(kept);

		if (!(atomic_load_relaxed(&leaf->vma[i]) & VTREE_DUMMY))
			taken |= UINT32_C(1) << i;
	}
	for (;;) {
		uint32_t over = simd_meets(leaf->first, leaf->last, page, page) & taken, first, last;

		if (over != 0) {
			last = simd_bias(atomic_load_relaxed(&leaf->last[__builtin_ctz(over)]));
		} else {
			uint32_t run;

			run_around(leaf, taken, page, &first, &last);
			run = vtree_run(first, last);
			best = run > best ? run : best;
			head = first == leaf->base ? run : head;
			tail = last == leaf->limit ? run : tail;
		}
		if (last >= end)
			break;
		page = last + 1;
	}
	free->best = best, free->head = head, free->tail = tail;
}
