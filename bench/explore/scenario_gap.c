/* SPDX-License-Identifier: MIT */
/* scenario_gap.c - searches for free space against those who take it, hold it, or give it back. */
#include "bench/explore/scene.h"

static void empty(void) { scene_map(); }

static void anywhere_0(void) { expect(scene_anywhere(0, 4 * 4096) > 0); }
static void anywhere_1(void) { expect(scene_anywhere(1, 4 * 4096) > 0); }
static void anywhere_2(void) { expect(scene_anywhere(2, 4 * 4096) > 0); }

static void places_differ(void)
{
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < i; k++)
			expect(scene.result[i] + 4 * 4096 <= scene.result[k] ||
			       scene.result[k] + 4 * 4096 <= scene.result[i]);
}

SCENARIO(gap_three, .what = "three mmaps look for a place",
	 .set_up = empty, .body = { anywhere_0, anywhere_1, anywhere_2 }, .check = places_differ,
	 .mutants = "map_no_still_free gap_scans_once");

/* ---- a window of 8 pages that is full but for one place ---- */

static int64_t within(unsigned i, uint64_t pages)
{
	return scene.result[i] = vmmap_mmap_within(scene.map, PAGE(0), PAGE(32), 4096, 0, pages * 4096, RW, ANON, NULL,
						   0);
}

static void hold_upper(void)
{
	scene_hold(0, PAGES(16, 16));
	scene_release(0);
}
static void take_four(void)    { expect(within(1, 4) > 0); }
static void take_sixteen(void) { expect(within(2, 16) > 0); }

static void both_inside(void)
{
	expect(scene.result[1] >= (int64_t)PAGE(0) && scene.result[1] <= (int64_t)PAGE(28));
	expect(scene.result[2] >= (int64_t)PAGE(0) && scene.result[2] <= (int64_t)PAGE(16));
}

SCENARIO(gap_locked, .what = "a hold of half of the room, and two who want place in it",
	 .set_up = empty, .body = { hold_upper, take_four, take_sixteen }, .check = both_inside,
	 .mutants = "place_ignores_dummies map_no_still_free");

static void nearly_full(void)
{
	scene_pages(30);
	scene_mmap(PAGES(31, 1), PROT_READ);
}
static void free_some(void) { expect(scene_munmap(0, PAGES(4, 4)) == 0); }
static void want_two(void)
{
	within(1, 2);
	expect(scene.result[1] == -ENOMEM || scene.result[1] == (int64_t)PAGE(6));
}
static void want_one(void)
{
	within(2, 1);
	expect(scene.result[2] > 0);
}

SCENARIO(gap_freed, .what = "a full room, a munmap in it, and two who look for a place there",
	 .set_up = nearly_full, .body = { free_some, want_two, want_one },
	 .mutants = "vtree_bound_not_raised vtree_lower_no_recheck vtree_raise_no_recheck map_no_still_free "
		    "gap_scans_once");

static void free_then_see(void)
{
	expect(scene_munmap(0, PAGES(4, 4)) == 0);
	expect(within(0, 4) == (int64_t)PAGE(4));
}
static void want_more(void) { expect(within(1, 8) == -ENOMEM); }

SCENARIO(gap_bound, .what = "who frees finds the place again, whatever bound another search lowers meanwhile",
	 .set_up = nearly_full, .body = { free_then_see, want_more },
	 .mutants = "vtree_bound_not_raised vtree_lower_no_recheck");

/* ---- free pages on both sides of a border of leaves, below an inner node that is not the root ---- */

#define LEAVES 60
#define LEAF   16
#define BORDER (LEAF * LEAVES / 2)

static void full_leaves(void)
{
	scene_map();
	for (unsigned i = 0; i <= LEAVES; i++)
		scene_separate(PAGE(LEAF * i));
	scene_mmap(PAGES(0, LEAF * LEAVES), RW);
	scene_mmap(PAGES(BORDER - 1, 1), PROT_READ);
	scene_mmap(PAGES(BORDER, 1), PROT_EXEC);
	scene_search(PAGES(0, LEAF * LEAVES));   /* in vain: now the bounds say so                                  */
}
static void free_below(void) { expect(scene_munmap(0, PAGES(BORDER - 1, 1)) == 0); }
static void free_above(void) { expect(scene_munmap(1, PAGES(BORDER, 1)) == 0); }

SCENARIO(gap_border, .what = "two pages are freed, one on each side of a border: the bound above covers both",
	 .set_up = full_leaves, .body = { free_below, free_above }, .mutants = "vtree_raise_alone");

/* ---- moved to a place of the engine's choice ---- */

static void eight(void) { scene_pages(8); }
static void move_and_grow(void)
{
	scene.result[0] = vmmap_mremap(scene.map, PAGES(0, 4), 6 * 4096, MREMAP_MAYMOVE, 0);
	expect(scene.result[0] > 0);
}
static void map_six(void) { expect(scene_anywhere(1, 6 * 4096) > 0); }
static void apart(void)
{
	expect(scene.result[0] + 6 * 4096 <= scene.result[1] || scene.result[1] + 6 * 4096 <= scene.result[0]);
}

SCENARIO(gap_remap, .what = "an mremap and an mmap look for a place",
	 .set_up = eight, .body = { move_and_grow, map_six }, .check = apart,
	 .mutants = "remap_no_still_free map_no_still_free");

/* ---- the break ---- */

static void with_brk(void)
{
	struct vmmap_config config = VMMAP_CONFIG;

	config.placement = VMMAP_TOPDOWN;
	config.brk_start = PAGE(0);
	scene_map_with(&config);
}
static void brk_four(void)  { scene.result[0] = vmmap_brk(scene.map, PAGE(4)); }
static void brk_eight(void) { scene.result[1] = vmmap_brk(scene.map, PAGE(8)); }
static void brk_is_mapped(void)
{
	int64_t now = vmmap_brk(scene.map, 0);

	expect(scene.result[0] == (int64_t)PAGE(4) && scene.result[1] == (int64_t)PAGE(8));
	expect(now == (int64_t)PAGE(4) || now == (int64_t)PAGE(8));
	expect(scene_mapped((uint64_t)now - 4096, NULL) && !scene_mapped((uint64_t)now, NULL));
}

SCENARIO(brk_two, .what = "two calls of brk",
	 .set_up = with_brk, .body = { brk_four, brk_eight }, .check = brk_is_mapped, .mutants = "brk_no_lock");
