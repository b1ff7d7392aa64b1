/* SPDX-License-Identifier: MIT */
/* scenario_spin.c - the queued spin lock (base/qspin.h): its word, its queue, and the two ends of that. */
#include "bench/explore/scene.h"

static void no_map(void) { scene_map(); }

static void again(void)  { scene_spin_again(0); }
static void once_1(void) { scene_spin(1); }
static void once_2(void) { scene_spin(2); }
static void once_3(void) { scene_spin(3); }

SCENARIO(spin_offered, .what = "a holder comes again and again: who waits is passed, then not", .set_up = no_map,
	 .body = { again, once_1 }, .mutants = "qspin_offers_all qspin_leaves_next");
SCENARIO(spin_queue, .what = "a queue of two, and a holder that comes again", .set_up = no_map,
	 .body = { again, once_1, once_2 }, .mutants = "qspin_turn_is_lock qspin_leaves_next");
SCENARIO(spin_four, .what = "four cores want one spin lock", .set_up = no_map,
	 .body = { again, once_1, once_2, once_3 });
