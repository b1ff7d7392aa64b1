/* SPDX-License-Identifier: MIT */
/*
 * Window 3: the middle of a VMA is unmapped, its tables unlinked; the VMA's object survives as the left piece. A fault
 * that had found the VMA and the entry goes on in the unlinked table.
 * Rule: every release stores a new version, so the fault's second look at lk fails. Broken: a frame is lost.
 * mutant: claim_old_version
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + 2 * MIB + PAGE };
	struct window_thread unmap = {
		.role = "unmap", .fn = window_munmap, .map = map, .addr = BASE + 2 * MIB, .len = 2 * MIB
	};

	expect(vmmap_mmap(map, BASE, 6 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_fault(map, BASE + 2 * MIB, PROT_WRITE, NULL) == 0);         /* the table is there */
	window_start_to(&fault, "fault_before_cas");
	window_start(&unmap);
	window_join(&unmap);
	point_release("fault", "fault_before_cas");
	window_join(&fault);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_MAPERR);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", NULL }, script);
}
