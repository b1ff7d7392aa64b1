/* SPDX-License-Identifier: MIT */
/*
 * Window: a fault on a page that is there has locked its entry when its VMA is cut elsewhere, so that it begins again.
 * Rule: LOCKED stands beside the entry's value; who undoes puts back what was there. Broken: the page is lost.
 * mutant: fault_undo_empties
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };
	uint64_t word = 42, got = 0;

	expect(vmmap_mmap(map, BASE, 8 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_write(map, BASE, &word, sizeof word) == sizeof word);
	/* A second thread touches the page: that is noted in the entry. */
	window_start_to(&fault, "fault_before_valid");
	expect(vmmap_munmap(map, BASE + 4 * PAGE, PAGE) == 0);
	point_release("fault", "fault_before_valid");
	window_join(&fault);
	expect(fault.result == 0 && fault.info.how == VMMAP_PRESENT);
	expect(point_hits("fault_after_begin") >= 2);
	expect(vmmap_read(map, BASE, &got, sizeof got) == sizeof got && got == word);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "spf", NULL }, script);
}
