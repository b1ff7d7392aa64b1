/* SPDX-License-Identifier: MIT */
/*
 * Window: a mapping that ends at a border of leaves stands before its look at the start above the border.
 * Rule: it holds its range until then. Broken: what it mapped may be part of another VMA by now, which is being taken
 * away leaf by leaf, and what stands above the border is no start.
 * mutant: limit_looks_late
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void map_below(struct window_thread *t)
{
	vmmap_munmap(t->map, BASE, PAGE);                /* a slot's first window is exact                         */
	point_role("maps");
	t->result = vmmap_mmap(t->map, BASE + MIB, MIB, RW, ANON | MAP_FIXED, NULL, 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map_limited(policy, &(struct vmmap_config){ sizeof(struct vmmap_config),
									       .limit_vmas = 1000 });
	struct window_thread maps = { .role = "begins", .fn = map_below, .map = map };

	expect(vtree_separate(&map->tree, thread_self(), BASE + 2 * MIB) == 0);
	expect(vmmap_mmap(map, BASE + 2 * MIB, MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)(BASE + 2 * MIB));
	point_stop("maps", "limit_before_recount", NULL, NULL);
	window_start(&maps);
	expect(point_wait_reached("maps", "limit_before_recount", 2 * UINT64_C(1000000000)));
	expect(vmmap_munmap_until(map, BASE + 2 * MIB - PAGE, 2 * PAGE, VMMAP_TRY) == -EAGAIN);
	point_release("maps", "limit_before_recount");
	window_join(&maps);
	expect(maps.result == (int64_t)(BASE + MIB));
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
