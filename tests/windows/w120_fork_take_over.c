/* SPDX-License-Identifier: MIT */
/*
 * Window: a store has found that its page, shared once, is its map's alone, and is about to take it over; the map is
 * forked. Rule: a fork is an edit, and shuts each VMA: a visit of before it has ended, or is not valid. Broken: a page
 * of two maps that one of them may store to.
 * mutant: fork_no_shut
 */
#include "tests/windows/fork.h"

static void script(const char *policy)
{
	struct vmmap *map = fork_map_alone(policy, 1);
	struct window_thread store = { .role = "store", .fn = window_write, .map = map, .addr = BASE, .bytes = 5 };
	struct window_thread fork = { .role = "fork", .fn = window_fork, .map = map };

	window_start_to(&store, "fault_after_count");
	window_start(&fork);
	(void)window_done_within(&fork, 50);             /* it ends, or waits for the visit */
	point_release("store", "fault_after_count");
	window_join(&store);
	window_join(&fork);
	expect(store.result == sizeof store.bytes && fork.result == 0);
	expect(word_at(map, BASE) == 5);
	expect(word_at(child, BASE) == 1 || word_at(child, BASE) == 5);
	fork_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
