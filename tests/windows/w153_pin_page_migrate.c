/* SPDX-License-Identifier: MIT */
/*
 * Window: a page of an object is about to move, its entries are found; it is pinned before they are LOCKED. Rule: the
 * count is looked at while all entries are LOCKED, and a reference beside the page's own ends it. Broken: the page goes
 * to another frame, the pin is left with one that nobody shows.
 * mutant: migrate_page_takes_pinned
 */
#include "tests/windows/migrate.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread mover = { .role = "mover", .fn = window_migrate, .map = map, .addr = BASE };
	uint64_t pfn;

	object_of(map, 1, false);
	object_at(map, BASE, 1, 0);
	object_at(map, BASE + PAGE, 1, 0);
	expect(put_word(map, BASE, 7) == 8 && put_word(map, BASE + PAGE, 8) == 8);
	window_start_to(&mover, "migrate_page_before_lock");
	expect(vmmap_pin(map, BASE, PAGE, &pfn) == 0);
	point_release("mover", "migrate_page_before_lock");
	window_join(&mover);
	expect(mover.result != FRAME_MOVED);
	expect(frame_at(map, BASE) == pfn && frame_at(map, BASE + PAGE) == pfn);
	expect(vmmap_unpin(map, &pfn, 1) == 0);
	expect(frames_owned(map) == 1);
	object_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
