/* SPDX-License-Identifier: MIT */
/*
 * Window: a brief munmap has cleared the entries of a page and is about to publish; a fault comes to that page.
 * Rule: publication first, then the lock word. Broken: the fault finds the old bounds free, and leaves an entry.
 * mutant: carve_releases_early
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread unmap = {
		.role = "unmap", .fn = window_munmap, .map = map, .addr = BASE + 2 * PAGE, .len = PAGE
	};
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + 2 * PAGE };

	expect(vmmap_mmap(map, BASE, 8 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	window_start_to(&unmap, "carve_before_leave");
	window_start(&fault);
	expect(!window_done_within(&fault, 30));
	point_release("unmap", "carve_before_leave");
	window_join(&unmap);
	window_join(&fault);
	expect(unmap.result == 0);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_MAPERR);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "range-tree", "pt-lock", NULL }, script);
}
