/* SPDX-License-Identifier: MIT */
/*
 * Window: a mapping made it so that a VMA in the next leaf begins nowhere any more: its start is counted until the look
 * at that border; before it, another thread joins the two.
 * Rule: whoever takes a start away gets its mark back. Broken: counted for ever.
 * mutant: merge_keeps_mark
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void map_known(struct window_thread *t)
{
	vmmap_munmap(t->map, BASE, PAGE);                /* a slot's first window is exact                         */
	t->result = vmmap_mmap(t->map, BASE + MIB, MIB, RW, ANON | MAP_FIXED, NULL, 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map_limited(policy, &(struct vmmap_config){ sizeof(struct vmmap_config),
									       .limit_vmas = 1000 });
	struct window_thread maps = { .role = "maps", .fn = map_known, .map = map };
	struct vmmap_held held;
	struct vmmap_vma v;

	expect(vtree_separate(&map->tree, thread_self(), BASE + 2 * MIB) == 0);
	expect(vmmap_mmap(map, BASE + 2 * MIB, MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)(BASE + 2 * MIB));
	expect(vmmap_mmap(map, BASE + 8 * MIB, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)(BASE + 8 * MIB));
	window_start_to(&maps, "limit_before_look");
	expect(vmmap_hold(map, BASE + 2 * MIB - PAGE, 2 * PAGE, &held) == 0);
	vmmap_release(map, &held);
	point_release("maps", "limit_before_look");
	window_join(&maps);
	expect(vmmap_query(map, BASE + MIB, &v) == 0 && v.start == BASE + MIB && v.end == BASE + 3 * MIB);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
