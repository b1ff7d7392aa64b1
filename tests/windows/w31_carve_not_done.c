/* SPDX-License-Identifier: MIT */
/*
 * Window: a brief mprotect finds that there is something to do, but the VMA is held; it leaves the leaf and is about
 * to take the general form. Meanwhile the VMA gets the wanted bits, and loses pages to one that has others.
 * Rule: what was decided in the section is not asked again outside. Broken (and seen, docs/races.md): mprotect says
 * that all is done, and pages stay writable.
 * mutant: carve_looks_again
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread holder = {
		.role = "holder", .fn = window_hold, .map = map, .addr = BASE, .len = 8 * PAGE
	};
	struct window_thread protect = {
		.role = "protect", .fn = window_protect_read, .map = map, .addr = BASE, .len = 8 * PAGE
	};
	struct vmmap_fault_info info;

	expect(vmmap_mmap(map, BASE, 8 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	window_start_to(&holder, "window_held");
	window_start_to(&protect, "carve_not_done");
	point_release("holder", "window_held");
	window_join(&holder);
	expect(vmmap_mprotect(map, BASE, 8 * PAGE, PROT_READ) == 0);             /* in place */
	expect(vmmap_mprotect(map, BASE + 4 * PAGE, 4 * PAGE, RW) == 0);         /* a VMA of its own */
	point_release("protect", "carve_not_done");
	window_join(&protect);
	expect(protect.result == 0);
	expect(vmmap_fault(map, BASE + 4 * PAGE, PROT_WRITE, &info) == -EFAULT && info.code == VMMAP_ACCERR);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
