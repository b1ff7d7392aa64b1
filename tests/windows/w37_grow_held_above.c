/* SPDX-License-Identifier: MIT */
/*
 * Window: a munmap takes out a stack and the plain mapping above it, in two leaves; above them stands another stack. A
 * fault below all of them comes when the first stack is gone and the plain mapping is not.
 * Rule: "no stack above" is believed of a free VMA only. Broken: MAPERR, though a stack could grow before and after.
 * mutant: grow_trusts_held
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define BORDER (BASE + 2 * MIB)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread unmap = {
		.role = "unmap", .fn = window_munmap, .map = map, .addr = BORDER - 4 * PAGE, .len = 8 * PAGE
	};
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BORDER - 300 * PAGE };

	expect(vtree_separate(&map->tree, thread_self(), BORDER) == 0);
	expect(vmmap_mmap(map, BORDER - 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) > 0);
	expect(vmmap_mmap(map, BORDER, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) > 0);
	expect(vmmap_mmap(map, BORDER + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) > 0);
	window_start_to(&unmap, "replace_after_leave");
	window_start(&fault);
	(void)window_done_within(&fault, 50);                    /* it waits for the munmap */
	point_release("unmap", "replace_after_leave");
	window_join(&unmap);
	window_join(&fault);
	expect(unmap.result == 0 && fault.result == 0 && fault.info.grew == 1);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "pt-lock", NULL }, script);
}
