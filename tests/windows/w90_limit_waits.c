/* SPDX-License-Identifier: MIT */
/*
 * Window: an operation has reserved more than it will use; another finds too little left, and would be refused.
 * Rule: a refusal is decided alone, after all windows have closed and given back. Broken: refused with room.
 * mutant: limit_does_not_wait
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void replace(struct window_thread *t)
{
	t->result = vmmap_mmap(t->map, BASE, 2 * PAGE, RW, ANON | MAP_FIXED, NULL, 0);   /* the first is exact        */
	if (t->result == (int64_t)BASE)
		t->result = vmmap_mmap(t->map, BASE, 2 * PAGE, RW, ANON | MAP_FIXED, NULL, 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map_limited(policy, &(struct vmmap_config){ sizeof(struct vmmap_config),
									       .limit_as = 6 * PAGE });
	struct window_thread first = { .role = "first", .fn = replace, .map = map };
	struct window_thread second = {
		.role = "second", .fn = window_mmap_fixed, .map = map, .addr = BASE + 4 * MIB, .len = 4 * PAGE
	};

	expect(vtree_separate(&map->tree, thread_self(), BASE + 2 * MIB) == 0);  /* they do not meet in a leaf        */
	window_start_to(&first, "carve_before_leave");
	window_start(&second);
	window_done_within(&second, 300);
	point_release("first", "carve_before_leave");
	window_join(&first);
	window_join(&second);
	expect(first.result == (int64_t)BASE);
	expect(second.result == (int64_t)(BASE + 4 * MIB));
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "pt-lock", NULL }, script);
}
