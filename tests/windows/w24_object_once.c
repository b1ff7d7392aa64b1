/* SPDX-License-Identifier: MIT */
/*
 * Window: an optimistic fault has found that its VMA maps an object; the VMA dies with the last reference on the
 * object, and its memory becomes an anonymous VMA, before the fault uses the object.
 * Rule: each field of a VMA is loaded once; the fault goes on with what it loaded (the object waits for readers) and
 * finds out at its last look at lk. Broken (and seen, docs/races.md): the object is none at its use.
 * mutant: fault_object_twice
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };
	struct vmmap_object *object;
	struct vma *vma;

	expect(vmmap_object_create(&object, map->physmem, "w24", PAGE, NULL) == 0);
	expect(vmmap_mmap(map, BASE, PAGE, RW, MAP_PRIVATE | MAP_FIXED, object, 0) == (int64_t)BASE);
	vmmap_object_put(object);
	vma = vtree_lookup(&map->tree, BASE);
	window_start_to(&fault, "fault_before_object");
	expect(vmmap_munmap(map, BASE, PAGE) == 0);
	expect(vmmap_mmap(map, BASE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vtree_lookup(&map->tree, BASE) == vma && !vma->object);   /* its next life */
	point_release("fault", "fault_before_object");
	window_join(&fault);
	expect(fault.result == 0 && fault.info.how == VMMAP_ANON);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "spf", NULL }, script);
}
