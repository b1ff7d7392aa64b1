/* SPDX-License-Identifier: MIT */
/*
 * Window: a page is being pinned; its entry is no longer LOCKED, and an unmap takes it. Rule: the pin is counted while
 * the entry is LOCKED, and the entry says so, so the frame stays. Broken: it is freed under the pin.
 * mutant: pin_counts_late
 */
#include "tests/windows/migrate.h"

static uint64_t pfn;

static void window_pin(struct window_thread *t) { t->result = vmmap_pin(t->map, t->addr, PAGE, &pfn); }

static void script(const char *policy)
{
	struct vmmap *map = fork_map(policy, 1);
	struct window_thread pin = { .role = "pin", .fn = window_pin, .map = map, .addr = BASE };

	window_start_to(&pin, "pin_stored");
	expect(vmmap_munmap(map, BASE, PAGE) == 0);
	expect(frames_owned(map) == 1);
	point_release("pin", "pin_stored");
	window_join(&pin);
	expect(pin.result == 0);
	expect(frames_owned(map) == 1);
	expect(vmmap_unpin(map, &pfn, 1) == 0);
	expect(frames_owned(map) == 0);
	window_close(map);
}

int main(void)
{
	return window_run_every(false, script);
}
