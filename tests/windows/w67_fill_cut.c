/* SPDX-License-Identifier: MIT */
/*
 * Window: a pager has read a page; before it is published the object is cut off there and grown back.
 * Rule: the cut takes the BUSY mark away, and what was read without it is dropped. Broken: bytes of before the cut
 * show.
 * mutant: fill_ignores_cut
 */
#include "tests/windows/objects.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + PAGE };

	object_of(map, 2, true);
	object_at(map, BASE, 2, 0);
	window_start_to(&fault, "fill_before_publish");
	expect(vmmap_object_resize(object, PAGE + 8) == 0);      /* its first word stays */
	expect(vmmap_object_resize(object, 2 * PAGE) == 0);
	point_release("fault", "fill_before_publish");
	window_join(&fault);
	expect(fault.result == 0);
	expect(word_at(map, BASE + PAGE) == pager_word(1));
	expect(word_at(map, BASE + PAGE + 8) == 0);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwsem", "pervma", "pt-lock", NULL }, script);
}
