/* SPDX-License-Identifier: MIT */
/*
 * Window: while a stack grows, an mmap takes the place that will be in its guard gap.
 * Rule: a growth holds the guard gap below its new start as well; who wants a place in there meets its dummy, waits,
 * and then sees the new start. Broken: neither sees the other.
 * mutant: grow_holds_no_guard
 */
#include "tests/windows/window.h"

#define GUARD (256 * PAGE)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread grow = { .role = "grow", .fn = window_fault, .map = map };
	struct window_thread place = { .role = "place", .fn = window_mmap, .map = map, .len = 4 * PAGE };
	uint64_t stack;
	int64_t top = vmmap_mmap(map, 0, 4 * PAGE, RW, ANON | MAP_GROWSDOWN, NULL, 0);

	expect(top > 0);
	stack = (uint64_t)top;
	grow.addr = stack - 10 * PAGE;
	window_start_to(&place, "mmap_after_place");             /* proposed: right below the old guard gap */
	window_start_to(&grow, "grow_after_look");
	point_release("place", "mmap_after_place");
	(void)window_done_within(&place, 50);                    /* it waits for the growth */
	point_release("grow", "grow_after_look");
	window_join(&grow);
	window_join(&place);
	expect(grow.result == 0 && grow.info.grew == 1);
	expect(place.result == (int64_t)(grow.addr - GUARD - 4 * PAGE));
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
