/* SPDX-License-Identifier: MIT */
/*
 * Window: a thread holds a range, for which a resize of an object waits; it pins a page of the object, which has to be
 * moved first. Rule: who holds a range only tries to move it: -EDEADLK. Broken: they wait for each other.
 * mutant: pin_waits_holding
 */
#include "tests/windows/movable.h"

static uint64_t pfn;

static void window_pin(struct window_thread *t)
{
	struct vmmap_held held;

	expect(vmmap_hold(t->map, BASE, 2 * PAGE, &held) == 0);
	BASE_POINT(pin_holds);
	t->result = vmmap_pin(t->map, BASE, PAGE, &pfn);
	vmmap_release(t->map, &held);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread pin = { .role = "pin", .fn = window_pin, .map = map };
	struct window_thread cut = { .role = "cut", .fn = object_to_size, .len = PAGE };

	movable_plug(map);
	object_of(map, 2, false);
	object_at(map, BASE, 2, 0);
	others_take(map);
	expect(put_word(map, BASE, 7) == 8);
	expect(is_movable(frame_at(map, BASE)));
	others_give(map);
	window_start_to(&pin, "pin_holds");
	window_start_to(&cut, "resize_after_size");
	point_release("cut", "resize_after_size");
	window_done_within(&cut, 10);                    /* it waits for the range now                             */
	point_release("pin", "pin_holds");
	expect(window_done_within(&pin, 5000));
	window_join(&pin);
	window_join(&cut);
	expect(pin.result == -EDEADLK && cut.result == 0);
	expect(vmmap_pin(map, BASE, PAGE, &pfn) == 0 && !is_movable(pfn));
	expect(vmmap_unpin(map, &pfn, 1) == 0);
	object_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
