/* SPDX-License-Identifier: MIT */
/*
 * Window: a hand-over cuts a VMA at the upper end of what the releaser had, which is inside what the waiter wants; the
 * waiter goes on above, and its time is up.
 * Rule: a begin that fails heals that cut, too. Broken: two VMAs that should be one.
 * mutant: handed_notes_borders
 */
#include "tests/windows/insist.h"

#define TIME_NS UINT64_C(3000000000)                     /* the script takes milliseconds; a point is held for 5 s   */

static void hold_for_a_while(struct window_thread *t)
{
	struct vmmap_held held;

	t->result = vmmap_hold_until(t->map, t->addr, t->len, &held, clock_ns() + TIME_NS);
	if (!t->result)
		vmmap_release(t->map, &held);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread waiter = {
		.role = "waiter", .fn = hold_for_a_while, .map = map, .addr = BASE + 7 * PAGE, .len = 23 * PAGE
	};
	struct window_thread above = {
		.role = "above", .fn = window_hold, .map = map, .addr = BASE + 25 * PAGE, .len = PAGE
	};
	struct vmmap_held all;

	expect(vmmap_mmap(map, BASE, 20 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(point_stop("above", "window_held", NULL, NULL) == 0);
	window_start_to(&above, "window_held");
	insist_start(map, &waiter, &all, 10 * PAGE);
	vmmap_release(map, &all);
	window_join(&waiter);
	expect(waiter.result == -ETIMEDOUT);
	point_release("above", "window_held");
	window_join(&above);
	expect(vmmap_audit(map, stderr) == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", NULL }, script);
}
