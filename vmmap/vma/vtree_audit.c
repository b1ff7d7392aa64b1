/* SPDX-License-Identifier: MIT */
/*
 * vtree_audit.c - counts, and every rule that must hold while nobody is at work (vtree_audit).
 *
 * Rules: leaves and inner nodes own what their parents say, without holes; slots are disjoint, in order, inside
 * their leaf, at least one is free; no node is locked or DEAD; each bound covers what its child says; each VMA
 * pointer is set, and its dummy mark is that of the VMA.
 */
#include <inttypes.h>
#include <stdarg.h>
#include "vmmap/vma/vtree_impl.h"

struct audit {
	FILE *report;
	unsigned block;
	uint64_t wrong;
	struct vtree_stats stats;
};

static void PRINTF_LIKE(3, 4) complain(struct audit *a, uint32_t page, const char *fmt, ...)
{
	va_list args;

	a->wrong++;
	if (a->report == NULL)
		return;
	fprintf(a->report, "vtree: %#" PRIx64 ": ", vtree_addr(a->block, page));
	va_start(args, fmt);
	vfprintf(a->report, fmt, args);
	va_end(args);
	fputc('\n', a->report);
}

static struct vtree_free audit_leaf(struct audit *a, const struct vtree_leaf *leaf, uint32_t base, uint32_t limit)
{
	uint64_t word = atomic_load_acquire(&leaf->word);                       /* W1 -> P: quiescent */
	struct vtree_items items;

	a->stats.leaves++;
	if (leaf->base != base || leaf->limit != limit)
		complain(a, base, "leaf says that it owns pages %#x..%#x, its parent %#x..%#x", leaf->base, leaf->limit,
			 base, limit);
	if (word & (VTREE_WRITER | VTREE_DEAD))
		complain(a, base, "leaf is %s", word & VTREE_DEAD ? "dead" : "locked");
	vtree_items_read(leaf, (uint32_t)(word & VTREE_MASK), &items);
	a->stats.slots += items.n;
	if (items.n > VTREE_ROOM)
		complain(a, base, "no slot of the leaf is free");
	for (unsigned i = 0; i < items.n; i++) {
		const struct vtree_item *item = &items.at[i];
		struct vma *vma = vtree_as_vma(item->vma);

		if (item->first > item->last || item->first < leaf->base || item->last > leaf->limit)
			complain(a, item->first, "slot %#x..%#x is empty or leaves its leaf", item->first, item->last);
		if (i > 0 && item->first <= items.at[i - 1].last)
			complain(a, item->first, "slot overlaps the one before");
		if (vma == NULL)
			complain(a, item->first, "slot without a VMA");
		else if (!vma_gap(vma) != !(item->vma & VTREE_DUMMY))
			complain(a, item->first, "slot and VMA do not agree on its being a dummy");
	}
	return vtree_items_free(&items, leaf->base, leaf->limit);
}

static struct vtree_free audit_node(struct audit *a, uintptr_t node, uint32_t base, uint32_t limit);

static struct vtree_free audit_inner(struct audit *a, const struct vtree_inner *inner, uint32_t base, uint32_t limit)
{
	uint64_t word = atomic_load_acquire(&inner->word);                      /* L2 -> L1: quiescent */
	uint32_t first = base;

	a->stats.inners++;
	if (inner->n == 0 || inner->n > VTREE_SLOTS || inner->base != base ||
	    vtree_last_of(inner, inner->n - 1) != limit) {
		complain(a, base, "inner node with %u children does not own what its parent says", inner->n);
		return (struct vtree_free){ 0, 0, 0 };
	}
	if (word & (VTREE_WRITER | VTREE_DEAD))
		complain(a, base, "inner node is %s", word & VTREE_DEAD ? "dead" : "locked");
	for (unsigned i = 0; i < inner->n; i++) {
		uint32_t last = vtree_last_of(inner, i);
		struct vtree_free says, bound = vtree_bound(inner, i);

		if (last < first)
			complain(a, first, "children out of order");
		says = audit_node(a, atomic_load_acquire(&inner->child[i]), first, last);       /* C2 -> C1 */
		if (!vtree_free_within(says, bound))
			complain(a, first, "free space {%u, %u, %u} is above its bound {%u, %u, %u}", says.best,
				 says.head, says.tail, bound.best, bound.head, bound.tail);
		first = last + 1;
	}
	for (unsigned i = inner->n; i < VTREE_SLOTS; i++)
		if (vtree_last_of(inner, i) != UINT32_MAX)
			complain(a, base, "unused key %u is set", i);
	return vtree_bound_fold(inner);
}

static struct vtree_free audit_node(struct audit *a, uintptr_t node, uint32_t base, uint32_t limit)
{
	if (node & VTREE_LEAF)
		return audit_leaf(a, vtree_as_leaf(node), base, limit);
	return audit_inner(a, (const struct vtree_inner *)node, base, limit);
}

uint64_t vtree_audit(struct vtree *t, FILE *report)
{
	struct audit a = { .report = report };

	for (unsigned block = 0; block < VTREE_BLOCKS; block++) {
		a.block = block;
		if (atomic_load_acquire(&t->root_lock[block]) != 0)             /* L2 -> L1: quiescent */
			complain(&a, 0, "the root of the block is locked");
		audit_node(&a, atomic_load_acquire(&t->root[block]), 0, UINT32_MAX);    /* C2 -> C1 */
	}
	return a.wrong;
}

static void count_node(uintptr_t node, struct vtree_stats *out)
{
	const struct vtree_inner *inner = (const struct vtree_inner *)node;

	if (node & VTREE_LEAF) {
		uint64_t word = atomic_load_acquire(&vtree_as_leaf(node)->word);        /* W1 -> P: a count */

		out->leaves++;
		out->slots += simd_count((uint32_t)(word & VTREE_MASK));
		return;
	}
	out->inners++;
	for (unsigned i = 0; i < inner->n; i++)
		count_node(atomic_load_acquire(&inner->child[i]), out);         /* C2 -> C1 */
}

void vtree_get_stats(struct vtree *t, struct vtree_stats *out)
{
	struct thread_slot *self = thread_self();

	*out = (struct vtree_stats){ 0 };
	rcu_enter(self);
	for (unsigned block = 0; block < VTREE_BLOCKS; block++)
		count_node(atomic_load_acquire(&t->root[block]), out);          /* C2 -> C1 */
	rcu_leave(self);
	out->splits = vtree_counted(t, VTREE_SPLIT);
	out->joins = vtree_counted(t, VTREE_JOIN);
	out->collisions = vtree_counted(t, VTREE_COLLISION);
	out->bytes = vtree_nodes_bytes(t);
}
