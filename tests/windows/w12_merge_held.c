/* SPDX-License-Identifier: MIT */
/*
 * Window 16: a mapping is made beside a VMA that another operation holds.
 * Rule: a held neighbour is tried, not merged into; its holder merges after its release.
 * mutant: merge_into_held
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread holder = {
		.role = "holder", .fn = window_hold, .map = map, .addr = BASE, .len = 4 * PAGE
	};
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + 4 * PAGE };
	struct vmmap_vma v;

	expect(vmmap_mmap(map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	window_start_to(&holder, "window_held");
	expect(vmmap_mmap(map, BASE + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)(BASE + 4 * PAGE));
	window_start(&fault);
	expect(window_done_within(&fault, 4000) && fault.result == 0);
	point_release("holder", "window_held");
	window_join(&holder);
	window_join(&fault);
	expect(vmmap_query(map, BASE, &v) == 0 && v.end == BASE + 8 * PAGE);
	window_close(map);
}

int main(void)
{
	return window_run_in_table(true, script);
}
