/* SPDX-License-Identifier: MIT */
/*
 * Window: a brief edit changes what lies below the border of two leaves; the VMA above it belongs to the next leaf.
 * Rule: that start is looked at in a section of its own leaf, after the change. Broken: it stays as it was.
 * mutant: limit_no_look_above
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map_limited(policy, &(struct vmmap_config){ sizeof(struct vmmap_config),
									       .limit_vmas = 1000 });
	struct window_thread holder = {
		.role = "holder", .fn = window_hold, .map = map, .addr = BASE + 2 * MIB, .len = MIB
	};

	expect(vtree_separate(&map->tree, thread_self(), BASE + 2 * MIB) == 0);
	expect(vmmap_mmap(map, BASE + MIB, 2 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)(BASE + MIB));
	window_start_to(&holder, "window_held");
	/* a piece of a lock split lies above the leaf, not counted; now its start becomes real */
	expect(vmmap_munmap(map, BASE + 2 * MIB - PAGE, PAGE) == 0);
	point_release("holder", "window_held");
	window_join(&holder);
	expect(holder.result == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "pt-lock", NULL }, script);
}
