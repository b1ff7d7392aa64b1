/* SPDX-License-Identifier: MIT */
/* scenario_visit.c - visits that are counted: as many as there may be, the last one out, one that is not waited for. */
#include "bench/explore/scenario.h"

enum { COUNTED = 1, REFUSED };
enum { INSIDE = 1, DRAINS, LATE, OUT, INSIDE_AGAIN, DRAINS_AGAIN, WOKEN };
enum { IN = 1, TAKEN, GO_ON = TAKEN + 3, UNMAPPED = GO_ON + 3 };

/* ---- as many visits as can be counted ---- */

static void one_more(void)
{
	scene_map();
	scene_mmap(PAGES(0, 8), RW);
	scene_pins(PAGE(0), 1);
	scene_stop(0, "visit_after_pin", COUNTED, REFUSED);
}
static void fault_counted(void)
{
	int rc = vmmap_fault_until(scene.map, PAGE(0), PROT_WRITE, NULL, VMMAP_TRY);

	expect(rc == 0 || rc == -EAGAIN);
	scene_signal(COUNTED);
}
static void fault_uncounted(void)
{
	int rc;

	scene_await(COUNTED);
	rc = vmmap_fault_until(scene.map, PAGE(1), PROT_WRITE, NULL, VMMAP_TRY);
	expect(rc == -EAGAIN || scene.signal[REFUSED]);
	scene_signal(REFUSED);
	expect(vmmap_fault(scene.map, PAGE(1), PROT_WRITE, NULL) == 0);
}
static void none_counted(void) { scene_pins(PAGE(0), UINT32_MAX); }

SCENARIO(visit_full, .what = "two faults, and the counter of visits has room for one", .policy = "vma-count",
	 .set_up = one_more, .body = { fault_counted, fault_uncounted }, .check = none_counted,
	 .mutants = "pins_no_limit");

/* ---- a waker is late: the counter that it was inside of lives again ---- */

static void wakes_late(void)
{
	scene_map();
	scene_mmap(PAGES(0, 16), RW);
	scene_stop(0, "fault_before_cas", INSIDE, DRAINS);
	scene_stop(1, "drain_after_w", DRAINS, LATE);
	scene_stop(0, "unpin_before_wake", LATE, DRAINS_AGAIN);
	scene_stop(2, "fault_before_cas", INSIDE_AGAIN, WOKEN);
	scene_stop(1, "drain_after_w", DRAINS_AGAIN, WOKEN);
}
static void fault_and_wake(void)
{
	expect(scene_fault(0, PAGE(0), PROT_WRITE) == 0);
	scene_signal(WOKEN);
}
static void drain_twice(void)
{
	scene_await(INSIDE);
	scene_hold(1, PAGES(0, 16));
	scene_release(1);
	scene_signal(OUT);
	scene_await(INSIDE_AGAIN);
	scene_hold(1, PAGES(0, 16));
	scene_release(1);
}
static void fault_after(void)
{
	scene_await(OUT);
	expect(scene_fault(2, PAGE(1), PROT_WRITE) == 0);
}

SCENARIO(visit_wake, .what = "the last visit out wakes who drains; that one drains the next visit by then",
	 .policy = "vma-count", .set_up = wakes_late, .body = { fault_and_wake, drain_twice, fault_after },
	 .mutants = "unpin_touches_late");

/* ---- an edit that a VMA is handed to finds a visit inside ---- */

#define MANY     100
#define TOO_MUCH ((UINT64_C(1) << 47) - SCENE_BASE)

/* Its edits end without having looked for visits: there is no room for what they want, be the source there or not. */
static void taken_thrice(void)
{
	scene_map();
	scene_mmap(PAGES(0, MANY), RW);
	scene_mmap(PAGES(1 << 20, 1), RW);
	for (unsigned n = 0; n < 3; n++)
		scene_stop(1, "edit_after_lk", TAKEN + n, GO_ON + n);
}
static void be_inside(void)
{
	scene_visit(PAGE(5));
	scene_signal(IN);
	for (unsigned n = 0; n < 3; n++) {
		scene_await(TAKEN + n);
		scene_asleep(2);
		scene_signal(GO_ON + n);
	}
	expect(!scene_await(UNMAPPED));
	scene_visit_end();
}
static void move_in_vain(void)
{
	scene_await(IN);
	for (unsigned n = 0; n < 3; n++)
		expect(vmmap_mremap(scene.map, PAGES(0, MANY), TOO_MUCH, MREMAP_MAYMOVE, 0) < 0);
}
static void unmap_handed(void)
{
	scene_await(TAKEN);
	expect(scene_munmap(2, PAGES(0, MANY)) == 0);
	scene_signal(UNMAPPED);
}

SCENARIO(visit_inside, .what = "a munmap is handed a VMA, and a visit is inside", .policy = "vma-count",
	 .set_up = taken_thrice, .body = { be_inside, move_in_vain, unmap_handed }, .mutants = "handover_no_redrain");
