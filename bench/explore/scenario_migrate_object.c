/* SPDX-License-Identifier: MIT */
/*
 * scenario_migrate_object.c - a page of an object goes to another frame, beside all that shows it, moves its entries,
 * writes it back or cuts it off. Whatever comes first: all who show the page show one frame.
 */
#include "bench/explore/scene.h"

#define OURS   1                                 /* words: what the page has at first; what a body stores           */
#define STORED 5

/* ---- two places of one page ---- */

static void two_places(void)
{
	scene_map_bytes();
	scene_object(1, false);
	scene_share(PAGE(0), 1, 0);
	scene_share(PAGE(256), 1, 0);
	expect(scene_write(0, PAGE(0), OURS) == 8);
}

static void migrate(void) { (void)scene_migrate(scene.map, PAGE(0)); }
static void load_there(void)
{
	expect(scene_read(1, PAGE(256), &scene.word[0]) == 8 && (scene.word[0] == OURS || scene.word[0] == STORED));
}
static void store_there(void) { expect(scene_write(1, PAGE(256), STORED) == 8); }
static void store_here(void) { expect(scene_write(2, PAGE(0), STORED) == 8); }

static void is_one_page(void)
{
	scene_word_is(PAGE(256), OURS);
	expect(scene_write(0, PAGE(0), STORED) == 8);
	scene_word_is(PAGE(256), STORED);
	expect(scene_owned() == 1);
}
static void is_stored(void)
{
	scene_word_is(PAGE(0), STORED);
	scene_word_is(PAGE(256), STORED);
	expect(scene_owned() == 1);
}

SCENARIO(migrate_page_load, .what = "a page of an object moves; elsewhere a load shows it", .flags = SCENARIO_SHARED,
	 .set_up = two_places, .body = { migrate, load_there }, .check = is_one_page,
	 .mutants = "migrate_page_unmarked migrate_page_trusts_locked page_made_over_moving");

SCENARIO(migrate_page_store, .what = "a page of an object moves; elsewhere a store shows it", .flags = SCENARIO_SHARED,
	 .set_up = two_places, .body = { migrate, store_there }, .check = is_stored,
	 .mutants = "migrate_page_unmarked migrate_page_trusts_locked page_made_over_moving");

SCENARIO(migrate_page_twice, .what = "a page of an object moves for two threads, beside a store",
	 .flags = SCENARIO_SHARED, .set_up = two_places, .body = { migrate, migrate, store_here }, .check = is_stored);

/* ---- its entries move ---- */

static void remap(void)
{
	expect(vmmap_mremap(scene.map, PAGE(0), 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, PAGE(8)) ==
	       (int64_t)PAGE(8));
}
static void migrate_there(void) { (void)scene_migrate(scene.map, PAGE(256)); }
static void both_placed(void)
{
	two_places();
	expect(scene_read(0, PAGE(256), &scene.word[0]) == 8);
}
static void is_carried(void)
{
	expect(scene_write(0, PAGE(8), STORED) == 8);
	scene_word_is(PAGE(256), STORED);
	expect(scene_owned() == 1);
}

SCENARIO(migrate_page_remap, .what = "a page of an object moves, and mremap carries an entry", .flags = SCENARIO_SHARED,
	 .set_up = both_placed, .body = { migrate_there, remap }, .check = is_carried,
	 .mutants = "migrate_page_one_look");

static void unmap(void) { scene_munmap(1, PAGES(0, 1)); }
static void is_there(void)
{
	scene_word_is(PAGE(256), OURS);
	expect(scene_owned() == 1);
}

SCENARIO(migrate_page_unmap, .what = "a page of an object moves beside an unmap", .flags = SCENARIO_SHARED,
	 .set_up = both_placed, .body = { migrate_there, unmap }, .check = is_there);

/* ---- its size ---- */

static void cut(void) { expect(vmmap_object_resize(scene.object, 0) == 0); }
static void is_cut(void)
{
	scene_is_cut(PAGE(0));
	expect(scene_owned() == 0);
}

SCENARIO(migrate_page_cut, .what = "a page of an object moves beside a resize", .flags = SCENARIO_SHARED,
	 .set_up = two_places, .body = { migrate, cut }, .check = is_cut, .mutants = "migrate_page_any_size");
