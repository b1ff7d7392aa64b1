/* SPDX-License-Identifier: MIT */
/* scenario_machine.c - single frames of a machine, and runs of them: whose they are; who is told that none is left. */
#include "bench/explore/scene.h"

#define RUN_ORDER 3

/* ---- names ---- */

static void one_named(void)
{
	scene_map();
	scene_named();
}
static void life_ends(void) { scene_named_anew(); }
static void ask_name(void) { scene_name(); }
static void it_is_given_back(void) { scene_named_ends(); }

SCENARIO(name_of_life, .what = "a frame is asked for its name while it is freed, and taken for another",
	 .set_up = one_named, .body = { life_ends, ask_name }, .check = it_is_given_back,
	 .mutants = "frame_name_one_look");

/* ---- the last frames ---- */

static void nine_left(void)
{
	scene_frames(64);
	scene_map();
	scene_nine_left();
}
static void want_run(void)
{
	struct physmem_run run;

	scene.result[0] = physmem_run_alloc(scene.physmem, RUN_ORDER, &run);
	expect(scene.result[0] == 0 || scene.result[0] == -ENOMEM);
	if (scene.result[0] == 0)
		expect(physmem_run_free(scene.physmem, &run) == 0);
}
static void take_one(void) { scene_take_left(); }
static void want_frame(void)
{
	uint64_t pfn = physmem_frame_alloc(scene.physmem);

	scene.result[2] = pfn != PHYSMEM_NONE;
	if (pfn != PHYSMEM_NONE)
		expect(physmem_frame_free(scene.physmem, pfn) == 0);
}

/* Nine are free: a run that was not to be had leaves one for who wants one. */
static void one_was_left(void)
{
	expect(scene.result[0] == 0 || scene.result[2] != 0);
	scene_left_back();
}

SCENARIO(run_lost, .what = "a run is lost to another one, while a third wants a frame", .flags = SCENARIO_COLD,
	 .set_up = nine_left, .body = { want_run, take_one, want_frame }, .check = one_was_left,
	 .mutants = "frame_run_untold");
