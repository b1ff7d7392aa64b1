/* SPDX-License-Identifier: MIT */
/* scenario_window.c - edits and faults that are led to a window by stops: VMAs that live again, borders of leaves. */
#include "bench/explore/scene.h"

#define FAR_AWAY 256

/* ---- a fault that has found a VMA of another life ---- */

static void one_page(void)
{
	scene_pages(1);
	scene_stop(0, "fault_after_begin", THERE, BACK);
}
static void fault_must(void) { expect(scene_fault(0, PAGE(0), PROT_WRITE) == 0); }
static void renew_and_none(void)
{
	scene_await(THERE);
	expect(scene_fixed(1, PAGES(0, 1), RW) == (int64_t)PAGE(0));
	expect(scene_fixed(1, PAGES(FAR_AWAY, 1), PROT_NONE) == (int64_t)PAGE(FAR_AWAY));
	scene_signal(BACK);
}

SCENARIO(window_refused, .what = "a page is mapped anew, its old VMA lives elsewhere without any right",
	 .set_up = one_page, .body = { fault_must, renew_and_none }, .mutants = "fault_denies_unchecked");

static void of_object(void)
{
	scene_map_bytes();
	scene_object(1, false);
	expect(vmmap_mmap(scene.map, PAGES(0, 1), RW, MAP_PRIVATE | MAP_FIXED, scene.object, 0) == (int64_t)PAGE(0));
	vmmap_object_put(scene.object);
	scene_stop(0, "fault_before_object", THERE, BACK);
}
static void fault_or_hole(void)
{
	scene_fault(0, PAGE(0), PROT_WRITE);
	expect(scene.result[0] == 0 || scene.info[0].code == VMMAP_MAPERR);
}
static void renew_anonymous(void)
{
	scene_await(THERE);
	expect(scene_munmap(1, PAGES(0, 1)) == 0);
	expect(scene_fixed(1, PAGES(0, 1), RW) == (int64_t)PAGE(0));
	scene_signal(BACK);
}

SCENARIO(window_object, .what = "a VMA's last reference on an object goes under a fault", .flags = SCENARIO_SHARED,
	 .set_up = of_object, .body = { fault_or_hole, renew_anonymous }, .mutants = "fault_object_twice");

/* ---- a fault waits, and its VMA is another one when it is woken ---- */

static void waits_for_unmap(void)
{
	scene_pages(1024);
	scene_stop(1, "unmap_after_begin", THERE, NEVER);
	scene_stop(0, "waiter_woken", THIRD, BACK);
}
static void unmap_and_map_far(void)
{
	expect(scene_munmap(1, PAGES(0, 1024)) == 0);
	expect(scene_fixed(1, PAGES(16384, 1024), RW) == (int64_t)PAGE(16384));
	scene_signal(BACK);
}
static void fault_waits(void)
{
	scene_await(THERE);
	fault_or_hole();
	expect(scene.result[0] != 0);
}

SCENARIO(window_resume, .what = "a fault waits for a munmap whose VMA object is used again",
	 .set_up = waits_for_unmap, .body = { fault_waits, unmap_and_map_far }, .mutants = "waiter_keeps_slot");

/* ---- a fault that insists counts itself in when the VMA dies ---- */

static void late_pin(void)
{
	scene_map();
	scene_mmap(PAGES(0, 1), PROT_READ);
	scene_stop(0, "visit_before_valid", THERE, BACK);
	scene_stop(0, "fault_before_cas", THIRD, FOURTH);
	scene_stop(0, "visit_before_pin", 5, 6);
	scene_stop(0, "visit_after_pin", 7, 8);
}
static void unmap_under_pin(void)
{
	scene_await(THERE);
	expect(scene_protect(1, PAGES(0, 1), RW) == 0);
	scene_signal(BACK);
	scene_await(THIRD);
	expect(scene_protect(1, PAGES(0, 1), RW | PROT_EXEC) == 0);
	scene_signal(FOURTH);
	scene_await(5);
	scene_stop(1, "carve_before_leave", 6, 7);
	expect(scene_munmap(1, PAGES(0, 1)) == 0);
	scene_signal(8);
}
static void fault_insists(void)
{
	scene_fault(0, PAGE(0), PROT_WRITE);
	for (unsigned n = THERE; n < 9; n++)
		scene_signal(n);
	expect(scene.result[0] == 0 || scene.result[0] == -EFAULT);
}

SCENARIO(window_late_pin, .what = "a VMA dies between a late visitor's + 1 and - 1",
	 .set_up = late_pin, .body = { fault_insists, unmap_under_pin }, .mutants = "give_resets_pins");

/* ---- several leaves ---- */

static void three_leaves(void)
{
	scene_map();
	scene_separate(PAGE(512));
	scene_separate(PAGE(1024));
	scene_mmap(PAGES(0, 1536), PROT_READ);
	scene_stop(0, "replace_after_leave", THERE, BACK);
}
static void replace_all(void) { expect(scene_fixed(0, PAGES(0, 1536), RW) == (int64_t)PAGE(0)); }
/* Who is let in at the low end finds the high end new. */
static void low_then_high(void)
{
	int prot;

	scene_await(THERE);
	if (scene_fault(1, PAGE(0), PROT_WRITE) == 0)
		expect(scene_mapped(PAGE(1535), &prot) && prot == RW);
	scene_signal(BACK);
}

SCENARIO(window_half_done, .what = "MAP_FIXED over three leaves; the low end is let in",
	 .set_up = three_leaves, .body = { replace_all, low_then_high }, .mutants = "born_free");

/* ---- a brief edit ---- */

static void eight_pages(void) { scene_pages(8); }
static void protect_page(void) { expect(scene_protect(1, PAGES(0, 1), PROT_READ) == 0); }
static void hold_page_1(void)
{
	scene_hold(2, PAGES(1, 1));
	expect(scene.word[0] == 0);
	scene.word[0] = 3;
	scene_pause();
	scene.word[0] = 0;
	scene_release(2);
}
static void brief_published(void)
{
	eight_pages();
	scene_stop(1, "carve_after_leave", THERE, BACK);
}
static void hold_stolen(void)
{
	if (!scene_await(THERE))
		return;
	scene_hold(0, PAGES(0, 8));
	scene_signal(BACK);
	expect(scene.word[0] == 0);
	scene.word[0] = 1;
	scene_await(THIRD);
	scene_pause();
	scene.word[0] = 0;
	scene_release(0);
}
static void protect_and_tell(void)
{
	protect_page();
	scene_signal(THIRD);
}

SCENARIO(window_brief_held, .what = "a hold comes to what a brief edit has not given back yet",
	 .set_up = brief_published, .body = { hold_stolen, protect_and_tell, hold_page_1 },
	 .mutants = "claim_steals_brief");
static void not_done(void)
{
	eight_pages();
	scene_stop(0, "carve_not_done", THERE, BACK);
}
static void protect_eight(void)
{
	scene_await(THIRD);
	expect(scene_protect(0, PAGES(0, 8), PROT_READ) == 0);
	scene_signal(THERE);
}
static void change_meanwhile(void)
{
	struct vmmap_fault_info info;

	scene_hold(1, PAGES(0, 8));
	scene_signal(THIRD);
	scene_await(THERE);
	scene_release(1);
	expect(scene_protect(1, PAGES(0, 8), PROT_READ) == 0);
	expect(scene_protect(1, PAGES(4, 4), RW) == 0);
	scene_signal(BACK);
	scene_asleep(0);
	if (scene.signal[FOURTH])
		return;
	expect(vmmap_fault(scene.map, PAGE(4), PROT_WRITE, &info) == -EFAULT);
}

SCENARIO(window_not_done, .what = "a brief mprotect must wait; meanwhile its VMA gets the bits, and loses pages",
	 .set_up = not_done, .body = { protect_eight, change_meanwhile }, .mutants = "carve_looks_again");

static void taken_late(void)
{
	scene_map();
	scene_separate(PAGE(512));
	scene_mmap(PAGES(0, 512), RW);
	scene_mmap(PAGES(512, 512), PROT_READ);
	scene_stop(0, "merge_before_slots", THERE, BACK);
	scene_stop(1, "carve_before_take", BACK, THIRD);
}
static void protect_both(void)
{
	expect(scene_protect(0, PAGES(0, 1024), RW) == 0);
	scene_signal(THIRD);
}
static void carve_one(void)
{
	scene_await(THERE);
	expect(scene_munmap(1, PAGES(256, 1)) == 0);
}
static void two_vmas(void)
{
	struct vmmap_vma v;

	expect(vmmap_query(scene.map, PAGE(0), &v) == 0 && v.start == PAGE(0) && v.end == PAGE(256));
	expect(vmmap_query(scene.map, PAGE(256), &v) == 0 && v.start == PAGE(257) && v.end == PAGE(1024));
}

SCENARIO(window_spans, .what = "a brief munmap takes a VMA that was joined over a border meanwhile",
	 .set_up = taken_late, .body = { protect_both, carve_one }, .check = two_vmas,
	 .mutants = "carve_spans_early");

/* ---- versions ---- */

static void upper_half_touched(void)
{
	scene_pages(2 * LONG);
}
/* A fault in the upper half, its munmap by another, a fault there again. */
static void fault_twice(void)
{
	expect(scene_fault(0, PAGE(2 * LONG - 1), PROT_WRITE) == 0);
	scene_signal(THERE);
	scene_await(BACK);
	expect(scene_fault(0, PAGE(2 * LONG - 2), PROT_WRITE) == -EFAULT);
	expect(scene_fault(0, PAGE(0), PROT_WRITE) == 0);
}
static void unmap_half(void) { scene_then_munmap(PAGES(LONG, LONG)); }

/* An edit, a fault that finds the VMA as that has left it, another edit by the same thread. */
static void same_thread_twice(void)
{
	scene_pages(LONG);
	scene_stop(0, "fault_before_cas", THIRD, FOURTH);
}
static void fault_between(void)
{
	(void)scene_await(THERE);
	scene_fault(0, PAGE(3), PROT_WRITE);
	expect(scene.result[0] == 0 || scene.info[0].code == VMMAP_ACCERR);
}
static void hold_then_protect(void)
{
	scene_hold(1, PAGES(0, LONG));
	scene_release(1);
	scene_signal(THERE);
	(void)scene_await(THIRD);
	expect(scene_protect(1, PAGES(0, LONG), PROT_READ) == 0);
	scene_signal(FOURTH);
}

SCENARIO(window_version_new, .what = "two edits by one thread, a fault begins between them",
	 .set_up = same_thread_twice, .body = { fault_between, hold_then_protect }, .mutants = "release_old_version");

SCENARIO(window_version, .what = "a VMA shrinks that a thread remembers from its last visit",
	 .set_up = upper_half_touched, .body = { fault_twice, unmap_half },
	 .mutants = "cut_keeps_version");
SCENARIO(window_version_rwsem, .what = "the same under one lock", .policy = "rwsem",
	 .set_up = upper_half_touched, .body = { fault_twice, unmap_half },
	 .mutants = "cut_keeps_version drop_keeps_version");

static void small_touched(void) { scene_pages(8); }
static void fault_small_twice(void)
{
	expect(scene_fault(0, PAGE(7), PROT_WRITE) == 0);
	scene_signal(THERE);
	scene_await(BACK);
	expect(scene_fault(0, PAGE(6), PROT_WRITE) == -EFAULT);
	expect(scene_fault(0, PAGE(0), PROT_WRITE) == 0);
}
static void unmap_small_half(void) { scene_then_munmap(PAGES(4, 4)); }

SCENARIO(window_version_brief, .what = "the same, in the brief form",
	 .set_up = small_touched, .body = { fault_small_twice, unmap_small_half }, .mutants = "drop_keeps_version");
SCENARIO(window_version_checked, .what = "the same, brief, under one lock", .policy = "rwsem",
	 .set_up = small_touched, .body = { fault_small_twice, unmap_small_half }, .mutants = "drop_keeps_version");

static void outer_pieces(void)
{
	scene_pages(2 * LONG);
	expect(scene_protect(0, PAGES(0, LONG), PROT_READ) == 0);
}
static void hold_middle(void)
{
	scene_hold(0, PAGES(1, 2 * LONG - 2));
	expect(scene_version(PAGE(0)) != scene_version(PAGE(2 * LONG - 1)) || scene_version(PAGE(0)) == 0);
	scene_release(0);
}
static void fault_outside(void) { expect(scene_fault(1, PAGE(2 * LONG - 1), PROT_WRITE) == 0); }

SCENARIO(window_two_pieces, .what = "two VMAs are cut by one hold: the outer pieces have versions of their own",
	 .set_up = outer_pieces, .body = { hold_middle, fault_outside }, .mutants = "claim_one_version");

/* ---- an edit of the middle: who comes to a page outside goes on at once ---- */

static void cut_middle(void)
{
	scene_pages(1024);
	scene_stop(0, "claim_before_leave", THERE, BACK);
}
static void cut_middle_spans(void)
{
	scene_map();
	scene_separate(PAGE(384));
	scene_mmap(PAGES(0, 1024), RW);
	scene_stop(0, "claim_after_extent", THERE, BACK);
}
static void hold_inner(void)
{
	scene_hold(0, PAGES(256, 256));
	if (scene.signal[THIRD])                 /* the fault below does not sleep until we let go                  */
		scene_must(FOURTH);
	scene_release(0);
}
static void fault_below(void)
{
	scene_await(THERE);
	scene_signal(THIRD);
	expect(scene_fault(1, PAGE(0), PROT_WRITE) == 0);
	scene_signal(FOURTH);
}

SCENARIO(window_outer, .what = "a hold of the middle and a fault below it",
	 .set_up = cut_middle, .body = { hold_inner, fault_below }, .mutants = "claim_shows_outer");
SCENARIO(window_outer_spans, .what = "the same, over a border of leaves",
	 .set_up = cut_middle_spans, .body = { hold_inner, fault_below }, .mutants = "claim_shows_outer");

/* ---- groups ---- */

static void three_vmas(void)
{
	scene_pages(4);
	scene_mmap(PAGES(4, 4), PROT_READ);
	scene_mmap(PAGES(8, 4), RW);
	scene_stop(0, "join_before_take", THERE, BACK);
}
static void middle_to_rw(void) { expect(scene_protect(0, PAGES(4, 4), RW) == 0); }
static void write_upper(void)
{
	scene_await(THERE);
	expect(scene_fault(1, PAGE(8), PROT_WRITE) == 0);
	scene_signal(BACK);
}
static void written_has_group(void) { expect(scene_group(PAGE(8)) != 0); }

SCENARIO(window_group, .what = "a VMA that is about to be swallowed gets its group",
	 .set_up = three_vmas, .body = { middle_to_rw, write_upper }, .check = written_has_group,
	 .mutants = "join_group_early");

/* ---- a mapping beside what is held ---- */

static void four_held(void) { scene_pages(4); }
static void hold_four(void) { scene_keep(0, PAGES(0, 4), BACK); }
static void map_and_fault(void)
{
	scene_await(THERE);
	expect(scene_fixed(1, PAGES(4, 4), RW) == (int64_t)PAGE(4));
	expect(vmmap_fault_until(scene.map, PAGE(4), PROT_WRITE, NULL, VMMAP_TRY) == 0);
	scene_signal(BACK);
}

SCENARIO(window_beside, .what = "what is mapped beside a held VMA is free",
	 .set_up = four_held, .body = { hold_four, map_and_fault }, .mutants = "merge_into_held");

/* ---- one lock for all edits: what is to be joined is joined before it goes ---- */

static void below_border(void)
{
	scene_map();
	scene_separate(PAGE(512));
	scene_mmap(PAGES(508, 4), RW);
}
static void try_above_border(void)
{
	int64_t at = vmmap_mmap_until(scene.map, PAGES(512, 4), RW, ANON | MAP_FIXED, NULL, 0, VMMAP_TRY);

	expect(at == (int64_t)PAGE(512) || at == -EAGAIN);
	scene.word[0] = at > 0;
}
static void hold_page(void)
{
	scene_hold(1, PAGES(0, 1));
	scene_pause();
	scene_release(1);
}
static void one_object(void)
{
	expect(!scene.word[0] || scene_vma(PAGE(511)) == scene_vma(PAGE(512)));
}

SCENARIO(window_one_lock, .what = "a try joins over a border, and another edit waits for the lock", .policy = "rwsem",
	 .set_up = below_border, .body = { try_above_border, hold_page }, .check = one_object,
	 .mutants = "merge_after_lock");

/* ---- VMAs at a border of leaves that change under a look ---- */

#define BELOW 496

static void at_border(void)
{
	scene_map();
	scene_separate(PAGE(512));
	scene_mmap(PAGES(BELOW, 16), RW);
	scene_mmap(PAGES(512, 4), PROT_READ);
	scene_stop(0, "merge_below_found", THERE, BACK);
}
static void upper_to_rw(void) { expect(scene_protect(0, PAGES(512, 4), RW) == 0); }
static void cut_and_change(void)
{
	scene_await(THERE);
	expect(scene_munmap(1, PAGES(BELOW + 8, 1)) == 0);
	expect(scene_protect(1, PAGES(BELOW, 8), PROT_NONE) == 0);
	scene_signal(BACK);
}

SCENARIO(window_below, .what = "the VMA below a border is cut and changed while it is looked at",
	 .set_up = at_border, .body = { upper_to_rw, cut_and_change }, .mutants = "merge_one_look");

static void held_twice(void)
{
	scene_map();
	scene_separate(PAGE(512));
	scene_mmap(PAGES(BELOW, 16), RW);
	scene_mmap(PAGES(512, 4), PROT_READ);
	scene_stop(1, "carve_before_slots", THERE, THIRD);       /* a brief edit holds the VMA below ...            */
	scene_stop(0, "merge_below_found", THIRD, FOURTH);
	scene_stop(0, "merge_below_compared", 5, 6);             /* ... and again                                   */
}
static void upper_later(void)
{
	scene_await(THERE);
	upper_to_rw();
	scene_signal(7);
}
static void change_and_back(void)
{
	expect(scene_munmap(1, PAGES(BELOW + 8, 1)) == 0);
	expect(scene_protect(1, PAGES(BELOW, 8), PROT_NONE) == 0);
	scene_signal(FOURTH);
	scene_await(5);
	expect(scene_protect(1, PAGES(BELOW, 8), RW) == 0);
	expect(scene_fixed(1, PAGES(BELOW + 8, 1), RW) == (int64_t)PAGE(BELOW + 8));
	scene_stop(1, "carve_before_slots", 6, 7);
	expect(scene_munmap(1, PAGES(BELOW + 2, 1)) == 0);
}

SCENARIO(window_below_held, .what = "the VMA below a border is held, free, other, as it was, and held again",
	 .set_up = held_twice, .body = { upper_later, change_and_back }, .mutants = "merge_trusts_held");
