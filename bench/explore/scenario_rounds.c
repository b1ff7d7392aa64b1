/* SPDX-License-Identifier: MIT */
/* scenario_rounds.c - rounds of retired items: how long much waits for one, and who waits for whom. */
#include "bench/explore/scene.h"

static void a_map(void) { scene_pages(4); }
static void retire_batch(void) { scene_retire_batch(); }
static void retire_much(void) { scene_retire_much(); }
static void fault(void) { expect(scene_fault(1, PAGE(0), PROT_WRITE) == 0); }

SCENARIO(round_hurry, .what = "much is retired while the worker naps", .set_up = a_map,
	 .body = { retire_much, retire_batch }, .mutants = "rcu_never_hurries");
SCENARIO(round_hurry_beside, .what = "... beside a read section", .set_up = a_map,
	 .body = { retire_much, fault, retire_batch }, .mutants = "rcu_never_hurries");

static void a_map_and_queue(void)
{
	a_map();
	scene_stop(1, "rcu_rounds_queued", THERE, THERE);
}
static void drain_and_drain(void) { scene_drain_first(); }
static void drain(void) { scene_drain_second(); }

SCENARIO(round_turn, .what = "a thread drains over and over, and another one once", .set_up = a_map_and_queue,
	 .body = { drain_and_drain, drain }, .mutants = "rounds_unfair");
