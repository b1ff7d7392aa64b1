/* SPDX-License-Identifier: MIT */
/* scenario_edit.c - edits against edits and faults: claims, cuts, queues, hand-over. */
#include "bench/explore/scene.h"

#define WIDE 1536                        /* three tables                                                            */

/* ---- the middle of a VMA, and faults in all parts ---- */

static void three_tables(void)
{
	scene_pages(WIDE);
	expect(vmmap_fault(scene.map, PAGE(512), PROT_WRITE, NULL) == 0);
}

static void unmap_middle(void) { scene_munmap(0, PAGES(512, 512)); }
static void fault_middle(void) { scene_fault(1, PAGE(513), PROT_WRITE); }
static void fault_below(void)  { scene_fault(2, PAGE(1), PROT_WRITE); }

static void middle_is_gone(void)
{
	expect(scene.result[0] == 0);
	expect(scene.result[1] == 0 || (scene.result[1] == -EFAULT && scene.info[1].code == VMMAP_MAPERR));
	expect(scene.result[2] == 0);
	expect(scene_mapped(PAGE(511), NULL) && !scene_mapped(PAGE(513), NULL) && scene_mapped(PAGE(1024), NULL));
}

SCENARIO(cut_middle, .what = "munmap cuts a table out of a VMA's middle; faults inside and below",
	 .set_up = three_tables, .body = { unmap_middle, fault_middle, fault_below }, .check = middle_is_gone,
	 .mutants = "claim_middle_free claim_old_version claim_left_early release_old_version");

static void long_vma(void) { scene_pages(2 * LONG); }

static void unmap_upper(void) { scene_munmap(0, PAGES(LONG, LONG)); }
static void fault_upper(void) { scene_fault(1, PAGE(LONG + 1), PROT_WRITE); }

static void upper_is_gone(void)
{
	expect(scene.result[0] == 0);
	expect(scene.result[1] == 0 || (scene.result[1] == -EFAULT && scene.info[1].code == VMMAP_MAPERR));
}

SCENARIO(cut_upper, .what = "munmap of the upper half of a VMA against a fault there",
	 .set_up = long_vma, .body = { unmap_upper, fault_upper }, .check = upper_is_gone,
	 .mutants = "claim_left_early claim_middle_free cut_keeps_version");

/* ---- ranges that are held ---- */

static void eight_pages(void) { scene_pages(8); }

/* Nobody else is inside while one holds: a word of its own says so. */
static void hold(unsigned i, uint64_t at, uint64_t len)
{
	scene_hold(i, at, len);
	for (uint64_t page = (at - SCENE_BASE) / 4096; page < (at - SCENE_BASE + len) / 4096; page++) {
		expect(scene.word[page] == 0);
		scene.word[page] = i + 1;
	}
	scene_pause();
	for (uint64_t page = (at - SCENE_BASE) / 4096; page < (at - SCENE_BASE + len) / 4096; page++) {
		expect(scene.word[page] == i + 1);
		scene.word[page] = 0;
	}
	scene_release(i);
}

static void hold_all(void)       { hold(0, PAGES(0, 8)); }
static void hold_all_twice(void) { hold(1, PAGES(0, 8)); hold(1, PAGES(0, 8)); }
static void hold_low(void)       { hold(0, PAGES(0, 4)); hold(0, PAGES(1, 4)); }
static void hold_middle(void)    { hold(1, PAGES(2, 4)); }
static void hold_high(void)      { hold(2, PAGES(4, 4)); hold(2, PAGES(3, 4)); }

SCENARIO(hold_two, .what = "two threads hold the same range, one of them twice",
	 .set_up = eight_pages, .body = { hold_all, hold_all_twice },
	 .mutants = "queue_left_open push_no_refind push_any_count wake_before_sweep note_unchecked "
		    "waiter_believes_wake");

SCENARIO(hold_stairs, .what = "three threads hold overlapping ranges of one VMA",
	 .set_up = eight_pages, .body = { hold_low, hold_middle, hold_high },
	 .mutants = "queue_left_open push_no_refind descending_acquire take_keeps_partial wake_before_sweep "
		    "handover_with_holes handover_assumes_held grant_reads_after claim_ignores_tickets");

static void scene_empty(void) { scene_map(); }

SCENARIO(hold_gap, .what = "three threads hold overlapping ranges of a gap: dummies only",
	 .set_up = scene_empty, .body = { hold_low, hold_middle, hold_high },
	 .mutants = "pass_dummy_whole cut_spares_dummies queue_left_open claim_skips_gap");

static void hold_three_times(unsigned i)
{
	for (unsigned n = 0; n < 3; n++)
		hold(i, PAGES(0, 8));
}
static void first_three(void)  { hold_three_times(0); }
static void second_three(void) { hold_three_times(1); }
static void third_three(void)  { hold_three_times(2); }

SCENARIO(hold_crowd, .what = "three threads hold one range three times each: insisting, hand-over, overtaking",
	 .set_up = eight_pages, .body = { first_three, second_three, third_three },
	 .mutants = "never_insists insisting_unheard handover_heeds_none claim_ignores_tickets poller_never_insists "
		    "brief_unheard handed_notes_borders waiter_believes_wake grant_reads_after");

static void hold_part(void) { hold(1, PAGES(2, 2)); hold(1, PAGES(2, 2)); }
static void fault_in_part(void)
{
	for (unsigned n = 0; n < 3; n++)
		expect(scene_fault(2, PAGE(3), PROT_WRITE) == 0);
}

SCENARIO(hold_part, .what = "hold of all, hold of a part, faults: a hand-over of a part, pins",
	 .set_up = eight_pages, .body = { first_three, hold_part, fault_in_part },
	 .mutants = "pass_vma_whole handover_no_redrain handover_forgets_cut handover_assumes_held claim_cuts_pinned "
		    "never_insists");

/* ---- a brief edit against a hold ---- */

static void carve_two(void) { expect(scene_munmap(1, PAGES(2, 2)) == 0); }

static void two_are_gone(void) { expect(!scene_mapped(PAGE(2), NULL) && scene_mapped(PAGE(4), NULL)); }

SCENARIO(hold_carve, .what = "a brief munmap against a hold of all",
	 .set_up = eight_pages, .body = { hold_all, carve_two }, .check = two_are_gone,
	 .mutants = "claim_steals_brief take_ignores_pins");

static void fault_carved(void)
{
	scene_fault(2, PAGE(2), PROT_WRITE);
	expect(scene.result[2] == 0 || scene.info[2].code == VMMAP_MAPERR);
}

SCENARIO(carve_fault_hold, .what = "a brief munmap, a fault on its page, a hold of all",
	 .set_up = eight_pages, .body = { hold_all, carve_two, fault_carved }, .check = two_are_gone,
	 .mutants = "carve_releases_early claim_steals_brief fault_no_recheck");

static void protect_brief(void) { expect(scene_protect(0, PAGES(0, 8), PROT_READ) == 0); }
static void protect_then_part(void)
{
	hold(1, PAGES(0, 8));
	expect(scene_protect(1, PAGES(0, 8), PROT_READ) == 0);
	expect(scene_protect(1, PAGES(4, 4), RW) == 0);
}

static void all_done(void)
{
	int low, high;

	expect(scene_mapped(PAGE(0), &low) && low == PROT_READ);
	expect(scene_mapped(PAGE(4), &high));
	/* The second thread's calls come one behind the other: only the first's can be the last word. */
	expect(high == PROT_READ || high == RW);
	if (scene.word[15] == 1)
		expect(high == PROT_READ);
}

SCENARIO(protect_again, .what = "a brief mprotect that must wait, against one that does the same and undoes a half",
	 .set_up = eight_pages, .body = { protect_brief, protect_then_part }, .check = all_done,
	 .mutants = "carve_looks_again");

/* ---- both forms, one range: the last one wins as a whole ---- */

static void protect_wide(void)  { expect(scene_protect(0, PAGES(0, LONG), PROT_READ) == 0); }
static void protect_other(void) { expect(scene_protect(1, PAGES(LONG / 2, LONG), PROT_NONE) == 0); }
static void unmap_across(void)  { expect(scene_munmap(2, PAGES(LONG - 10, 20)) == 0); }

/* mprotect over a hole says so. */
static void protect_wide_hole(void)
{
	int64_t rc = scene_protect(0, PAGES(0, LONG), PROT_READ);

	expect(rc == 0 || rc == -ENOMEM);
}
static void protect_other_hole(void)
{
	int64_t rc = scene_protect(1, PAGES(LONG / 2, LONG), PROT_NONE);

	expect(rc == 0 || rc == -ENOMEM);
}

static void edited_hole(void)
{
	int prot;

	expect(scene_mapped(PAGE(0), &prot) && prot == PROT_READ);
	expect(!scene_mapped(PAGE(LONG), NULL));
}

static void both_protect(void)
{
	int prot;

	expect(scene_mapped(PAGE(0), &prot) && prot == PROT_READ);
	expect(scene_mapped(PAGE(LONG + LONG / 2 - 1), &prot) && prot == PROT_NONE);
	expect(scene_mapped(PAGE(LONG / 2), &prot) && (prot == PROT_READ || prot == PROT_NONE));
}

SCENARIO(protect_two, .what = "two general mprotects that overlap",
	 .set_up = long_vma, .body = { protect_wide, protect_other }, .check = both_protect,
	 .mutants = "descending_acquire release_old_version");

SCENARIO(edit_three, .what = "two mprotects and a munmap across both: general and brief forms",
	 .set_up = long_vma, .body = { protect_wide_hole, protect_other_hole, unmap_across }, .check = edited_hole,
	 .mutants = "take_keeps_partial note_unchecked merge_one_look");
