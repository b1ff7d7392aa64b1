/* SPDX-License-Identifier: MIT */
/*
 * Window: as w60, but the object is cut off and grown back before the fault locks its entry: its size is as it was.
 * Rule: after the size the fault looks whether the page still is that frame. Broken: the old frame stays mapped.
 * mutant: fault_no_page
 */
#include "tests/windows/objects.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + PAGE };

	object_of(map, 4, false);
	object_at(map, BASE, 4, 0);
	window_start_to(&fault, "fault_before_cas");
	expect(vmmap_object_resize(object, PAGE) == 0);
	expect(vmmap_object_resize(object, 4 * PAGE) == 0);
	point_release("fault", "fault_before_cas");
	window_join(&fault);
	expect(fault.result == 0 && fault.info.how == VMMAP_OBJECT);
	expect(word_at(map, BASE + PAGE) == 0);
	object_close(map);
}

int main(void)
{
	return window_run_in_table(false, script);
}
