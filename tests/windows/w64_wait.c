/* SPDX-License-Identifier: MIT */
/*
 * Window: a fault has seen that another one asks the pager, and is about to sleep; the page comes, all are woken.
 * Rule: what is slept on is loaded before the page's word. Broken: the fault sleeps on, and nobody wakes it.
 * mutant: wait_looks_late
 */
#include "tests/windows/objects.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread first = { .role = "first", .fn = window_fault, .map = map, .addr = BASE };
	struct window_thread second = { .role = "second", .fn = window_fault, .map = map, .addr = BASE };

	object_of(map, 1, true);
	object_at(map, BASE, 1, 0);
	pager.stop_read = true;
	window_start(&first);
	pager_await(&pager);
	window_start_to(&second, "object_before_wait");
	pager_go(&pager);
	window_join(&first);
	point_release("second", "object_before_wait");
	window_join(&second);                            /* or not: alarm() */
	expect(first.result == 0 && second.result == 0);
	expect(atomic_load_relaxed(&pager.reads) == 1);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma", "vma-count", "rwsem", "pervma", "pt-lock", NULL }, script);
}
