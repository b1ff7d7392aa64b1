/* SPDX-License-Identifier: MIT */
/*
 * Window: a page of an object moves to another frame; elsewhere a fault wants to show it.
 * Rule: from before the mover looks at entries the page is marked: who wants it waits. A fault that has its entry
 * LOCKED may have looked before: the mover leaves the page alone. Broken: an entry shows the old frame, which is freed;
 * two places of one page differ; a second frame is made for the page.
 * mutant: migrate_page_unmarked
 * mutant: migrate_page_trusts_locked
 * mutant: page_made_over_moving
 */
#include "tests/windows/migrate.h"

#define THERE (BASE + MIB)

static struct vmmap *mapped_twice(const char *policy)
{
	struct vmmap *map = window_map(policy);

	object_of(map, 1, false);
	object_at(map, BASE, 1, 0);
	object_at(map, THERE, 1, 0);
	expect(put_word(map, BASE, 1) == 8);
	return map;
}

static void is_one_page(struct vmmap *map)
{
	expect(put_word(map, BASE, 5) == 8);
	expect(word_at(map, THERE) == 5 && frame_at(map, BASE) == frame_at(map, THERE));
	expect(frames_owned(map) == 1);
	object_close(map);
}

static void fault_comes_late(const char *policy)
{
	struct vmmap *map = mapped_twice(policy);
	struct window_thread mover = { .role = "mover", .fn = window_migrate, .map = map, .addr = BASE };
	struct window_thread fault = { .role = "fault", .fn = window_fault, .map = map, .addr = THERE };

	window_start_to(&mover, "migrate_page_locked");
	window_start_to(&fault, "object_before_wait");
	point_release("mover", "migrate_page_locked");
	point_release("fault", "object_before_wait");
	window_join(&mover);
	window_join(&fault);
	expect(mover.result == FRAME_MOVED && fault.result == 0);
	is_one_page(map);
}

static void fault_was_first(const char *policy)
{
	struct vmmap *map = mapped_twice(policy);
	struct window_thread mover = { .role = "mover 2", .fn = window_migrate, .map = map, .addr = BASE };
	struct window_thread fault = { .role = "fault 2", .fn = window_fault, .map = map, .addr = THERE };

	window_start_to(&fault, "fault_before_store");
	window_migrate(&mover);
	expect(mover.result == FRAME_BUSY);
	point_release("fault 2", "fault_before_store");
	window_join(&fault);
	expect(fault.result == 0 && frame_at(map, BASE) == frame_at(map, THERE));
	window_migrate(&mover);
	expect(mover.result == FRAME_MOVED);
	is_one_page(map);
}

static void script(const char *policy)
{
	fault_comes_late(policy);
	fault_was_first(policy);
}

int main(void)
{
	return window_run_every(false, script);
}
