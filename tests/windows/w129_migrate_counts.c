/* SPDX-License-Identifier: MIT */
/*
 * Window: all entries that were found are LOCKED, but a fork has made another one since. Rule: the count is looked at
 * again while they are. Broken: the child keeps a frame that has been left.
 * mutant: migrate_uncounted
 */
#include "tests/windows/migrate.h"

static void script(const char *policy)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread mover = { .role = "mover", .fn = window_migrate, .map = map, .addr = BASE };

	window_start_to(&mover, "migrate_before_lock");
	expect(vmmap_fork(&child, map) == 0);
	point_release("mover", "migrate_before_lock");
	window_join(&mover);
	expect(mover.result == FRAME_BUSY);
	expect(frame_at(map, BASE) == frame_at(child, BASE));
	expect(frames_owned(map) == 1);
	fork_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
