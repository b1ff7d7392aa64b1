/* SPDX-License-Identifier: MIT */
/* scenario_balloon.c - a balloon grows, shrinks and makes place, beside those who are short of memory. */
#include "bench/explore/scenario.h"

static void two_blocks(void)
{
	scene_map();
	scene_balloon(2);
}
static void all_in_balloon(void)
{
	two_blocks();
	expect(scene_inflate() == 2);
}

static void grow(void) { (void)scene_inflate(); }
static void shrink(void) { (void)scene_deflate(); }
static void must_have(void) { expect(scene_use_block(true)); }
static void may_have(void) { (void)scene_use_block(false); }
static void all_comes_back(void)
{
	(void)scene_deflate();
	expect(scene_ballooned() == 0 && scene_inflate() == 2);
}

SCENARIO(balloon_grows, .what = "who is short of memory gets a block, while a balloon takes all of them",
	 .set_up = two_blocks, .body = { grow, must_have }, .check = all_comes_back);
SCENARIO(balloon_grows_again, .what = "the same, and it has all of them already", .set_up = all_in_balloon,
	 .body = { grow, must_have }, .check = all_comes_back, .mutants = "frame_balloon_inflates_on");
SCENARIO(balloon_shrinks, .what = "who looks for a block finds none that the host still has",
	 .set_up = all_in_balloon, .body = { shrink, may_have }, .check = all_comes_back,
	 .mutants = "frame_balloon_gives_first");
SCENARIO(balloon_two_want, .what = "two are short of memory, and the balloon wants it back",
	 .set_up = all_in_balloon, .body = { must_have, grow, must_have }, .check = all_comes_back);

static void empty_one(void) { expect(scene_empty_block(0)); }

SCENARIO(balloon_leaves, .what = "a block is emptied of what a balloon has there, while it grows",
	 .set_up = all_in_balloon, .body = { grow, empty_one }, .check = all_comes_back);
static void try_to_empty(void) { (void)scene_empty_block(0); }

SCENARIO(balloon_leaves_used, .what = "... and one may have a block of it by then", .set_up = all_in_balloon,
	 .body = { may_have, try_to_empty, shrink }, .check = all_comes_back);
