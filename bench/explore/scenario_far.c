/* SPDX-License-Identifier: MIT */
/* scenario_far.c - listings and the tree under stops; a second map that is destroyed; tables of empty spans. */
#include "bench/explore/scene.h"

/* ---- listings: one VMA in two leaves, whose bits change; a query that has read the first leaf ---- */

static void all_of_it(uint64_t at)
{
	struct vmmap_vma v;

	expect(vmmap_query(scene.map, at, &v) == 0 && v.start == PAGE(0) && v.end == PAGE(1024));
}
static void look(void)
{
	all_of_it(PAGE(0));
	scene_signal(9);
}
static void bits_untold(void)
{
	scene_two_leaves();
	scene_stop(0, "vtree_list_first_piece", THERE, BACK);
	scene_stop(1, "change_before_tell", BACK, 9);
}
static void protect_read(void) { scene_then_protect(PAGES(0, 1024), PROT_READ); }

SCENARIO(list_untold, .what = "a query has read one leaf, and the bits change",
	 .set_up = bits_untold, .body = { look, protect_read }, .mutants = "vtree_bits_untold");

static void one_collect(void)
{
	scene_two_leaves();
	scene_stop(0, "vtree_list_first_piece", THERE, BACK);
}
static void replace_all(void) { scene_then_fixed(PAGES(0, 1024), PROT_READ); }

SCENARIO(list_replaced, .what = "a query has read one of two leaves, and all of it is replaced",
	 .set_up = one_collect, .body = { look, replace_all }, .mutants = "vtree_list_single_collect");
SCENARIO(list_changed, .what = "a query has read one of two leaves, and the bits change",
	 .set_up = one_collect, .body = { look, protect_read },
	 .mutants = "vtree_list_single_collect vtree_bits_untold");

/* Under one lock: in either of two collects the bits are other ones in the first leaf than in the second. */
static void two_collects(void)
{
	scene_two_leaves();
	scene_stop(0, "vtree_list_collect", 9, 9);
	scene_stop(0, "vtree_list_first_piece", THERE, BACK);
	scene_stop(0, "vtree_list_collect", THIRD, FOURTH);
	scene_stop(0, "vtree_list_first_piece", 5, 6);
}
static void toggle(void)
{
	for (unsigned n = 0; n < 3; n++) {
		(void)scene_await(2 * n + 1);
		expect(scene_protect(1, PAGES(0, 1024), n & 1 ? RW : PROT_READ) == 0);
		scene_signal(2 * n + 2);
	}
}

SCENARIO(list_toggled, .what = "the same, several times, under one lock", .policy = "rwsem",
	 .set_up = two_collects, .body = { look, toggle }, .mutants = "vtree_bits_untold");

static void hold_parts(void)
{
	scene_keep(1, PAGES(256, 256), BACK);
	scene_hold(1, PAGES(768, 512));
	scene_signal(THIRD);
	(void)scene_await(FOURTH);
	scene_release(1);
}
static void look_at_held(void)
{
	struct vmmap_vma v;

	(void)scene_await(THERE);
	all_of_it(PAGE(256));
	scene_signal(BACK);
	(void)scene_await(THIRD);
	all_of_it(PAGE(0));
	expect(vmmap_query(scene.map, PAGE(1024), &v) == -ENOENT);
	scene_signal(FOURTH);
}

SCENARIO(list_held, .what = "queries where a hold has cut, and over its gap",
	 .set_up = scene_two_leaves, .body = { look_at_held, hold_parts },
	 .mutants = "vtree_list_apart vtree_list_dummies");

static void four_pages(void)
{
	scene_pages(4);
	scene_stop(0, "vtree_list_first_piece", THERE, SCENE_MUST + BACK);
}
static void look_at_four(void)
{
	struct vmmap_vma v;

	expect(vmmap_query(scene.map, PAGE(0), &v) == 0 && v.start == PAGE(0));
}
/* A listing stands in nobody's way. */
static void small_edits(void)
{
	scene_must(THERE);
	expect(scene_protect(1, PAGES(1, 1), PROT_READ) == 0);
	scene_signal(BACK);
}

SCENARIO(list_stopped, .what = "a brief edit beside a query that has been stopped",
	 .set_up = four_pages, .body = { look_at_four, small_edits }, .mutants = "list_enters_leaf");

/* ---- bounds of free space: two leaves, one of them full ---- */

static void full(void)
{
	scene_map();
	for (unsigned i = 0; i < 3; i++)
		scene_separate(PAGE(512 * i));
	scene_mmap(PAGES(0, 511), RW);
	scene_mmap(PAGES(511, 1), PROT_READ);
	scene_mmap(PAGES(512, 512), RW);
}
static int64_t within(uint64_t pages)
{
	return vmmap_mmap_within(scene.map, PAGE(0), PAGE(1024), 4096, 0, pages * 4096, RW, ANON, NULL, 0);
}
static void exact(void)
{
	full();
	expect(within(4) == -ENOMEM);            /* now the bounds say so                                           */
}
static void free_four(void)
{
	expect(scene_munmap(0, PAGES(4, 4)) == 0);
	scene_signal(FOURTH);
}
static void fault_there(void) { expect(scene_fault(1, PAGE(20), PROT_WRITE) == 0); }

SCENARIO(bound_raised, .what = "pages are freed in a leaf whose bound says that there are none",
	 .set_up = exact, .body = { free_four, fault_there }, .mutants = "vtree_bound_not_raised");

static void separate(void) { scene_separate(PAGE(800)); }        /* a neighbour: their parent is replaced           */
static void raises(void)
{
	exact();
	scene_stop(0, "vtree_raise_before_store", THERE, BACK);
}
static void separate_meanwhile(void)
{
	(void)scene_await(THERE);
	separate();
	scene_signal(BACK);
}
static void copies(void)
{
	exact();
	scene_stop(1, "vtree_graft_before_link", THERE, BACK);
}
static void free_meanwhile(void)
{
	(void)scene_await(THERE);
	free_four();
	scene_signal(BACK);
}

SCENARIO(bound_dead, .what = "a bound is raised in a node that is replaced",
	 .set_up = raises, .body = { free_four, separate_meanwhile }, .mutants = "vtree_raise_no_recheck");
SCENARIO(bound_copied, .what = "a bound is raised in a node that was copied",
	 .set_up = copies, .body = { free_meanwhile, separate }, .mutants = "vtree_raise_not_carried");

static void stale(void)
{
	exact();
	expect(scene_munmap(0, PAGES(4, 8)) == 0);
	scene_mmap(PAGES(4, 8), RW);             /* the bound stays high                                            */
	scene_stop(1, "vtree_lower_before_store", THERE, BACK);
}
static void want_eight(void) { expect(within(8) == -ENOMEM); }

SCENARIO(bound_lowered, .what = "pages are freed while a search lowers a bound",
	 .set_up = stale, .body = { free_meanwhile, want_eight }, .mutants = "vtree_lower_no_recheck");

/* Room for four pages goes up and down: there is some at each instant. */
#define MOVES 5

static void room_below(void)
{
	scene_map();
	for (unsigned i = 0; i < 3; i++)
		scene_separate(PAGE(512 * i));
	scene_mmap(PAGES(0, 508), RW);
	scene_mmap(PAGES(512, 512), PROT_READ);
	for (unsigned n = 0; n < MOVES; n++)
		scene_stop(0, "gap_leaf_read", 2 * n + 1, 2 * n + 2);
}
static void find_four(void)
{
	expect(within(4) > 0);
	scene.word[0] = 1;
	for (unsigned n = 0; n < MOVES; n++)
		scene_signal(2 * n + 1);
}
static void move_room(void)
{
	for (unsigned n = 0; n < MOVES && scene.word[0] == 0; n++) {
		uint64_t from = n & 1 ? 1000 : 508, to = n & 1 ? 508 : 1000;

		(void)scene_await(2 * n + 1);
		if (scene.word[0] == 0) {
			expect(scene_munmap(1, PAGES(to, 4)) == 0);
			expect(vmmap_mmap(scene.map, PAGES(from, 4), RW, ANON | MAP_FIXED, NULL, 0) > 0);
		}
		scene_signal(2 * n + 2);
	}
}

SCENARIO(gap_moves, .what = "a place is freed behind a search, and one taken in front of it",
	 .set_up = room_below, .body = { find_four, move_room }, .mutants = "gap_scans_once");

static void locked_half(void) { scene_keep(0, PAGES(16, 16), SCENE_MUST + BACK); }
static void four_beside(void)
{
	scene_must(THERE);
	expect(vmmap_mmap_within(scene.map, PAGE(0), PAGE(32), 4096, 0, 4 * 4096, RW, ANON, NULL, 0) ==
	       (int64_t)PAGE(12));
	scene_signal(BACK);
}

SCENARIO(gap_beside, .what = "a search passes a gap that is held",
	 .set_up = scene_map, .body = { locked_half, four_beside }, .mutants = "place_ignores_dummies");

/* ---- a map is destroyed under a walk ---- */

static struct vmmap *other;

static void second_map(void)
{
	struct vmmap_config config = VMMAP_CONFIG;

	scene_map_bytes();
	scene_object(2, true);
	config.physmem = scene.physmem;
	expect(vmmap_create(&other, &config) == 0);
	expect(vmmap_mmap(other, PAGES(0, 2), RW, MAP_SHARED | MAP_FIXED, scene.object, 0) == (int64_t)PAGE(0));
	expect(vmmap_fault(other, PAGE(0), PROT_WRITE, NULL) == 0);
	expect(vmmap_fault(other, PAGE(1), PROT_WRITE, NULL) == 0);
}
static void walk_inside(void)
{
	second_map();
	scene_stop(0, "rmap_inside", THERE, BACK);
}
static void walk_late(void)
{
	second_map();
	scene_stop(0, "rmap_after_pin", THERE, BACK);
}
static void cut_one(void) { expect(vmmap_object_resize(scene.object, 4096) == 0); }
static void destroy(void)
{
	(void)scene_await(THERE);
	vmmap_destroy(other);
	scene_signal(BACK);
}

SCENARIO(gate_inside, .what = "a map is destroyed while a resize is inside", .flags = SCENARIO_SHARED,
	 .set_up = walk_inside, .body = { cut_one, destroy }, .mutants = "gate_no_wait");
SCENARIO(gate_late, .what = "a resize comes to a map that was destroyed", .flags = SCENARIO_SHARED,
	 .set_up = walk_late, .body = { cut_one, destroy }, .mutants = "gate_lets_in walk_pins_no_gate");

/* ---- tables of empty spans ---- */

#define PLACES 24                        /* three times what a set of notes holds                                   */

static void wander(void)
{
	uint64_t at = PAGE(0);

	for (unsigned i = 0; i < PLACES && !scene.signal[FOURTH]; i++, at = scene_same_notes(at)) {
		scene_fixed(0, at, 2 * 4096, RW);
		if (scene.signal[BACK])
			scene_signal(FOURTH);
		else
			(void)scene_fault(0, at, PROT_WRITE);
		expect(scene_munmap(0, at, 2 * 4096) == 0);
	}
	scene_signal(THERE);
}
static void empty_found(void)
{
	scene_map_bytes();
	scene_stop(0, "scavenge_before_hold", THERE, BACK);
}
static void empty_held(void)
{
	scene_map_bytes();
	scene_stop(0, "scavenge_held", THERE, BACK);
}
static void settle_at(uint64_t at)
{
	(void)scene_await(THERE);
	if (scene_fixed(1, at, 2 * 4096, RW) == (int64_t)at)
		expect(scene_write(1, at, 42) == 8);
	scene.word[0] = at;
	scene_signal(BACK);
}
static void settle(void)        { settle_at(PAGE(5)); }
static void settle_across(void) { settle_at(PAGE(0) - 4096); }
static void written(void)
{
	uint64_t word = 0;

	expect(scene.word[0] == 0 ||
	       (vmmap_read(scene.map, scene.word[0], &word, sizeof(word)) == 8 && word == 42));
}

SCENARIO(scavenge_found, .what = "a span was found empty, and memory is mapped there",
	 .set_up = empty_found, .body = { wander, settle }, .check = written, .mutants = "scavenge_looks_once");
SCENARIO(scavenge_across, .what = "the same, over a border of the span",
	 .set_up = empty_found, .body = { wander, settle_across }, .check = written,
	 .mutants = "scavenge_leaves_cuts");
SCENARIO(scavenge_held, .what = "a span is held and empty, and memory is to be mapped there",
	 .set_up = empty_held, .body = { wander, settle }, .check = written, .mutants = "scavenge_holds_nothing");

/* ---- a leaf is split under an edit that waits for it ---- */

static void one_leaf(void)
{
	scene_pages(4);
	scene_mmap(PAGES(400, 4), RW);
	scene_stop(0, "vtree_graft_before_link", THERE, BACK);
	scene_stop(1, "vtree_enter_collided", BACK, THIRD);
}
static void separate_and_tell(void)
{
	scene_separate(PAGE(300));
	scene_signal(THIRD);
}
static void protect_low(void)
{
	(void)scene_await(THERE);
	expect(scene_protect(1, PAGES(1, 1), PROT_READ) == 0);
}
static void low_is_protected(void)
{
	int prot;

	expect(scene_mapped(PAGE(1), &prot) && prot == PROT_READ);
}

SCENARIO(leaf_old, .what = "a leaf is split under an edit that waits for it",
	 .set_up = one_leaf, .body = { separate_and_tell, protect_low }, .check = low_is_protected,
	 .mutants = "vtree_old_leaf_alive");
