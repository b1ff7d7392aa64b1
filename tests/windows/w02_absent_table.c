/* SPDX-License-Identifier: MIT */
/*
 * Window 2: munmap finds no table under its range and skips the zap; a fault installs table and entry.
 * Rule: an absent table is skipped only on a seq_cst load made after lk was set.
 * mutant: unmap_table_before_lk
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + PAGE };
	struct window_thread unmap = { .role = "unmap", .fn = window_munmap, .map = map, .addr = BASE, .len = 4 * MIB };

	expect(vmmap_mmap(map, BASE, 4 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(point_stop("unmap", "unmap_before_begin", "fault", "fault_after_end") == 0);
	window_start(&unmap);
	expect(point_wait_reached("unmap", "unmap_before_begin", UINT64_C(5000000000)));
	window_start(&fault);
	window_join(&fault);
	window_join(&unmap);
	expect(fault.result == 0 && unmap.result == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "rwsem", "pervma", "vma-count", "vma", "range-tree",
						  "pt-lock", NULL }, script);
}
