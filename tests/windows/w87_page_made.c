/* SPDX-License-Identifier: MIT */
/*
 * Window: a fault is about to put a page of zeros into an object; a resize cuts the object off below it, or another
 * fault puts the page there.
 * Rules: who made a page looks at the size after that, and takes it back; the first page that is put there stays.
 * Broken: a page lies beyond the end; two mappings of one page show two frames.
 * mutant: page_made_stays
 * mutant: page_made_twice
 */
#include "tests/windows/objects.h"

/* A resize has been by where the page is going to be. */
static void beyond(struct vmmap *map)
{
	struct window_thread fault = { .role = "beyond", .fn = window_fault, .map = map, .addr = BASE + PAGE };

	object_at(map, BASE, 4, 0);
	window_start_to(&fault, "object_before_make");
	expect(vmmap_object_resize(object, PAGE) == 0);
	point_release("beyond", "object_before_make");
	window_join(&fault);
	expect(fault.result == -EFAULT && fault.info.code == VMMAP_BUS);
	expect(vmmap_audit(map, stderr) == 0);           /* no page beyond the end */
	expect(vmmap_object_resize(object, 4 * PAGE) == 0);
}

/* The same page is mapped at two places. */
static void twice(struct vmmap *map)
{
	struct window_thread fault = { .role = "twice", .fn = window_fault, .map = map, .addr = BASE + PAGE };

	object_at(map, BASE + MIB, 4, 0);
	window_start_to(&fault, "object_before_make");
	expect(put_word(map, BASE + MIB + PAGE, 7) == 8);
	point_release("twice", "object_before_make");
	window_join(&fault);
	expect(fault.result == 0 && word_at(map, BASE + PAGE) == 7);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);

	object_of(map, 4, false);
	beyond(map);
	twice(map);
	object_close(map);
}

int main(void)
{
	return window_run_in_table(false, script);
}
