/* SPDX-License-Identifier: MIT */
/*
 * Window: a thread loads from a frame; it holds nothing. The frame moves, and the next one who wants a frame stores to
 * it. Rule: the old frame waits for its readers. Broken: the load shows what another page has.
 * mutant: migrate_frees_at_once
 */
#include "tests/windows/migrate.h"

static void script(const char *policy)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread load = { .role = "load", .fn = window_load, .map = map, .addr = BASE };
	struct window_thread mover = { .role = "mover", .fn = window_migrate, .map = map, .addr = BASE };

	window_start_to(&load, "access_before_load");
	window_migrate(&mover);                          /* by this thread: what it frees it uses next             */
	expect(mover.result == FRAME_MOVED);
	expect(put_word(map, BASE + PAGE, 99) > 0);
	point_release("load", "access_before_load");
	window_join(&load);
	expect(load.result == sizeof load.bytes && load.bytes == 1);
	expect(word_at(map, BASE) == 1 && word_at(map, BASE + PAGE) == 99);
	window_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
