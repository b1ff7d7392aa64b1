/* SPDX-License-Identifier: MIT */
/*
 * Window 15 of locks.md: a VMA is cut while it is being locked; the middle is published.
 * Rule: the middle is born locked. Broken: a fault gets into a range that is being unmapped.
 * mutant: claim_middle_free
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + 2 * MIB + PAGE };
	struct window_thread beside = { .role = "beside", .fn = window_fault, .map = map, .addr = BASE };
	struct window_thread unmap = {
		.role = "unmap", .fn = window_munmap, .map = map, .addr = BASE + 2 * MIB, .len = 2 * MIB
	};

	expect(vmmap_mmap(map, BASE, 6 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	window_start_to(&unmap, "unmap_after_begin");
	window_start(&beside);                                   /* a piece that was cut off goes on at once */
	expect(window_done_within(&beside, 4000) && beside.result == 0);
	window_start(&fault);
	expect(!window_done_within(&fault, 30));                 /* inside: waits for the holder */
	point_release("unmap", "unmap_after_begin");
	window_join(&beside);
	window_join(&unmap);
	window_join(&fault);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_MAPERR);
	window_close(map);
}

int main(void)
{
	return window_run_in_table(true, script);
}
