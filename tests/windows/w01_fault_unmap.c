/* SPDX-License-Identifier: MIT */
/*
 * Window 1: a fault has looked the VMA up; munmap takes the lock word, zaps, publishes; then the fault locks its entry.
 * Rule: the fault loads lk again after its CAS and undoes. Broken: an entry is left where nothing is mapped.
 * mutant: fault_no_recheck
 */
#include "tests/windows/window.h"

static void unmap_under_fault(const char *policy, uint64_t len, const char *until)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + PAGE };
	struct window_thread unmap = { .role = "unmap", .fn = window_munmap, .map = map, .addr = BASE, .len = len };

	expect(vmmap_mmap(map, BASE, len, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(point_stop("fault", "fault_before_cas", "unmap", until) == 0);
	window_start(&fault);
	expect(point_wait_reached("fault", "fault_before_cas", UINT64_C(5000000000)));
	window_start(&unmap);
	window_join(&unmap);
	window_join(&fault);
	expect(unmap.result == 0);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_MAPERR);
	window_close(map);
	point_reset();
}

static void script(const char *policy)
{
	unmap_under_fault(policy, 4 * PAGE, "carve_before_leave");      /* the brief form */
	point_mutant_select(getenv("VMMAP_MUTANT"));
	unmap_under_fault(policy, 4 * MIB, "replace_before_leave");     /* the general form */
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "spf", NULL }, script);
}
