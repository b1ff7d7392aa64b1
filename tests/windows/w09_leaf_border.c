/* SPDX-License-Identifier: MIT */
/*
 * Window: a VMA whose slots stand in several leaves is cut; faults come in between two leaves.
 * Rule: the VMA stays held until its slots in all leaves have the new pointer. Broken: one object at two places.
 * mutant: cut_first_leaf_only
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + 7 * MIB };
	struct window_thread unmap = {
		.role = "unmap", .fn = window_munmap, .map = map, .addr = BASE + MIB, .len = MIB
	};
	struct vmmap_vma v;

	for (unsigned i = 1; i < 4; i++)
		expect(vtree_separate(&map->tree, thread_self(), BASE + i * 2 * MIB) == 0);
	expect(vmmap_mmap(map, BASE, 8 * MIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_query(map, BASE, &v) == 0 && v.start == BASE && v.end == BASE + 8 * MIB);
	expect(point_stop("unmap", "cut_between_leaves", NULL, NULL) == 0);
	window_start(&unmap);
	while (!point_wait_reached("unmap", "cut_between_leaves", UINT64_C(1000000)) && !window_done_within(&unmap, 0))
		;                                                        /* done: only with the mutant */
	window_start(&fault);
	(void)window_done_within(&fault, 20);
	point_release("unmap", "cut_between_leaves");
	window_join(&fault);
	window_join(&unmap);
	expect(fault.result == 0 && unmap.result == 0);
	expect(vmmap_query(map, BASE, &v) == 0 && v.start == BASE && v.end == BASE + MIB);
	expect(vmmap_query(map, BASE + MIB, &v) == 0 && v.start == BASE + 2 * MIB && v.end == BASE + 8 * MIB);
	expect(vmmap_mprotect(map, BASE + 3 * MIB, 4 * MIB, PROT_READ) == 0);
	expect(vmmap_query(map, BASE + 3 * MIB, &v) == 0 && v.end == BASE + 7 * MIB && v.prot == PROT_READ);
	expect(vmmap_mprotect(map, BASE + 3 * MIB, 4 * MIB, RW) == 0);
	expect(vmmap_query(map, BASE + 3 * MIB, &v) == 0 && v.start == BASE + 2 * MIB && v.end == BASE + 8 * MIB);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "none", "rwlock", "rwsem", "pervma", "vma-count", "vma", "checked",
						  "pt-lock", NULL }, script);
}
