/* SPDX-License-Identifier: MIT */
/*
 * Window 9: a fault waits for the holder of a VMA; when it is woken the VMA is gone, and its memory another VMA.
 * Rule: what was waited for is an address, and is looked up again. Broken: an entry is left where nothing is mapped.
 * mutant: waiter_keeps_slot
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define ELSEWHERE (BASE + 64 * MIB)
#define LEN       (4 * MIB)

static void unmap_and_map(struct window_thread *t)
{
	t->result = vmmap_munmap(t->map, BASE, LEN);
	t->result |= vmmap_mmap(t->map, ELSEWHERE, LEN, RW, ANON | MAP_FIXED, NULL, 0) != (int64_t)ELSEWHERE;
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread edit = { .role = "edit", .fn = unmap_and_map, .map = map };
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + PAGE };
	struct vma *vma;

	expect(vmmap_mmap(map, BASE, LEN, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	vma = vtree_lookup(&map->tree, BASE);
	expect(point_stop("fault", "waiter_woken", NULL, NULL) == 0);
	window_start_to(&edit, "unmap_after_begin");
	window_start(&fault);
	expect(point_wait_reached("fault", "waiter_before_sleep", UINT64_C(10000000000)));
	point_release("edit", "unmap_after_begin");
	window_join(&edit);
	expect(edit.result == 0 && vtree_lookup(&map->tree, ELSEWHERE) == vma);
	point_release("fault", "waiter_woken");
	window_join(&fault);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_MAPERR);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
