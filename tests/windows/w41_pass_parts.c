/* SPDX-License-Identifier: MIT */
/*
 * Window: a release hands a part of what it holds to an edit that insists: a part of a VMA, a part of a gap.
 * Rules: nobody gets more than it asked for: a VMA is cut, a dummy is trimmed; broken: pages beside the range stay locked
 * while the new holder works, or for ever. And nobody comes between: the part is not free for an instant; broken (and
 * seen, docs/races.md): a waiter is overtaken at each hand-over.
 * mutant: pass_vma_whole
 * mutant: pass_dummy_whole
 * mutant: pass_no_cut
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

static struct window_thread barger;

/* In the releaser, when it has passed the part on: an edit that waited for nothing so far. */
static void barge(void *arg)
{
	(void)arg;
	window_start(&barger);
	expect(!window_done_within(&barger, 30));
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
	barger = (struct window_thread){ .role = "barger", .fn = window_mmap_fixed, .map = map, .addr = MIDDLE,
					 .len = PAGE };
	expect(vmmap_hold(map, BASE, LEN, &held) == 0);
	gate_at(&asleep, "waiter", "waiter_before_sleep");
	window_start(&waiter);
	expect(gate_wait(&asleep, 2000));
	gate_open(&asleep);
	overtake(map, &held);
	overtake(map, &held);
	expect(point_stop("waiter", "window_held", NULL, NULL) == 0);
	expect(point_call(NULL, "handover_before_claim", barge, NULL) == 0);
	vmmap_release(map, &held);
	expect(point_wait_reached("waiter", "window_held", UINT64_C(1000000000)));
	window_start(&below);
	window_start(&above);
	expect(window_done_within(&below, 1000) && window_done_within(&above, 1000));
	point_release("waiter", "window_held");
	window_join(&waiter);
	window_join(&below);
	window_join(&above);
	window_join(&barger);
	expect(barger.result == (int64_t)MIDDLE);
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
