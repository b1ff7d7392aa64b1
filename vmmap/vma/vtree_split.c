/* SPDX-License-Identifier: MIT */
/*
 * vtree_split.c - splits and joins of leaves: what goes where. How the result is linked is in vtree_graft.c.
 *
 * SPLIT   The leaf is locked, its contents cannot change; two new leaves, born locked, get its slots; a slot that lies
 *         across the border goes to both, cut, with the same VMA. vtree_graft links them and marks the old one DEAD;
 *         then the section goes on in one half, and the other is opened.
 *         Where: vtree_border.c; vtree_separate: exactly where it is told to, never joined again.
 * JOIN    Two neighbours below one parent, at least one of them sparse. Left lock first, only try-locks. A slot cut by
 *         the border becomes one again, unless it is a dummy. After a refusal, and after a split between colliders, the
 *         leaf's patience makes vtree_join leave it alone for so many visits: so it neither undoes such splits at once
 *         nor reads a busy neighbour's line at each visit. Leaves of colliders are joined when neither has patience
 *         left, since whoever is in one of them is who would be disturbed. A thread that has gone elsewhere ends the
 *         patience of what it leaves (vtree_join_idle), but not of the leaf in which it goes on.
 * Not promised  that leaves are as few as possible.
 */
#include <errno.h>
#include "vmmap/vma/vtree_impl.h"

#define PATIENCE_CONTENDED  UINT16_MAX
#define PATIENCE_UNDONE     1024                 /* of a join that was undone                                      */
#define PATIENCE_AGAIN      16384                /* ... and was not due, but that a half was empty                 */
#define PATIENCE_REFUSED    16
#define EMPTY               1                    /* slots of a leaf whose own patience does not matter             */

/* ---- slots in order ---- */

void vtree_items_read(const struct vtree_leaf *leaf, uint32_t live, struct vtree_items *items)
{
	unsigned n = 0;

	for (; live != 0; live &= live - 1) {
		unsigned i = (unsigned)__builtin_ctz(live), at = n++;
		struct vtree_item item = {
			.first = simd_bias(atomic_load_acquire(&leaf->first[i])),        /* D -> F */
			.last = simd_bias(atomic_load_acquire(&leaf->last[i])),          /* D -> F */
			.vma = atomic_load_acquire(&leaf->vma[i]),                       /* D -> F */
		};

		for (; at > 0 && items->at[at - 1].first > item.first; at--)
			items->at[at] = items->at[at - 1];
		items->at[at] = item;
	}
	items->n = n;
}

static void add_run(struct vtree_free *free, uint32_t first, uint32_t last, uint32_t base, uint32_t limit)
{
	uint32_t run = vtree_run(first, last);

	if (run > free->best)
		free->best = run;
	if (first == base)
		free->head = run;
	if (last == limit)
		free->tail = run;
}

struct vtree_free vtree_items_free(const struct vtree_items *items, uint32_t base, uint32_t limit)
{
	struct vtree_free free = { 0, 0, 0 };
	uint32_t from = base;

	for (unsigned i = 0; i < items->n; i++) {
		const struct vtree_item *item = &items->at[i];

		if (item->vma & VTREE_DUMMY)
			continue;
		if (item->first > from)
			add_run(&free, from, item->first - 1, base, limit);
		if (item->last == limit)
			return free;
		from = item->last + 1;
	}
	add_run(&free, from, limit, base, limit);
	return free;
}

struct vtree_leaf *vtree_leaf_make(struct vtree *t, struct thread_slot *self, const struct vtree_items *items,
				   uint32_t base, uint32_t limit)
{
	struct vtree_leaf *leaf = vtree_take_leaf(t, self);

	ASSERT(items->n <= VTREE_ROOM);
	if (leaf == NULL)
		return NULL;
	leaf->base = base;
	leaf->limit = limit;
	atomic_store_relaxed(&leaf->contended, 0);
	atomic_store_relaxed(&leaf->patience, 0);
	leaf->visitor = (uint16_t)self->number;
	leaf->turns = leaf->joined = 0;
	leaf->calm = leaf->alone = 0;
	for (unsigned i = 0; i < items->n; i++) {
		atomic_store_relaxed(&leaf->first[i], simd_bias(items->at[i].first));
		atomic_store_relaxed(&leaf->last[i], simd_bias(items->at[i].last));
		atomic_store_relaxed(&leaf->vma[i], items->at[i].vma);
	}
	atomic_store_relaxed(&leaf->word, VTREE_WRITER | ((UINT64_C(1) << items->n) - 1));
	return leaf;
}

/* ---- split ---- */

int vtree_split_reserve(struct vtree *t, struct thread_slot *self, uint64_t addr)
{
	uintptr_t node;
	unsigned levels = 0;

	rcu_enter(self);
	node = atomic_load_acquire(&t->root[vtree_block(addr)]);                /* C2 -> C1 */
	for (; !(node & VTREE_LEAF); levels++) {
		struct vtree_inner *inner = (struct vtree_inner *)node;

		node = atomic_load_acquire(&inner->child[vtree_child_of(inner, vtree_page(addr))]);     /* C2 -> C1 */
	}
	rcu_leave(self);
	return vtree_nodes_reserve(t, self, 2, 2 * levels + 2);
}

static void items_cut(const struct vtree_items *all, uint32_t border, struct vtree_items *left,
		      struct vtree_items *right)
{
	left->n = right->n = 0;
	for (unsigned i = 0; i < all->n; i++) {
		struct vtree_item item = all->at[i];

		if (item.first < border) {
			left->at[left->n] = item;
			if (item.last >= border)
				left->at[left->n].last = border - 1;
			left->n++;
		}
		if (item.last >= border) {
			right->at[right->n] = item;
			if (item.first < border)
				right->at[right->n].first = border;
			right->n++;
		}
	}
}

static struct vtree_entry entry_for(struct vtree_leaf *leaf, const struct vtree_items *items, bool fixed)
{
	return (struct vtree_entry){ (uintptr_t)leaf | VTREE_LEAF, leaf->limit,
				     vtree_items_free(items, leaf->base, leaf->limit), fixed };
}

/* The section goes on in `mine`; the other half is opened. */
static void go_on_in(struct vtree_section *s, unsigned block, struct vtree_leaf *mine, struct vtree_leaf *other)
{
	struct vtree_place at;

	vtree_unlock(&other->word);
	while (!vtree_parent_of(s->tree, block, mine->base, (uintptr_t)mine | VTREE_LEAF, &at))
		;
	vtree_section_at(s, block, mine, at);
}

/* Of both halves. Which of them has the border that was earned is not known, and halves of halves would hand it on: so
 * what they inherit ends when they are empty, as that of an undone join. On the border's other side it is kept. A leaf
 * that has patience, and was joined all the same, had an empty half: by chance, if it is full once more. */
static uint16_t patience_after(const struct vtree_leaf *leaf, enum vtree_border kind)
{
	uint16_t before = atomic_load_relaxed(&leaf->patience);

	if (kind == VTREE_BORDER_CONTENDED)
		return PATIENCE_CONTENDED;
	if (leaf->joined && before > PATIENCE_REFUSED)
		return PATIENCE_AGAIN;
	return leaf->joined || before > PATIENCE_UNDONE ? PATIENCE_UNDONE : before > PATIENCE_REFUSED ? before : 0;
}

int vtree_split_at(struct vtree_section *s, uint32_t border, uint32_t keep, enum vtree_border kind)
{
	struct vtree_leaf *leaf = s->leaf, *low, *high;
	unsigned block = vtree_block(s->r.lo);
	struct vtree_items all, left, right;
	struct vtree_graft g = {
		.t = s->tree, .self = s->self, .block = block, .page = leaf->base, .drop = 1, .n = 2,
		.old = { (uintptr_t)leaf | VTREE_LEAF },
	};
	int r = -EAGAIN;

	ASSERT(s->kept == s->live && border > leaf->base && border <= leaf->limit);
	vtree_items_read(leaf, s->live, &all);
	items_cut(&all, border, &left, &right);
	low = vtree_leaf_make(s->tree, s->self, &left, leaf->base, border - 1);
	high = vtree_leaf_make(s->tree, s->self, &right, border, leaf->limit);
	if (low != NULL && high != NULL) {
		uint16_t patience = patience_after(leaf, kind);

		atomic_store_relaxed(&low->patience, patience);
		atomic_store_relaxed(&high->patience, patience);
		g.come[0] = entry_for(low, &left, false);
		g.come[1] = entry_for(high, &right, kind == VTREE_BORDER_FIXED);
		r = vtree_graft(&g);
	}
	if (r != 0) {
		if (high != NULL)
			vtree_untake_leaf(s->tree, s->self, high);
		if (low != NULL)
			vtree_untake_leaf(s->tree, s->self, low);
		return r;
	}
	vtree_count(s->tree, s->self, VTREE_SPLIT);
	if (keep < border)
		go_on_in(s, block, low, high);
	else
		go_on_in(s, block, high, low);
	return 0;
}

/* addr is a border already: only the parent's mark is missing. */
static void mark_fixed(struct vtree_section *s)
{
	unsigned block = vtree_block(s->r.lo);
	struct vtree_place at;

	for (;;) {
		if (!vtree_parent_of(s->tree, block, s->leaf->base, (uintptr_t)s->leaf | VTREE_LEAF, &at))
			continue;
		if (at.parent == NULL)
			return;                                  /* a block's border is one for ever                 */
		if (vtree_lock(&at.parent->word, false))
			break;
	}
	atomic_store_relaxed(&at.parent->fixed, atomic_load_relaxed(&at.parent->fixed) | UINT32_C(1) << at.index);
	vtree_unlock(&at.parent->word);
}

int (vtree_separate)(struct vtree *t, struct thread_slot *self, uint64_t addr)
{
	uint32_t page = vtree_page(addr);
	struct vtree_section s;

	for (;;) {
		int r;

		if (vtree_split_reserve(t, self, addr) != 0)
			return -ENOMEM;
		vtree_enter(t, self, addr, &s);
		if (s.leaf->base == page) {
			mark_fixed(&s);
			vtree_leave(&s);
			return 0;
		}
		r = vtree_split_at(&s, page, page, VTREE_BORDER_FIXED);
		vtree_leave(&s);
		if (r == 0)
			return 0;
	}
}

/* ---- join ---- */

static unsigned live_of(const struct vtree_leaf *leaf)
{
	return simd_count((uint32_t)(atomic_load_acquire(&leaf->word) & VTREE_MASK));   /* W1 -> P: a hint, or locked */
}

/* The slots of two neighbours as those of one leaf. Dummies stay apart: their edit may be about to put something in the
 * place of one of the two, leaf by leaf. */
static void items_joined(const struct vtree_leaf *left, const struct vtree_leaf *right, struct vtree_items *all)
{
	struct vtree_items more;
	unsigned from = 0;

	vtree_items_read(left, (uint32_t)(atomic_load_relaxed(&left->word) & VTREE_MASK), all);
	vtree_items_read(right, (uint32_t)(atomic_load_relaxed(&right->word) & VTREE_MASK), &more);
	if (all->n > 0 && more.n > 0 && all->at[all->n - 1].last == left->limit && more.at[0].first == right->base &&
	    all->at[all->n - 1].vma == more.at[0].vma &&
	    (!(more.at[0].vma & VTREE_DUMMY) || BASE_MUTANT(join_joins_dummies))) {
		all->at[all->n - 1].last = more.at[0].last;
		from = 1;
	}
	for (; from < more.n; from++)
		all->at[all->n++] = more.at[from];
}

/* Of a leaf that is made of the two. */
static uint16_t patience_left(const struct vtree_leaf *left, const struct vtree_leaf *right)
{
	uint16_t l = atomic_load_relaxed(&left->patience), r = atomic_load_relaxed(&right->patience);
	uint16_t most = l > r ? l : r;

	return most > PATIENCE_REFUSED ? most : 0;
}

/* Both are locked. */
static bool join_locked(struct vtree *t, struct thread_slot *self, unsigned block, struct vtree_leaf *left,
			struct vtree_leaf *right)
{
	struct vtree_items all;
	struct vtree_leaf *leaf;
	struct vtree_graft g = {
		.t = t, .self = self, .block = block, .page = left->base, .try = true, .drop = 2, .n = 1,
		.old = { (uintptr_t)left | VTREE_LEAF, (uintptr_t)right | VTREE_LEAF },
	};

	items_joined(left, right, &all);
	if (all.n > VTREE_JOINED_MAX)
		return false;
	leaf = vtree_leaf_make(t, self, &all, left->base, right->limit);
	if (leaf == NULL)
		return false;
	leaf->joined = 1;
	atomic_store_relaxed(&leaf->patience, patience_left(left, right));
	g.come[0] = entry_for(leaf, &all, false);
	if (vtree_graft(&g) != 0) {
		vtree_untake_leaf(t, self, leaf);
		return false;
	}
	vtree_unlock(&leaf->word);
	vtree_count(t, self, VTREE_JOIN);
	return true;
}

/* Colliders were parted at its border, and whoever works there has not gone; or a join was undone there not long ago,
 * and it is not empty. */
static bool patient(const struct vtree_leaf *leaf)
{
	return atomic_load_relaxed(&leaf->patience) > (live_of(leaf) > EMPTY ? PATIENCE_REFUSED : PATIENCE_UNDONE);
}

/* Children i and i + 1 of parent, both without more patience than a refusal leaves. */
static bool join_pair(struct vtree *t, struct thread_slot *self, unsigned block, struct vtree_inner *parent, unsigned i)
{
	uintptr_t l = atomic_load_acquire(&parent->child[i]);                   /* C2 -> C1 */
	uintptr_t r = atomic_load_acquire(&parent->child[i + 1]);               /* C2 -> C1 */
	struct vtree_leaf *left = vtree_as_leaf(l), *right = vtree_as_leaf(r);
	bool joined = false;

	if (atomic_load_relaxed(&parent->fixed) >> (i + 1) & 1)
		return false;
	if (patient(left) || patient(right))
		return false;
	if (live_of(left) + live_of(right) > VTREE_JOINED_MAX || !vtree_lock(&left->word, true))
		return false;
	BASE_POINT(vtree_join_left_locked);
	if (vtree_lock(&right->word, true)) {
		joined = join_locked(t, self, block, left, right);
		if (!joined)
			vtree_unlock(&right->word);
	}
	if (!joined)
		vtree_unlock(&left->word);
	return joined;
}

/* Is the leaf that owns addr worth a try? *limit: its last page. now: see vtree_join_idle; NULL: no idle visit. */
static bool join_wanted(struct vtree *t, uint64_t addr, const uint64_t *now, uint32_t *limit)
{
	struct vtree_place at;
	struct vtree_leaf *leaf = vtree_descend(t, vtree_block(addr), vtree_page(addr), &at);
	uint16_t patience;

	*limit = leaf->limit;
	if (at.parent == NULL || live_of(leaf) > VTREE_SPARSE)
		return false;
	if (now != NULL && lock_range_holds(vtree_span(vtree_block(addr), leaf->base, leaf->limit), *now))
		return false;
	patience = atomic_load_relaxed(&leaf->patience);
	if (patience > 0)
		atomic_store_relaxed(&leaf->patience, patience = now != NULL ? 0 : (uint16_t)(patience - 1));
	return patience == 0 ||
	       (patience > PATIENCE_REFUSED && patience <= PATIENCE_UNDONE && live_of(leaf) <= EMPTY);
}

/* The leaf that owns page, with one of its neighbours. */
static bool join_at(struct vtree *t, struct thread_slot *self, unsigned block, uint32_t page)
{
	struct vtree_place at;
	struct vtree_leaf *leaf = vtree_descend(t, block, page, &at);

	if (at.parent == NULL)
		return false;
	if (at.index + 1 < at.parent->n && join_pair(t, self, block, at.parent, at.index))
		return true;
	if (at.index > 0 && join_pair(t, self, block, at.parent, at.index - 1))
		return true;
	atomic_store_relaxed(&leaf->patience, PATIENCE_REFUSED);
	return false;
}

static void join_all(struct vtree *t, struct thread_slot *self, struct lock_range r, const uint64_t *now)
{
	while (r.lo < r.hi) {
		unsigned block = vtree_block(r.lo);
		bool wanted, joined = false;
		uint32_t limit;

		rcu_enter(self);
		wanted = join_wanted(t, r.lo, now, &limit);
		rcu_leave(self);
		if (wanted && vtree_nodes_reserve(t, self, 1, 4) == 0) {
			rcu_enter(self);
			joined = join_at(t, self, block, vtree_page(r.lo));
			rcu_leave(self);
		}
		if (!joined)
			r.lo = vtree_addr(block, (uint64_t)limit + 1);
	}
}

void vtree_join(struct vtree *t, struct thread_slot *self, struct lock_range r)
{
	join_all(t, self, r, NULL);
}

void vtree_join_idle(struct vtree *t, struct thread_slot *self, struct lock_range r, uint64_t now)
{
	join_all(t, self, r, &now);
}
