/* SPDX-License-Identifier: MIT */
/*
 * Window: a frame is looked for in a map that has ended before its forks, and in which memory had moved. Rule: the
 * rings of a map's slots are looked at inside its gate only, which outlives it. Broken: what went with the map is read.
 * mutant: seek_no_gate
 */
#include <sys/mman.h>

#include "tests/windows/migrate.h"

#define AWAY (BASE + 8 * PAGE)

/* What has moved in the child its own fork does not get: so of the maps that there are, none has a ring to look at. */
static struct vmmap *grandchild(struct vmmap *map)
{
	struct vmmap *fork;

	expect(put_word(map, BASE + PAGE, 2) == 8);
	expect(vmmap_fork(&child, map) == 0);
	expect(vmmap_mremap(child, BASE + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AWAY) == (int64_t)AWAY);
	expect(vmmap_madvise(child, AWAY, PAGE, MADV_DONTFORK) == 0);
	expect(vmmap_fork(&fork, child) == 0);
	vmmap_destroy(child);
	return fork;
}

static void script(const char *policy)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread mover = { .role = "mover", .fn = window_migrate, .map = map, .addr = BASE };

	child = grandchild(map);
	expect(point_stop("mover", "seek_inside", NULL, NULL) == 0);     /* it must not come there */
	window_start(&mover);
	window_join(&mover);
	expect(point_timeouts() == 0);
	expect(mover.result == FRAME_MOVED);
	expect(frame_at(map, BASE) == frame_at(child, BASE));
	fork_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
