/* SPDX-License-Identifier: MIT */
/* scenario_deadline.c - waits with a deadline: it passes when a grant is on its way, before, or while another waits. */
#include "bench/explore/scene.h"

#include "base/clock.h"
#include "base/thread.h"

static void eight_pages(void) { scene_pages(8); }

static void hold_4(void) { scene_keep_asleep(0, PAGES(4, 1)); }
static int hold_for_a_while(void) { return scene_take_until(1, PAGES(4, 1), scene_soon()); }

/* ---- the grant is on its way ---- */

static void grants_late(void)
{
	eight_pages();
	scene_stop(0, "handover_before_grant", BACK, THIRD);
}
static void hold_or_not(void)
{
	(void)scene_await(THERE);
	(void)hold_for_a_while();
	(void)hold_for_a_while();
	scene_signal(THIRD);
}

SCENARIO(deadline_grant, .what = "a deadline passes when the grant is on its way", .flags = SCENARIO_TIMERS,
	 .set_up = grants_late, .body = { hold_4, hold_or_not }, .mutants = "cancel_takes_claimed");

/* ---- before the releaser comes ---- */

static void hold_until_late(void)
{
	scene_keep(0, PAGES(4, 1), BACK);
	scene_signal(THIRD);
}
static void give_up(void)
{
	(void)scene_await(THERE);
	(void)hold_for_a_while();
	scene_signal(BACK);
	(void)hold_for_a_while();
}

SCENARIO(deadline_passed, .what = "a deadline passes before the releaser comes",
	 .set_up = eight_pages, .body = { hold_until_late, give_up }, .mutants = "claim_takes_cancelled");

static void give_up_and_wait(void)
{
	(void)scene_await(THERE);
	(void)hold_for_a_while();
	scene_take(1, PAGES(4, 1));
}
static void hold_until_asleep_again(void)
{
	scene_hold(0, PAGES(4, 1));
	scene_signal(THERE);
	scene_asleep(1);
	(void)scene_await(NEVER);
	scene_asleep(1);
	scene_release(0);
}

SCENARIO(deadline_again, .what = "who gave up comes back to the same queue",
	 .set_up = eight_pages, .body = { hold_until_asleep_again, give_up_and_wait },
	 .mutants = "rewait_pushes_twice");

/* ---- what was taken below ---- */

static void three_vmas(void)
{
	scene_map();
	scene_mmap(PAGES(4, 3), RW);
	scene_mmap(PAGES(7, 1), PROT_READ);
	scene_mmap(PAGES(9, 1), RW);
}
static void hold_9(void) { scene_keep(0, PAGES(9, 1), BACK); }
static void try_wide(void)
{
	(void)scene_await(THERE);
	(void)scene_take_until(1, PAGES(6, 6), scene_soon());
	scene_signal(BACK);
}

SCENARIO(deadline_partial, .what = "an edit gives up with a part of its range taken",
	 .set_up = three_vmas, .body = { hold_9, try_wide }, .mutants = "take_keeps_partial");

/* ---- an edit that insists, whose time is up ---- */

static void twenty_pages(void) { scene_pages(20); }
static void pass_until_insists(void)
{
	scene_hold(0, PAGES(0, 10));
	(void)scene_await(THERE);
	for (unsigned n = 0; n < 2; n++) {
		scene_asleep(1);
		scene_release(0);
		scene_hold(0, PAGES(0, 10));
	}
	scene_asleep(1);
	scene_release(0);
}
static void want_in_vain(void)
{
	(void)scene_await(THERE);
	(void)scene_take_until(1, PAGES(7, 23), clock_ns() + 1000000000);
	scene_signal(BACK);
}
static void hold_25(void) { scene_keep(2, PAGES(25, 1), SCENE_MUST + BACK); }

SCENARIO(deadline_handed, .what = "a part was handed over when the time is up",
	 .set_up = twenty_pages, .body = { pass_until_insists, want_in_vain, hold_25 },
	 .mutants = "handed_notes_borders");

/* ---- a pager has no deadline but its own ---- */

static int read_and_look(void *self, uint64_t page, void *bytes)
{
	(void)self;
	(void)page;
	for (unsigned i = 0; i < 4096 / 8; i++)
		((uint64_t *)bytes)[i] = 0;
	expect(thread_self()->deadline_ns == VMMAP_FOREVER);
	return 0;
}
static int write_nothing(void *self, uint64_t page, const void *bytes)
{
	(void)self;
	(void)page;
	(void)bytes;
	return 0;
}
static void paged(void)
{
	static const struct vmmap_pager pager = { .read_page = read_and_look, .write_page = write_nothing };

	scene_map_bytes();
	expect(vmmap_object_create(&scene.object, scene.physmem, "paged", 2 * 4096, &pager) == 0);
	scene_share(PAGE(0), 2, 0);
}
static void try_fault(void)
{
	int rc = vmmap_fault_until(scene.map, PAGE(1), PROT_WRITE, NULL, VMMAP_TRY);

	expect(rc == 0 || rc == -EAGAIN);
}
static void fault_too(void) { expect(scene_fault(1, PAGE(1), PROT_READ) == 0); }

SCENARIO(deadline_pager, .what = "a try of a fault asks a pager", .flags = SCENARIO_SHARED,
	 .set_up = paged, .body = { try_fault, fault_too }, .mutants = "pager_keeps_deadline");
