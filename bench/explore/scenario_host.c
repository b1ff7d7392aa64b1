/* SPDX-License-Identifier: MIT */
/*
 * scenario_host.c - a machine and its host: its blocks are told, a balloon has them, a frame goes out of use, beside
 * who wants the last frames.
 */
#include "bench/explore/scenario.h"

#include "vmmap/physmem_host.h"

#define FRAMES 512                       /* a block                                                                 */

static uint64_t frames_that_are(uint64_t balloon)
{
	struct physmem_usage use;

	physmem_get_usage(scene.physmem, &use);
	expect(use.balloon + use.poisoned >= balloon);
	return use.owned;
}

/* Nobody has a frame of what the host is told of. */
static void host_tell(void *arg, struct physmem_told *told, unsigned n)
{
	(void)arg;
	expect(n == 1 && told->pfn == 0 && frames_that_are(0) == 0);
	told->verdict = PHYSMEM_ACCEPTED;
	scene_pause();
	expect(frames_that_are(0) == 0);
}

static void host_takes(void *arg, struct physmem_told *run, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++)
		run[i].verdict = PHYSMEM_ACCEPTED;
}

static void host_gives(void *arg, const struct physmem_told *run, unsigned n)
{
	(void)arg, (void)run, (void)n;
}

static void told_of(void)
{
	struct physmem_report_config c = PHYSMEM_REPORT_CONFIG;

	c.tell = host_tell;
	c.low = 0;
	scene_frames(FRAMES);
	scene_map();
	scene_mmap(PAGES(0, 8), RW);
	expect(physmem_report_start(scene.physmem, &c) == 0);
}
static void all_in_balloon(void)
{
	struct physmem_balloon_config c = PHYSMEM_BALLOON_CONFIG;

	c.inflate = host_takes;
	c.deflate = host_gives;
	c.low = 0;
	scene_frames(FRAMES);
	scene_map();
	scene_mmap(PAGES(0, 8), RW);
	expect(physmem_balloon_start(scene.physmem, &c) == 0);
	expect(physmem_balloon_inflate(scene.physmem, FRAMES) == FRAMES);
}

static void tell(void)
{
	int err = physmem_report_pass(scene.physmem, PHYSMEM_REPORT_NOW, NULL);

	expect(err == 0 || err == -EBUSY);
}
static void touch(void) { expect(vmmap_fault(scene.map, PAGE(0), PROT_WRITE, NULL) == 0); }
static void touch_another(void) { expect(vmmap_fault(scene.map, PAGE(4), PROT_WRITE, NULL) == 0); }
static void touch_and_drop(void)
{
	expect(vmmap_fault(scene.map, PAGE(0), PROT_WRITE, NULL) == 0);
	expect(scene_munmap(0, PAGES(0, 1)) == 0);
}
static void poison(void) { expect(physmem_poison(scene.physmem, 33) == 0); }
static void may_poison(void)
{
	int err = physmem_poison(scene.physmem, 33);

	expect(err == 0 || err == -EBUSY);
}
static void grow(void) { (void)physmem_balloon_inflate(scene.physmem, FRAMES); }
static void host_goes(void)
{
	physmem_report_stop(scene.physmem);
	physmem_balloon_stop(scene.physmem);
	(void)physmem_unpoison(scene.physmem, 33);
	expect(frames_that_are(0) <= 2);
}

SCENARIO(host_told, .what = "who touches a page has a frame, though the host is being told of the only block",
	 .flags = SCENARIO_COLD, .set_up = told_of, .body = { tell, touch }, .check = host_goes,
	 .mutants = "frame_short_lets");
SCENARIO(host_told_two, .what = "the same, of two, one of whom drops it", .flags = SCENARIO_COLD, .set_up = told_of,
	 .body = { tell, touch_and_drop, touch_another }, .check = host_goes);
SCENARIO(host_poison, .what = "a frame goes out of use while the host is being told of its block",
	 .flags = SCENARIO_COLD, .set_up = told_of, .body = { tell, poison }, .check = host_goes);
SCENARIO(host_poison_used, .what = "the same, and somebody takes frames of the block, and frees one",
	 .flags = SCENARIO_COLD, .set_up = told_of, .body = { tell, may_poison, touch_and_drop }, .check = host_goes,
	 .mutants = "frame_short_poisoned");
SCENARIO(host_balloon, .what = "who touches a page has a frame, though a balloon has all, and grows again",
	 .flags = SCENARIO_COLD, .set_up = all_in_balloon, .body = { grow, touch }, .check = host_goes,
	 .mutants = "frame_short_keeps_balloon");
SCENARIO(host_balloon_two, .what = "the same, of two", .flags = SCENARIO_COLD, .set_up = all_in_balloon,
	 .body = { grow, touch, touch_another }, .check = host_goes);
