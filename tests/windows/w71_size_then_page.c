/* SPDX-License-Identifier: MIT */
/*
 * Window: as w61, but the object is cut off and grown back between a fault's two looks, at the size and at the page.
 * Rule: the size first. It was lowered before the page went and raised after that: a size that is fine is either of
 * before the cut, which then finds the entry locked, or of after it, when the page is gone. Broken: a page that is
 * still there and a size that is fine again are believed; the old frame stays mapped.
 * mutant: still_page_first
 */
#include "tests/windows/objects.h"

static void cut_and_grow(struct window_thread *t)
{
	t->result = vmmap_object_resize(object, PAGE);
	t->result |= vmmap_object_resize(object, 4 * PAGE);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + PAGE };
	struct window_thread resize = { .role = "resize", .fn = cut_and_grow };

	object_of(map, 4, false);
	object_at(map, BASE, 4, 0);
	expect(point_stop("fault", "object_between", NULL, NULL) == 0);
	window_start_to(&fault, "fault_before_cas");
	window_start_to(&resize, "resize_before_cut");   /* it has passed the entry */
	point_release("fault", "fault_before_cas");
	expect(point_wait_reached("fault", "object_between", SOON));
	point_release("resize", "resize_before_cut");
	window_join(&resize);
	point_release("fault", "object_between");
	window_join(&fault);
	expect(resize.result == 0 && fault.result == 0);
	object_close(map);
}

int main(void)
{
	return window_run_in_table(false, script);
}
