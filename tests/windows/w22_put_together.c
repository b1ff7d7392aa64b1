/* SPDX-License-Identifier: MIT */
/*
 * Window: an edit walks the slots of one VMA leaf by leaf; between two steps another thread joins the two leaves.
 * Rule: a slot put beside one of the same VMA becomes part of it: one VMA has one slot in a leaf. Broken (and seen,
 * docs/races.md): a brief edit takes one of the two for the whole VMA.
 * mutant: put_apart
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct vtree_section s;
	struct vtree_slot slot;
	struct vma *vma;

	expect(vmmap_mmap(map, BASE, 12 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	/* as after the join: what was two leaves' is one's; the middle is put back */
	vtree_enter(&map->tree, thread_self(), BASE, &s);
	vma = vtree_slot_at(&s, (unsigned)vtree_slot_over(&s, BASE)).vma;
	vtree_drop(&s, (unsigned)vtree_slot_over(&s, BASE));
	vtree_add(&s, BASE, BASE + 4 * PAGE, vma);
	vtree_add(&s, BASE + 8 * PAGE, BASE + 12 * PAGE, vma);
	vtree_leave(&s);
	vtree_enter(&map->tree, thread_self(), BASE, &s);
	space_put(&s, BASE + 4 * PAGE, BASE + 8 * PAGE, vma);
	vtree_leave(&s);
	vtree_enter(&map->tree, thread_self(), BASE, &s);
	slot = vtree_slot_at(&s, (unsigned)vtree_slot_over(&s, BASE));
	vtree_leave(&s);
	expect(slot.r.lo == BASE && slot.r.hi == BASE + 12 * PAGE);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "none", NULL }, script);
}
