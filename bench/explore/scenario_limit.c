/* SPDX-License-Identifier: MIT */
/* scenario_limit.c - limits: windows that others open and close, starts of VMAs at borders; led there by stops. */
#include "bench/explore/scene.h"

static void limited(uint64_t vmas)
{
	struct vmmap_config config = VMMAP_CONFIG;

	config.placement = VMMAP_TOPDOWN;
	config.limit_vmas = vmas;
	scene_map_with(&config);
}
static void sixty(void)
{
	limited(60);
	scene_mmap(PAGES(2048, 1), RW);
	scene_stop(0, "carve_after_take", THERE, BACK);
	scene_stop(1, "limit_in_recall", BACK, THIRD);
}
static void map_twice(void)
{
	expect(scene_fixed(0, PAGES(0, 4), RW) == (int64_t)PAGE(0));
	expect(scene_fixed(0, PAGES(0, 4), RW) == (int64_t)PAGE(0));
	scene_signal(THIRD);
}
static void exactly(void) { scene_then_fixed(PAGES(256, 4), RW); }

SCENARIO(limit_recall, .what = "quotas are recalled while another's window is open", .flags = SCENARIO_COLD,
	 .set_up = sixty, .body = { map_twice, exactly }, .mutants = "limit_recalls_early");

static void first_window(void) { vmmap_munmap(scene.map, PAGE(9000), 4096); }    /* it is exact, not this slot's next */

/* Six pages may be mapped; the bodies' first windows, which are exact, are over.                                    */
static void six_pages(void)
{
	struct vmmap_config config = VMMAP_CONFIG;

	config.placement = VMMAP_TOPDOWN;
	config.limit_as = 6 * 4096;
	scene_map_with(&config);
	scene_separate(PAGE(512));               /* they do not meet in a leaf                                      */
}
static void replaced_late(void)
{
	six_pages();
	scene_stop(0, "carve_before_leave", THERE, BACK);
}
static void replace_two(void)
{
	for (unsigned n = 0; n < 2; n++)
		expect(scene_fixed(0, PAGES(0, 2), RW) == (int64_t)PAGE(0));
}
static void four_fit(void) { scene_then_fixed(PAGES(1024, 4), RW); }

SCENARIO(limit_waits, .what = "a refusal while another has reserved more than it uses", .flags = SCENARIO_COLD,
	 .set_up = replaced_late, .body = { replace_two, four_fit }, .mutants = "limit_does_not_wait");

static void fetched_late(void)
{
	six_pages();
	scene_stop(0, "limit_in_fetch", THERE, BACK);
}
static void four_low(void)
{
	first_window();
	scene_fixed(0, PAGES(0, 4), RW);
}
static void four_high(void)
{
	first_window();
	(void)scene_await(THERE);
	scene_fixed(1, PAGES(1024, 4), RW);
	scene_signal(BACK);
}
static void one_of_two(void) { expect((scene.result[0] == -ENOMEM) + (scene.result[1] == -ENOMEM) == 1); }

SCENARIO(limit_fetch, .what = "two slots take from the pool, which has enough for one", .flags = SCENARIO_COLD,
	 .set_up = fetched_late, .body = { four_low, four_high }, .check = one_of_two,
	 .mutants = "limit_fetch_unlocked");

static void alone_late(void)
{
	struct vmmap_config config = VMMAP_CONFIG;

	config.placement = VMMAP_TOPDOWN;
	config.limit_as = 8 * 4096;
	scene_map_with(&config);
	scene_mmap(PAGES(256, 4), RW);
	scene_stop(0, "replace_before_leave", THERE, BACK);
}
/* Five pages over four: too much to reserve, so it is decided alone. */
static void five_alone(void)
{
	(void)scene_await(THIRD);
	expect(scene_fixed(0, PAGES(256, 5), RW) == (int64_t)PAGE(256));
}
static void four_late(void)
{
	first_window();
	scene_signal(THIRD);
	(void)scene_await(THERE);
	scene_fixed(1, PAGES(0, 4), RW);
	scene_signal(BACK);
}
static void four_or_not(void)
{
	struct vmmap_usage usage;

	vmmap_get_usage(scene.map, &usage);
	expect(usage.mapped_bytes <= 8 * 4096);
}

SCENARIO(limit_ticket, .what = "the last units are given to one alone, who has not used them yet",
	 .flags = SCENARIO_COLD, .set_up = alone_late, .body = { five_alone, four_late },
	 .check = four_or_not, .mutants = "limit_ignores_ticket");

static void above_border(void)
{
	limited(1000);
	scene_separate(PAGE(512));
	scene_mmap(PAGES(256, 512), RW);
}
static void hold_above(void) { scene_keep(0, PAGES(512, 256), BACK); }
static void carve_below(void)
{
	first_window();
	(void)scene_await(THERE);
	expect(scene_munmap(1, PAGES(511, 1)) == 0);
	scene_signal(BACK);
}

SCENARIO(limit_above, .what = "a brief edit below a border of leaves, the VMA above it held", .flags = SCENARIO_COLD,
	 .set_up = above_border, .body = { hold_above, carve_below }, .mutants = "limit_no_look_above");

static void gap_below_border(void)
{
	limited(1000);
	scene_separate(PAGE(512));
	scene_mmap(PAGES(512, 8), PROT_READ);
	scene_stop(0, "carve_after_leave", THERE, BACK);
}
static void fill_to_border(void)
{
	first_window();
	scene_fixed(0, PAGES(504, 8), RW);
}
static void join_and_unmap(void)
{
	first_window();
	(void)scene_await(THERE);
	scene_protect(1, PAGES(512, 8), RW);
	scene_signal(BACK);
	scene_munmap(1, PAGES(504, 16));
}

SCENARIO(limit_late, .what = "a VMA new below a border of leaves is joined with the one above, and both are unmapped",
	 .flags = SCENARIO_COLD, .set_up = gap_below_border, .body = { fill_to_border, join_and_unmap },
	 .mutants = "limit_looks_late");

static void start_at_edge(void)
{
	limited(1000);
	scene_separate(PAGE(256));
	scene_separate(PAGE(512));
	scene_mmap(PAGES(256, 512), RW);
}
static void cut_inside(void)
{
	first_window();
	expect(scene_protect(0, PAGES(300, 8), PROT_READ) == 0);
}
static void cut_at_border(void)
{
	first_window();
	expect(scene_protect(1, PAGES(508, 4), PROT_READ) == 0);
}

SCENARIO(limit_start, .what = "brief edits of a VMA that goes on above move its start off the edge, or out of the leaf",
	 .flags = SCENARIO_COLD, .set_up = start_at_edge, .body = { cut_inside, cut_at_border },
	 .mutants = "carve_start_unseen");

/* Core 0 makes [480, 490) at a leaf's edge, while what is like it below is held; `pages` like it stand from 500 on. */
static void like_below_and_above(uint64_t pages)
{
	limited(1000);
	scene_separate(PAGE(480));
	scene_separate(PAGE(512));
	scene_mmap(PAGES(448, 32), RW);
	scene_mmap(PAGES(500, pages), RW);
}
static void start_at_held(void)
{
	first_window();
	scene_hold(0, PAGES(448, 32));
	expect(scene_fixed(0, PAGES(480, 10), RW) == (int64_t)PAGE(480));
}
static void above_goes_on(void) { like_below_and_above(50); }
static void swallow_the_edge(void)
{
	start_at_held();
	expect(scene_fixed(0, PAGES(490, 15), RW) == (int64_t)PAGE(490));
	scene_release(0);
}
static void elsewhere(void)
{
	first_window();
	expect(scene_fixed(1, PAGES(2048, 8), RW) == (int64_t)PAGE(2048));
}

SCENARIO(limit_swallow, .what = "a VMA without a mark at the leaf's edge is swallowed by one that goes on above",
	 .flags = SCENARIO_COLD, .set_up = above_goes_on, .body = { swallow_the_edge, elsewhere },
	 .mutants = "join_start_unseen");

static void above_ends(void) { like_below_and_above(5); }
static void join_from_the_edge(void)
{
	start_at_held();
	expect(scene_fixed(0, PAGES(490, 10), PROT_READ) == (int64_t)PAGE(490));
	expect(scene_protect(0, PAGES(485, 15), RW) == 0);
	scene_release(0);
}

SCENARIO(limit_join_above, .what = "a VMA without a mark at the leaf's edge is joined with one above that has one",
	 .flags = SCENARIO_COLD, .set_up = above_ends, .body = { join_from_the_edge, elsewhere },
	 .mutants = "join_start_moves");
