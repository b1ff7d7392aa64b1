/* SPDX-License-Identifier: MIT */
/*
 * Window: a fault has the frame of an object's page and is about to lock its entry; a resize cuts the page off: nothing
 * is mapped yet that it could drop.
 * Rule: the size is loaded again after the entry was locked. Broken: a frame that is no page any more stays mapped.
 * mutant: fault_no_size
 */
#include "tests/windows/objects.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + PAGE };
	struct window_thread resize = { .role = "resize", .fn = object_to_size, .len = PAGE };

	object_of(map, 4, false);
	object_at(map, BASE, 4, 0);
	expect(point_stop("fault", "fault_before_cas", "resize", "rmap_between") == 0);
	/* The page goes after the fault's look at it: only the size can tell. */
	expect(point_stop("resize", "resize_before_cut", "fault", "fault_after_end") == 0);
	window_start(&fault);
	expect(point_wait_reached("fault", "fault_before_cas", SOON));
	window_start(&resize);
	window_join(&fault);
	window_join(&resize);
	expect(resize.result == 0);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_BUS);
	object_close(map);
}

int main(void)
{
	return window_run_in_table(false, script);
}
