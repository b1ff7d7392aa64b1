/* SPDX-License-Identifier: MIT */
/*
 * Window: a frame is about to move; its page is pinned before the entry is LOCKED. Rule: the count is looked at while
 * all entries are LOCKED, and one that is no entry ends it. Broken: the pin is left with a frame that nobody shows.
 * mutant: migrate_takes_pinned
 */
#include "tests/windows/migrate.h"

static void script(const char *policy)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread mover = { .role = "mover", .fn = window_migrate, .map = map, .addr = BASE };
	uint64_t pfn;

	window_start_to(&mover, "migrate_before_lock");
	expect(vmmap_pin(map, BASE, PAGE, &pfn) == 0);
	point_release("mover", "migrate_before_lock");
	window_join(&mover);
	expect(mover.result != FRAME_MOVED);
	expect(frame_at(map, BASE) == pfn);
	expect(vmmap_unpin(map, &pfn, 1) == 0);
	expect(frames_owned(map) == 1);
	window_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
