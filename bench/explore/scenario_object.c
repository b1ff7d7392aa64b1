/* SPDX-License-Identifier: MIT */
/* scenario_object.c - memory objects: faults and stores against resizes and syncs; limits. */
#include "bench/explore/scene.h"

static void shared_object(void)
{
	scene_map_bytes();
	scene_object(4, false);
	scene_share(PAGE(0), 4, 0);
	scene_share(PAGE(256), 4, 0);
}
static void cut_to_one(void) { expect(vmmap_object_resize(scene.object, 4096) == 0); }
static void cut_and_grow(void)
{
	cut_to_one();
	expect(vmmap_object_resize(scene.object, 4 * 4096) == 0);
}
static void fault_beyond(void)
{
	scene_fault(1, PAGE(2), PROT_WRITE);
	expect(scene.result[1] == 0 || (scene.result[1] == -EFAULT && scene.info[1].code == VMMAP_BUS));
}
static void nothing_beyond(void) { scene_is_cut(PAGE(2)); }

SCENARIO(object_cut, .what = "a fault on a page that a resize cuts off", .flags = SCENARIO_SHARED,
	 .set_up = shared_object, .body = { cut_to_one, fault_beyond }, .check = nothing_beyond,
	 .mutants = "fault_no_size page_made_stays fault_no_page still_page_first walk_trusts_gap rmap_keeps_hull");

static void store_beyond(void)
{
	int64_t rc = scene_write(1, PAGE(2), 7);

	expect(rc == 8 || rc == -EFAULT);
}
static void same_page(void)
{
	uint64_t here = 1, there = 2;

	expect(vmmap_read(scene.map, PAGE(2), &here, sizeof(here)) == 8);
	expect(vmmap_read(scene.map, PAGE(258), &there, sizeof(there)) == 8);
	expect(here == there && (here == 0 || here == 7));
}

SCENARIO(object_regrow, .what = "a store on a page that is cut off and grown back", .flags = SCENARIO_SHARED,
	 .set_up = shared_object, .body = { cut_and_grow, store_beyond }, .check = same_page,
	 .mutants = "fault_no_page still_page_first fault_no_size page_shown_early fault_store_waits");

static void store_here(void)  { expect(scene_write(0, PAGE(2), 7) == 8); }
static void load_there(void)
{
	expect(scene_read(1, PAGE(258), &scene.word[0]) == 8 && (scene.word[0] == 0 || scene.word[0] == 7));
}

SCENARIO(object_twice, .what = "two faults make one page, at two places", .flags = SCENARIO_SHARED,
	 .set_up = shared_object, .body = { store_here, load_there }, .check = same_page,
	 .mutants = "page_made_twice page_shown_early");

static void map_anew(void)
{
	expect(vmmap_mmap(scene.map, PAGES(0, 4), RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)PAGE(0));
	expect(scene_write(1, PAGE(2), 9) == 8);
	expect(scene_read(1, PAGE(2), &scene.word[0]) == 8 && scene.word[0] == 9);
}
static void with_page(void)
{
	shared_object();
	expect(scene_write(0, PAGE(2), 7) == 8);
}

SCENARIO(object_walk, .what = "the place is mapped anew under the walk of a resize", .flags = SCENARIO_SHARED,
	 .set_up = with_page, .body = { cut_to_one, map_anew },
	 .mutants = "walk_drops_unchecked walk_passes_unchecked rmap_skips_unused");

static void move_object(void)
{
	scene.result[1] = vmmap_mremap(scene.map, PAGES(0, 4), 4 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, PAGE(512));
	expect(scene.result[1] == (int64_t)PAGE(512));
}
static void moved_is_cut(void) { scene_is_cut(PAGE(514)); }

SCENARIO(object_move, .what = "mremap moves entries past the walk of a resize", .flags = SCENARIO_SHARED,
	 .set_up = with_page, .body = { cut_to_one, move_object }, .check = moved_is_cut, .mutants = "move_no_size");

/* ---- with a pager ---- */

static void paged(void)
{
	scene_map_bytes();
	scene_object(2, true);
	scene_share(PAGE(0), 2, 0);
	expect(scene_write(0, PAGE(0), 1) == 8);
}
static void sync_it(void) { expect(vmmap_object_sync(scene.object, 0, UINT64_MAX) == 0); }
static void store_two(void) { expect(scene_write(1, PAGE(0), 2) == 8); }
/* What was stored is in the copy, or its page is dirty: a second sync writes it. */
static void copy_is_right(void)
{
	sync_it();
	expect(scene.stored[0] == 2);
}

SCENARIO(object_sync, .what = "a store while a sync copies and writes", .flags = SCENARIO_SHARED,
	 .set_up = paged, .body = { sync_it, store_two }, .check = copy_is_right,
	 .mutants = "sync_keeps_write sync_clears_late dirty_before_lock dirty_after_store protect_gives_write "
		    "move_keeps_write");

static void absent(void)
{
	scene_map_bytes();
	scene_object(2, true);
	scene.stored[1] = 5;
	scene_share(PAGE(0), 2, 0);
}
static void read_page_1(void)  { expect(scene_read(0, PAGE(1), &scene.word[0]) == 8 && scene.word[0] == 5); }
static void read_it_too(void)  { expect(scene_read(1, PAGE(1), &scene.word[1]) == 8 && scene.word[1] == 5); }

SCENARIO(object_fill, .what = "two loads of a page that the pager has", .flags = SCENARIO_SHARED,
	 .set_up = absent, .body = { read_page_1, read_it_too }, .mutants = "wait_looks_late fill_ignores_cut");

/* ---- limits ---- */

static void limited(uint64_t pages)
{
	struct vmmap_config config = VMMAP_CONFIG;

	config.placement = VMMAP_TOPDOWN;
	config.limit_as = pages * 4096;
	scene_map_with(&config);
}
static void six_pages(void) { limited(6); }
static void want_four(unsigned i, uint64_t at)
{
	vmmap_munmap(scene.map, at, 4096);       /* a slot's first window is exact                                 */
	scene_fixed(i, at, 4 * 4096, RW);
	expect(scene.result[i] == (int64_t)at || scene.result[i] == -ENOMEM);
}
static void want_low(void)  { want_four(0, PAGE(0)); }
static void want_high(void) { want_four(1, PAGE(1024)); }
static void one_of_two(void) { expect((scene.result[0] == -ENOMEM) + (scene.result[1] == -ENOMEM) == 1); }

SCENARIO(limit_two, .what = "two mappings of four pages under a limit of six", .flags = SCENARIO_COLD,
	 .set_up = six_pages, .body = { want_low, want_high }, .check = one_of_two,
	 .mutants = "limit_fetch_unlocked limit_ignores_ticket limit_does_not_wait limit_recalls_early");

static void replace_two(void)
{
	for (unsigned i = 0; i < 3; i++)
		expect(scene_fixed(0, PAGES(0, 2), RW) == (int64_t)PAGE(0));
}
static void four_fit(void) { expect(scene_fixed(1, PAGES(1024, 4), RW) == (int64_t)PAGE(1024)); }

SCENARIO(limit_fits, .what = "four pages fit, whatever another has reserved for its two", .flags = SCENARIO_COLD,
	 .set_up = six_pages, .body = { replace_two, four_fit },
	 .mutants = "limit_does_not_wait limit_gives_twice limit_recalls_early limit_ignores_ticket");
