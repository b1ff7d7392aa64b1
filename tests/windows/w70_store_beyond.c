/* SPDX-License-Identifier: MIT */
/*
 * Window: a resize has lowered the size and waits for a range that another thread holds; a program stores, for the
 * first time, through an entry beyond the end that the resize has not come to yet.
 * Rule: the fault says BUS at once; it does not wait for the resize to drop the entry. Broken: it spins until the
 * holder, which has nothing to do with it, lets go.
 * mutant: fault_store_waits
 */
#include "tests/windows/objects.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + PAGE };
	struct window_thread hold = { .role = "hold", .fn = window_hold, .map = map, .addr = BASE + MIB, .len = PAGE };
	struct window_thread resize = { .role = "resize", .fn = object_to_size, .len = PAGE };

	object_of(map, 2, true);
	object_at(map, BASE, 2, 0);
	object_at(map, BASE + MIB, 1, 1);                /* walked first */
	expect(word_at(map, BASE + PAGE) == pager_word(1));
	window_start_to(&hold, "window_held");
	expect(point_stop("resize", "resize_after_size", "fault", "fault_after_begin") == 0);
	window_start(&resize);
	expect(point_wait_reached("resize", "resize_after_size", SOON));
	window_start(&fault);
	window_join(&fault);                             /* or not: alarm() */
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_BUS);
	point_release("hold", "window_held");
	window_join(&hold);
	window_join(&resize);
	expect(resize.result == 0);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", NULL }, script);
}
