/* SPDX-License-Identifier: MIT */
/*
 * scenario_order.c - made for memory orders (--weak --weaken): the bounds of free space, and ways through the tree that
 * change under who is on them. What happens here happens under sequential consistency, too, and is in order there.
 *
 * Who is to see something old must not have heard of it: a body that is stopped inside a call is told nothing, and the
 * bodies of a scenario without stops know nothing of each other. tests/models has the same steps on small trees.
 */
#include "bench/explore/scene.h"

#define LEAF 8                           /* pages of a leaf                                                         */
#define LEAVES 60                        /* enough for four inner nodes below a root                                */
#define MIDDLE (30 * LEAF)               /* a leaf that neither begins nor ends what its inner node owns            */

/* A full leaf between two full ones, and bounds that say so. */
static void leaf_full(void)
{
	scene_map();
	for (unsigned i = 0; i <= 3; i++)
		scene_separate(PAGE(i * LEAF));
	for (unsigned i = 0; i < 3; i++)
		scene_mmap(PAGES(i * LEAF, LEAF), i % 2 ? PROT_READ : RW);
	for (unsigned i = 0; i < 3; i++)
		scene_search(PAGES(i * LEAF, LEAF));
}
/* Was free once: the bounds stay high. */
static void was_free(uint64_t page, uint64_t n, int prot)
{
	expect(scene_munmap(0, PAGES(page, n)) == 0);
	scene_mmap(PAGES(page, n), prot);
}
static void bound_high(void)
{
	leaf_full();
	was_free(LEAF, LEAF, PROT_READ);
}
static void head_high(void)
{
	leaf_full();
	expect(scene_munmap(0, PAGES(LEAF + 4, 4)) == 0);        /* best, and tail                                  */
	was_free(LEAF, 2, PROT_READ);
}
static void tail_high(void)
{
	leaf_full();
	expect(scene_munmap(0, PAGES(LEAF, 4)) == 0);            /* best, and head                                  */
	was_free(LEAF + 6, 2, PROT_READ);
}
static void free_leaf(void)  { expect(scene_munmap(0, PAGES(LEAF, LEAF)) == 0); }
static void free_inner(void) { expect(scene_munmap(0, PAGES(LEAF + 3, 2)) == 0); }
static void free_first(void) { expect(scene_munmap(0, PAGES(LEAF, 2)) == 0); }
static void free_last(void)  { expect(scene_munmap(0, PAGES(LEAF + 6, 2)) == 0); }
static void lower(void)       { scene_search(PAGES(LEAF, LEAF)); }
static void lower_head(void)  { scene_search(PAGES(LEAF, 2)); }
static void lower_tail(void)  { scene_search(PAGES(LEAF + 6, 2)); }

/* What is wrong with a bound, the audit says. */
SCENARIO(order_lower, .what = "a leaf is freed while its bound is lowered",
	 .set_up = bound_high, .body = { free_leaf, lower });
SCENARIO(order_lower_best, .what = "the same, of pages in its middle",
	 .set_up = bound_high, .body = { free_inner, lower });
SCENARIO(order_lower_head, .what = "the same, of its first pages, with more that is free elsewhere in it",
	 .set_up = head_high, .body = { free_first, lower_head });
SCENARIO(order_lower_tail, .what = "the same, of its last pages",
	 .set_up = tail_high, .body = { free_last, lower_tail });

/* ---- a parent is replaced under who frees ---- */

static void separate_above(void) { scene_separate(PAGE(1024)); }

static void publishes(void)
{
	bound_high();
	scene_stop(0, "vtree_leave_before_publish", THERE, BACK);
}
static void separate_and_lower(void)
{
	(void)scene_await(THERE);
	separate_above();
	lower();
	scene_signal(BACK);
}

SCENARIO(order_parent_old, .what = "the bound that one looks at is no longer the tree's",
	 .set_up = publishes, .body = { free_inner, separate_and_lower });

static void raises(void)
{
	leaf_full();
	scene_stop(0, "vtree_leave_before_raise", THERE, BACK);
}
static void separate_then(void)
{
	(void)scene_await(THERE);
	separate_above();
	scene_signal(BACK);
}

SCENARIO(order_way_root, .what = "who raises a bound finds a root that is new",
	 .set_up = raises, .body = { free_inner, separate_then });

/* ---- three levels: a root, inner nodes, leaves ---- */

static void levels_full(void)
{
	scene_map();
	for (unsigned i = 0; i <= LEAVES; i++)
		scene_separate(PAGE(i * LEAF));
	for (unsigned i = 0; i < LEAVES; i++)
		scene_mmap(PAGES(i * LEAF, LEAF), i % 2 ? PROT_READ : RW);
	for (unsigned i = 0; i < LEAVES; i++)
		scene_search(PAGES(i * LEAF, LEAF));
}
static void levels_high(void)
{
	levels_full();
	was_free(MIDDLE, LEAF, RW);
}
static void free_middle(void)    { expect(scene_munmap(0, PAGES(MIDDLE + 3, 2)) == 0); }
static void lower_middle(void)   { scene_search(PAGES(MIDDLE, LEAF)); }

SCENARIO(order_levels, .what = "a bound is raised and lowered on two levels",
	 .set_up = levels_high, .body = { free_middle, lower_middle });

static void separate_middle(void) { scene_separate(PAGE(MIDDLE + 12)); }         /* in the next leaf                 */
static void separate_middle_then(void)
{
	(void)scene_await(THERE);
	separate_middle();
	scene_signal(BACK);
}
static void levels_raise(void)
{
	levels_full();
	scene_stop(0, "vtree_leave_before_raise", THERE, BACK);
}

SCENARIO(order_way_inner, .what = "who raises a bound finds an inner node that is new",
	 .set_up = levels_raise, .body = { free_middle, separate_middle_then });

static void levels_entered(void)
{
	levels_full();
	scene_stop(0, "vtree_entered", THERE, BACK);
}
static void separate_here(void) { scene_separate(PAGE(MIDDLE + 4)); }

SCENARIO(order_parent, .what = "a leaf is to be split, and its parent is new",
	 .set_up = levels_entered, .body = { separate_here, separate_middle_then });

static void protect_one(void) { expect(scene_protect(0, PAGES(MIDDLE + 1, 1), PROT_NONE) == 0); }
static void fault_one(void)   { expect(scene_fault(0, PAGE(MIDDLE + 1), PROT_WRITE) == 0); }
static void separate_1(void)  { separate_middle(); }

SCENARIO(order_descent, .what = "an edit and an inner node that is replaced above it",
	 .set_up = levels_full, .body = { protect_one, separate_1 });
SCENARIO(order_fault, .what = "a fault and an inner node that is replaced above it",
	 .set_up = levels_full, .body = { fault_one, separate_1 });
