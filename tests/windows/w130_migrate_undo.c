/* SPDX-License-Identifier: MIT */
/*
 * Window: of two entries that show a frame one is LOCKED; the other map stores, and gets a copy, before its entry is.
 * Rule: what cannot be taken whole is given back as it was. Broken: an entry stays LOCKED for ever.
 * mutant: migrate_undoes_nothing
 */
#include "tests/windows/migrate.h"

static void script(const char *policy)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread mover = { .role = "mover", .fn = window_migrate, .map = map, .addr = BASE };
	uint64_t before = frame_at(map, BASE);

	expect(vmmap_fork(&child, map) == 0);
	window_start_to(&mover, "migrate_one_locked");
	expect(put_word(child, BASE, 6) > 0);
	point_release("mover", "migrate_one_locked");
	window_join(&mover);
	expect(mover.result == FRAME_BUSY);
	expect(frame_at(map, BASE) == before);
	expect(put_word(map, BASE, 5) > 0);
	expect(word_at(child, BASE) == 6);
	window_migrate(&mover);
	expect(mover.result == FRAME_MOVED && word_at(map, BASE) == 5);
	fork_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
