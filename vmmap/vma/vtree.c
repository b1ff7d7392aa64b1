/* SPDX-License-Identifier: MIT */
/*
 * vtree.c - the VMA tree: ways through it, locks of its nodes, the leaf section.
 *
 * SECTION  enter (CAS sets WRITER) -> drop and add on private masks (vtree_edit.c) -> leave: ONE store of the word with
 *          the new mask, count + 1 and WRITER clear makes all of it visible. A section that changes nothing stores the
 *          word it found. The word's protocol towards readers is in vtree_node.h.
 * Edges    L1 (leave's store) -> L2 (next enter's CAS): what the last section wrote.
 *          P (the same store) -> W1, W2 of readers. Seq_cst if it freed something: X1 -> X2 in vtree_bound.c.
 * Invariant  between sections at least one slot of each leaf is not live, so that a section which drops something can
 *          add one slot even in a full leaf; so commits never need memory.
 * Rivals   threads that meet in a leaf time and again are parted: vtree_part.c.
 * Progress  readers: see vtree_node.h. enter spins while another section of the same leaf, or a split or join that
 *          replaces the leaf, is under way: bounded work, no allocation, no wait downwards or sideways.
 * Sources  Bayer, Schkolnick 1977 (locks on B-trees, bottom-up); Lamport 1977 and Boehm 2012 (seqlocks; why data loads
 *          must be atomic); the node layout follows Rao, Ross 2000 (CSB+) in fitting searches to cache lines.
 */
#include <errno.h>
#include <string.h>
#include "base/spin.h"
#include "vmmap/vma/vtree_impl.h"

int vtree_init(struct vtree *t)
{
	struct thread_slot *self = thread_self();
	const struct vtree_items none = { 0 };

	memset(t, 0, sizeof(*t));
	if (vtree_nodes_init(t) != 0)
		return -ENOMEM;
	if (vtree_nodes_reserve(t, self, VTREE_BLOCKS, 0) != 0) {
		vtree_nodes_fini(t);
		return -ENOMEM;
	}
	for (unsigned block = 0; block < VTREE_BLOCKS; block++) {
		struct vtree_leaf *leaf = vtree_leaf_make(t, self, &none, 0, UINT32_MAX);

		vtree_unlock(&leaf->word);
		atomic_store_seqcst(&t->root[block], (uintptr_t)leaf | VTREE_LEAF);      /* C1 */
	}
	return 0;
}

void vtree_fini(struct vtree *t)
{
	vtree_nodes_fini(t);
	memset(t, 0, sizeof(*t));
}

/* ---- ways ---- */

struct vtree_leaf *vtree_descend(const struct vtree *t, unsigned block, uint32_t page, struct vtree_place *at)
{
	uintptr_t node = atomic_load_acquire(&t->root[block]);                   /* C2 -> C1 */
	struct vtree_inner *parent = NULL;
	unsigned index = 0;

	while (!(node & VTREE_LEAF)) {
		parent = (struct vtree_inner *)node;
		index = vtree_child_of(parent, page);
		node = atomic_load_acquire(&parent->child[index]);               /* C2 -> C1 */
		vtree_prefetch(node);
	}
	at->parent = parent;                             /* only now: not a store a level                          */
	at->index = index;
	return vtree_as_leaf(node);
}

bool vtree_parent_of(const struct vtree *t, unsigned block, uint32_t page, uintptr_t node, struct vtree_place *at)
{
	uintptr_t here = atomic_load_acquire(&t->root[block]);                   /* C2 -> C1 */

	*at = (struct vtree_place){ NULL, 0 };
	while (here != node && !(here & VTREE_LEAF)) {
		at->parent = (struct vtree_inner *)here;
		at->index = vtree_child_of(at->parent, page);
		here = atomic_load_acquire(&at->parent->child[at->index]);       /* C2 -> C1 */
	}
	return here == node;
}

/* ---- locks ---- */

bool vtree_lock(atomic_u64 *word, bool try)
{
	struct park_spin spin = PARK_SPIN;
	uint64_t w = atomic_load_relaxed(word);

	for (;;) {
		if (w & VTREE_DEAD)
			return false;
		if (!(w & VTREE_WRITER)) {
			if (atomic_cas_acquire(word, &w, w | VTREE_WRITER))      /* L2 -> L1 */
				return true;
			continue;
		}
		if (try)
			return false;
		park_spin(&spin);
		w = atomic_load_relaxed(word);
	}
}

void vtree_unlock(atomic_u64 *word)
{
	atomic_store_release(word, atomic_load_relaxed(word) & ~VTREE_WRITER);   /* L1 */
}

bool vtree_lock_root(struct vtree *t, unsigned block, bool try)
{
	if (try)
		return spin_trylock(&t->root_lock[block]);                       /* L2 -> L1 */
	spin_lock(&t->root_lock[block]);                                         /* L2 -> L1 */
	return true;
}

void vtree_unlock_root(struct vtree *t, unsigned block)
{
	spin_unlock(&t->root_lock[block]);                                       /* L1 */
}

/* ---- enter ---- */

void vtree_section_at(struct vtree_section *s, unsigned block, struct vtree_leaf *leaf, struct vtree_place at)
{
	s->leaf = leaf;
	s->word = atomic_load_relaxed(&leaf->word) & ~VTREE_WRITER;
	s->r = vtree_span(block, leaf->base, leaf->limit);
	s->live = s->kept = (uint32_t)(s->word & VTREE_MASK);
	s->freed = (struct lock_range){ 0, 0 };
	s->parent = at.parent;
	s->index = at.index;
}

/* Counts the collision and spins until the leaf can be taken. false: it is DEAD. */
static NOINLINE bool lock_contended(struct vtree *t, struct thread_slot *self, struct vtree_leaf *leaf)
{
	uint64_t c = atomic_load_relaxed(&leaf->contended);

	atomic_store_relaxed(&leaf->contended, c + VTREE_MET_ONE);
	vtree_count(t, self, VTREE_COLLISION);
	BASE_POINT(vtree_enter_collided);
	return vtree_lock(&leaf->word, false);
}

/* Enters; true: and is to be parted from a rival. */
static bool enter_once(struct vtree_section *s, uint64_t addr, bool passes, struct vtree_rivals *rivals)
{
	unsigned block = vtree_block(addr);
	uint32_t page = vtree_page(addr);
	struct vtree_place at;
	struct vtree_leaf *leaf;
	bool waited = false;

	rcu_enter(s->self);
	for (;;) {
		uint64_t w;

		leaf = vtree_descend(s->tree, block, page, &at);
		w = atomic_load_relaxed(&leaf->word);
		if (likely(!(w & (VTREE_WRITER | VTREE_DEAD))) &&
		    likely(atomic_cas_acquire(&leaf->word, &w, w | VTREE_WRITER)))       /* L2 -> L1 */
			break;
		if (w & VTREE_DEAD)
			continue;
		waited = true;
		if (passes ? vtree_lock(&leaf->word, false) : lock_contended(s->tree, s->self, leaf))
			break;
	}
	vtree_section_at(s, block, leaf, at);
	if (likely(vtree_undisturbed(leaf, s->self)))
		return false;
	return vtree_note_visit(s, page, waited, passes, rivals);
}

/* A border between the two, if there is memory and a place for it. */
static NOINLINE void part_rivals(struct vtree_section *s, uint64_t addr, struct vtree_rivals rivals)
{
	struct vtree_rivals ignored;
	uint32_t border;

	if (!vtree_border_between(s, rivals, &border))
		return;
	vtree_leave(s);
	if (vtree_split_reserve(s->tree, s->self, addr) != 0) {
		enter_once(s, addr, true, &ignored);
		return;
	}
	enter_once(s, addr, true, &ignored);
	if (!vtree_border_between(s, rivals, &border))
		return;
	if (vtree_split_at(s, border, vtree_page(addr), VTREE_BORDER_CONTENDED) != 0)
		BASE_POINT(vtree_part_failed);
}

static ALWAYS_INLINE void enter(struct vtree *t, struct thread_slot *self, uint64_t addr, bool passes,
				struct vtree_section *s)
{
	struct vtree_rivals rivals;

	ASSERT(addr < ADDRESS_END);
	s->tree = t;
	s->self = self;
	if (unlikely(enter_once(s, addr, passes, &rivals)))
		part_rivals(s, addr, rivals);
	BASE_POINT(vtree_entered);
}

void vtree_enter(struct vtree *t, struct thread_slot *self, uint64_t addr, struct vtree_section *s)
{
	enter(t, self, addr, false, s);
}

void vtree_pass(struct vtree *t, struct thread_slot *self, uint64_t addr, struct vtree_section *s)
{
	enter(t, self, addr, true, s);
}

int (vtree_enter_room)(struct vtree *t, struct thread_slot *self, uint64_t addr, unsigned need, struct vtree_section *s)
{
	ASSERT(need <= 8);
	vtree_enter(t, self, addr, s);
	while (unlikely(vtree_room(s) < need)) {
		uint32_t page = vtree_page(addr);

		vtree_leave(s);
		if (vtree_split_reserve(t, self, addr) != 0)
			return -ENOMEM;
		vtree_enter(t, self, addr, s);
		if (vtree_room(s) >= need)
			break;
		if (vtree_split_at(s, vtree_border_room(s, page), page, VTREE_BORDER_PLAIN) != 0)
			continue;        /* the tree grew a level since the reserve was made: again, with more   */
	}
	return 0;
}

/* ---- leave ---- */

void vtree_leave(struct vtree_section *s)
{
	struct vtree_leaf *leaf = s->leaf;
	struct vtree_free free = { 0, 0, 0 };

	ASSERT(simd_count(s->kept) <= VTREE_ROOM);
	if (s->kept == s->live) {
		atomic_store_release(&leaf->word, s->word);                      /* L1 */
		rcu_leave(s->self);
		return;
	}
	if (s->freed.hi > s->freed.lo)
		vtree_bound_freed(s, &free);
	BASE_POINT(vtree_leave_before_publish);
	s->word = ((s->word & ~VTREE_MASK) + VTREE_COUNT_ONE) | s->kept;
	if (likely(free.best == 0)) {
		atomic_store_release(&leaf->word, s->word);                      /* P, L1 */
	} else {
		atomic_store_seqcst(&leaf->word, s->word);                       /* P, L1, X1 */
		BASE_POINT(vtree_leave_before_raise);
		if (s->parent != NULL && !BASE_MUTANT(vtree_bound_not_raised) &&
		    (!vtree_free_within(free, vtree_bound(s->parent, s->index)) ||
		     unlikely(atomic_load_seqcst(&s->parent->word) & VTREE_DEAD)))       /* X2, T2 */
			vtree_bound_raise(s->tree, vtree_block(s->r.lo), leaf, free);
	}
	rcu_leave(s->self);
}
