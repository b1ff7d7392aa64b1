/* SPDX-License-Identifier: MIT */
/*
 * Window 22: two faults below one stack, both of which have met the hole; the later one waits for the earlier.
 * Rule: to extend a stack a fault leaves its visit first (read section, pins, the shared side of a global lock), takes
 * the range, and looks again. Broken: it waits while others wait for it, or sleeps in a read section.
 * mutant: grow_inside_visit
 */
#include "tests/windows/window.h"

#define STACK (BASE + 600 * PAGE)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread near = { .role = "near", .fn = window_fault, .map = map, .addr = STACK - 3 * PAGE };
	struct window_thread far = { .role = "far", .fn = window_fault, .map = map, .addr = STACK - 9 * PAGE };
	struct vmmap_vma v;

	expect(vmmap_mmap(map, STACK, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) == (int64_t)STACK);
	window_start_to(&far, "grow_before_hold");
	window_start_to(&near, "grow_held");
	point_release("far", "grow_before_hold");
	expect(!window_done_within(&far, 50));                   /* the other holds the stack */
	point_release("near", "grow_held");
	window_join(&near);
	window_join(&far);
	expect(near.result == 0 && near.info.grew == 1 && far.result == 0 && far.info.grew == 1);
	expect(vmmap_query(map, STACK, &v) == 0 && v.start == STACK - 9 * PAGE && v.end == STACK + PAGE);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "rwsem", "pervma", "vma-count", "vma", "pt-lock", NULL },
			  script);
}
