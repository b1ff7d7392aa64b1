/* SPDX-License-Identifier: MIT */
/* scenario_table.c - locks that live in page tables (pt-lock): strays, tables that are made, what is set aside. */
#include "bench/explore/scene.h"

#define MIB 256                          /* pages                                                                   */
#define GIB (1024 * MIB)

static void touched(uint64_t pages, uint64_t step)
{
	scene_pages(pages);
	for (uint64_t at = 0; at < pages; at += step)
		expect(vmmap_fault(scene.map, PAGE(at), PROT_WRITE, NULL) == 0);
}

/* ---- strays ---- */

static void descended(void)
{
	touched(4 * MIB, 2 * MIB);
	scene_stop(0, "table_after_descent", THERE, BACK);
	scene_stop(0, "fault_before_cas", THIRD, FOURTH);
}
static void fault_1(void)
{
	expect(scene_fault(0, PAGE(1), PROT_WRITE) == 0);
	scene_signal(5);
}
/* The table is unlinked, and made anew: who is at work in the other one keeps nobody out. */
static void unlink_and_try(void)
{
	(void)scene_await(THERE);
	expect(scene_munmap(1, PAGES(0, 4 * MIB)) == 0);
	expect(scene_fixed(1, PAGES(0, 4 * MIB), RW) == (int64_t)PAGE(0));
	scene_signal(BACK);
	if (scene_await(THIRD))
		expect(scene_take_until(1, PAGES(0, 1), VMMAP_TRY) == -EAGAIN || scene.signal[FOURTH]);
	scene_signal(FOURTH);
}

SCENARIO(table_stray, .what = "a table is unlinked between a fault's descent and its lock", .policy = "pt-lock",
	 .set_up = descended, .body = { fault_1, unlink_and_try }, .mutants = "table_stray_unseen");

static void unlinked_under(void)
{
	touched(4 * MIB, 2 * MIB);
	scene_stop(0, "pt_free_before_unlink", THERE, BACK);
}
static void unmap_all(void) { expect(scene_munmap(0, PAGES(0, 4 * MIB)) == 0); }
static void fault_waits(void)
{
	(void)scene_await(THERE);
	scene_fault(1, PAGE(1), PROT_WRITE);
	expect(scene.result[1] == 0 || scene.info[1].code == VMMAP_MAPERR);
}

SCENARIO(table_stray_queue, .what = "a table is unlinked under a fault that waits for its lock", .policy = "pt-lock",
	 .set_up = unlinked_under, .body = { unmap_all, fault_waits }, .mutants = "table_stray_silent");

/* ---- a table is made ---- */

static void sixteen_mib(void) { scene_pages(16 * MIB); }
static void hold_four_mib(void) { scene_keep(0, PAGES(0, 4 * MIB), SCENE_MUST + BACK); }
static void fault_8_mib(void)
{
	scene_must(THERE);
	expect(vmmap_fault_until(scene.map, PAGE(8 * MIB), PROT_WRITE, NULL, VMMAP_TRY) == -EAGAIN);
	scene_signal(BACK);
}

SCENARIO(table_made, .what = "a table is to be made under one that another holds", .policy = "pt-lock",
	 .set_up = sixteen_mib, .body = { hold_four_mib, fault_8_mib }, .mutants = "table_made_unlocked");

static void made_and_held(void)
{
	sixteen_mib();
	scene_stop(0, "fault_before_cas", THERE, BACK);
}
static void try_8(void)
{
	if (scene_await(THERE))
		expect(scene_take_until(1, PAGES(8, 1), VMMAP_TRY) == -EAGAIN || scene.signal[BACK]);
	scene_signal(BACK);
}

SCENARIO(table_born, .what = "a fault has made a table, and another comes by it", .policy = "pt-lock",
	 .set_up = made_and_held, .body = { fault_1, try_8 }, .mutants = "table_born_free");

/* ---- tables below ---- */

static void in_the_second(void)
{
	touched(4 * MIB, 2 * MIB);
	scene_stop(0, "fault_before_cas", THERE, BACK);
}
static void fault_3_mib(void) { expect(scene_fault(0, PAGE(3 * MIB), PROT_WRITE) == 0); }
static void try_over_both(void)
{
	if (scene_await(THERE))
		expect(scene_take_until(1, PAGES(MIB, 2 * MIB), VMMAP_TRY) == -EAGAIN || scene.signal[BACK]);
	scene_signal(BACK);
}

SCENARIO(table_below, .what = "an edit over two tables while a fault is at work in the second", .policy = "pt-lock",
	 .set_up = in_the_second, .body = { fault_3_mib, try_over_both }, .mutants = "table_below_unlocked");

/* ---- a second range ---- */

static void three_gib(void) { touched(3 * GIB, GIB / 2); }
static void hold_and_unmap(void)
{
	scene_hold(0, PAGES(0, 1));
	scene_signal(THERE);
	scene_asleep(1);
	expect(scene_munmap(0, PAGES(GIB + GIB / 2, GIB)) == 0);
	scene_release(0);
}
static void unmap_across(void)
{
	(void)scene_await(THERE);
	expect(scene_munmap(1, PAGES(1, GIB + GIB / 4)) == 0);
}

SCENARIO(table_aside, .what = "a second range waits for what waits for the first", .policy = "pt-lock",
	 .set_up = three_gib, .body = { hold_and_unmap, unmap_across }, .mutants = "table_not_set_aside");

/* The page stays held while its table is given up. */
static void set_aside(void)
{
	three_gib();
	scene_stop(1, "pt_free_before_unlink", BACK, NEVER);
}
static void hold_and_unmap_far(void)
{
	scene_hold(0, PAGES(0, 1));
	scene.word[0] = 1;
	scene_signal(THERE);
	(void)scene_await(BACK);
	expect(scene_munmap(0, PAGES(GIB + GIB / 2, GIB)) == 0);
	scene.word[0] = 0;
	scene_release(0);
}
static void in_the_way(void)
{
	(void)scene_await(THERE);
	expect(scene_munmap(1, PAGES(GIB - GIB / 4, GIB / 2)) == 0);
}
static void fault_held(void)
{
	(void)scene_await(BACK);
	scene_asleep(0);
	expect(scene_fault(2, PAGE(0), PROT_WRITE) == 0);
	expect(scene.word[0] == 0);
}

SCENARIO(table_marks, .what = "a fault comes to a page that is set aside", .policy = "pt-lock",
	 .set_up = set_aside, .body = { hold_and_unmap_far, in_the_way, fault_held },
	 .mutants = "table_marks_unseen");

/* The lower one waits for what the upper one has set aside, which waits for a table of the lower one. */
static void hold_low(void)
{
	scene_hold(0, PAGES(0, GIB + GIB / 4));
	scene_signal(THERE);
	(void)scene_await(BACK);
	scene_asleep(1);
	expect(scene_munmap(0, PAGES(GIB + GIB / 2, MIB)) == 0);
	scene_release(0);
}
static void hold_high(void)
{
	scene_hold(1, PAGES(GIB + GIB / 2 + 16, 1));
	scene_signal(BACK);
	(void)scene_await(THERE);
	expect(scene_munmap(1, PAGES(2 * GIB - MIB, 2 * MIB)) == 0);
	scene_release(1);
}

SCENARIO(table_marks_and_tables, .what = "one waits for a mark, the other for a table", .policy = "pt-lock",
	 .set_up = three_gib, .body = { hold_low, hold_high }, .mutants = "table_marks_awaited");

/* ---- a deadline ---- */

static void quits_late(void)
{
	touched(MIB, MIB);
	scene_stop(1, "table_before_quit", BACK, THIRD);
}
static void hold_and_go(void)
{
	scene_keep(0, PAGES(0, 1), BACK);
	scene_signal(THIRD);
}
static void fault_for_a_while(void) { scene_then_fault_soon(PAGE(0)); }

SCENARIO(table_quit, .what = "a deadline passes when the table's lock is granted", .policy = "pt-lock",
	 .set_up = quits_late, .body = { hold_and_go, fault_for_a_while }, .mutants = "table_quits_granted");
