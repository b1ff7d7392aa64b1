/* SPDX-License-Identifier: MIT */
/*
 * Window 19: the highest gap is held by another operation.
 * Rule: the gap search skips what is locked; only when nothing else fits does the caller wait, holding nothing.
 * mutant: place_ignores_dummies
 */
#include "tests/windows/window.h"

static void map_within(struct window_thread *t)
{
	t->result = vmmap_mmap_within(t->map, t->addr, t->addr + t->len, PAGE, 0, 4 * PAGE, RW, ANON, NULL, 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread holder = {
		.role = "holder", .fn = window_hold, .map = map, .addr = BASE + 16 * PAGE, .len = 16 * PAGE
	};
	struct window_thread wider = { .role = "wider", .fn = map_within, .map = map, .addr = BASE, .len = 32 * PAGE };
	struct window_thread inside = {
		.role = "inside", .fn = map_within, .map = map, .addr = BASE + 16 * PAGE, .len = 16 * PAGE
	};

	window_start_to(&holder, "window_held");
	window_start(&wider);                                    /* skips the locked half */
	expect(window_done_within(&wider, 4000));
	expect(wider.result == (int64_t)(BASE + 12 * PAGE));
	window_start(&inside);                                   /* only locked gaps would fit: waits */
	expect(!window_done_within(&inside, 30));
	point_release("holder", "window_held");
	window_join(&holder);
	window_join(&wider);
	window_join(&inside);
	expect(inside.result == (int64_t)(BASE + 28 * PAGE));
	window_close(map);
}

int main(void)
{
	return window_run_in_table(true, script);
}
