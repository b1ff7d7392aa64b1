/* SPDX-License-Identifier: MIT */
/*
 * Window: a frame is about to move; before its entry is LOCKED another thread stores. Rule: the bytes are copied while
 * all entries are LOCKED, so the store is in the copy. Broken: it is lost.
 * mutant: migrate_copies_early
 */
#include "tests/windows/migrate.h"

static void script(const char *policy)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread mover = { .role = "mover", .fn = window_migrate, .map = map, .addr = BASE };

	window_start_to(&mover, "migrate_before_lock");
	expect(put_word(map, BASE, 5) > 0);
	point_release("mover", "migrate_before_lock");
	window_join(&mover);
	expect(mover.result == FRAME_MOVED);
	expect(word_at(map, BASE) == 5);
	expect(frames_owned(map) == 1);
	window_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
