/* SPDX-License-Identifier: MIT */
/*
 * Window: an edit of the middle of a VMA has the VMA's lock word, and is about to publish the cut; a fault comes to a
 * page below, which will be free in an instant. Once in a VMA of one leaf, once of two.
 * Rule: while it is cut a VMA shows LOCK_BRIEF. Broken (and seen, docs/races.md): the fault queues on the edit, which
 * does not hold its page, and sleeps until the edit's end.
 * mutant: claim_shows_outer
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define SOON UINT64_C(10000000000)

static void outer(const char *policy, bool spans)
{
	const char *place = spans ? "claim_after_extent" : "claim_before_leave";
	struct vmmap *map = window_map(policy);
	struct window_thread holder = {
		.role = "holder", .fn = window_hold, .map = map, .addr = BASE + MIB, .len = MIB
	};
	struct window_thread below = { .role = "below", .fn = window_fault, .map = map, .addr = BASE };
	struct window_thread above = { .role = "above", .fn = window_fault, .map = map, .addr = BASE + 3 * MIB };

	if (spans)
		expect(vtree_separate(&map->tree, thread_self(), BASE + MIB + MIB / 2) == 0);
	expect(vmmap_mmap(map, BASE, 4 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(point_stop("holder", place, NULL, NULL) == 0);
	expect(point_stop("holder", "window_held", NULL, NULL) == 0);
	window_start(&holder);
	expect(point_wait_reached("holder", place, SOON));
	window_start(&below);
	window_start(&above);
	expect(!window_done_within(&below, 30) && !window_done_within(&above, 5));
	point_release("holder", place);
	expect(point_wait_reached("holder", "window_held", SOON));
	expect(window_done_within(&below, 10000) && window_done_within(&above, 10000));
	point_release("holder", "window_held");
	window_join(&holder);
	window_join(&below);
	window_join(&above);
	expect(holder.result == 0 && below.result == 0 && above.result == 0);
	window_close(map);
	point_reset();
	point_mutant_select(getenv("VMMAP_MUTANT"));
}

static void script(const char *policy)
{
	outer(policy, false);
	outer(policy, true);
}

int main(void)
{
	return window_run_in_table(true, script);
}
