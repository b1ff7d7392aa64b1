/* SPDX-License-Identifier: MIT */
/*
 * scenario_grace.c - made for memory orders, as scenario_order.c: a frame becomes another page's when its readers have
 * gone, by the polled grace periods, with and without membarrier.
 */
#include "bench/explore/scene.h"

#define FEW  8                           /* frames, all used: the one that is given away is the next                */
#define MORE 64
#define SOME 8                           /* of them: enough for a grace period of their own                         */

static void all_of(unsigned frames)
{
	scene_frames(frames);
	scene_map_bytes();
	scene_mmap(PAGES(0, frames + SOME), RW);
	expect(scene_write(0, PAGE(0), 1) == 8);
	for (unsigned i = 1; i < frames; i++)
		expect(vmmap_fault(scene.map, PAGE(i), PROT_WRITE, NULL) == 0);
}
static void all_used(void)      { all_of(FEW); }
static void more_are_used(void) { all_of(MORE); }
static void all_used_heavy(void)
{
	scene_no_membarrier();
	all_used();
}
static void read_0(void)
{
	int64_t rc = scene_read(1, PAGE(0), &scene.word[0]);

	expect((rc == 8 && scene.word[0] == 1) || rc == -EFAULT);
}
static void use_again(void)
{
	(void)scene_await(THERE);
	expect(scene_munmap(0, PAGES(0, 1)) == 0);
	expect(scene_write(0, PAGE(FEW), 0xbad) == 8);
}
/* Whoever reads waits inside its section until the frame is another's. */
static void begins_late(void)
{
	all_used();
	scene_stop(0, "frame_refill_before_lock", BACK, BACK);
	scene_stop(1, "access_before_load", THERE, THERE);
	scene_stop(1, "access_before_load", THIRD, FOURTH);
}
static void use_and_tell(void)
{
	use_again();
	scene_signal(FOURTH);
}
static void read_late(void)
{
	read_0();
	(void)scene_await(BACK);
	read_0();
}
static void give_and_use(void)
{
	(void)scene_await(THERE);
	expect(scene_munmap(0, PAGES(0, SOME)) == 0);
	scene_signal(BACK);
	(void)scene_await(THIRD);
	expect(scene_fixed(0, PAGES(0, SOME), RW) == (int64_t)PAGE(0));
	for (unsigned i = 0; i < SOME; i++)
		expect(scene_write(0, PAGE(i), 0xbad) == 8);
}
/* The first time it says so in the entry, by which it learns of all that was done to it. */
static void read_twice(void)
{
	read_0();
	scene_signal(THERE);
	read_0();
}
static void read_before(void)
{
	read_0();
	read_0();
	scene_signal(THERE);
}
static void poll(void)
{
	(void)scene_await(BACK);
	scene_grace();
	scene_signal(THIRD);
}

/* Who looks for a frame stands in its section; the reader comes between the freer's section and its number. */
static void found_by_third(void)
{
	scene_no_membarrier();
	more_are_used();
	scene_stop(2, "frame_refill_before_lock", 1, 2);
	scene_stop(0, "pt_zap_before_clear", 3, 4);
	scene_stop(1, "access_before_load", 5, 5);
	scene_stop(1, "access_before_load", 4, 6);
}
static void give_away(void)
{
	(void)scene_await(7);
	expect(scene_munmap(0, PAGES(0, SOME)) == 0);
	scene_signal(2);
}
static void read_between(void)
{
	(void)scene_await(1);
	read_0();
	scene_signal(7);
	(void)scene_await(3);
	read_0();
}
static void find(void)
{
	for (unsigned i = 0; i < SOME; i++)
		(void)scene_write(2, PAGE(MORE + i), 0xbad);
	scene_signal(6);
}

SCENARIO(order_frame_found, .what = "a third finds the frames, without membarrier", .flags = SCENARIO_COLD,
	 .set_up = found_by_third, .body = { give_away, read_between, find });
SCENARIO(order_frame, .what = "a page is read again while its frame becomes another's", .flags = SCENARIO_COLD,
	 .set_up = all_used, .body = { use_again, read_twice }, .mutants = "rcu_no_membarrier");
SCENARIO(order_frame_epoch, .what = "a reader begins when the grace period has its number, and no more",
	 .flags = SCENARIO_COLD, .set_up = begins_late, .body = { use_and_tell, read_late });
SCENARIO(order_frame_heavy, .what = "the same without membarrier", .flags = SCENARIO_COLD,
	 .set_up = all_used_heavy, .body = { use_again, read_twice });
SCENARIO(order_frame_polled, .what = "another polls for who gives the frame away", .flags = SCENARIO_COLD,
	 .set_up = more_are_used, .body = { give_and_use, read_before, poll });
