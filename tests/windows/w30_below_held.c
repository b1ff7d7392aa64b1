/* SPDX-License-Identifier: MIT */
/*
 * Window: who looks at the border of a leaf finds the VMA below it held by a brief edit, and then again held by one;
 * between the two it was free, had other bits, and had its old ones again.
 * Rule: only a free lock word says by being the same that nothing happened; a held one is left a note. Broken (and
 * seen, docs/races.md): "not mergeable", and nobody else has any business at that border.
 * mutant: merge_trusts_held
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define BORDER (BASE + 2 * MIB)
#define LOWER  (BORDER - 16 * PAGE)
#define UPPER  (4 * PAGE)
#define SOON   UINT64_C(5000000000)

/* Gives the VMA below other bits and then what it had, in one piece. */
static void change_and_back(struct vmmap *map, const struct vma *below)
{
	expect(vmmap_mprotect(map, LOWER, 8 * PAGE, RW) == 0);
	expect(vmmap_mmap(map, LOWER + 8 * PAGE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)(LOWER + 8 * PAGE));
	expect(vtree_lookup(&map->tree, LOWER) == below && vtree_lookup(&map->tree, BORDER - PAGE) == below);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread upper = {
		.role = "upper", .fn = window_protect, .map = map, .addr = BORDER, .len = UPPER
	};
	struct window_thread first = {
		.role = "first", .fn = window_munmap, .map = map, .addr = LOWER + 8 * PAGE, .len = PAGE
	};
	struct window_thread second = {
		.role = "second", .fn = window_munmap, .map = map, .addr = LOWER + 2 * PAGE, .len = PAGE
	};
	struct vma *below;

	expect(vtree_separate(&map->tree, thread_self(), BORDER) == 0);
	expect(vmmap_mmap(map, LOWER, BORDER - LOWER, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)LOWER);
	expect(vmmap_mmap(map, BORDER, UPPER, PROT_READ, ANON | MAP_FIXED, NULL, 0) == (int64_t)BORDER);
	below = vtree_lookup(&map->tree, BORDER - PAGE);
	window_start_to(&first, "carve_before_slots");
	expect(point_stop("upper", "merge_below_compared", NULL, NULL) == 0);
	window_start_to(&upper, "merge_below_found");            /* makes the two mergeable, and looks: held */
	point_release("first", "carve_before_slots");
	window_join(&first);
	expect(vmmap_mprotect(map, LOWER, 8 * PAGE, PROT_NONE) == 0);
	point_release("upper", "merge_below_found");
	expect(point_wait_reached("upper", "merge_below_compared", SOON));       /* it has read the other bits */
	change_and_back(map, below);
	window_start_to(&second, "carve_before_slots");
	point_release("upper", "merge_below_compared");          /* finds it held again */
	(void)window_done_within(&upper, 200);
	point_release("second", "carve_before_slots");
	window_join(&upper);
	window_join(&second);
	expect(upper.result == 0 && first.result == 0 && second.result == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "range-tree", "pt-lock", NULL }, script);
}
