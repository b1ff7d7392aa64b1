/* SPDX-License-Identifier: MIT */
/*
 * scenario_insist.c - waiters that are passed until they insist, and what a release then hands to them.
 *
 * Body 0 holds, sees the waiters asleep, and takes the place again right after each release: twice, and they insist.
 * Where another schedule lets a waiter by earlier, it has had its turn.
 */
#include "bench/explore/scene.h"

enum { INSISTS, HAS, RELEASED, LET_GO };         /* signals                                                         */

#define HAD(i) scene.word[10 + (i)]              /* body i has had its place                                        */

static void sixteen(void) { scene_pages(16); }

static void empty(void) { scene_map(); }

/* Nobody else is inside while one holds: words of its own say so. */
static void enter(unsigned i, unsigned from, unsigned n)
{
	for (unsigned page = from; page < from + n; page++) {
		expect(scene.word[page] == 0);
		scene.word[page] = i + 1;
	}
}
static void leave(unsigned i, unsigned from, unsigned n)
{
	for (unsigned page = from; page < from + n; page++) {
		expect(scene.word[page] == i + 1);
		scene.word[page] = 0;
	}
}

/* Body i takes pages from `from` on once, and says so. */
static void take(unsigned i, unsigned from, unsigned n)
{
	scene_hold(i, PAGES(from, n));
	HAD(i) = 1;
	enter(i, from, n);
	scene_pause();
	leave(i, from, n);
	scene_release(i);
}

/* ---- one waiter, passed again and again ---- */

static void pass_six_times(void)
{
	scene_pass(PAGES(0, 8), 1, 6);
	scene_release(0);
}
static void take_eight(void) { take(1, 0, 8); }

SCENARIO(insist_hold, .what = "one waits for a place that another takes again and again",
	 .set_up = sixteen, .body = { pass_six_times, take_eight }, .mutants = "never_insists");
SCENARIO(insist_gap, .what = "the same in a gap",
	 .set_up = empty, .body = { pass_six_times, take_eight }, .mutants = "never_insists");

static void write_page_3(void) { expect(scene_fault(1, PAGE(3), PROT_WRITE) == 0); }

SCENARIO(insist_fault, .what = "a fault waits for a place that another takes again and again",
	 .set_up = sixteen, .body = { pass_six_times, write_page_3 }, .mutants = "never_insists");

/* ---- a part is handed over ---- */

static void pass_twice(void)
{
	scene_pass(PAGES(0, 8), 1, 2);
	scene_signal(INSISTS);
	scene_release(0);
	scene_signal(RELEASED);
}
static void take_part(void)
{
	scene_hold(1, PAGES(4, 2));
	HAD(1) = 1;
	if (scene_await(RELEASED)) {
		expect(vmmap_fault_until(scene.map, PAGE(3), PROT_WRITE, NULL, VMMAP_TRY) == 0);
		expect(vmmap_fault_until(scene.map, PAGE(6), PROT_WRITE, NULL, VMMAP_TRY) == 0);
	}
	scene_release(1);
}
/* Comes when the other one insists: it is not its turn before that. */
static void try_beside(void)
{
	struct vmmap_held held;

	scene_await(INSISTS);
	for (unsigned n = 0; n < 2; n++) {
		int rc = vmmap_hold_until(scene.map, PAGES(5, 2), &held, VMMAP_TRY);

		expect(rc == -EAGAIN || HAD(1));
		if (rc == 0) {
			enter(2, 5, 2);
			leave(2, 5, 2);
			vmmap_release(scene.map, &held);
		}
		rc = vmmap_mprotect_until(scene.map, PAGES(5, 1), PROT_READ, VMMAP_TRY);
		expect(rc == -EAGAIN || HAD(1));
	}
}
static void take_two(void) { take(1, 4, 2); }

SCENARIO(insist_part, .what = "two of eight pages are handed over; the rest is free at once",
	 .set_up = sixteen, .body = { pass_twice, take_part }, .mutants = "pass_vma_whole");
SCENARIO(insist_tries, .what = "tries beside one that insists on a part",
	 .set_up = sixteen, .body = { pass_twice, take_two, try_beside },
	 .mutants = "insisting_unheard brief_unheard handover_assumes_held");

static int64_t map_page(uint64_t n)
{
	return vmmap_mmap_until(scene.map, PAGES(n, 1), PROT_READ, ANON | MAP_FIXED_NOREPLACE, NULL, 0, VMMAP_TRY);
}
static void take_part_of_gap(void)
{
	scene_hold(1, PAGES(4, 2));
	if (scene_await(RELEASED)) {
		expect(map_page(3) == (int64_t)PAGE(3));
		expect(map_page(6) == (int64_t)PAGE(6));
	}
	scene_release(1);
}

SCENARIO(insist_part_gap, .what = "the same in a gap",
	 .set_up = empty, .body = { pass_twice, take_part_of_gap }, .mutants = "pass_dummy_whole");

/* ---- two that insist ---- */

static void pass_two_twice(void)
{
	scene_pass(PAGES(0, 10), 2, 2);
	scene_release(0);
	for (unsigned page = 5; page < 9; page += 3)
		if (vmmap_hold_until(scene.map, PAGES(page, 1), &scene.held[0], VMMAP_TRY) == 0) {
			enter(0, page, 1);
			leave(0, page, 1);
			scene_release(0);
		}
}
static void take_low(void)  { take(1, 5, 1); }
static void take_high(void) { take(2, 7, 2); }

SCENARIO(insist_two_parts, .what = "two parts of one VMA are handed over",
	 .set_up = sixteen, .body = { pass_two_twice, take_low, take_high },
	 .mutants = "handover_assumes_held pass_vma_whole");

/* ---- two on one place: the older one first ---- */

enum { BOTH = 12 };                      /* a word: both insist when the place is given up                          */

static void give_up(void)
{
	scene.word[BOTH] = scene_insists(1) && scene_insists(2);
	scene_release(0);
}
/* The younger one is in the queue first. */
static void reversed(void)
{
	sixteen();
	scene_stop(1, "waiter_insists", INSISTS, RELEASED);
}
static void pass_reversed(void)
{
	scene_pass(PAGES(0, 8), 2, 1);
	scene_release(0);
	scene_hold(0, PAGES(0, 8));
	scene_asleep(2);
	scene_signal(RELEASED);
	scene_asleep(1);
	give_up();
}
static void older(void) { take(1, 0, 8); }
static void younger(void)
{
	scene_asleep(1);
	scene_hold(2, PAGES(0, 8));
	expect(HAD(1) || !scene.word[BOTH]);
	scene_release(2);
}

static void older_part(void) { take(1, 4, 2); }
static void younger_fault(void)
{
	scene_asleep(1);
	expect(scene_fault(2, PAGE(4), PROT_WRITE) == 0);
	expect(HAD(1) || !scene.word[BOTH]);
}

SCENARIO(insist_two, .what = "an edit and a fault insist on one place",
	 .set_up = reversed, .body = { pass_reversed, older_part, younger_fault },
	 .mutants = "claim_ignores_tickets");

/* The older one stands in no queue when the place is given up. */
static void pass_elsewhere(void)
{
	scene_pass(PAGES(0, 8), 2, 1);
	scene_release(0);
	scene_hold(0, PAGES(0, 8));
	scene_asleep(2);
	give_up();
	scene_signal(RELEASED);
}

SCENARIO(insist_elsewhere, .what = "two insist, the older one is not in the queue",
	 .set_up = reversed, .body = { pass_elsewhere, older, younger }, .mutants = "handover_heeds_none");

/* ---- what is handed over is held ---- */

static void pass_a_part(void)
{
	scene_pass(PAGES(0, 8), 1, 2);
	scene_release(0);
}
static void has_part(void)
{
	scene_hold(1, PAGES(4, 2));
	enter(1, 4, 2);
	scene_signal(HAS);
	scene_await(LET_GO);
	leave(1, 4, 2);
	scene_release(1);
}
static void try_handed(void)
{
	struct vmmap_held held;

	scene_await(HAS);
	expect(vmmap_hold_until(scene.map, PAGES(5, 2), &held, VMMAP_TRY) == -EAGAIN);
	scene_signal(LET_GO);
}

SCENARIO(insist_handed, .what = "a part that was handed over is tried by another",
	 .set_up = sixteen, .body = { pass_a_part, has_part, try_handed }, .mutants = "handover_assumes_held");

/* ---- half of a VMA and the gap above it, and one who was about to take them before anybody insisted ---- */

enum { ABOUT = 5, BARGE };

static void half_and_gap(void)
{
	scene_map();
	scene_mmap(PAGES(4, 4), RW);
	scene_stop(2, "take_before_claim", ABOUT, BARGE);
	scene_stop(0, "handover_before_claim", BARGE, NEVER);
}
static void pass_half(void)
{
	scene_await(ABOUT);
	scene_pass(PAGES(4, 5), 1, 2);
	scene_release(0);
}
static void take_half(void)
{
	scene_await(ABOUT);
	take(1, 6, 3);
}
static void barge(void) { take(2, 6, 3); }

SCENARIO(insist_holes, .what = "a hand-over with a place in it that another may still take",
	 .set_up = half_and_gap, .body = { pass_half, take_half, barge }, .mutants = "handover_with_holes");

/* ---- a fault is not valid again and again ---- */

enum { PASSES = 6 };

static void before_cas(void) { scene_stop(1, "fault_before_cas", 0, 8); }
static void eight_cut(void)
{
	scene_pages(8);
	before_cas();
}
static void cut_under_fault(void)
{
	for (unsigned n = 0; n < PASSES; n++) {
		scene_await(n);
		if (n + 1 < PASSES)
			scene_stop(1, "fault_before_cas", n + 1, n + 9);
		scene_hold(0, PAGES(4, 1));
		scene_signal(n + 8);
		scene_asleep(1);
		scene_release(0);
	}
}
static void fault_on_and_on(void)
{
	expect(scene_fault(1, PAGE(4), PROT_WRITE) == 0);
	for (unsigned n = 0; n < PASSES; n++)
		scene_signal(n);
}

/* It insists, and after that nobody makes it begin again. */
static void begun_again_twice(void)
{
	struct vmmap_counters counters;

	vmmap_get_counters(scene.map, &counters);
	expect(counters.fault_retries <= 3);
}

SCENARIO(insist_cut, .what = "a fault whose page is cut out of its VMA again and again",
	 .set_up = eight_cut, .body = { cut_under_fault, fault_on_and_on }, .check = begun_again_twice,
	 .mutants = "claim_cuts_pinned");
SCENARIO(insist_cut_counted, .what = "the same under counted visits", .policy = "vma-count",
	 .set_up = eight_cut, .body = { cut_under_fault, fault_on_and_on }, .check = begun_again_twice,
	 .mutants = "claim_cuts_pinned counted_visit_moves");

/* ---- a visit for MADV_DONTNEED: two edits come and go while it looks ---- */

enum { FOUND = 8, EDITED, AT_ENTRY, EDITED_AGAIN, INSISTED };
#define BOTH_CAME scene.word[13]

static void locked_page(void)
{
	scene_map();
	expect(vmmap_mmap(scene.map, PAGES(0, 1), RW, ANON | MAP_FIXED | MAP_LOCKED, NULL, 0) == (int64_t)PAGE(0));
	expect(vmmap_fault(scene.map, PAGE(0), PROT_WRITE, NULL) == 0);
	scene_stop(0, "visit_before_valid", FOUND, EDITED);
	scene_stop(0, "advise_before_entry", AT_ENTRY, EDITED_AGAIN);
	scene_stop(0, "visit_after_pin", INSISTED, NEVER);
}
static void drop_page(void)
{
	int64_t rc = vmmap_madvise(scene.map, PAGES(0, 1), MADV_DONTNEED);

	expect(rc == 0 || rc == -EINVAL);
	expect(scene.signal[INSISTED] || !BOTH_CAME);
}
static void edit_twice(void)
{
	bool once, twice;

	once = scene_await(FOUND);
	expect(vmmap_munlock(scene.map, PAGES(0, 1)) == 0);
	once = once && !scene.signal[EDITED];
	scene_signal(EDITED);
	twice = scene_await(AT_ENTRY);
	expect(scene_protect(1, PAGES(0, 1), PROT_READ) == 0);
	BOTH_CAME = once && twice && !scene.signal[EDITED_AGAIN];
	scene_signal(EDITED_AGAIN);
}

SCENARIO(insist_drop, .what = "MADV_DONTNEED: its visit fails twice, and insists then",
	 .set_up = locked_page, .body = { drop_page, edit_twice }, .mutants = "advise_stays_young");

/* ---- a release grants two; the first waits again, with the same record, before it comes to the second ---- */

enum { HOLDS = 1, GRANTS, TWICE };

static void granting(void)
{
	sixteen();
	scene_stop(0, "grant_done", GRANTS, TWICE);
}
static void grant_two(void)
{
	scene_hold(0, PAGES(4, 1));
	scene_signal(HOLDS);
	scene_asleep(2);
	scene_release(0);
}
static void wait_twice(void)
{
	scene_await(HOLDS);
	take(1, 4, 1);
	take(1, 8, 1);
	scene_signal(TWICE);
}
static void wait_second(void)
{
	scene_await(HOLDS);
	scene_asleep(1);
	take(2, 4, 1);
}
static void hold_next(void)
{
	scene_hold(3, PAGES(8, 1));
	scene_await(GRANTS);
	scene_asleep(1);
	scene_release(3);
}

SCENARIO(insist_grants, .what = "one release, two waiters; the first comes to wait again", .set_up = granting,
	 .body = { grant_two, wait_twice, wait_second, hold_next }, .mutants = "grant_reads_after");

/* ---- behind a queue that is closed: who takes the place next has overtaken whoever polls, and that is counted ---- */

#define PASSED scene.word[14]            /* one that insisted has found another there                               */

static void closed_queue(void)
{
	scene_pages(8);
	scene_stop(2, "take_before_claim", ABOUT, BARGE);
	scene_stop(0, "release_before_sweep", THERE, INSISTS);
	scene_stop(1, "waiter_insists", INSISTS, BACK);
}
static void close_queue(void)
{
	scene_await(ABOUT);
	scene_hold(0, PAGES(0, 8));
	scene_release(0);
	scene_signal(BARGE);
}
static void poll_closed(void)
{
	scene_await(THERE);
	scene_take(1, PAGES(0, 8));
}
static void barge_in(void)
{
	bool polls;

	scene_hold(2, PAGES(0, 8));
	polls = scene_insists(1);
	scene_signal(BACK);
	scene_asleep(1);
	PASSED = polls;
	scene_release(2);
}
static void counted(void)
{
	struct vmmap_counters counters;

	vmmap_get_counters(scene.map, &counters);
	expect(counters.max_overtakes >= PASSED);
}

SCENARIO(insist_polls, .what = "one polls behind a closed queue, and another comes before it: counted",
	 .set_up = closed_queue, .body = { close_queue, poll_closed, barge_in }, .check = counted,
	 .mutants = "poller_uncounted");
