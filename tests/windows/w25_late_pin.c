/* SPDX-License-Identifier: MIT */
/*
 * Window: a fault that insists has found a VMA; its holder sees no visitor in it, the fault counts itself in, the VMA
 * dies, the fault looks at lk and takes its count back.
 * Rule: nobody sets the count; whoever added to it takes that back, however late. Broken (and seen, docs/races.md): the
 * pool sets it to 0 in between, and the next life begins with one visitor too few.
 * mutant: give_resets_pins
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

/* Two visits that are not valid make it insist: each meets an mprotect between its look and its last check. */
static void make_it_insist(struct vmmap *map)
{
	expect(point_wait_reached("fault", "visit_before_valid", UINT64_C(5000000000)));
	expect(vmmap_mprotect(map, BASE, PAGE, RW) == 0);
	point_release("fault", "visit_before_valid");
	expect(point_wait_reached("fault", "fault_before_cas", UINT64_C(5000000000)));
	expect(vmmap_mprotect(map, BASE, PAGE, RW | PROT_EXEC) == 0);
	point_release("fault", "fault_before_cas");
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };
	struct window_thread unmap = { .role = "unmap", .fn = window_munmap, .map = map, .addr = BASE, .len = PAGE };
	struct vma *vma;

	expect(vmmap_mmap(map, BASE, PAGE, PROT_READ, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	vma = vtree_lookup(&map->tree, BASE);
	expect(point_stop("fault", "visit_before_valid", NULL, NULL) == 0);      /* read-only: its first check     */
	expect(point_stop("fault", "fault_before_cas", NULL, NULL) == 0);
	expect(point_stop("fault", "visit_before_pin", NULL, NULL) == 0);
	expect(point_stop("fault", "visit_after_pin", NULL, NULL) == 0);
	window_start(&fault);
	make_it_insist(map);
	expect(point_wait_reached("fault", "visit_before_pin", UINT64_C(5000000000)));
	window_start_to(&unmap, "carve_before_leave");           /* takes the VMA: nobody is in it */
	expect(atomic_load_seqcst(&vma->slot.lk) == LOCK_BRIEF);
	point_release("fault", "visit_before_pin");
	expect(point_wait_reached("fault", "visit_after_pin", UINT64_C(5000000000)));
	expect(atomic_load_seqcst(&vma->slot.pins) == 1);
	point_release("unmap", "carve_before_leave");
	window_join(&unmap);
	expect(atomic_load_seqcst(&vma->slot.lk) == LOCK_DEAD);
	point_release("fault", "visit_after_pin");
	window_join(&fault);
	expect(unmap.result == 0 && fault.result == -EFAULT && fault.info.code == VMMAP_MAPERR);
	expect(atomic_load_seqcst(&vma->slot.pins) == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", NULL }, script);
}
