/* SPDX-License-Identifier: MIT */
/*
 * Window: a general edit cuts a VMA in a leaf section; its object goes on as the piece below the cut, free.
 * Rule: that piece gets its version when the cut has been published. Broken: a visit finds the old bounds with the new
 * version, and goes on in a page that is no longer the VMA's.
 * mutant: claim_left_early
 */
#include "tests/windows/window.h"

#define LEN (100 * PAGE)                                 /* too many pages for the brief form                      */

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread unmap = {
		.role = "unmap", .fn = window_munmap, .map = map, .addr = BASE + LEN, .len = LEN
	};
	struct window_thread fault = {
		.role = "fault", .fn = window_fault, .map = map, .addr = BASE + LEN + PAGE
	};

	expect(vmmap_mmap(map, BASE, 2 * LEN, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(point_stop("fault", "fault_before_cas", NULL, NULL) == 0);
	window_start_to(&unmap, "claim_before_leave");
	window_start(&fault);                            /* finds the VMA held: only a mutant lets it come so far  */
	(void)point_wait_reached("fault", "fault_before_cas", UINT64_C(200000000));
	point_release("unmap", "claim_before_leave");
	window_join(&unmap);
	point_release("fault", "fault_before_cas");
	window_join(&fault);
	expect(unmap.result == 0);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_MAPERR);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "range-tree", "pt-lock", NULL }, script);
}
