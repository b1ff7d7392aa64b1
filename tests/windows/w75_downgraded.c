/* SPDX-License-Identifier: MIT */
/*
 * Window: munmap under a policy that downgrades has taken the VMAs out and has still to zap; a resize walks by and
 * finds nothing mapped there, while accesses still hit the entries.
 * Rule: a walk waits until the entries in a gap are gone. Broken: their frames are freed; a load that begins before the
 * zap goes on in a frame of somebody else.
 * mutant: walk_trusts_gap
 */
#include "tests/windows/objects.h"

#define LEN (80 * PAGE)                                  /* too many pages for the brief form                      */

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread unmap = { .role = "unmap", .fn = window_munmap, .map = map, .addr = BASE, .len = LEN };
	struct window_thread resize = { .role = "resize", .fn = object_to_size, .len = 0 };

	object_of(map, 80, false);
	object_at(map, BASE, 80, 0);
	object_at(map, BASE + MIB, 1, 0);
	expect(put_word(map, BASE, 5) == 8);
	window_start_to(&unmap, "unmap_downgraded");
	window_start(&resize);
	expect(!window_done_within(&resize, getenv("VMMAP_MUTANT") ? 5000 : 100));
	expect(word_at(map, BASE) == 5);                 /* munmap has not returned, resize neither */
	point_release("unmap", "unmap_downgraded");
	window_join(&unmap);
	window_join(&resize);
	expect(unmap.result == 0 && resize.result == 0);
	object_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwsem", "pervma", "spf", NULL }, script);
}
