/* SPDX-License-Identifier: MIT */
/*
 * Window: a fault that insists has its pin; a general edit is about to cut its page out of the VMA.
 * Rule: a VMA with such a pin is not cut: the fault is out in an instant. Broken: the pin stays on the other piece, the
 * fault begins again, and a stream of such edits shuts it out.
 * mutant: claim_cuts_pinned
 */
#include "tests/windows/window.h"

#define SOON UINT64_C(10000000000)

/* Two visits that are not valid: each meets an mprotect between its look and its last check. */
static void make_it_insist(struct vmmap *map)
{
	expect(point_wait_reached("fault", "visit_before_valid", SOON));
	expect(vmmap_mprotect(map, BASE, 8 * PAGE, RW) == 0);
	point_release("fault", "visit_before_valid");
	expect(point_wait_reached("fault", "fault_before_cas", SOON));
	expect(vmmap_mprotect(map, BASE, 8 * PAGE, RW | PROT_EXEC) == 0);
	point_release("fault", "fault_before_cas");
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE + 4 * PAGE };
	struct window_thread holder = {
		.role = "holder", .fn = window_hold, .map = map, .addr = BASE + 4 * PAGE, .len = PAGE
	};

	expect(vmmap_mmap(map, BASE, 8 * PAGE, PROT_READ, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(point_stop("fault", "visit_before_valid", NULL, NULL) == 0);      /* read-only: its first check     */
	expect(point_stop("fault", "fault_before_cas", NULL, NULL) == 0);
	expect(point_stop("fault", "visit_after_pin", NULL, NULL) == 0);
	expect(point_stop("holder", "window_held", NULL, NULL) == 0);
	window_start(&fault);
	make_it_insist(map);
	expect(point_wait_reached("fault", "visit_after_pin", SOON));
	window_start(&holder);
	(void)point_wait_reached("holder", "window_held", SOON / 200);   /* only a mutant comes so far             */
	point_release("fault", "visit_after_pin");
	expect(window_done_within(&fault, 10000) && fault.result == 0);
	expect(point_wait_reached("holder", "window_held", SOON));
	point_release("holder", "window_held");
	window_join(&fault);
	window_join(&holder);
	expect(holder.result == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", NULL }, script);
}
