/* SPDX-License-Identifier: MIT */
/*
 * Window: a fork makes an entry shared, and then counts it. A frame moves in between. Rule: the entry is LOCKED until
 * it is counted, and the child has it. Broken: the fork counts, and hands down, a frame that has been left.
 * mutant: share_counts_late
 */
#include "tests/windows/migrate.h"

static void script(const char *policy)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread forker = { .role = "fork", .fn = window_fork, .map = map };
	struct window_thread mover = { .role = "mover", .fn = window_migrate, .map = map, .addr = BASE };

	window_start_to(&forker, "pt_share_locked");
	window_start(&mover);
	window_join(&mover);
	expect(mover.result == FRAME_BUSY);
	point_release("fork", "pt_share_locked");
	window_join(&forker);
	expect(forker.result == 0);
	expect(frame_at(map, BASE) == frame_at(child, BASE));
	fork_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
