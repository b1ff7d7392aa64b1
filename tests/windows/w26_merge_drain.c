/* SPDX-License-Identifier: MIT */
/*
 * Window: an edit that holds two neighbours joins them while a visit is counted in the one that dies.
 * Rule: before an object dies its visitors are out. Broken: a visit is counted in an object that the pool hands out
 * again.
 * mutant: merge_no_drain
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread holder = {
		.role = "holder", .fn = window_hold, .map = map, .addr = BASE, .len = 4 * PAGE
	};
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + 4 * PAGE };
	struct vma *left, *right;

	expect(vmmap_mmap(map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	window_start_to(&holder, "window_held");
	/* The neighbour is held: two VMAs, which the holder joins after its release. */
	expect(vmmap_mmap(map, BASE + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)(BASE + 4 * PAGE));
	left = vtree_lookup(&map->tree, BASE);
	right = vtree_lookup(&map->tree, BASE + 4 * PAGE);
	expect(left != right);
	window_start_to(&fault, "fault_before_walk");
	expect(atomic_load_seqcst(lock_far_pins(&right->slot)) == 1);
	point_release("holder", "window_held");
	while (!point_wait_reached("holder", "drain_after_w", UINT64_C(1000000)) && !window_done_within(&holder, 0))
		;                                                        /* done: only with the mutant */
	expect(atomic_load_seqcst(&right->slot.lk) != LOCK_DEAD);
	expect(vtree_lookup(&map->tree, BASE + 4 * PAGE) == right);
	point_release("fault", "fault_before_walk");
	window_join(&fault);
	window_join(&holder);
	expect(fault.result == 0 && point_hits("fault_after_begin") == 1);       /* its one visit was valid */
	expect(vtree_lookup(&map->tree, BASE + 4 * PAGE) == left);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", NULL }, script);
}
