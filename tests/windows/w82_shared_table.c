/* SPDX-License-Identifier: MIT */
/*
 * Window 26: two VMAs have their entries in one table; one is unmapped while a fault in the other has found its entry.
 * Rule: only who holds all of a table's span unlinks it. Broken: the fault goes on in a table that nobody will look at.
 * mutant: tables_partly_held
 */
#include "tests/windows/window.h"

#define OTHER (BASE + MIB)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = {
		.role = "fault", .fn = window_write, .map = map, .addr = OTHER + PAGE, .bytes = 42
	};
	struct window_thread unmap = { .role = "unmap", .fn = window_munmap, .map = map, .addr = BASE, .len = MIB };
	uint64_t got = 0;

	expect(vmmap_mmap(map, BASE, MIB, PROT_READ, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_mmap(map, OTHER, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)OTHER);
	expect(vmmap_fault(map, BASE, PROT_READ, NULL) == 0);
	window_start_to(&fault, "fault_before_cas");
	window_start(&unmap);
	window_join(&unmap);
	point_release("fault", "fault_before_cas");
	window_join(&fault);
	expect(unmap.result == 0 && fault.result == sizeof fault.bytes);
	expect(vmmap_read(map, OTHER + PAGE, &got, sizeof got) == sizeof got && got == 42);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
