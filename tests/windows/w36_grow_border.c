/* SPDX-License-Identifier: MIT */
/*
 * Window: a stack grows over the border of a leaf; somebody lists between the two publications.
 * Rule: from the stack downwards, so that there is one VMA at every instant, with the end it always had. Broken: a VMA
 * that never was stands apart, below the border.
 * mutant: grow_low_first
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define BORDER (BASE + 2 * MIB)
#define STACK  (BORDER + 4 * PAGE)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread grow = {
		.role = "grow", .fn = window_fault, .map = map, .addr = BORDER - 8 * PAGE
	};
	struct vmmap_vma v;

	expect(vtree_separate(&map->tree, thread_self(), BORDER) == 0);
	expect(vmmap_mmap(map, STACK, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) == (int64_t)STACK);
	window_start_to(&grow, "grow_after_leaf");
	expect(vmmap_query(map, 0, &v) == 0 && v.end == STACK + 4 * PAGE && v.start >= grow.addr);
	expect(vmmap_query(map, STACK, &v) == 0 && v.end == STACK + 4 * PAGE);
	point_release("grow", "grow_after_leaf");
	window_join(&grow);
	expect(grow.result == 0);
	expect(vmmap_query(map, 0, &v) == 0 && v.end == STACK + 4 * PAGE && v.start == grow.addr);
	expect(vtree_lookup(&map->tree, grow.addr) == vtree_lookup(&map->tree, STACK));  /* one object all along */
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "vma-count", "vma", "pt-lock", NULL }, script);
}
