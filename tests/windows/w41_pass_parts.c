/* SPDX-License-Identifier: MIT */
/*
 * Window: a release hands a part of what it holds to an edit that insists: a part of a VMA, a part of a gap.
 * Rule: nobody gets more than it asked for: a VMA wanted in part goes free and is claimed, a dummy is trimmed. Broken:
 * pages beside the range stay locked while the new holder works, or for ever.
 * mutant: pass_vma_whole
 * mutant: pass_dummy_whole
 */
#include "tests/policy/gate.h"
#include "tests/windows/window.h"

#define LEN    (16 * PAGE)
#define MIDDLE (BASE + 4 * PAGE)

static struct gate asleep, woken;

/* The waiter is granted a retry, and finds the range held again. */
static void overtake(struct vmmap *map, struct vmmap_held *held)
{
	gate_at(&woken, "waiter", "waiter_woken");
	vmmap_release(map, held);
	expect(gate_wait(&woken, 2000));
	expect(vmmap_hold(map, BASE, LEN, held) == 0);
	gate_at(&asleep, "waiter", "waiter_before_sleep");
	gate_open(&woken);
	expect(gate_wait(&asleep, 2000));
	gate_open(&asleep);
}

static void part(const char *policy, bool mapped)
{
	struct vmmap *map = window_map(policy);
	struct window_thread waiter = {
		.role = "waiter", .fn = window_hold, .map = map, .addr = MIDDLE, .len = 4 * PAGE
	};
	struct window_thread below = { .role = "below", .fn = window_mmap_fixed, .map = map, .addr = BASE, .len = PAGE };
	struct window_thread above = {
		.role = "above", .fn = window_mmap_fixed, .map = map, .addr = MIDDLE + 4 * PAGE, .len = PAGE
	};
	struct vmmap_held held;

	if (mapped)
		expect(vmmap_mmap(map, BASE, LEN, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_hold(map, BASE, LEN, &held) == 0);
	gate_at(&asleep, "waiter", "waiter_before_sleep");
	window_start(&waiter);
	expect(gate_wait(&asleep, 2000));
	gate_open(&asleep);
	overtake(map, &held);
	overtake(map, &held);
	expect(point_stop("waiter", "window_held", NULL, NULL) == 0);
	vmmap_release(map, &held);
	expect(point_wait_reached("waiter", "window_held", UINT64_C(1000000000)));
	window_start(&below);
	window_start(&above);
	expect(window_done_within(&below, 1000) && window_done_within(&above, 1000));
	point_release("waiter", "window_held");
	window_join(&waiter);
	window_join(&below);
	window_join(&above);
	expect(waiter.result == 0 && below.result == (int64_t)BASE && above.result == (int64_t)(MIDDLE + 4 * PAGE));
	window_close(map);
	point_reset();
	point_mutant_select(getenv("VMMAP_MUTANT"));
}

static void script(const char *policy)
{
	part(policy, true);
	part(policy, false);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", NULL }, script);
}
