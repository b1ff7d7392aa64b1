/* SPDX-License-Identifier: MIT */
/*
 * Window: a store has read that its page's frame has one reference, and is about to say so in the record, as if it had
 * never been shared; the map is forked. Rule: by CAS of what was read. Broken: the child's reference is forgotten, and
 * the first of the two that stores takes the page over under the other.
 * mutant: frame_alone_stores
 */
#include "tests/windows/fork.h"

static void script(const char *policy)
{
	struct vmmap *map = fork_map_alone(policy, 1);
	struct window_thread store = { .role = "store", .fn = window_write, .map = map, .addr = BASE, .bytes = 5 };
	struct window_thread fork = { .role = "fork", .fn = window_fork, .map = map };

	window_start_to(&store, "frame_alone_seen");
	window_start(&fork);
	(void)window_done_within(&fork, 50);             /* it ends, or waits for the visit */
	point_release("store", "frame_alone_seen");
	window_join(&store);
	window_join(&fork);
	expect(store.result == sizeof store.bytes && fork.result == 0);
	expect(word_at(map, BASE) == 5);
	fork_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
