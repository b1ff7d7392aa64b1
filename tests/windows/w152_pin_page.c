/* SPDX-License-Identifier: MIT */
/*
 * Window: a page of an object is being pinned; its entry is no longer LOCKED, and the page is cut off, or the object
 * ends. Rule: the pin is counted while the entry is LOCKED, and who takes the page out of the object asks the count.
 * Broken: the frame is freed under the pin.
 * mutant: pin_counts_late
 * mutant: cut_frees_pinned
 */
#include "tests/windows/migrate.h"

static uint64_t pfn;

static void window_pin(struct window_thread *t) { t->result = vmmap_pin(t->map, t->addr, PAGE, &pfn); }

/* Pinned, given back; nothing is left of page or frame. */
static void goes_on(struct window_thread *pin)
{
	point_release(pin->role, "pin_stored");
	window_join(pin);
	expect(pin->result == 0);
	rcu_drain();
	expect(frames_owned(pin->map) == 1);
	expect(vmmap_unpin(pin->map, &pfn, 1) == 0);
	expect(frames_owned(pin->map) == 0);
	expect(vmmap_unpin(pin->map, &pfn, 1) == -EALREADY);
}

static void cut_beside(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread pin = { .role = "pin", .fn = window_pin, .map = map, .addr = BASE };

	object_of(map, 1, false);
	object_at(map, BASE, 1, 0);
	expect(put_word(map, BASE, 7) == 8);
	window_start_to(&pin, "pin_stored");
	expect(vmmap_object_resize(object, 0) == 0);
	expect(frames_owned(map) == 1);
	goes_on(&pin);
	object_close(map);
}

static void end_beside(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread pin = { .role = "pin 2", .fn = window_pin, .map = map, .addr = BASE };

	object_of(map, 1, false);
	object_at(map, BASE, 1, 0);
	expect(put_word(map, BASE, 7) == 8);
	window_start_to(&pin, "pin_stored");
	vmmap_object_put(object);
	expect(vmmap_munmap(map, BASE, PAGE) == 0);
	goes_on(&pin);
	window_close(map);
}

static void script(const char *policy)
{
	cut_beside(policy);
	end_beside(policy);
}

int main(void)
{
	return window_run_every(false, script);
}
