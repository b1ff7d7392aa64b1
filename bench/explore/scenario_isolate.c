/* SPDX-License-Identifier: MIT */
/* scenario_isolate.c - free frames of blocks that are to be emptied are drained, beside who takes and frees some. */
#include "bench/explore/scenario.h"

#define FEW 64

/* Some are in the cache of a thread that does nothing more. */
static void some_cached(void)
{
	scene_frames(FEW);
	scene_map();
	scene_mmap(PAGES(0, FEW), RW);
	for (unsigned i = 0; i < 8; i++)
		expect(scene_fault(0, PAGE(i), PROT_WRITE) == 0);
	expect(scene_munmap(0, PAGES(4, 4)) == 0);
}
static void touch_and_free(void)
{
	(void)vmmap_fault(scene.map, PAGE(FEW / 2), PROT_WRITE, NULL);
	expect(scene_munmap(0, PAGES(FEW / 2, 1)) == 0);
}
static void drain(void) { scene_isolate(); }
static void touch(void) { (void)vmmap_fault(scene.map, PAGE(FEW / 4), PROT_WRITE, NULL); }
static void free_used(void) { expect(scene_munmap(2, PAGES(0, 2)) == 0); }
static void none_is_cached(void)
{
	expect(scene_cached() == 0);
	scene_isolate_ends();
}

SCENARIO(isolate_free, .what = "caches are drained, while a thread takes a frame and frees it",
	 .set_up = some_cached, .body = { touch_and_free, drain }, .check = none_is_cached,
	 .mutants = "isolate_no_wait drain_own_only free_stays");
SCENARIO(isolate_three, .what = "... and another one takes one, and a third lets go of what all may have read",
	 .set_up = some_cached, .body = { touch, drain, free_used }, .check = none_is_cached);

static void some_cached_and_open(void)
{
	some_cached();
	scene_isolate_opens();
}
static void drain_again(void) { scene_isolate_again(); }

SCENARIO(isolate_again, .what = "... after caches were open for a while", .set_up = some_cached_and_open,
	 .body = { touch_and_free, drain_again }, .check = none_is_cached, .mutants = "isolate_no_wait");
static void ends(void)
{
	touch_and_free();
	scene_thread_exit();
}

SCENARIO(isolate_exit, .what = "... and ends", .set_up = some_cached, .body = { ends, drain }, .check = none_is_cached,
	 .mutants = "frame_exit_unlocked");

/* From outside: a cache of its own, which the first free fills. */
static void call_and_free(void)
{
	for (int i = 0; i < 2; i++) {
		uint64_t pfn = physmem_frame_alloc(scene.physmem);

		if (pfn != PHYSMEM_NONE)
			expect(physmem_frame_free(scene.physmem, pfn) == 0);
	}
}
static void some_called(void)
{
	some_cached();
	for (int i = 0; i < 2; i++)
		expect((scene.word[i] = physmem_frame_alloc(scene.physmem)) != PHYSMEM_NONE);
}
static void free_called(void) { expect(physmem_frame_free(scene.physmem, scene.word[0]) == 0); }
static void free_other(void) { expect(physmem_frame_free(scene.physmem, scene.word[1]) == 0); }
static void one_is_out(void)
{
	none_is_cached();
	free_other();
}

SCENARIO(isolate_call, .what = "... which come and go by the calls from outside", .set_up = some_called,
	 .body = { call_and_free, drain, free_called }, .check = one_is_out,
	 .mutants = "rcu_brief_unseen isolate_no_wait");

static void called_and_open(void)
{
	some_called();
	scene_isolate();
	scene_isolate_open();
}
static void none_was_cached(void)
{
	scene_isolate_shut();
	none_is_cached();
}

SCENARIO(isolate_call_open, .what = "callers' frames come back to a block that is to be emptied, and caches are open",
	 .set_up = called_and_open, .body = { free_called, free_other }, .check = none_was_cached,
	 .mutants = "free_unjudged");
