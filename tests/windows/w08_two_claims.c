/* SPDX-License-Identifier: MIT */
/*
 * Window 18/19: two unaddressed mmaps were proposed the same gap.
 * Rule: the leaf section that takes it checks "still free". Broken: one address is given twice.
 * mutant: map_no_still_free
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread late = { .role = "late", .fn = window_mmap, .map = map, .len = 4 * PAGE };
	int64_t first;

	window_start_to(&late, "mmap_after_place");
	first = vmmap_mmap(map, 0, 4 * PAGE, PROT_READ, ANON, NULL, 0);
	point_release("late", "mmap_after_place");
	window_join(&late);
	expect(first > 0 && late.result > 0 && first != late.result);
	expect(late.result + (int64_t)(4 * PAGE) == first);      /* topdown: just below */
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
