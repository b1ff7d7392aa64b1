/* SPDX-License-Identifier: MIT */
/*
 * Window: a brief edit has published, and not yet given its lock word back; a general edit comes to the same VMA.
 * Rule: LOCK_BRIEF is a held word like any other, waited for. Broken: the brief edit's release frees what another
 * holds.
 * mutant: claim_steals_brief
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread brief = {
		.role = "brief", .fn = window_protect_read, .map = map, .addr = BASE, .len = PAGE
	};
	struct window_thread holder = {
		.role = "holder", .fn = window_hold, .map = map, .addr = BASE, .len = 8 * PAGE
	};
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + PAGE };

	expect(vmmap_mmap(map, BASE, 8 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(point_stop("holder", "window_held", NULL, NULL) == 0);
	window_start_to(&brief, "carve_after_leave");
	window_start(&holder);
	(void)point_wait_reached("holder", "window_held", UINT64_C(200000000));   /* only a mutant comes so far     */
	point_release("brief", "carve_after_leave");
	window_join(&brief);
	expect(point_wait_reached("holder", "window_held", UINT64_C(10000000000)));
	window_start(&fault);
	expect(!window_done_within(&fault, 30));
	point_release("holder", "window_held");
	window_join(&holder);
	window_join(&fault);
	expect(brief.result == 0 && holder.result == 0 && fault.result == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "pt-lock", NULL }, script);
}
