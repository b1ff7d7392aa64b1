/* SPDX-License-Identifier: MIT */
/*
 * Window: two mappings of an object become one VMA, which keeps one hint of where the object is mapped.
 * Rule: the hint that stays covers both before the slots are published. Broken: a resize does not find the other part.
 * mutant: rmap_keeps_hull
 */
#include "tests/windows/objects.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };
	uint64_t far = BASE + 4 * MIB;

	object_of(map, 4096, false);
	object_at(map, BASE, 2, 0);                      /* the brief form ... */
	object_at(map, BASE + 2 * PAGE, 2, 2);
	object_at(map, far, 1024, 1024);                 /* ... and the general one: a table of entries is there */
	expect(vmmap_fault(map, far, PROT_WRITE, NULL) == 0);
	expect(vmmap_mprotect(map, far + 512 * PAGE, 512 * PAGE, PROT_READ) == 0);
	object_at(map, far + 1024 * PAGE, 512, 2048);
	expect(vmmap_mprotect(map, far + 512 * PAGE, 512 * PAGE, RW) == 0);
	for (uint64_t i = 0; i < 4; i++)
		expect(vmmap_fault(map, BASE + i * PAGE, PROT_WRITE, NULL) == 0);
	for (uint64_t i = 0; i < 1536; i += 256)
		expect(vmmap_fault(map, far + i * PAGE, PROT_WRITE, NULL) == 0);
	expect(vmmap_object_resize(object, 0) == 0);
	expect(vmmap_audit(map, stderr) == 0);           /* no entry shows what is no page */
	window_fault(&fault);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_BUS);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwsem", "pervma", "pt-lock", NULL }, script);
}
