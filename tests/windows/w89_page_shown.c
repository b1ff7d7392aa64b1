/* SPDX-License-Identifier: MIT */
/*
 * Window: a fault has put a page of zeros into an object, and has still to look at the size; meanwhile another fault
 * maps that page, and a resize makes the size small, or large again.
 * Rule: a page is shown to others only after its maker has seen it inside the object; what is shown, its maker does
 * not take back.
 * Broken: a frame is given away that an entry still shows.
 * mutant: page_shown_early
 */
#include "tests/windows/objects.h"

static uint64_t owned(struct vmmap *map)
{
	struct physmem_usage usage;

	physmem_get_usage(map->physmem, &usage);
	return usage.owned;
}

/* Mapped by another, and cut off: the resize is on its way to that entry. */
static void cut_off(struct vmmap *map)
{
	struct window_thread fault = { .role = "maker", .fn = window_fault, .map = map, .addr = BASE + 2 * PAGE };
	struct window_thread cut = { .role = "cut", .fn = object_to_size, .len = PAGE };
	uint64_t before;

	window_start_to(&fault, "object_after_make");
	expect(put_word(map, BASE + MIB + 2 * PAGE, 7) == 8);
	before = owned(map);
	window_start_to(&cut, "resize_after_size");
	point_release("maker", "object_after_make");
	window_join(&fault);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_BUS);
	expect(owned(map) == before);                    /* main's entry shows that frame */
	point_release("cut", "resize_after_size");
	window_join(&cut);
	expect(cut.result == 0 && vmmap_audit(map, stderr) == 0);
}

/* Cut off before it is made, and there again before its maker takes it back. */
static void grown_back(struct vmmap *map)
{
	struct window_thread fault = { .role = "late", .fn = window_fault, .map = map, .addr = BASE + 3 * PAGE };

	expect(vmmap_object_resize(object, 4 * PAGE) == 0);
	window_start_to(&fault, "object_before_make");
	expect(vmmap_object_resize(object, PAGE) == 0);
	expect(point_stop("late", "object_before_decide", NULL, NULL) == 0);
	point_release("late", "object_before_make");
	expect(point_wait_reached("late", "object_before_decide", SOON));
	expect(vmmap_object_resize(object, 4 * PAGE) == 0);
	expect(put_word(map, BASE + MIB + 3 * PAGE, 9) == 8);
	point_release("late", "object_before_decide");
	window_join(&fault);
	expect(vmmap_audit(map, stderr) == 0);           /* an entry shows a page of its object */
	expect(word_at(map, BASE + 3 * PAGE) == 9);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);

	object_of(map, 4, false);
	object_at(map, BASE, 4, 0);
	object_at(map, BASE + MIB, 4, 0);
	cut_off(map);
	grown_back(map);
	object_close(map);
}

int main(void)
{
	return window_run_in_table(false, script);
}
