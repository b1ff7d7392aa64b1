/* SPDX-License-Identifier: MIT */
/*
 * Window: a fault has found a VMA; the page gets another one, without a hole, and the memory of the first lives again
 * elsewhere, without any right. Rule: a refusal is validated like a success. Broken: an access that was allowed before
 * and after is refused.
 * mutant: fault_denies_unchecked
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define ELSEWHERE (BASE + MIB)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };
	struct vma *vma;

	expect(vmmap_mmap(map, BASE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	vma = vtree_lookup(&map->tree, BASE);
	window_start_to(&fault, "fault_after_begin");
	expect(vmmap_mmap(map, BASE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_mmap(map, ELSEWHERE, PAGE, PROT_NONE, ANON | MAP_FIXED, NULL, 0) == (int64_t)ELSEWHERE);
	expect(vtree_lookup(&map->tree, ELSEWHERE) == vma);
	point_release("fault", "fault_after_begin");
	window_join(&fault);
	expect(fault.result == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "spf", NULL }, script);
}
