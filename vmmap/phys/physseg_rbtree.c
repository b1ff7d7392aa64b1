/* SPDX-License-Identifier: MIT */
/*
 * physseg_rbtree.c - the index of NetBSD's hot plug, a red-black tree by address, for comparison.
 *
 * The tree is the BSDs' own, <sys/tree.h>, as libbsd packs it. Nodes are in the slots, so a change takes no memory; a
 * segment whose front is cut stays where it is. Readers take the table's lock.
 */
#include "vmmap/phys/physseg_impl.h"

static uint32_t start_of(const struct physseg *seg) { return run_start(atomic_load_relaxed(&seg->run)); }

static int by_start(const struct physseg *a, const struct physseg *b)
{
	return start_of(a) < start_of(b) ? -1 : start_of(a) > start_of(b);
}

RB_GENERATE_INTERNAL(physseg_tree, physseg, by_start, by_start, static UNUSED)

static int tree_init(struct physseg_table *t)
{
	RB_INIT(&t->tree);
	return 0;
}

static bool tree_ready(struct physseg_table *t)
{
	(void)t;
	return true;
}

static int tree_prepare(struct physseg_table *t)
{
	(void)t;
	return 0;
}

static void tree_nothing(struct physseg_table *t)
{
	(void)t;
}

static void tree_insert(struct physseg_table *t, struct physseg *seg, uint32_t start)
{
	(void)start;
	RB_INSERT(physseg_tree, &t->tree, seg);
}

static void tree_move(struct physseg_table *t, struct physseg *seg, uint32_t from, uint32_t to)
{
	(void)t;
	(void)seg;
	(void)from;
	(void)to;
}

static void tree_remove(struct physseg_table *t, struct physseg *seg, uint32_t start)
{
	(void)start;
	RB_REMOVE(physseg_tree, &t->tree, seg);
}

static struct physseg *tree_floor(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	struct physseg *seg = RB_ROOT(&t->tree), *best = NULL;

	while (seg != NULL) {
		if (start_of(seg) > at) {
			seg = RB_LEFT(seg, by_start);
		} else {
			best = seg;
			seg = RB_RIGHT(seg, by_start);
		}
	}
	if (best != NULL)
		*key = start_of(best);
	return best;
}

static struct physseg *tree_ceil(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	struct physseg *seg = RB_ROOT(&t->tree), *best = NULL;

	while (seg != NULL) {
		if (start_of(seg) < at) {
			seg = RB_RIGHT(seg, by_start);
		} else {
			best = seg;
			seg = RB_LEFT(seg, by_start);
		}
	}
	if (best != NULL)
		*key = start_of(best);
	return best;
}

const struct physseg_index physseg_rbtree = {
	.name = "rbtree",
	.locked = true,
	.init = tree_init,
	.fini = tree_nothing,
	.ready = tree_ready,
	.prepare = tree_prepare,
	.begin = tree_nothing,
	.insert = tree_insert,
	.move = tree_move,
	.remove = tree_remove,
	.commit = tree_nothing,
	.floor = tree_floor,
	.ceil = tree_ceil,
};
