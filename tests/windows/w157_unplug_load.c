/* SPDX-License-Identifier: MIT */
/*
 * Window: an unplug moves a frame; a thread has found the entry before that, and loads after it, holding nothing. Rule:
 * what has moved is not claimed, and its memory not given back, before its readers are gone; where the unplug gives up
 * before that, the frame waits for them as others do. Broken: the load shows zeroes.
 * mutant: unplug_moved_at_once
 */
#include "tests/windows/movable.h"

static uint64_t attempts;
static struct physmem_unplug_result result;

static void window_unplug(struct window_thread *t)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;

	how.attempts = attempts;
	t->result = physmem_unplug(t->map->physmem, MOVABLE_FROM, 512, &how, &result);
}

static void one_page_there(struct vmmap *map)
{
	movable_plug(map);
	others_take(map);
	expect(vmmap_mmap(map, BASE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(put_word(map, BASE, 7) == 8);
	others_give(map);
	expect(is_movable(frame_at(map, BASE)));
}

/* In the state that the unplug leaves while the load stands: moved, and not gone. */
static void go(struct vmmap *map, struct window_thread *unplug)
{
	struct window_thread load = { .role = "load", .fn = window_load, .map = map, .addr = BASE };

	window_start_to(unplug, "migrate_before_lock");
	window_start_to(&load, "access_before_load");
	point_release("unplug", "migrate_before_lock");
	if (attempts == 0)
		expect(!window_done_within(unplug, 50));
	else
		window_join(unplug);
	expect(!is_movable(frame_at(map, BASE)));
	point_release("load", "access_before_load");
	window_join(&load);
	expect(load.result == sizeof load.bytes && load.bytes == 7);
}

static void waits(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread unplug = { .role = "unplug", .fn = window_unplug, .map = map };

	attempts = 0;
	one_page_there(map);
	go(map, &unplug);
	window_join(&unplug);
	expect(unplug.result == 0 && result.moved == 1);
	expect(word_at(map, BASE) == 7);
	window_close(map);
}

static void gives_up(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread unplug = { .role = "unplug", .fn = window_unplug, .map = map };
	struct physmem_usage usage;

	one_page_there(map);
	attempts = 1;
	go(map, &unplug);
	expect(unplug.result == -EBUSY && result.moved == 1 && result.reason == PHYSMEM_REASON_READERS);
	physmem_get_usage(map->physmem, &usage);
	expect(usage.deferred == 1 && usage.owned == 1 && usage.isolated == 0);
	expect(physmem_unplug(map->physmem, MOVABLE_FROM, 512, NULL, &result) == 0 && result.moved == 0);
	expect(word_at(map, BASE) == 7);
	window_close(map);
}

static void script(const char *policy)
{
	waits(policy);
	point_reset();
	gives_up(policy);
}

int main(void)
{
	return window_run_every(false, script);
}
