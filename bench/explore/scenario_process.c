/* SPDX-License-Identifier: MIT */
/*
 * scenario_process.c - the process forks (base/atfork.c). The run goes on as its child, with one thread: whatever the
 * others were at, slots, read sections, grace periods, rounds and the library's own thread are as good as new.
 */
#include "bench/explore/scene.h"

static void a_map(void)
{
	scene_pages(4);
	scene_process();
}
static void fork_process(void) { scene_process_forks(); }
static void fork_inside(void) { scene_process_forks_inside(); }
static void retire(void) { scene_process_retires(); }
static void read_some(void) { scene_process_reads(); }
static void come_and_go(void)
{
	scene_thread_exit();
	scene_process_reads();
	scene_thread_exit();
}

SCENARIO(process_round, .what = "a process forks, and a thread retires and drains", .set_up = a_map,
	 .body = { fork_process, retire }, .mutants = "fork_skips_rounds fork_keeps_worker fork_keeps_slots");
SCENARIO(process_section, .what = "... and a thread reads", .set_up = a_map, .body = { fork_process, read_some },
	 .mutants = "fork_keeps_words fork_keeps_readers");
SCENARIO(process_exit, .what = "... and a thread comes and goes", .set_up = a_map,
	 .body = { fork_process, come_and_go }, .mutants = "fork_skips_onlines fork_skips_registry");
SCENARIO(process_all, .what = "... and threads retire, read, come and go", .set_up = a_map,
	 .body = { fork_process, retire, read_some, come_and_go });
SCENARIO(process_inside, .what = "it forks in a read section; a thread comes and goes", .set_up = a_map,
	 .body = { fork_inside, come_and_go }, .mutants = "fork_sleeps_as_a_call");
SCENARIO(process_inside_round, .what = "... a thread retires and drains", .set_up = a_map,
	 .body = { fork_inside, retire }, .mutants = "fork_trusts_lost_rounds");
