/* SPDX-License-Identifier: MIT */
/*
 * Window: two neighbours change at the same time, so that only both changes together make them mergeable.
 * Rule: the look at a border is a section of its leaf: of the two, the later look sees both changes. Broken (and seen,
 * docs/races.md): each finds the other as it was, and nobody merges.
 * mutant: merge_looks_outside
 */
#include "tests/windows/window.h"

#define LOWER (100 * PAGE)                               /* too many pages for the brief form                      */
#define UPPER (4 * PAGE)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread lower = { .role = "lower", .fn = window_protect, .map = map, .addr = BASE, .len = LOWER };
	struct window_thread upper = {
		.role = "upper", .fn = window_protect, .map = map, .addr = BASE + LOWER, .len = UPPER
	};
	struct vmmap_vma v;

	expect(vmmap_mmap(map, BASE, LOWER, PROT_READ, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_mmap(map, BASE + LOWER, UPPER, PROT_NONE, ANON | MAP_FIXED, NULL, 0) ==
	       (int64_t)(BASE + LOWER));
	window_start_to(&lower, "edit_after_lk");
	window_start_to(&upper, "carve_before_slots");   /* finds the lower one as it was, changes the upper */
	point_release("lower", "edit_after_lk");
	(void)window_done_within(&lower, 200);           /* it waits at the border, except with the mutant   */
	point_release("upper", "carve_before_slots");
	window_join(&lower);
	window_join(&upper);
	expect(lower.result == 0 && upper.result == 0);
	expect(vmmap_query(map, BASE, &v) == 0 && v.end == BASE + LOWER + UPPER);
	window_close(map);
}

int main(void)
{
	return window_run_in_table(true, script);
}
