/* SPDX-License-Identifier: MIT */
/*
 * Window: a first write fault is about to give its VMA an anonymous group; the VMA dies, and its memory becomes another
 * one elsewhere.
 * Rule: "no group yet" is another number in each life of a VMA, so the late CAS fails. Broken (and seen,
 * docs/races.md): a VMA that nobody ever wrote to has a group and merges no more.
 * mutant: fault_group_any_life
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define ELSEWHERE (BASE + MIB)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	struct vmmap_vma v;
	struct vma *vma;

	expect(vmmap_mmap(map, BASE, PAGE, RW, flags, NULL, 0) == (int64_t)BASE);
	vma = vtree_lookup(&map->tree, BASE);
	window_start_to(&fault, "fault_before_group");
	expect(vmmap_munmap(map, BASE, PAGE) == 0);
	expect(vmmap_mmap(map, ELSEWHERE, PAGE, RW, flags, NULL, 0) == (int64_t)ELSEWHERE);
	expect(vtree_lookup(&map->tree, ELSEWHERE) == vma);      /* the same memory, another life */
	point_release("fault", "fault_before_group");
	window_join(&fault);
	expect(fault.result == -EFAULT);
	expect(vma_anon(vma) == 0);
	expect(vmmap_mprotect(map, ELSEWHERE, PAGE, PROT_READ) == 0);
	expect(vmmap_mmap(map, ELSEWHERE + PAGE, PAGE, PROT_READ, flags, NULL, 0) == (int64_t)(ELSEWHERE + PAGE));
	expect(vmmap_query(map, ELSEWHERE, &v) == 0 && v.end == ELSEWHERE + 2 * PAGE);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "spf", NULL }, script);
}
