/* SPDX-License-Identifier: MIT */
/*
 * Window: a VMA spans two leaves; one thread takes its lock word through the first, another maps beside its end, in
 * the second. Rule: only a neighbour that stands in one leaf may grow without being taken; so here the other one waits.
 * Broken (and seen, docs/races.md): the holder holds, and unmaps, more than it asked for.
 * And: it was free when it was looked at, and is asked where it stands when its holder has cut it out of the other
 * leaf. Rule: its word is still the same after that. Broken (and seen): as above.
 * mutant: extend_spanning
 * mutant: extend_one_look
 */
#include <sched.h>

#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static struct vmmap *map_of_two_leaves(const char *policy)
{
	struct vmmap *map = window_map(policy);

	expect(vtree_separate(&map->tree, thread_self(), BASE + 2 * MIB) == 0);
	expect(vmmap_mmap(map, BASE, 4 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	return map;
}

/* The munmap has taken the VMA through the lower leaf and cut it there, and wants the upper one. */
static void cut_below_meanwhile(const char *policy)
{
	struct vmmap *map = map_of_two_leaves(policy);
	struct window_thread unmap = {
		.role = "cutter", .fn = window_munmap, .map = map, .addr = BASE, .len = 4 * MIB
	};
	struct window_thread extend = {
		.role = "looker", .fn = window_mmap_fixed, .map = map, .addr = BASE + 4 * MIB, .len = MIB
	};
	struct vmmap_vma v;

	window_start_to(&extend, "extend_before_spans");
	window_start(&unmap);
	expect(point_wait_reached("cutter", "vtree_enter_collided", UINT64_C(5000000000)));
	point_release("looker", "extend_before_spans");
	window_join(&extend);
	window_join(&unmap);
	expect(unmap.result == 0 && extend.result == (int64_t)(BASE + 4 * MIB));
	expect(vmmap_query(map, BASE, &v) == 0 && v.start == BASE + 4 * MIB && v.end == BASE + 5 * MIB);
	window_close(map);
}

static void script(const char *policy)
{
	struct vmmap *map;
	struct window_thread unmap = { .role = "unmap", .fn = window_munmap, .addr = BASE, .len = 4 * MIB };
	struct window_thread extend = {
		.role = "extend", .fn = window_mmap_fixed, .addr = BASE + 4 * MIB, .len = MIB
	};
	struct vmmap_vma v;
	uint64_t tries;

	cut_below_meanwhile(policy);
	unmap.map = extend.map = map = map_of_two_leaves(policy);
	/* the extender has looked at the free neighbour when the other takes its word and its measure, or would */
	window_start_to(&extend, "carve_before_leave");
	expect(point_stop("unmap", "claim_after_extent", NULL, NULL) == 0);
	tries = point_hits("take_before_claim");
	window_start(&unmap);
	while (point_hits("take_before_claim") == tries)
		sched_yield();
	(void)point_wait_reached("unmap", "claim_after_extent", UINT64_C(200000000));
	point_release("extend", "carve_before_leave");
	(void)window_done_within(&extend, 200);
	point_release("unmap", "claim_after_extent");
	window_join(&unmap);
	window_join(&extend);
	expect(unmap.result == 0 && extend.result == (int64_t)(BASE + 4 * MIB));
	expect(vmmap_query(map, BASE, &v) == 0 && v.start == BASE + 4 * MIB && v.end == BASE + 5 * MIB);
	window_close(map);
}

int main(void)
{
	return window_run_in_table(true, script);
}
