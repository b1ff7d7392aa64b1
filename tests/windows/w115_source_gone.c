/* SPDX-License-Identifier: MIT */
/*
 * Window: mremap has looked at its source, and before it holds that, the source is unmapped. What is wanted has room
 * only where the source itself was.
 * Rule: what is held as a source is looked at again before a place is searched for. Broken: the search meets the gap
 * that the call itself holds, takes it for somebody else's, waits for nobody, and begins again for ever; under one lock
 * it is told of a deadlock.
 * mutant: remap_source_unseen
 */
#include "tests/windows/window.h"

/* As much as the map has above BASE. */
static void move_away(struct window_thread *t)
{
	t->result = vmmap_mremap_until(t->map, BASE, PAGE, (UINT64_C(1) << 47) - BASE, MREMAP_MAYMOVE, 0,
				       clock_ns() + UINT64_C(4000000000));
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread move = { .role = "move", .fn = move_away, .map = map };

	expect(vmmap_mmap(map, BASE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(point_stop("move", "remap_looked", NULL, NULL) == 0);
	window_start_to(&move, "remap_looked");
	expect(vmmap_munmap(map, BASE, PAGE) == 0);
	point_release("move", "remap_looked");
	window_join(&move);
	expect(move.result == -EFAULT);
	window_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
