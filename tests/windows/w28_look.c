/* SPDX-License-Identifier: MIT */
/*
 * Window: a visit begins with the VMA that the thread's last visit met, remembered with its version and bounds.
 * Rule: whoever shrinks a VMA stores another version, under every policy. Broken: a fault is served where nothing is
 * mapped any more.
 * mutant: cut_keeps_version
 * mutant: drop_keeps_version
 */
#include "tests/windows/window.h"

#define LARGE (200 * PAGE)                               /* too many pages for the brief form                      */
#define SMALL (8 * PAGE)

/* munmap of the upper half, after a fault in it. */
static void halve(struct vmmap *map, uint64_t len)
{
	struct vmmap_fault_info info;

	expect(vmmap_mmap(map, BASE, len, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_fault(map, BASE + len - PAGE, PROT_WRITE, &info) == 0);
	expect(vmmap_munmap(map, BASE + len / 2, len / 2) == 0);
	expect(vmmap_fault(map, BASE + len - PAGE, PROT_WRITE, &info) == -EFAULT && info.code == VMMAP_MAPERR);
	expect(vmmap_fault(map, BASE, PROT_WRITE, &info) == 0);
	expect(vmmap_munmap(map, BASE, len / 2) == 0);
	expect(vmmap_fault(map, BASE, PROT_WRITE, &info) == -EFAULT && info.code == VMMAP_MAPERR);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);

	halve(map, LARGE);
	halve(map, SMALL);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "none", "rwlock", "rwsem", "pervma", "vma-count", "vma", "checked",
						 NULL }, script);
}
