/* SPDX-License-Identifier: MIT */
/*
 * Window: a place was proposed below the guard gap of a stack; before it is taken the stack grows towards it.
 * Rule: the section that takes it asks about the guard again, not only "still free". Broken: a mapping in the guard
 * gap.
 * mutant: map_no_guard
 */
#include "tests/windows/window.h"

#define GUARD (256 * PAGE)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread late = { .role = "late", .fn = window_mmap, .map = map, .len = 4 * PAGE };
	uint64_t stack;
	int64_t top;

	/* topdown: the highest place of all is right below the stack's guard gap */
	top = vmmap_mmap(map, 0, 4 * PAGE, RW, ANON | MAP_GROWSDOWN, NULL, 0);
	expect(top > 0);
	stack = (uint64_t)top;
	window_start_to(&late, "mmap_after_place");
	expect(vmmap_fault(map, stack - 10 * PAGE, PROT_WRITE, NULL) == 0);
	point_release("late", "mmap_after_place");
	window_join(&late);
	expect(late.result == (int64_t)(stack - 10 * PAGE - GUARD - 4 * PAGE));
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
