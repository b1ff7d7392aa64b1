/* SPDX-License-Identifier: MIT */
/* insist.h - a script's waiter (role "waiter") is made to insist: it sleeps, and is overtaken twice. */
#ifndef TESTS_WINDOWS_INSIST_H
#define TESTS_WINDOWS_INSIST_H

#include "tests/policy/gate.h"
#include "tests/windows/window.h"

#define INSIST_SOON_MS 5000

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

#endif
