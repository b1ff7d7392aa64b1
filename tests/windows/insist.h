/* SPDX-License-Identifier: MIT */
/* insist.h - a script's waiter (role "waiter") is made to insist: it sleeps, and is overtaken twice. */
#ifndef TESTS_WINDOWS_INSIST_H
#define TESTS_WINDOWS_INSIST_H

#include "tests/policy/gate.h"
#include "tests/windows/window.h"

#define INSIST_SOON_MS 20000

static struct gate insist_asleep, insist_woken;

static void insist_sleeps(void)
{
	expect(gate_wait(&insist_asleep, INSIST_SOON_MS));
	gate_open(&insist_asleep);
}

/* [BASE, BASE + len) is let go of and taken again before the waiter looks. */
static void insist_overtake(struct vmmap *map, struct vmmap_held *all, uint64_t len)
{
	gate_at(&insist_woken, "waiter", "waiter_woken");
	vmmap_release(map, all);
	expect(gate_wait(&insist_woken, INSIST_SOON_MS));
	expect(vmmap_hold(map, BASE, len, all) == 0);
	gate_at(&insist_asleep, "waiter", "waiter_before_sleep");
	gate_open(&insist_woken);
	insist_sleeps();
}

/* Holds [BASE, BASE + len), in which the waiter wants something, and starts it: it insists when this returns. */
static void insist_start(struct vmmap *map, struct window_thread *waiter, struct vmmap_held *all, uint64_t len)
{
	expect(vmmap_hold(map, BASE, len, all) == 0);
	gate_at(&insist_asleep, "waiter", "waiter_before_sleep");
	window_start(waiter);
	insist_sleeps();
	insist_overtake(map, all, len);
	insist_overtake(map, all, len);
}

/* ---- a waiter that insists, and whose time is up all the same ---- */

/* The script takes milliseconds; a point is held for 5 s. */
static inline void insist_hold_for_a_while(struct window_thread *t)
{
	struct vmmap_held held;

	t->result = vmmap_hold_until(t->map, t->addr, t->len, &held, clock_ns() + UINT64_C(3000000000));
	if (!t->result)
		vmmap_release(t->map, &held);
}

/* The waiter wants [lo, hi): a part of [BASE, BASE + len), which `release` lets go of, and `page` above that, which is
 * held to the end. Nothing is left of its begin. */
static inline void insist_in_vain(struct vmmap *map, uint64_t lo, uint64_t hi, uint64_t len,
				  uint64_t page, void (*release)(struct vmmap *map, struct vmmap_held *all))
{
	struct window_thread waiter = { .role = "waiter", .fn = insist_hold_for_a_while, .map = map, .addr = lo,
					.len = hi - lo };
	struct window_thread above = { .role = "above", .fn = window_hold, .map = map, .addr = page, .len = PAGE };
	struct vmmap_held all;

	expect(point_stop("above", "window_held", NULL, NULL) == 0);
	window_start_to(&above, "window_held");
	insist_start(map, &waiter, &all, len);
	release(map, &all);
	window_join(&waiter);
	expect(waiter.result == -ETIMEDOUT);
	point_release("above", "window_held");
	window_join(&above);
	expect(vmmap_audit(map, stderr) == 0);
}

#endif
