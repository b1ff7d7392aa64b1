/* SPDX-License-Identifier: MIT */
/*
 * Window: an operation has been allowed the last units, alone, and has not used them yet; another begins.
 * Rule: who finds a ticket out waits. Broken: both use the last units, and the limit is passed.
 * mutant: limit_ignores_ticket
 */
#include "tests/windows/window.h"

static void map_beside(struct window_thread *t)
{
	vmmap_munmap(t->map, BASE, PAGE);                /* a slot's first window is exact                         */
	BASE_POINT(window_known);
	t->result = vmmap_mmap(t->map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map_limited(policy, &(struct vmmap_config){ sizeof(struct vmmap_config),
									       .limit_as = 8 * PAGE });
	struct window_thread late = { .role = "late", .fn = map_beside, .map = map };
	struct window_thread alone = {
		.role = "alone", .fn = window_mmap_fixed, .map = map, .addr = BASE + MIB, .len = 5 * PAGE
	};

	/* five pages over four: too much to reserve, so it is decided alone */
	expect(vmmap_mmap(map, BASE + MIB, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)(BASE + MIB));
	window_start_to(&late, "window_known");
	window_start_to(&alone, "replace_before_leave");
	point_release("late", "window_known");
	window_done_within(&late, 300);
	point_release("alone", "replace_before_leave");
	window_join(&alone);
	window_join(&late);
	expect(alone.result == (int64_t)(BASE + MIB) && late.result == -ENOMEM);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "pt-lock", NULL }, script);
}
