/* SPDX-License-Identifier: MIT */
/*
 * Window: a store through a present entry has the entry, and is about to copy; the map is forked. Rule: who makes an
 * entry read-only waits for who has it locked: what the child shows does not change any more. Broken: the store comes
 * late, into both, and its entry lets all later ones through.
 * mutant: share_skips_locked
 */
#include "tests/windows/fork.h"

static void script(const char *policy)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread store = { .role = "store", .fn = window_write, .map = map, .addr = BASE, .bytes = 5 };
	struct window_thread fork = { .role = "fork", .fn = window_fork, .map = map };

	window_start_to(&store, "access_before_store");
	window_start(&fork);
	(void)window_done_within(&fork, 50);             /* only the mutant ends now */
	point_release("store", "access_before_store");
	window_join(&store);
	window_join(&fork);
	expect(store.result == sizeof store.bytes && fork.result == 0);
	expect(word_at(child, BASE) == 5);
	fork_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
