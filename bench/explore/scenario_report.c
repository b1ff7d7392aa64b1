/* SPDX-License-Identifier: MIT */
/* scenario_report.c - a host is told of blocks that are free, beside those who take, free and unplug them. */
#include "bench/explore/scenario.h"

enum { A = 12, B };                                      /* words: frames that are out                              */

static void one_block(void)
{
	scene_map();
	scene_blocks(1, 0);
}
static void report(void) { scene_report(); }
static void want_it(void)
{
	uint64_t index;

	expect(scene_block(&index));
	scene_block_back(index);
}
static void is_told_then(void)
{
	scene_report();
	expect(scene_reported(0));
}

SCENARIO(report_take, .what = "who wants the only block has it, though the host is just being told of it",
	 .set_up = one_block, .body = { report, want_it }, .check = is_told_then,
	 .mutants = "frame_report_hold_hurries");

static void later_twice(void)
{
	one_block();
	scene.word[SCENE_LATER] = 2;
}
static void report_thrice(void)
{
	scene_report();
	scene_report();
	scene_report();
}
static void is_told_in_time(void)
{
	report_thrice();
	expect(scene_reported(0));
}

SCENARIO(report_again, .what = "the same, and the host is told again and again", .set_up = later_twice,
	 .body = { report_thrice, want_it }, .check = is_told_in_time, .mutants = "frame_report_held_unseen");

static void unplug_it(void) { expect(scene_block_unplug(0)); }
static void it_has_gone(void)
{
	scene_report();
	expect(!scene_block_there(0));
}

SCENARIO(report_unplug, .what = "so does who unplugs it", .set_up = one_block, .body = { report, unplug_it },
	 .check = it_has_gone);
SCENARIO(report_unplug_two, .what = "the same, and another one reports",
	 .set_up = one_block, .body = { report, unplug_it, report }, .check = it_has_gone);

/* ---- the last frame comes back ---- */

static void one_is_out(void)
{
	one_block();
	scene_report();
	scene_frame_back(scene_frame(0));                /* it is noted                                             */
	scene.word[A] = scene_frame(0);
}
static void nothing_is_noted(void)
{
	one_block();
	scene_report();
	scene.word[A] = scene_frame(0);
}
static void back(void) { scene_frame_back(scene.word[A]); }

SCENARIO(report_noted, .what = "the last frame of a block comes back while a pass looks at it", .set_up = one_is_out,
	 .body = { back, report }, .check = is_told_then, .mutants = "frame_report_clears_late");
SCENARIO(report_back, .what = "the same, and nobody has noted the block before", .set_up = nothing_is_noted,
	 .body = { back, report }, .check = is_told_then, .mutants = "frame_bits_tells_first");
SCENARIO(report_twice, .what = "two passes beside it", .set_up = one_is_out, .body = { back, report, report },
	 .check = is_told_then);

/* ---- arrays that are full ---- */

static void two_are_out(void)
{
	scene_map();
	scene_blocks(2, 1);
	scene_report();
	scene.word[A] = scene_frame(0);
	scene.word[B] = scene_frame(1);
}
static void back_both(void)
{
	scene_frame_back(scene.word[A]);
	scene_frame_back(scene.word[B]);
}
static void both_are_told(void)
{
	scene_report();
	expect(scene_reported(0) && scene_reported(1));
}

SCENARIO(report_capture, .what = "two blocks come back, and there is place to note one", .set_up = two_are_out,
	 .body = { back_both, report }, .check = both_are_told, .mutants = "frame_report_misses");
SCENARIO(report_capture_two, .what = "the same by two passes", .set_up = two_are_out,
	 .body = { back_both, report, report }, .check = both_are_told);

/* ---- reports begin ---- */

static void nobody_listens(void)
{
	scene_map();
	scene_blocks_untold(1);
	scene.word[A] = scene_frame(0);
}
static void begin(void) { scene_reports_begin(0); }
static void begin_by_capture(void) { scene_reports_begin(1); }

SCENARIO(report_begins, .what = "reports begin, and the last frame of a block comes back", .set_up = nobody_listens,
	 .body = { begin, back }, .check = is_told_then, .mutants = "frame_report_begins_late");
SCENARIO(report_begins_capture, .what = "the same, and it is noted in arrays", .set_up = nobody_listens,
	 .body = { begin_by_capture, back }, .check = is_told_then);

/* ---- a block is found drained ---- */

static void look(void) { scene_block_look(0); }
static void take_and_give(void)
{
	uint64_t index;

	if (!scene_frame_try(0, &index))
		return;
	scene_pause();
	scene_frame_back(index);
}

SCENARIO(drained_give, .what = "the last frame comes back while a block is looked at that takes nothing more",
	 .set_up = one_is_out, .body = { back, look }, .check = is_told_then, .mutants = "frame_bits_counts_first");
SCENARIO(drained_take, .what = "a frame is taken just then", .set_up = one_block, .body = { take_and_give, look },
	 .check = is_told_then, .mutants = "frame_bits_claims_first");
SCENARIO(drained_report, .what = "... and the host is told", .set_up = one_block,
	 .body = { take_and_give, look, report }, .check = is_told_then);
