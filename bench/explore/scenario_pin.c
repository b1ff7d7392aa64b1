/* SPDX-License-Identifier: MIT */
/*
 * scenario_pin.c - a page is pinned, or given back, beside all that would take its frame away. Whatever comes first:
 * the pin's frame is the page's as long as there is one, and the pin's own after that.
 */
#include "bench/explore/scene.h"

#define OURS   1                                 /* words: what the page has at first; what a body stores           */
#define STORED 5
#define CHILD  scene.word[0]
#define PFN    scene.word[1]                     /* where the pin is                                                */

static uint64_t pfn_of(uint64_t at)
{
	struct vmmap_fault_info info;

	expect(vmmap_fault(scene.map, at, PROT_WRITE, &info) == 0);
	return info.pfn;
}

static void written(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 4), RW);
	scene_put(scene.map, PAGE(0), OURS);
}

static void pin(void) { scene.result[0] = vmmap_pin(scene.map, PAGES(0, 1), &PFN); }
static void unpin(void) { expect(vmmap_unpin(scene.map, &PFN, 1) == 0); }

static void pinned(void)
{
	written();
	pin();
	expect(scene.result[0] == 0);
}

static void migrate(void) { (void)scene_migrate(scene.map, PAGE(0)); }
static void store(void) { scene_put(scene.map, PAGE(0), STORED); }
static void unmap(void) { scene_munmap(1, PAGES(0, 4)); }
static void fork_now(void) { CHILD = scene_fork(); }

/* A store goes where the pin is; then it is given back. */
static void stays(void)
{
	expect(scene.result[0] == 0 && pfn_of(PAGE(0)) == PFN);
	unpin();
}

static void is_stored(void) { expect(scene_word_of(scene.map, PAGE(0)) == STORED && scene_owned() == 1); }
static void stays_stored(void)
{
	stays();
	is_stored();
}

SCENARIO(pin_migrate, .what = "a page is pinned beside a migration and a store", .set_up = written,
	 .body = { pin, migrate, store }, .check = stays_stored, .mutants = "pin_counts_late migrate_takes_pinned");

SCENARIO(unpin_migrate, .what = "a pin goes beside a migration and a store", .set_up = pinned,
	 .body = { unpin, migrate, store }, .check = is_stored);

/* The pin came first, and has the frame alone; or it found no page. */
static void alone(void)
{
	expect(scene.result[1] == 0 && scene_owned() == (scene.result[0] == 0));
	if (scene.result[0] == 0) {
		expect(!scene_has_name(PFN));            /* it would lead to a map that may be gone                 */
		scene_mmap(PAGES(0, 1), RW);
		expect(pfn_of(PAGE(0)) != PFN);
		unpin();
		scene_munmap(1, PAGES(0, 1));
	}
	expect(scene_owned() == 0);
}

SCENARIO(pin_unmap, .what = "a page is pinned beside its unmap", .set_up = written, .body = { pin, unmap },
	 .check = alone, .mutants = "pin_counts_late unmap_frees_pinned pin_keeps_name");

static void is_gone(void) { expect(scene_owned() == 0); }

SCENARIO(unpin_unmap, .what = "a pin goes beside the page's unmap", .set_up = pinned, .body = { unpin, unmap },
	 .check = is_gone);

/* ---- in a segment for what can be moved ---- */

static void write_ours(void) { scene_put(scene.map, PAGE(0), OURS); }
static void written_movable(void)
{
	scene_movable();
	scene_map_bytes();
	scene_mmap(PAGES(0, 4), RW);
	scene_fill_movable(write_ours);
	expect(scene_is_movable(pfn_of(PAGE(0))));
}
static void stays_out(void)
{
	expect(!scene_is_movable(PFN));
	stays_stored();
}

SCENARIO(pin_movable, .what = "a page in a segment for what can be moved is pinned beside a migration and a store",
	 .set_up = written_movable, .body = { pin, migrate, store }, .check = stays_out, .mutants = "pin_anywhere");

static void second_pin(void) { scene.result[1] = vmmap_pin(scene.map, PAGES(0, 1), &scene.word[2]); }
static void both_out(void)
{
	expect(scene.result[1] == 0 && scene.word[2] == PFN);
	expect(vmmap_unpin(scene.map, &scene.word[2], 1) == 0);
	stays_out();
}

SCENARIO(pin_movable_twice, .what = "... is pinned by two threads, beside a store", .set_up = written_movable,
	 .body = { pin, second_pin, store }, .check = both_out);

static void out_alone(void)
{
	expect(scene.result[0] != 0 || !scene_is_movable(PFN));
	alone();
}

SCENARIO(pin_movable_unmap, .what = "... is pinned beside its unmap", .set_up = written_movable, .body = { pin, unmap },
	 .check = out_alone);

/* Body 1 moves it back, while it has all other memory. */
static void back_to_movable(void)
{
	if (!scene_await(THERE))
		return;
	scene_fill_movable(migrate);
	scene_signal(BACK);
}
static void movable_stopped(void)
{
	written_movable();
	scene_stop(0, "pin_moved", THERE, BACK);
}
static void stays_ours_out(void)
{
	expect(!scene_is_movable(PFN));
	stays();
	expect(scene_word_of(scene.map, PAGE(0)) == OURS && scene_owned() == 1);
}

SCENARIO(pin_moved_back, .what = "... has been moved out to be pinned, and is moved back", .set_up = movable_stopped,
	 .body = { pin, back_to_movable }, .check = stays_ours_out, .mutants = "pin_looks_once pin_anywhere");

static void unpin_ours(void) { expect(vmmap_unpin(scene.map, &PFN, 1) == 0); }
static void pinned_twice(void)
{
	pinned();
	pin();
}

SCENARIO(unpin_twice, .what = "two pins of a page go beside its unmap", .set_up = pinned_twice,
	 .body = { unpin, unpin_ours, unmap }, .check = is_gone);

static void apart(void)
{
	struct vmmap *child = (struct vmmap *)(uintptr_t)CHILD;

	expect(scene_word_of(child, PAGE(0)) == OURS);
	stays();
	scene_put(child, PAGE(0), 2);
	expect(scene_word_of(scene.map, PAGE(0)) == OURS && scene_owned() == 2);
	expect(vmmap_audit(child, stderr) == 0);
	vmmap_destroy(child);
}

SCENARIO(pin_fork, .what = "a page is pinned beside a fork", .set_up = written, .body = { pin, fork_now },
	 .check = apart, .mutants = "fork_shares_pinned");
