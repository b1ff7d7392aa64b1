/* SPDX-License-Identifier: MIT */
/*
 * Window: a resize walks over what its object is mapped at and has found a VMA; before it comes to the entries, or to
 * its look at what the VMA maps, the place is mapped anew, or the VMA is swallowed and its memory lives again.
 * Rule: a walk follows the fault's protocol, entry by entry; "nothing of ours" is validated, too. Broken: it drops a
 * page of another mapping; it passes a page that was cut off.
 * mutant: walk_drops_unchecked
 * mutant: walk_passes_unchecked
 */
#include "tests/windows/objects.h"

#define ELSEWHERE (BASE + MIB)

/* The place is anonymous memory by the time at which its page would be dropped. */
static void dropped(struct vmmap *map)
{
	struct window_thread resize = { .role = "resize", .fn = object_to_size, .len = 0 };

	object_of(map, 4, false);
	object_at(map, BASE, 1, 0);
	expect(put_word(map, BASE, 1) == 8);
	window_start_to(&resize, "walk_before_entries");
	expect(vmmap_mmap(map, BASE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(put_word(map, BASE, 7) == 8);
	point_release("resize", "walk_before_entries");
	window_join(&resize);
	expect(resize.result == 0 && word_at(map, BASE) == 7);
	vmmap_object_put(object);
}

/* The upper of two VMAs is joined to the lower one; its memory is an anonymous VMA's when the walk looks at it. */
static void passed(struct vmmap *map)
{
	struct window_thread resize = { .role = "passer", .fn = object_to_size, .len = 2 * PAGE };
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + 2 * PAGE };
	struct vma *upper;

	object_of(map, 4, false);
	object_at(map, BASE, 2, 0);
	object_at(map, BASE + 2 * PAGE, 2, 2);
	expect(vmmap_mprotect(map, BASE, 2 * PAGE, PROT_READ) == 0);
	expect(put_word(map, BASE + 2 * PAGE, 1) == 8);
	upper = vtree_lookup(&map->tree, BASE + 2 * PAGE);
	expect(upper != vtree_lookup(&map->tree, BASE));
	window_start_to(&resize, "walk_after_begin");
	expect(vmmap_mprotect(map, BASE + 2 * PAGE, 2 * PAGE, PROT_READ) == 0);
	expect(vmmap_mmap(map, ELSEWHERE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)ELSEWHERE);
	expect(vtree_lookup(&map->tree, ELSEWHERE) == upper);
	point_release("passer", "walk_after_begin");
	window_join(&resize);
	expect(resize.result == 0);
	expect(vmmap_audit(map, stderr) == 0);           /* no entry shows what is no page */
	window_fault(&fault);
	expect(fault.result == -EFAULT);
	object_close(map);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);

	dropped(map);
	passed(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "spf", NULL }, script);
}
