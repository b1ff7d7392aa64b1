/* SPDX-License-Identifier: MIT */
/*
 * Window: a page is to be pinned whose frame lies in a segment for what can be moved; it has been moved out, and is not
 * pinned yet, when somebody moves it back. Rule: where the frame lies is looked at with the entry LOCKED, each time.
 * Broken: a segment that takes only what can be moved has a pin.
 * mutant: pin_looks_once
 * mutant: pin_anywhere
 */
#include "tests/windows/movable.h"

static uint64_t pfn;

static void window_pin(struct window_thread *t) { t->result = vmmap_pin(t->map, t->addr, PAGE, &pfn); }

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread pin = { .role = "pin", .fn = window_pin, .map = map, .addr = BASE };

	movable_plug(map);
	others_take(map);
	expect(vmmap_mmap(map, BASE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(put_word(map, BASE, 7) == 8);
	others_give(map);
	expect(is_movable(frame_at(map, BASE)));
	window_start_to(&pin, "pin_moved");
	expect(!is_movable(frame_at(map, BASE)));
	others_take(map);
	expect(space_mover.move(map->physmem, thread_self(), frame_at(map, BASE), NULL) == FRAME_MOVED);
	expect(is_movable(frame_at(map, BASE)));
	others_give(map);
	point_release("pin", "pin_moved");
	window_join(&pin);
	expect(pin.result == 0);
	expect(!is_movable(pfn) && frame_at(map, BASE) == pfn && word_at(map, BASE) == 7);
	expect(physmem_unplug(map->physmem, MOVABLE_FROM, 512, NULL, NULL) == 0);
	expect(vmmap_unpin(map, &pfn, 1) == 0);
	window_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
