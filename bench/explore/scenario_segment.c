/* SPDX-License-Identifier: MIT */
/* scenario_segment.c - lookups of physical segments and frames beside plug and unplug. */
#include "bench/explore/scenario.h"

#include "vmmap/physseg.h"

#define FRAME(pfn) ((uint64_t)(pfn) << 12)

static struct physseg_table *segments;                   /* the set-up's; what is in it is put back                 */

static void table(const char *index, int sections)
{
	struct physseg_config config = PHYSSEG_CONFIG;

	scene_map();
	config.index = index;
	config.limit = 1000;
	config.sections = sections;
	expect(physseg_create(&segments, &config) == 0);
}

static void plugged(uint64_t pfn, uint64_t pages) { expect(physseg_plug(segments, pfn, pages, NULL) == 0); }
static void unplugged(uint64_t pfn, uint64_t pages) { expect(physseg_unplug(segments, pfn, pages) == 0); }

/* The frame is there all the time, in a segment that begins at one of two places. */
static void must_find(uint64_t pfn, uint64_t start, uint64_t later)
{
	uint64_t offset = PHYSSEG_NONE;
	struct physseg_handle h = physseg_find(segments, pfn, &offset);

	expect((h.generation & 1) && (pfn - offset == start || pfn - offset == later));
	expect(physseg_frame_to_phys(segments, physseg_phys_to_frame(segments, FRAME(pfn))) == FRAME(pfn));
}

/* ---- cuts ---- */

static void one_large(void)
{
	table("bitmap", 0);
	plugged(0, 256);
}
static void one_large_array(void)
{
	table("cow-array", 0);
	plugged(0, 256);
}
static void cut_middle(void) { unplugged(100, 10); }
static void find_upper(void) { must_find(200, 0, 110); }
static void two_are_left(void)
{
	must_find(99, 0, 0);
	must_find(200, 110, 110);
	expect(physseg_count(segments) == 2 && physseg_phys_to_frame(segments, FRAME(105)) == NULL);
}

SCENARIO(segment_split, .what = "a frame above the cut is looked up while its segment is split",
	 .set_up = one_large, .body = { cut_middle, find_upper, find_upper }, .check = two_are_left,
	 .mutants = "physseg_find_once");
SCENARIO(segment_split_array, .what = "the same, the index an array that is made anew",
	 .set_up = one_large_array, .body = { cut_middle, find_upper }, .check = two_are_left);

static void one_low(void)
{
	table("bitmap", 0);
	plugged(0, 20);
}
static void plug_more(void) { plugged(40, 10); }
static void find_more(void)
{
	uint64_t offset = 5;
	struct physseg_handle h = physseg_find(segments, 45, &offset);

	expect(offset == 5 && (h.generation == 0 || h.slot == 1));
}

SCENARIO(segment_plug, .what = "a frame is looked up while its segment is plugged, above another", .set_up = one_low,
	 .body = { plug_more, find_more }, .mutants = "physseg_turn_unseen");

static void two_apart(void)
{
	table("bitmap", 0);
	plugged(100, 100);
	plugged(900, 1);
}
static void cut_front(void) { unplugged(100, 40); }
static void find_back(void) { must_find(180, 100, 140); }
static void back_is_left(void)
{
	must_find(180, 140, 140);
	expect(physseg_count(segments) == 2);
}

SCENARIO(segment_front, .what = "a frame is looked up while its segment's front is cut", .set_up = two_apart,
	 .body = { cut_front, find_back }, .check = back_is_left, .mutants = "physseg_move_untold");

/* Fragments, of which one word tells; what goes of one is there again as another. */
static void two_fragments(void)
{
	table("bitmap", 0);
	plugged(8, 6);
	plugged(900, 1);
}
static void cut_fragment(void)
{
	unplugged(11, 3);
	plugged(16, 4);
	plugged(11, 2);                                  /* two begin there: no word tells of either                */
}
static void find_fragment(void)
{
	uint64_t offset = 77;
	struct physseg_handle h = physseg_find(segments, 12, &offset);

	expect(h.generation == 0 ? offset == 77 : h.generation == 1 && offset == (h.slot == 0 ? 4 : 1));
	must_find(10, 8, 8);
}
static void three_fragments(void)
{
	must_find(12, 11, 11);
	must_find(19, 16, 16);
	expect(physseg_count(segments) == 4 && !physseg_valid(segments, physseg_find(segments, 13, NULL)));
}

SCENARIO(segment_fragment, .what = "frames of a fragment are looked up while its back is cut, and comes again",
	 .set_up = two_fragments, .body = { cut_fragment, find_fragment, find_fragment }, .check = three_fragments,
	 .mutants = "physseg_turn_unseen");

/* ---- the same place again ---- */

static void one_and_one(void)
{
	table("bitmap", 0);
	plugged(100, 20);
	plugged(900, 1);
}
static void plug_again(void)
{
	unplugged(100, 20);
	plugged(104, 8);                                 /* in the slot that was just left                          */
}
/* In its first life the segment had the frame at 6, in its second at 2; between the two nobody had it. */
static void find_again(void)
{
	uint64_t offset = 77;
	struct physseg_handle h = physseg_find(segments, 106, &offset);
	struct physseg_frame *frame = physseg_phys_to_frame(segments, FRAME(106));
	uint64_t back = physseg_frame_to_phys(segments, frame), start = physseg_start(segments, h);

	expect(h.generation == 1 ? offset == 6 : h.generation == 3 ? offset == 2 : offset == 77);
	expect(back == FRAME(106) || back == PHYSSEG_NONE);
	expect(start == PHYSSEG_NONE || start == 106 - offset);
}
static void again_is_there(void)
{
	must_find(106, 104, 104);
	expect(physseg_phys_to_frame(segments, FRAME(103)) == NULL && physseg_pages(segments) == 9);
}

SCENARIO(segment_again, .what = "a frame is looked up while its segment goes and another comes there",
	 .set_up = one_and_one, .body = { plug_again, find_again, find_again }, .check = again_is_there,
	 .mutants = "physseg_field_once");

/* ---- another life ---- */

static void low_and_high(void)
{
	table("bitmap", 0);
	plugged(0, 256);
	plugged(900, 1);
}
static void plug_elsewhere(void)
{
	unplugged(0, 256);
	plugged(400, 50);                                /* in the slot of the first                                */
}
static void plug_above(void)
{
	unplugged(0, 256);
	plugged(940, 20);                                /* the same, past the one that stays                       */
}
static void plug_below(void)
{
	unplugged(900, 1);
	plugged(300, 20);
}
/* The first life never had it. */
static void find_in_second(void)
{
	struct physseg_handle h = physseg_find(segments, 420, NULL);

	expect(h.generation == 0 || h.generation == 3);
}

SCENARIO(segment_lives, .what = "a slot is used again, elsewhere, under who looks at it", .set_up = low_and_high,
	 .body = { plug_elsewhere, find_in_second }, .mutants = "physseg_look_once");

static void walk(void)
{
	struct physseg_handle h = physseg_first(segments);
	unsigned met = 0;

	for (; h.generation & 1; h = physseg_next(segments, h))
		met += physseg_start(segments, h) == 900;
	expect(met == 1 || h.slot == 0);                 /* what it stood on may have gone                          */
}

SCENARIO(segment_walk, .what = "who goes through all segments meets one that stays, once", .set_up = low_and_high,
	 .body = { plug_above, walk }, .mutants = "physseg_next_any physseg_ceil_any");

static void three_apart(void)
{
	low_and_high();
	plugged(600, 1);
}
static void walk_down(void)
{
	struct physseg_handle h = physseg_last(segments);
	unsigned met = 0;

	for (; h.generation & 1; h = physseg_prev(segments, h))
		met += physseg_start(segments, h) == 600;
	expect(met == 1 || h.slot == 0);
}

SCENARIO(segment_walk_down, .what = "the same from above", .set_up = three_apart,
	 .body = { plug_below, walk_down }, .mutants = "physseg_floor_any");

/* ---- sections ---- */

static void in_sections(void) { table("bitmap", 1); }
static void plug_low(void) { plugged(100, 10); }
static void plug_high(void) { plugged(200, 10); }
static void both_are_there(void)
{
	must_find(109, 100, 100);
	must_find(209, 200, 200);
}

SCENARIO(segment_sections, .what = "two plugs make the same section", .set_up = in_sections,
	 .body = { plug_low, plug_high }, .check = both_are_there, .mutants = "physseg_section_twice");
