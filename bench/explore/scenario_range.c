/* SPDX-License-Identifier: MIT */
/*
 * scenario_range.c - range locks beside the map, asked for themselves: whom they let in although another is inside, the
 * words of VMAs would keep out all the same (holders.c).
 */
#include "bench/explore/scene.h"

#include "base/clock.h"

enum { GRANTING = BACK, GAVE_UP, AGAIN, GRANTED, OUT };

static void thirty_two(void)
{
	scene_map();
	scene_watch_ranges();
	scene_mmap(PAGES(0, 32), RW);
}
static int try_page(unsigned i, uint64_t page)
{
	int rc = vmmap_hold_until(scene.map, PAGES(page, 1), &scene.held[i], VMMAP_TRY);

	if (rc == 0)
		scene_release(i);
	return rc;
}

/* ---- all of the space is held by one ---- */

static void hold_space(void)
{
	scene_hold(0, 65536, (UINT64_C(1) << 47) - 4096 - 65536);
	scene_signal(THERE);
	scene_await(OUT);
	scene_release(0);
}
static void fault_in_space(void)
{
	scene_await(THERE);
	expect(scene_fault(1, PAGE(4), PROT_WRITE) == 0);
	scene_signal(OUT);
}

SCENARIO(range_coarse, .what = "a visit against an edit of all of the space", .policy = "fine-lock",
	 .set_up = thirty_two, .body = { hold_space, fault_in_space }, .mutants = "fine_coarse_unheeded");

/* ---- who holds a range takes another, behind one that waits for the first ---- */

static void nest(void)
{
	struct vmmap_held second;

	scene_hold(0, PAGES(2, 2));
	scene_signal(THERE);
	scene_asleep(1);
	expect(vmmap_hold(scene.map, PAGES(8, 1), &second) == 0);
	scene_release(0);
	scene_pause();
	vmmap_release(scene.map, &second);
}
static void want_both(void)
{
	scene_await(THERE);
	scene_hold(1, PAGES(3, 9));
	scene_release(1);
}

SCENARIO(range_nested, .what = "a second range, behind one that waits for the first", .policy = "range-tree",
	 .set_up = thirty_two, .body = { nest, want_both }, .mutants = "tree_passes_uncounted");

/* ---- a deadline passes when the grant is on its way: the next wait is with the same record ---- */

static void grants_late(void)
{
	thirty_two();
	scene_stop(0, "tree_before_grant", GRANTING, GRANTED);
}
static void hold_and_grant(void) { scene_keep_asleep(0, PAGES(4, 1)); }
static void give_up_and_ask(void)
{
	int rc;

	scene_await(THERE);
	rc = vmmap_hold_until(scene.map, PAGES(4, 1), &scene.held[1], clock_ns() + 1000000);
	expect(rc == 0 || rc == -ETIMEDOUT);
	if (rc == 0)
		scene_release(1);
	scene_signal(GAVE_UP);
	scene_await(AGAIN);
	scene_take(1, PAGES(4, 1));
}
static void hold_between(void)
{
	scene_await(GAVE_UP);
	scene_hold(2, PAGES(4, 1));
	scene_signal(AGAIN);
	scene_asleep(1);
	scene_signal(GRANTED);
	scene_await(NEVER);
	scene_release(2);
}

SCENARIO(range_granting, .what = "a deadline passes when the grant is on its way", .policy = "range-tree",
	 .set_up = grants_late, .body = { hold_and_grant, give_up_and_ask, hold_between },
	 .mutants = "tree_cancel_unchecked");

/* ---- the node behind which a newcomer goes in is the list's no more ---- */

static void late_link(void)
{
	thirty_two();
	scene_stop(1, "list_before_insert", GRANTING, AGAIN);
}
static void use_again(void)
{
	scene_hold(0, PAGES(4, 1));
	scene_signal(THERE);
	scene_await(GRANTING);
	scene_release(0);
	expect(try_page(0, 30) == 0);            /* comes by, and unlinks                                           */
	scene_hold(0, PAGES(20, 1));
	scene_signal(AGAIN);
	scene_await(OUT);
	scene_release(0);
}
static void insert_late(void)
{
	scene_await(THERE);
	scene_hold(1, PAGES(6, 1));
	scene_signal(GRANTED);
	scene_await(OUT);
	scene_release(1);
}
static void try_same(void)
{
	scene_await(GRANTED);
	(void)try_page(2, 6);
	scene_signal(OUT);
}

SCENARIO(range_link, .what = "the node behind which a newcomer was to go in lives again", .policy = "range-list",
	 .set_up = late_link, .body = { use_again, insert_late, try_same }, .mutants = "list_reuses_at_once");
