/* SPDX-License-Identifier: MIT */
/*
 * Window: a resize has listed where the object is mapped and passed the first mapping; the second one is merged into
 * the first: no VMA points at its hint any more.
 * Rule: what was in the list is walked, whoever points at it. Broken: the entries of the second mapping are left.
 * mutant: rmap_skips_unused
 */
#include "tests/windows/objects.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + 2 * PAGE };
	struct window_thread resize = { .role = "resize", .fn = object_to_size, .len = 0 };

	object_of(map, 4, false);
	object_at(map, BASE + 2 * PAGE, 2, 2);           /* the later one is walked first */
	expect(vmmap_mprotect(map, BASE + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	object_at(map, BASE, 2, 0);
	for (uint64_t i = 0; i < 4; i++)
		expect(vmmap_fault(map, BASE + i * PAGE, PROT_WRITE, NULL) == 0);
	window_start_to(&resize, "rmap_between");
	expect(vmmap_mprotect(map, BASE + 2 * PAGE, 2 * PAGE, RW) == 0);
	point_release("resize", "rmap_between");
	window_join(&resize);
	expect(resize.result == 0);
	expect(vmmap_audit(map, stderr) == 0);
	window_fault(&fault);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_BUS);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwsem", "pervma", "pt-lock", NULL }, script);
}
