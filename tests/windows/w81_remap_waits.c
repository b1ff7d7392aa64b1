/* SPDX-License-Identifier: MIT */
/*
 * Window 19: mremap looks for a place, and the only gap that would fit is held by another operation.
 * Rule: who waits for a gap holds nothing: the source is released first. Broken: faults on the source wait for the
 * holder of a place that they have no business with.
 * mutant: remap_waits_holding
 */
#include "tests/windows/window.h"

#define HALF (UINT64_C(1) << 46)                         /* of the space: it fits only around the page in the middle */
#define LEN  (4 * PAGE)

/* Of a VMA that goes on above: it cannot grow in place. */
static void move(struct window_thread *t)
{
	t->result = vmmap_mremap(t->map, t->addr, t->len, HALF, MREMAP_MAYMOVE, 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread holder = { .role = "holder", .fn = window_hold, .map = map, .addr = HALF, .len = PAGE };
	struct window_thread mover = { .role = "mover", .fn = move, .map = map, .addr = BASE, .len = LEN };
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = BASE };

	expect(vmmap_mmap(map, BASE, 2 * LEN, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	window_start_to(&holder, "window_held");
	window_start(&mover);
	expect(point_wait_reached("mover", "waiter_before_sleep", UINT64_C(10000000000)));
	window_start(&fault);
	expect(window_done_within(&fault, 4000) && fault.result == 0);
	point_release("holder", "window_held");
	window_join(&holder);
	window_join(&mover);
	window_join(&fault);
	expect(mover.result > (int64_t)(BASE + LEN));
	window_close(map);
}

int main(void)
{
	return window_run_in_table(true, script);
}
