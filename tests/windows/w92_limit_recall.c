/* SPDX-License-Identifier: MIT */
/*
 * Window: an exact window recalls the quotas of slots while another slot's window, still open, takes from the pool.
 * Rule: quotas are recalled when the last window has closed. Broken (and seen, docs/races.md): units were lost or made.
 * mutant: limit_recalls_early
 */
#include "tests/windows/window.h"

static void map_twice(struct window_thread *t)
{
	t->result = vmmap_mmap(t->map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0);
	if (t->result == (int64_t)BASE)                  /* reserves VMAs and gives them back                      */
		t->result = vmmap_mmap(t->map, BASE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map_limited(policy, &(struct vmmap_config){ sizeof(struct vmmap_config),
									       .limit_vmas = 60 });
	struct window_thread inside = { .role = "inside", .fn = map_twice, .map = map };
	struct window_thread exact = {
		.role = "exact", .fn = window_mmap_fixed, .map = map, .addr = BASE + MIB, .len = 4 * PAGE
	};

	expect(vmmap_mmap(map, BASE + 8 * MIB, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)(BASE + 8 * MIB));
	expect(point_stop("exact", "limit_in_recall", NULL, NULL) == 0);
	window_start_to(&inside, "carve_after_take");
	window_start(&exact);
	window_done_within(&exact, 300);
	point_release("inside", "carve_after_take");
	window_join(&inside);
	point_release("exact", "limit_in_recall");
	window_join(&exact);
	expect(inside.result == (int64_t)BASE && exact.result == (int64_t)(BASE + MIB));
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "pt-lock", NULL }, script);
}
