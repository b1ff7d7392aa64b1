/* SPDX-License-Identifier: MIT */
/*
 * Two threads map anywhere, each in a place of its own.
 * Rule: where edits run side by side, a brief edit of an unaddressed mmap is of the place that was found, not of all
 * the space in which it may be.
 * mutant: map_holds_all
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap_config config = VMMAP_CONFIG;               /* a thread has an arena                         */
	struct window_thread other = { .role = "other", .fn = window_mmap, .len = PAGE };
	struct window_thread late = { .role = "late", .fn = window_mmap, .len = PAGE };
	struct vmmap *map;

	config.policy = policy;
	expect(vmmap_create(&map, &config) == 0);
	late.map = other.map = map;
	window_start_to(&late, "mmap_after_place");
	window_start(&other);
	expect(window_done_within(&other, 4000));
	point_release("late", "mmap_after_place");
	window_join(&other);
	window_join(&late);
	expect(late.result > 0 && other.result > 0 && late.result != other.result);
	expect(vmmap_audit(map, stderr) == 0 && point_timeouts() == 0);
	vmmap_destroy(map);
}

int main(void)
{
	return window_run_in_table(true, script);
}
