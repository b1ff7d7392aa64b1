/* SPDX-License-Identifier: MIT */
/* scenario_spin.c - the queued spin lock (base/qspin.h): its word, its queue, and the two ends of that. */
#include "bench/explore/scene.h"

static void no_map(void) { scene_map(); }

static void again(void)  { scene_spin_again(0); }
static void once_1(void) { scene_spin(1); }
static void once_2(void) { scene_spin(2); }
static void once_3(void) { scene_spin(3); }

SCENARIO(spin_offered, .what = "a holder lets go, and comes again: who waited was first", .set_up = no_map,
	 .body = { again, once_1 }, .mutants = "qspin_offers_all qspin_leaves_next");
SCENARIO(spin_queue, .what = "a queue of two, and a holder that comes again", .set_up = no_map,
	 .body = { again, once_1, once_2 }, .mutants = "qspin_leaves_next");

static void before_turn(void)
{
	scene_map();
	scene_stop(1, "qspin_before_turn", THERE, BACK);
}
static void comes_then(void)
{
	(void)scene_await(THERE);
	scene_spin(3);
	scene_signal(BACK);
}

SCENARIO(spin_heir, .what = "the lock is handed over when a newcomer comes", .set_up = before_turn,
	 .body = { again, once_1, once_2, comes_then }, .mutants = "qspin_frees_for_heir");
SCENARIO(spin_four, .what = "four cores want one spin lock", .set_up = no_map,
	 .body = { again, once_1, once_2, once_3 });
