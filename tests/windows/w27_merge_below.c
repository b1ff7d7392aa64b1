/* SPDX-License-Identifier: MIT */
/*
 * Window: who looks at the border of a leaf has found the VMA below it; that one is cut further down, so that another
 * object stands at the border, and what it was goes on below the cut with other bits; then its bits are read.
 * Rule: a look across a border of leaves counts only if the same VMA and lock word are found again. Broken (and seen,
 * docs/races.md): "not mergeable", and nobody else has any business at that border.
 * mutant: merge_one_look
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define BORDER (BASE + 2 * MIB)
#define LOWER  (BORDER - 16 * PAGE)
#define UPPER  (4 * PAGE)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread upper = {
		.role = "upper", .fn = window_protect, .map = map, .addr = BORDER, .len = UPPER
	};
	struct vma *below;

	expect(vtree_separate(&map->tree, thread_self(), BORDER) == 0);
	expect(vmmap_mmap(map, LOWER, BORDER - LOWER, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)LOWER);
	expect(vmmap_mmap(map, BORDER, UPPER, PROT_READ, ANON | MAP_FIXED, NULL, 0) == (int64_t)BORDER);
	below = vtree_lookup(&map->tree, BORDER - PAGE);
	window_start_to(&upper, "merge_below_found");            /* makes the two mergeable, and looks */
	expect(vmmap_munmap(map, LOWER + 8 * PAGE, PAGE) == 0);
	expect(vmmap_mprotect(map, LOWER, 8 * PAGE, PROT_NONE) == 0);
	expect(vtree_lookup(&map->tree, LOWER) == below && vtree_lookup(&map->tree, BORDER - PAGE) != below);
	point_release("upper", "merge_below_found");
	window_join(&upper);
	expect(upper.result == 0);
	expect(vtree_lookup(&map->tree, BORDER - PAGE) == vtree_lookup(&map->tree, BORDER));
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "range-tree", "pt-lock", NULL }, script);
}
