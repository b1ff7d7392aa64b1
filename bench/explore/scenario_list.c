/* SPDX-License-Identifier: MIT */
/* scenario_list.c - the list of held ranges (range-list), and what policies beside the map owe to cuts and notes. */
#include "bench/explore/scene.h"

enum { WALKS = 5, WALKED };             /* signals                                                                 */

static void thirty_two(void)
{
	scene_map();
	scene_watch_ranges();
	scene_mmap(PAGES(0, 32), RW);
}

/* ---- a waiter ---- */

static void pass_six_times(void)
{
	scene_pass(PAGES(4, 1), 1, 6);
	scene_release(0);
}
static void hold_4(void) { scene_take(1, PAGES(4, 1)); }

SCENARIO(list_passed, .what = "one waits for a range that another takes again and again", .policy = "range-list",
	 .set_up = thirty_two, .body = { pass_six_times, hold_4 }, .mutants = "list_always_patient");

static void before_sleeper(void)
{
	thirty_two();
	scene_stop(1, "list_before_sleeper", BACK, THIRD);
}
static void hold_and_go(void)
{
	scene_keep(0, PAGES(4, 1), BACK);
	scene_signal(THIRD);
}
static void hold_4_later(void)
{
	(void)scene_await(THERE);
	hold_4();
}

SCENARIO(list_sleeper, .what = "a range is released while a waiter goes to sleep on it", .policy = "range-list",
	 .set_up = before_sleeper, .body = { hold_and_go, hold_4_later }, .mutants = "list_sleeps_unchecked");

/* ---- nodes ---- */

static void alone_at_first(void)
{
	scene_keep(0, PAGES(4, 1), BACK);
	expect(scene_take_until(0, PAGES(4, 1), VMMAP_TRY) == 0);
	scene_signal(THIRD);
}
static void neighbour(void)
{
	(void)scene_await(THERE);
	scene_hold(1, PAGES(8, 1));
	scene_signal(BACK);
	(void)scene_await(THIRD);
	scene_release(1);
}

SCENARIO(list_alone, .what = "the list's only node gets a neighbour, and goes", .policy = "range-list",
	 .set_up = thirty_two, .body = { alone_at_first, neighbour }, .mutants = "list_always_alone");

static void late_link(void)
{
	thirty_two();
	scene_stop(1, "list_before_insert", BACK, THIRD);
}
static void use_again(void)
{
	scene_keep(0, PAGES(4, 1), BACK);
	expect(scene_take_until(0, PAGES(30, 1), VMMAP_TRY) == 0);      /* comes by, and unlinks                      */
	scene_hold(0, PAGES(20, 1));
	scene_signal(THIRD);
	(void)scene_await(5);
	scene_release(0);
}
static void insert_late(void)
{
	(void)scene_await(THERE);
	scene_hold(1, PAGES(6, 1));
	scene_signal(FOURTH);
	(void)scene_await(5);
	scene_release(1);
	scene_signal(6);
}
static void try_same(void)
{
	if (scene_await(FOURTH))
		expect(scene_take_until(2, PAGES(6, 1), VMMAP_TRY) == -EAGAIN || scene.signal[6]);
	scene_signal(5);
}

SCENARIO(list_link, .what = "the node behind which a newcomer was to go in lives again", .policy = "range-list",
	 .set_up = late_link, .body = { use_again, insert_late, try_same }, .mutants = "list_reuses_at_once");

/* ---- a walk of pages 3 to 7 and an edit of 5 to 9, on either side of a fault of page 4 ---- */

static void object_at_3(void)
{
	uint64_t word;

	scene_map_bytes();
	scene_object(5, false);
	scene_share(PAGE(3), 5, 0);
	expect(scene_read(0, PAGE(4), &word) == 8);
	scene_stop(0, "fault_before_cas", THERE, BACK);
	scene_stop(1, "walk_after_begin", WALKS, WALKED);
}
static void edit_comes_first(void)
{
	object_at_3();
	scene_stop(1, "list_before_insert", THIRD, FOURTH);
}
static void walk_comes_first(void)
{
	object_at_3();
	scene_stop(2, "list_before_insert", FOURTH, WALKS);
}
static void fault_between(void) { (void)scene_fault(0, PAGE(4), PROT_WRITE); }
static void cut_all(void)
{
	(void)scene_await(THERE);
	expect(vmmap_object_resize(scene.object, 0) == 0);
}
static void cut_after(void)
{
	(void)scene_await(FOURTH);
	cut_all();
}
static void edit_alone(void)
{
	scene_hold(2, PAGES(5, 5));
	expect(!scene.signal[WALKS] || scene.signal[WALKED]);
	scene_signal(FOURTH);
	(void)scene_await(WALKS);
	expect(!scene.signal[WALKS] || scene.signal[WALKED]);
	scene_release(2);
}
static void edit_third(void)
{
	(void)scene_await(THIRD);
	edit_alone();
}
static void edit_there(void)
{
	(void)scene_await(THERE);
	edit_alone();
}

SCENARIO(list_reader, .what = "a walk goes into the list after an edit that it has not seen", .policy = "range-list",
	 .flags = SCENARIO_SHARED, .set_up = edit_comes_first, .body = { fault_between, cut_all, edit_third },
	 .mutants = "list_reader_unchecked");
SCENARIO(list_writer, .what = "an edit goes into the list after a walk that it has not seen", .policy = "range-list",
	 .flags = SCENARIO_SHARED, .set_up = walk_comes_first, .body = { fault_between, cut_after, edit_there },
	 .mutants = "list_writer_unchecked");

/* ---- beside the map: cuts and notes ---- */

static void before_group(void)
{
	scene_map();
	scene_watch_ranges();
	scene_mmap(PAGES(4, 4), RW);
	scene_stop(0, "fault_before_group", THERE, BACK);
}
static void fault_page_6(void)
{
	scene_fault(0, PAGE(6), PROT_WRITE);
	expect(scene.result[0] == 0);
}
static void cut_elsewhere(void) { scene_then_protect(PAGES(5, 1), PROT_READ); }
static void six_has_group(void) { expect(scene_group(PAGE(6)) != 0); }

SCENARIO(beside_cut, .what = "a cut elsewhere in the VMA gives a visited page to another object",
	 .policy = "range-tree", .set_up = before_group, .body = { fault_page_6, cut_elsewhere },
	 .check = six_has_group, .mutants = "beside_no_recheck");
SCENARIO(beside_cut_list, .what = "the same under the list", .policy = "range-list",
	 .set_up = before_group, .body = { fault_page_6, cut_elsewhere }, .check = six_has_group,
	 .mutants = "beside_no_recheck");

static void note_late(void)
{
	scene_map();
	scene_mmap(PAGES(4, 4), RW);
	scene_stop(0, "release_before_close", THERE, BACK);      /* it has been inside leaves for the last time     */
	scene_stop(1, "note_before_store", BACK, THIRD);
	scene_stop(0, "release_before_sweep", THIRD, FOURTH);
}
static void note_late_beside(void)
{
	note_late();
	scene_watch_ranges();
}
static void hold_upper(void) { scene_take(0, PAGES(4, 4)); }
static void map_below(void)
{
	(void)scene_await(THERE);
	expect(scene_fixed(1, PAGES(0, 4), RW) == (int64_t)PAGE(0));
	scene_signal(FOURTH);
}

SCENARIO(beside_note, .what = "a note comes when the holder has read its notes", .policy = "range-tree",
	 .set_up = note_late_beside, .body = { hold_upper, map_below }, .mutants = "beside_note_unchecked");
SCENARIO(note_late, .what = "the same in the map",
	 .set_up = note_late, .body = { hold_upper, map_below }, .mutants = "note_unchecked");
