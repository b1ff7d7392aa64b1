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

/* ---- a slot of a leaf is another VMA's by the time that it is read ---- */

/* Both VMAs lie in one leaf; who only extends one leaves its lock word alone. */
static void two_slots(uint64_t a, uint64_t pages, int prot, uint64_t b, int other)
{
	scene_map();
	scene_separate(PAGE(0));
	scene_separate(PAGE(64));
	scene_mmap(PAGES(a, pages), prot);
	scene_mmap(PAGES(b, 2), other);
	scene_stop(0, "vtree_find_hit", THERE, BACK);
}
static void slot_given(void) { two_slots(0, 4, RW, 16, RW); }
static void slot_below(void) { two_slots(4, 4, RW, 0, PROT_READ); }
static void slot_above(void) { two_slots(2, 2, RW, 8, PROT_READ); }

static void extend(uint64_t at, int prot) { expect(scene_fixed(1, PAGES(at, 1), prot) == (int64_t)PAGE(at)); }

static void unmap_and_extend(void)
{
	(void)scene_await(THERE);
	expect(scene_munmap(1, PAGES(0, 4)) == 0);
	extend(18, RW);
	scene_signal(BACK);
}
static void extend_both_up(void)
{
	(void)scene_await(THERE);
	extend(8, RW);
	extend(2, PROT_READ);
	scene_signal(BACK);
}
static void extend_down_and_up(void)
{
	(void)scene_await(THERE);
	extend(1, RW);
	extend(10, PROT_READ);
	scene_signal(BACK);
}
static void write_2(void)
{
	scene_fault(0, PAGE(2), PROT_WRITE);
	expect(scene.result[0] == 0 || scene.info[0].code == VMMAP_MAPERR);
}
static void write_5_and_1(void)
{
	expect(scene_fault(0, PAGE(5), PROT_WRITE) == 0);
	expect(scene_fault(0, PAGE(1), PROT_WRITE) == -EFAULT);
}
static void write_3_and_9(void)
{
	expect(scene_fault(0, PAGE(3), PROT_WRITE) == 0);
	expect(scene_fault(0, PAGE(9), PROT_WRITE) == -EFAULT);
}

SCENARIO(order_slot_given, .what = "the slot of a VMA that goes becomes that of one that is extended",
	 .set_up = slot_given, .body = { write_2, unmap_and_extend });
SCENARIO(order_slot_below, .what = "two VMAs are extended, the slot of one becomes that of the one below",
	 .set_up = slot_below, .body = { write_5_and_1, extend_both_up });
SCENARIO(order_slot_above, .what = "the same, of the one above",
	 .set_up = slot_above, .body = { write_3_and_9, extend_down_and_up });

/* ---- an entry moves, with a frame that nobody else has seen ---- */

static void place_to_go(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 1), RW);
}
static void write_and_move(void)
{
	expect(scene_write(0, PAGE(0), 42) == 8);
	expect(scene_move(0, PAGES(0, 1), PAGE(8)) == (int64_t)PAGE(8));
}
static void read_there(void)
{
	uint64_t word = 42;

	expect(scene_read(1, PAGE(8), &word) == -EFAULT || word == 42);
}

SCENARIO(order_moved, .what = "a page is written and moved, and read where it goes",
	 .set_up = place_to_go, .body = { write_and_move, read_there });

/* ---- rwsem: who is let in sees what was changed ---- */

static void about_to_unmap(const char *stop)
{
	scene_pages(2 * LONG);
	scene_stop(0, stop, THERE, BACK);
}
static void downgraded(void)
{
	about_to_unmap("unmap_downgraded");
	scene_stop(1, "fault_before_cas", BACK, THIRD);
}
static void granted_shared(void)
{
	about_to_unmap("carve_before_leave");
	scene_stop(1, "rwsem_before_join", BACK, BACK);
}
static void unmap_long(void)
{
	expect(scene_munmap(0, PAGES(0, LONG)) == 0);
	scene_signal(THIRD);
}
static void unmap_page(void) { expect(scene_munmap(0, PAGES(3, 1)) == 0); }
static void fault_page_3(void)
{
	(void)scene_await(THERE);
	scene_fault(1, PAGE(3), PROT_WRITE);
	expect(scene.result[1] == 0 || scene.info[1].code == VMMAP_MAPERR);
}

SCENARIO(order_downgrade, .what = "a fault is let in by a downgrade", .policy = "rwsem",
	 .set_up = downgraded, .body = { unmap_long, fault_page_3 });
SCENARIO(order_granted, .what = "a fault that has queued is granted the lock before it sleeps", .policy = "rwsem",
	 .set_up = granted_shared, .body = { unmap_page, fault_page_3 });

/* ---- a pin ---- */

static void pinned(void)
{
	scene_pages(3 * LONG);
	scene_stop(0, "fault_before_cas", THERE, BACK);
	scene_stop(1, "change_before_tell", BACK, THIRD);
}
static void write_middle(void)
{
	scene_fault(0, PAGE(LONG + 3), PROT_WRITE);
	expect(scene.result[0] == 0 || scene.info[0].code == VMMAP_ACCERR);
	scene_signal(THIRD);
}
static void protect_middle(void) { scene_then_protect(PAGES(LONG, LONG), PROT_READ); }

SCENARIO(order_pin, .what = "a cut gives a counted page away, whose entry is looked at before the fault locks it",
	 .policy = "vma-count", .set_up = pinned, .body = { write_middle, protect_middle });

/* ---- a VMA's object lives again, and a listing is reading it ---- */

static void of_object(uint64_t at, uint64_t from, int prot)
{
	expect(vmmap_mmap(scene.map, PAGES(at, 4), prot, MAP_SHARED | MAP_FIXED, scene.object, from * 4096) ==
	       (int64_t)PAGE(at));
}
static void to_be_listed(void)
{
	scene_map();
	scene_separate(PAGE(0));
	scene_separate(PAGE(64));                /* the next life is in another leaf                                */
	scene_object(8, false);
}
static void anonymous(void)
{
	to_be_listed();
	scene_mmap(PAGES(0, 4), RW);
}
static void of_first_pages(void)
{
	to_be_listed();
	of_object(0, 0, RW);
}
static void two_groups(void)
{
	to_be_listed();
	scene_mmap(PAGES(0, 2), RW);
	scene_mmap(PAGES(4, 4), RW);
	expect(scene_fault(0, PAGE(0), PROT_WRITE) == 0 && scene_fault(0, PAGE(4), PROT_WRITE) == 0);
	scene_mmap(PAGES(2, 2), RW);             /* they meet, and stay two                                         */
	expect(scene_group(PAGE(0)) != scene_group(PAGE(4)));
}
static void list_it(void)
{
	struct vmmap_vma v;

	if (vmmap_query(scene.map, PAGE(2), &v) != 0 || v.start > PAGE(2))
		return;
	expect(v.start == PAGE(0) && v.end == PAGE(4) && v.prot == RW && v.offset == 0);
	expect(v.flags & MAP_SHARED ? v.object != 0 : v.object == 0);
}
static void map_object(void)
{
	expect(scene_munmap(1, PAGES(0, 4)) == 0);
	of_object(100, 4, PROT_READ);
}
static void map_anonymous(void)
{
	expect(scene_munmap(1, PAGES(0, 4)) == 0);
	expect(scene_fixed(1, PAGES(100, 4), RW) == (int64_t)PAGE(100));
}

SCENARIO(order_listed, .what = "a query, and a VMA's object that lives elsewhere by then", .flags = SCENARIO_SHARED,
	 .set_up = anonymous, .body = { list_it, map_object });
SCENARIO(order_listed_offset, .what = "the same with an object at another offset", .flags = SCENARIO_SHARED,
	 .set_up = of_first_pages, .body = { list_it, map_object });
SCENARIO(order_listed_group, .what = "the same, of one of two neighbours with groups of their own",
	 .flags = SCENARIO_SHARED, .set_up = two_groups, .body = { list_it, map_anonymous });
