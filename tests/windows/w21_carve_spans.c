/* SPDX-License-Identifier: MIT */
/*
 * Window: a brief edit is inside a leaf and looks at a VMA there that another holds; the holder joins it with its
 * neighbour in the next leaf and lets go; then the brief edit takes it.
 * Rule: whether a VMA spans leaves is asked after it was taken. Broken (and seen, docs/races.md): one object at two
 * places.
 * mutant: carve_spans_early
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread protect = {
		.role = "protect", .fn = window_protect, .map = map, .addr = BASE, .len = 4 * MIB
	};
	struct window_thread carve = {
		.role = "carve", .fn = window_munmap, .map = map, .addr = BASE + MIB, .len = PAGE
	};
	struct vmmap_vma v;

	expect(vtree_separate(&map->tree, thread_self(), BASE + 2 * MIB) == 0);
	expect(vmmap_mmap(map, BASE, 2 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_mmap(map, BASE + 2 * MIB, 2 * MIB, PROT_READ, ANON | MAP_FIXED, NULL, 0) ==
	       (int64_t)(BASE + 2 * MIB));
	window_start_to(&protect, "merge_before_slots");
	window_start_to(&carve, "carve_before_take");
	point_release("protect", "merge_before_slots");
	window_join(&protect);
	point_release("carve", "carve_before_take");
	window_join(&carve);
	expect(protect.result == 0 && carve.result == 0);
	expect(vmmap_query(map, BASE, &v) == 0 && v.start == BASE && v.end == BASE + MIB);
	expect(vmmap_query(map, BASE + MIB, &v) == 0 && v.start == BASE + MIB + PAGE && v.end == BASE + 4 * MIB);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
