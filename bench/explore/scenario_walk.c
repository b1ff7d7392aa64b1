/* SPDX-License-Identifier: MIT */
/* scenario_walk.c - walks over what an object is mapped at, led to a window by stops; pages that are made. */
#include "bench/explore/scene.h"

#define ELSEWHERE 256

static int to_pages(uint64_t n) { return vmmap_object_resize(scene.object, n * 4096); }

static void four_shared(void)
{
	scene_map_bytes();
	scene_object(4, false);
	scene_share(PAGE(0), 4, 0);
}

/* ---- the place changes under a walk ---- */

static void one_shared(void)
{
	scene_map_bytes();
	scene_object(4, false);
	scene_share(PAGE(0), 1, 0);
	expect(scene_write(0, PAGE(0), 1) == 8);
	scene_stop(0, "walk_before_entries", THERE, BACK);
}
static void cut_to_0(void)   { expect(to_pages(0) == 0); }
static void map_anew(void)
{
	(void)scene_await(THERE);
	expect(scene_fixed(1, PAGES(0, 1), RW) == (int64_t)PAGE(0));
	expect(scene_write(1, PAGE(0), 7) == 8);
	scene_signal(BACK);
}
static void seven_is_there(void) { scene_word_is(PAGE(0), 7); }

SCENARIO(walk_anew, .what = "a page is mapped anew before a walk drops it", .flags = SCENARIO_SHARED,
	 .set_up = one_shared, .body = { cut_to_0, map_anew }, .check = seven_is_there,
	 .mutants = "walk_drops_unchecked");

static void two_vmas(void)
{
	scene_map_bytes();
	scene_object(4, false);
	scene_share(PAGE(0), 2, 0);
	scene_share(PAGE(2), 2, 2);
	expect(scene_protect(0, PAGES(0, 2), PROT_READ) == 0);
	expect(scene_write(0, PAGE(2), 1) == 8);
	scene_stop(0, "walk_after_begin", THERE, BACK);
}
static void cut_to_2(void) { expect(to_pages(2) == 0); }
static void join_and_reuse(void)
{
	(void)scene_await(THERE);
	expect(scene_protect(1, PAGES(2, 2), PROT_READ) == 0);
	expect(scene_fixed(1, PAGES(ELSEWHERE, 1), RW) == (int64_t)PAGE(ELSEWHERE));
	scene_signal(BACK);
}
static void cut_is_gone(void) { scene_is_cut(PAGE(2)); }

SCENARIO(walk_joined, .what = "the VMA that a walk has found is swallowed, and lives elsewhere",
	 .flags = SCENARIO_SHARED, .set_up = two_vmas, .body = { cut_to_2, join_and_reuse },
	 .check = cut_is_gone, .mutants = "walk_passes_unchecked");

static void upper_first(void)
{
	scene_map_bytes();
	scene_object(4, false);
	scene_share(PAGE(2), 2, 2);              /* the later one is walked first                                   */
	expect(scene_protect(0, PAGES(2, 2), RW | PROT_EXEC) == 0);
	scene_share(PAGE(0), 2, 0);
	for (unsigned i = 0; i < 4; i++)
		expect(vmmap_fault(scene.map, PAGE(i), PROT_WRITE, NULL) == 0);
	scene_stop(0, "rmap_between", THERE, BACK);
}
static void join_upper(void)
{
	(void)scene_await(THERE);
	expect(scene_protect(1, PAGES(2, 2), RW) == 0);
	scene_signal(BACK);
}

SCENARIO(walk_merged, .what = "a mapping that a walk has to come to merges into one that it has passed",
	 .flags = SCENARIO_SHARED, .set_up = upper_first, .body = { cut_to_0, join_upper },
	 .check = cut_is_gone, .mutants = "rmap_skips_unused");

static void two_of_four(void)
{
	scene_map_bytes();
	scene_object(4, false);
	scene_share(PAGE(0), 2, 0);
}
static void share_beside(void)
{
	expect(vmmap_mmap(scene.map, PAGES(2, 2), RW, MAP_SHARED | MAP_FIXED, scene.object, 2 * 4096) ==
	       (int64_t)PAGE(2));
	expect(vmmap_fault(scene.map, PAGE(2), PROT_WRITE, NULL) == 0);
	scene_signal(THERE);
}
static void cut_joined(void)
{
	(void)scene_await(THERE);
	cut_to_0();
}

SCENARIO(walk_hull, .what = "two mappings become one, and a resize looks for both", .flags = SCENARIO_SHARED,
	 .set_up = two_of_four, .body = { cut_joined, share_beside }, .check = cut_is_gone,
	 .mutants = "rmap_keeps_hull");

/* ---- pages ---- */

static void between_looks(void)
{
	four_shared();
	scene_stop(1, "fault_before_cas", THERE, THIRD);
	scene_stop(0, "resize_before_cut", THIRD, FOURTH);       /* it has passed the entry                         */
	scene_stop(1, "object_between", FOURTH, 5);
}
static void cut_and_grow(void)
{
	(void)scene_await(THERE);
	expect(to_pages(1) == 0 && to_pages(4) == 0);
	scene_signal(5);
}
static void fault_page_1(void)
{
	scene_fault(1, PAGE(1), PROT_WRITE);
	expect(scene.result[1] == 0 || scene.info[1].code == VMMAP_BUS);
}

SCENARIO(walk_between, .what = "cut off and grown back between a fault's looks at the size and at the page",
	 .flags = SCENARIO_SHARED, .set_up = between_looks, .body = { cut_and_grow, fault_page_1 },
	 .mutants = "still_page_first");

static void before_cas(void)
{
	four_shared();
	scene_stop(1, "fault_before_cas", THERE, 5);
}
static void cut_meanwhile(void)
{
	four_shared();
	scene_stop(1, "fault_before_cas", THERE, BACK);
	scene_stop(0, "resize_before_cut", BACK, THIRD);         /* it has passed the entry                         */
}
static void cut_to_1(void)
{
	(void)scene_await(THERE);
	expect(to_pages(1) == 0);
}
static void fault_and_tell(void)
{
	fault_page_1();
	scene_signal(THIRD);
}

SCENARIO(walk_grown, .what = "cut off and grown back before a fault locks its entry", .flags = SCENARIO_SHARED,
	 .set_up = before_cas, .body = { cut_and_grow, fault_page_1 }, .mutants = "fault_no_page");
SCENARIO(walk_cut, .what = "cut off before a fault locks its entry", .flags = SCENARIO_SHARED,
	 .set_up = cut_meanwhile, .body = { cut_to_1, fault_and_tell }, .mutants = "fault_no_size");

static void made_and_shown(void)
{
	four_shared();
	scene_share(PAGE(ELSEWHERE), 4, 0);
	scene_stop(1, "object_after_make", THERE, BACK);
	scene_stop(0, "resize_after_size", BACK, THIRD);
}
static void map_and_cut(void)
{
	(void)scene_await(THERE);
	(void)scene_write(0, PAGE(ELSEWHERE + 2), 7);
	scene.word[0] = scene_owned();
	expect(to_pages(1) == 0);
}
static void make_page_2(void)
{
	scene_fault(1, PAGE(2), PROT_WRITE);
	expect(scene.result[1] == 0 || scene.info[1].code == VMMAP_BUS);
	scene_signal(THIRD);
}

SCENARIO(walk_shown, .what = "a page is mapped by another while its maker looks at the size",
	 .flags = SCENARIO_SHARED, .set_up = made_and_shown, .body = { map_and_cut, make_page_2 },
	 .mutants = "page_shown_early");

static void made_and_grown(void)
{
	four_shared();
	scene_share(PAGE(ELSEWHERE), 4, 0);
	scene_stop(1, "object_before_make", THERE, BACK);
	scene_stop(1, "object_before_decide", THIRD, FOURTH);
}
static void cut_grow_write(void)
{
	(void)scene_await(THERE);
	expect(to_pages(1) == 0);
	scene_signal(BACK);
	(void)scene_await(THIRD);
	expect(to_pages(4) == 0);
	scene.result[0] = scene_write(0, PAGE(ELSEWHERE + 3), 9);
	scene_signal(FOURTH);
}
static void make_page_3(void)
{
	scene_fault(1, PAGE(3), PROT_WRITE);
	expect(scene.result[1] == 0 || scene.info[1].code == VMMAP_BUS);
}
static void nine_at_both(void)
{
	uint64_t word = 0;

	expect(vmmap_read(scene.map, PAGE(3), &word, sizeof(word)) == 8 && word == 9);
}

SCENARIO(walk_shown_grown, .what = "a page is cut off before it is made, and there again before its maker decides",
	 .flags = SCENARIO_SHARED, .set_up = made_and_grown, .body = { cut_grow_write, make_page_3 },
	 .check = nine_at_both, .mutants = "page_shown_early");

/* A resize waits for a range that another holds: a store beyond the new end is told at once. */
static void held_beside(void)
{
	uint64_t word;

	scene_map_bytes();
	scene_object(2, true);
	scene_share(PAGE(0), 2, 0);
	scene_share(PAGE(ELSEWHERE), 1, 1);      /* walked first                                                    */
	expect(scene_read(0, PAGE(1), &word) == 8);
}
static void hold_elsewhere(void) { scene_keep(0, PAGES(ELSEWHERE, 1), SCENE_MUST + BACK); }
static void cut_beside(void)
{
	(void)scene_await(THERE);
	expect(to_pages(1) == 0);
}
static void store_beyond(void)
{
	(void)scene_await(THERE);
	scene_asleep(1);
	scene_fault(2, PAGE(1), PROT_WRITE);
	expect(scene.result[2] == 0 || scene.info[2].code == VMMAP_BUS);
	scene_signal(BACK);
}

SCENARIO(walk_waits, .what = "a store beyond the end while the resize waits elsewhere", .flags = SCENARIO_SHARED,
	 .set_up = held_beside, .body = { hold_elsewhere, cut_beside, store_beyond },
	 .mutants = "fault_store_waits");

/* ---- who holds a range asks for what comes before ranges ---- */

static void heap(void)
{
	struct vmmap_config config = VMMAP_CONFIG;

	config.placement = VMMAP_TOPDOWN;
	config.brk_start = PAGE(0);
	scene_map_with(&config);
	expect(vmmap_brk(scene.map, PAGE(8)) == (int64_t)PAGE(8));
	scene_stop(1, "brk_after_now", THERE, BACK);
}
static void hold_asks_brk(void)
{
	scene_hold(0, PAGES(4, 1));
	(void)scene_await(THERE);
	scene_signal(BACK);
	scene_asleep(1);
	(void)vmmap_brk(scene.map, PAGE(9));
	scene_release(0);
}
static void brk_down(void) { expect(vmmap_brk(scene.map, PAGE(1)) > 0); }

SCENARIO(holder_brk, .what = "who holds a part of the heap calls brk, and so does another",
	 .set_up = heap, .body = { hold_asks_brk, brk_down }, .mutants = "brk_waits_holding");

static void object_at(const char *stop)
{
	scene_map_bytes();
	scene_object(4, true);
	scene_share(PAGE(0), 4, 0);
	expect(scene_write(0, PAGE(3), 1) == 8);
	scene_stop(1, stop, THERE, BACK);
}
static void of_cut(void)  { object_at("resize_after_size"); }
static void of_sync(void) { object_at("sync_after_take"); }
static void hold_asks(int (*ask)(void))
{
	int rc;

	scene_hold(0, PAGES(3, 1));
	(void)scene_await(THERE);
	scene_signal(BACK);
	scene_asleep(1);
	rc = ask();
	expect(rc == 0 || rc == -EDEADLK);
	scene_release(0);
}
static int ask_size(void) { return to_pages(3); }
static int ask_sync(void) { return vmmap_object_sync(scene.object, 0, UINT64_MAX); }
static void hold_asks_size(void) { hold_asks(ask_size); }
static void hold_asks_sync(void) { hold_asks(ask_sync); }
static void cut_2(void)  { expect(to_pages(2) == 0); }
static void sync_1(void) { expect(ask_sync() == 0); }

SCENARIO(holder_size, .what = "who holds a page resizes the object, and so does another", .flags = SCENARIO_SHARED,
	 .set_up = of_cut, .body = { hold_asks_size, cut_2 }, .mutants = "resize_waits_holding");
SCENARIO(holder_sync, .what = "who holds a page syncs it, and so does another", .flags = SCENARIO_SHARED,
	 .set_up = of_sync, .body = { hold_asks_sync, sync_1 }, .mutants = "sync_waits_holding");
