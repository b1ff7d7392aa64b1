/* SPDX-License-Identifier: MIT */
/*
 * scenario_pin_object.c - a page of an object is pinned, or given back, beside all that would take its frame away.
 * Whatever comes first: the pin's frame is the page's as long as both are there, and the pin's own after that.
 */
#include "bench/explore/scene.h"

#define OURS   1                                 /* words: what the page has at first; what a body stores           */
#define STORED 5
#define PFN    scene.word[1]                     /* where the pin is                                                */

static uint64_t pfn_of(uint64_t at)
{
	struct vmmap_fault_info info;

	expect(vmmap_fault(scene.map, at, PROT_WRITE, &info) == 0);
	return info.pfn;
}

static void two_places(void)
{
	scene_map_bytes();
	scene_object(1, false);
	scene_share(PAGE(0), 1, 0);
	scene_share(PAGE(256), 1, 0);
	expect(scene_write(0, PAGE(0), OURS) == 8);
}

static void pin(void) { scene.result[0] = vmmap_pin(scene.map, PAGES(0, 1), &PFN); }
static void unpin(void) { expect(vmmap_unpin(scene.map, &PFN, 1) == 0); }

static void pinned(void)
{
	two_places();
	pin();
	expect(scene.result[0] == 0);
}

/* ---- another frame ---- */

static void migrate(void) { (void)scene_migrate(scene.map, PAGE(0)); }
static void store_there(void) { expect(scene_write(2, PAGE(256), STORED) == 8); }

static void is_stored(void)
{
	scene_word_is(PAGE(0), STORED);
	scene_word_is(PAGE(256), STORED);
	expect(scene_owned() == 1);
}
static void stays_stored(void)
{
	expect(scene.result[0] == 0 && pfn_of(PAGE(0)) == PFN && pfn_of(PAGE(256)) == PFN);
	unpin();
	is_stored();
}

SCENARIO(pin_page_migrate, .what = "a page of an object is pinned beside a migration and a store",
	 .flags = SCENARIO_SHARED, .set_up = two_places, .body = { pin, migrate, store_there }, .check = stays_stored,
	 .mutants = "pin_counts_late migrate_page_takes_pinned");

SCENARIO(unpin_page_migrate, .what = "a pin of an object's page goes beside a migration and a store",
	 .flags = SCENARIO_SHARED, .set_up = pinned, .body = { unpin, migrate, store_there }, .check = is_stored);

/* ---- no frame at all ---- */

static void cut(void) { expect(vmmap_object_resize(scene.object, 0) == 0); }

/* The pin came first, and has the frame alone; or it found no page. */
static void alone(void)
{
	expect(scene_owned() == (scene.result[0] == 0));
	if (scene.result[0] == 0)
		unpin();
	expect(scene_owned() == 0);
	expect(vmmap_unpin(scene.map, &PFN, scene.result[0] == 0) == (scene.result[0] == 0 ? -EALREADY : 0));
}
static void is_cut(void)
{
	scene_is_cut(PAGE(0));
	alone();
}
static void is_gone(void) { expect(scene_owned() == 0); }

SCENARIO(pin_page_cut, .what = "a page of an object is pinned beside a resize", .flags = SCENARIO_SHARED,
	 .set_up = two_places, .body = { pin, cut }, .check = is_cut, .mutants = "pin_counts_late cut_frees_pinned");

SCENARIO(unpin_page_cut, .what = "a pin of an object's page goes beside a resize", .flags = SCENARIO_SHARED,
	 .set_up = pinned, .body = { unpin, cut }, .check = is_gone);

static void shared_once(void)
{
	scene_map_bytes();
	expect(vmmap_mmap(scene.map, PAGES(0, 1), RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) ==
	       (int64_t)PAGE(0));
	expect(scene_write(0, PAGE(0), OURS) == 8);
}
static void unmap(void) { scene_munmap(1, PAGES(0, 1)); }
static void ends(void)
{
	scene_drain();
	alone();
}

SCENARIO(pin_page_end, .what = "a page is pinned beside the last unmap of its object", .flags = SCENARIO_SHARED,
	 .set_up = shared_once, .body = { pin, unmap }, .check = ends, .mutants = "pin_counts_late cut_frees_pinned");

/* ---- written back ---- */

static void paged(void)
{
	scene_map_bytes();
	scene_object(1, true);
	scene_share(PAGE(0), 1, 0);
	expect(scene_write(0, PAGE(0), OURS) == 8);
}
static void sync_it(void) { expect(vmmap_object_sync(scene.object, 0, UINT64_MAX) == 0); }
static void store_pinned(void)
{
	pin();
	expect(scene.result[0] == 0);
	scene_store_frame(PFN, STORED);
	unpin();
}
static void is_written(void)
{
	sync_it();
	expect(scene.stored[0] == STORED);
}

SCENARIO(pin_page_sync, .what = "a store through a pin while a sync copies and writes", .flags = SCENARIO_SHARED,
	 .set_up = paged, .body = { sync_it, store_pinned }, .check = is_written,
	 .mutants = "sync_forgets_pinned sync_looks_late");

/* ---- in a segment for what can be moved ---- */

static void write_ours(void) { expect(scene_write(0, PAGE(0), OURS) == 8); }
static void movable(void)
{
	scene_movable();
	scene_map_bytes();
	scene_object(2, false);
	scene_share(PAGE(0), 2, 0);
	scene_fill_movable(write_ours);
}
static void hold_and_pin(void)
{
	scene_hold(0, PAGES(0, 2));
	pin();
	scene_release(0);
}
static void cut_to_one(void) { expect(vmmap_object_resize(scene.object, 4096) == 0); }
static void tried(void)
{
	expect(scene.result[0] == 0 || scene.result[0] == -EDEADLK);
	if (scene.result[0] == 0) {
		expect(!scene_is_movable(PFN) && pfn_of(PAGE(0)) == PFN);
		unpin();
	}
	scene_word_is(PAGE(0), OURS);
	expect(scene_owned() == 1);
}

SCENARIO(pin_page_holding, .what = "who holds a range pins a page that has to move, beside a resize that waits for it",
	 .flags = SCENARIO_SHARED, .set_up = movable, .body = { hold_and_pin, cut_to_one }, .check = tried,
	 .mutants = "pin_waits_holding pin_anywhere");
