/* SPDX-License-Identifier: MIT */
/*
 * Window (pt-lock): an edit over two tables of entries has their covering one; a fault is at work in the second one.
 * Rule: all tables below the covering one that meet the range are locked, in pre-order, before anything is read.
 * Broken: the edit goes ahead beside the fault.
 * mutant: table_below_unlocked
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + 3 * MIB };
	struct window_thread edit = { .role = "edit", .fn = window_hold, .map = map, .addr = BASE + MIB,
				      .len = 2 * MIB };
	struct window_thread first = { .role = "first", .fn = window_fault, .map = map, .addr = BASE };

	expect(vmmap_mmap(map, BASE, 4 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	for (uint64_t at = BASE; at < BASE + 4 * MIB; at += 2 * MIB)
		expect(vmmap_fault(map, at, PROT_WRITE, NULL) == 0);
	window_start_to(&fault, "fault_before_cas");             /* in the second table, above the edit's range    */
	window_start(&edit);
	expect(!point_wait_reached("edit", "window_held", UINT64_C(60000000)));
	window_start(&first);                                    /* the first one is the edit's by now             */
	expect(!window_done_within(&first, 60));
	point_release("fault", "fault_before_cas");
	window_join(&fault);
	window_join(&edit);
	window_join(&first);
	expect(fault.result == 0 && edit.result == 0 && first.result == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "pt-lock", NULL }, script);
}
