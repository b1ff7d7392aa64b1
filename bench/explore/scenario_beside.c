/* SPDX-License-Identifier: MIT */
/* scenario_beside.c - range locks beside the map: the interval tree, the list of ranges, the FIFO of the fine lock. */
#include "bench/explore/scene.h"

#define HAD(i) scene.word[i]

static void thirty_two(void)
{
	scene_map();
	scene_watch_ranges();
	scene_mmap(PAGES(0, 32), RW);
}

static void take(unsigned i, uint64_t page, uint64_t n)
{
	scene_hold(i, PAGES(page, n));
	HAD(i) = 1;
	scene_pause();
	scene_release(i);
}

/* ---- who waits is before who comes later ---- */

static void hold_4_5(void) { scene_keep(0, PAGES(4, 2), SCENE_MUST + BACK); }
static void want_wide(void)
{
	scene_must(THERE);
	take(1, 5, 5);
}
static void try_behind(void)
{
	scene_must(THERE);
	scene_asleep(1);
	expect(scene_take_until(2, PAGES(8, 1), VMMAP_TRY) == -EAGAIN);
	scene_signal(BACK);
}

SCENARIO(beside_tree_fifo, .what = "a newcomer meets a range that waits", .policy = "range-tree",
	 .set_up = thirty_two, .body = { hold_4_5, want_wide, try_behind }, .mutants = "tree_barges");
SCENARIO(beside_fine_fifo, .what = "the same in the fine lock's queue", .policy = "fine-lock",
	 .set_up = thirty_two, .body = { hold_4_5, want_wide, try_behind }, .mutants = "fine_barges");

/* ---- who holds a range wants another, behind who waits for the first ---- */

static struct vmmap_held *second_of_0(void) { return &scene.held[2]; }

static void nest(void)
{
	scene_hold(0, PAGES(2, 2));
	scene_signal(THERE);
	scene_asleep(1);
	expect(vmmap_hold(scene.map, PAGES(8, 1), second_of_0()) == 0);
	scene_release(0);
	(void)scene_await(NEVER);                /* the other one may go on, if it can                              */
	expect(HAD(1) == 0);
	vmmap_release(scene.map, second_of_0());
}
static void want_both(void)
{
	scene_must(THERE);
	take(1, 3, 9);
}
SCENARIO(beside_tree_nested, .what = "a second range, behind one that waits for the first", .policy = "range-tree",
	 .set_up = thirty_two, .body = { nest, want_both },
	 .mutants = "tree_nested_queues tree_passes_uncounted");
SCENARIO(beside_fine_nested, .what = "the same under the fine lock", .policy = "fine-lock",
	 .set_up = thirty_two, .body = { nest, want_both }, .mutants = "fine_nested_queues");

/* ---- a deadline ---- */

static void hold_page_4(void)
{
	scene_keep(0, PAGES(4, 1), BACK);
	scene_signal(THIRD);
}
static void hold_for_a_while(void)
{
	(void)scene_await(THERE);
	(void)scene_take_until(1, PAGES(4, 1), scene_soon());
}
static void quits_late(void)
{
	thirty_two();
	scene_stop(1, "waiter_before_cancel", BACK, THIRD);
}
static void hold_page_4_and_go(void) { scene_keep_asleep(0, PAGES(4, 1)); }
static void grants_late_fine(void)
{
	thirty_two();
	scene_stop(0, "fine_before_grant", FOURTH, NEVER);
}

SCENARIO(beside_fine_quit, .what = "a deadline passes when the grant has come", .policy = "fine-lock",
	 .set_up = quits_late, .body = { hold_page_4, hold_for_a_while }, .mutants = "fine_cancel_unchecked");
SCENARIO(beside_fine_granting, .what = "a deadline passes when the grant is on its way", .policy = "fine-lock",
	 .set_up = grants_late_fine, .body = { hold_page_4_and_go, hold_for_a_while },
	 .mutants = "fine_cancel_unchecked");

/* In the tree: who gave up all the same waits again with the same record, for body 2. */
static void tree_granting(void)
{
	thirty_two();
	scene_stop(0, "tree_before_grant", FOURTH, 5);
}
static void give_up_and_ask(void)
{
	(void)scene_await(THERE);
	if (scene_take_until(1, PAGES(4, 1), scene_soon()) == 0)
		return;
	scene_signal(6);
	(void)scene_await(7);
	scene_hold(1, PAGES(4, 1));
	expect(scene.word[4] == 0);
	scene_release(1);
}
static void hold_after(void)
{
	(void)scene_await(6);
	scene_hold(2, PAGES(4, 1));
	scene.word[4] = 1;
	scene_signal(7);
	scene_asleep(1);
	scene_signal(5);
	(void)scene_await(NEVER);
	scene.word[4] = 0;
	scene_release(2);
}

SCENARIO(beside_tree_granting, .what = "the same in the tree", .policy = "range-tree",
	 .set_up = tree_granting, .body = { hold_page_4_and_go, give_up_and_ask, hold_after },
	 .mutants = "tree_cancel_unchecked");

static void hold_until_next(void) { scene_keep(0, PAGES(4, 1), SCENE_MUST + BACK); }
static void wide_for_a_while(void)
{
	scene_must(THERE);
	(void)scene_take_until(1, PAGES(4, 6), scene_soon());
}
/* Whether the wide one waits or has given up: in the end this one gets its page. */
static void want_8(void)
{
	scene_must(THERE);
	scene_asleep(1);
	take(2, 8, 1);
	scene_signal(BACK);
}

SCENARIO(beside_tree_gives_up, .what = "who waits gives up, others wait behind it", .policy = "range-tree",
	 .set_up = thirty_two, .body = { hold_until_next, wide_for_a_while, want_8 },
	 .mutants = "tree_cancel_silent");
SCENARIO(beside_fine_gives_up, .what = "the same in the fine lock's queue", .policy = "fine-lock",
	 .set_up = thirty_two, .body = { hold_until_next, wide_for_a_while, want_8 },
	 .mutants = "fine_cancel_silent");

/* ---- the fine lock's queue ---- */

enum { BOTH = 10 };                      /* a word: both slept when it was released                                 */

static void hold_two_pages(void)
{
	scene_hold(0, PAGES(4, 1));
	expect(vmmap_hold(scene.map, PAGES(20, 1), second_of_0()) == 0);
	scene_asleep(1);
	scene_asleep(2);
	scene.word[BOTH] = HAD(1) == 0 && HAD(2) == 0;
	vmmap_release(scene.map, second_of_0());
	(void)scene_await(NEVER);
	scene_release(0);
}
static void want_from_4(void) { take(1, 4, 17); }
static void want_20(void)
{
	struct vmmap_held held;

	scene_asleep(1);
	expect(vmmap_hold(scene.map, PAGES(20, 1), &held) == 0);
	expect(HAD(1) || !scene.word[BOTH]);
	HAD(2) = 1;
	vmmap_release(scene.map, &held);
}

SCENARIO(beside_fine_head, .what = "nobody passes the head of the queue", .policy = "fine-lock",
	 .set_up = thirty_two, .body = { hold_two_pages, want_from_4, want_20 }, .mutants = "fine_passes_head");

static void hold_for_visits(void)
{
	scene_hold(0, PAGES(4, 1));
	scene_asleep(1);
	scene_asleep(2);
	scene.word[BOTH] = HAD(1) == 0 && HAD(2) == 0;
	scene_release(0);
}
static void visits_meet(void)
{
	thirty_two();
	scene_stop(1, "fault_before_cas", BACK, THIRD);
	scene_stop(2, "fault_before_cas", THIRD, BACK);
}
static void visit_4(unsigned i, unsigned other)
{
	struct vmmap_fault_info info;

	expect(vmmap_fault(scene.map, PAGE(4), PROT_READ, &info) == 0);
	HAD(i) = 1;
	expect(!scene.word[BOTH] || scene.stop[other - 1].body != other);        /* it came in, too                 */
}
static void visit_1(void) { visit_4(1, 2); }
static void visit_2(void) { visit_4(2, 1); }

SCENARIO(beside_fine_run, .what = "one release lets two visits in", .policy = "fine-lock",
	 .set_up = visits_meet, .body = { hold_for_visits, visit_1, visit_2 }, .mutants = "fine_dequeues_one");

static void granted_one(void)
{
	thirty_two();
	scene_stop(0, "grant_done", BACK, THIRD);
}
static void visit_twice(void)
{
	expect(scene_fault(1, PAGE(4), PROT_READ) == 0);
	expect(scene_fault(1, PAGE(9), PROT_READ) == 0);
	scene_signal(THIRD);
}
static void visit_after(void)
{
	struct vmmap_fault_info info;

	scene_asleep(1);
	expect(vmmap_fault(scene.map, PAGE(4), PROT_READ, &info) == 0);
}

SCENARIO(beside_fine_record, .what = "a record is used again before the granter has left it", .policy = "fine-lock",
	 .set_up = granted_one, .body = { hold_for_visits, visit_twice, visit_after },
	 .mutants = "fine_reads_after");

/* Body 1 holds page 1 and wants 10 and 11; body 2 holds 11 and wants 30: body 0 has 10 and 30. */
static void hold_10_30(void)
{
	scene_hold(0, PAGES(10, 1));
	expect(vmmap_hold(scene.map, PAGES(30, 1), &scene.held[1]) == 0);
	scene_signal(THERE);
	scene_asleep(1);
	scene_asleep(2);
	vmmap_release(scene.map, &scene.held[1]);
	scene_must(THIRD);
	scene_release(0);
}
static void lower(void)
{
	struct vmmap_held one, two;

	scene_must(BACK);
	expect(vmmap_hold(scene.map, PAGES(1, 1), &one) == 0);
	expect(vmmap_hold(scene.map, PAGES(10, 2), &two) == 0);
	vmmap_release(scene.map, &two);
	vmmap_release(scene.map, &one);
}
static void higher(void)
{
	struct vmmap_held one, two;

	scene_must(THERE);
	expect(vmmap_hold(scene.map, PAGES(11, 1), &one) == 0);
	scene_signal(BACK);
	scene_asleep(1);
	expect(vmmap_hold(scene.map, PAGES(30, 2), &two) == 0);
	scene_signal(THIRD);
	vmmap_release(scene.map, &two);
	vmmap_release(scene.map, &one);
}

SCENARIO(beside_fine_turn, .what = "one who holds waits for what another one holds, who waits, too",
	 .policy = "fine-lock", .set_up = thirty_two, .body = { hold_10_30, lower, higher },
	 .mutants = "fine_nested_in_turn");

/* Body 1 holds a page and waits for two of body 0; body 2 wants one of these. */
static void hold_10_11(void)
{
	scene_hold(0, PAGES(10, 1));
	expect(vmmap_hold(scene.map, PAGES(11, 1), &scene.held[1]) == 0);
	scene_signal(THERE);
	scene_asleep(1);
	scene_asleep(2);
	scene_release(0);
	(void)scene_await(NEVER);
	expect(HAD(2) == 0 || HAD(1));
	vmmap_release(scene.map, &scene.held[1]);
}
static void want_10_11(void)
{
	struct vmmap_held one, two;

	scene_must(THERE);
	expect(vmmap_hold(scene.map, PAGES(1, 1), &one) == 0);
	expect(vmmap_hold(scene.map, PAGES(10, 2), &two) == 0);
	HAD(1) = 1;
	vmmap_release(scene.map, &two);
	vmmap_release(scene.map, &one);
}
static void want_10(void)
{
	scene_must(THERE);
	scene_asleep(1);
	take(2, 10, 1);
}

SCENARIO(beside_fine_heeded, .what = "one who holds waits for two pages; nobody of the queue takes the first",
	 .policy = "fine-lock", .set_up = thirty_two, .body = { hold_10_11, want_10_11, want_10 },
	 .mutants = "fine_nested_unheeded");

#define HALF (UINT64_C(1) << 46)         /* of the space: it fits only around the page in the middle                */

static void hold_in_middle(void) { scene_keep(0, HALF, 4096, SCENE_MUST + BACK); }
static void move_to_half(void)
{
	scene_must(THERE);
	expect(vmmap_mremap(scene.map, PAGES(0, 4), HALF, MREMAP_MAYMOVE, 0) > 0);
}
static void fault_beside(void)
{
	scene_must(THERE);
	scene_asleep(1);
	expect(vmmap_fault_until(scene.map, PAGE(20), PROT_WRITE, NULL, VMMAP_TRY) == 0);
	scene_signal(BACK);
}

SCENARIO(beside_fine_gap, .what = "who waits for a gap stands in nobody's way", .policy = "fine-lock",
	 .set_up = thirty_two, .body = { hold_in_middle, move_to_half, fault_beside }, .mutants = "fine_gap_queues");

/* All of the space is held by one. */
static void hold_space(void) { scene_keep(0, 65536, (UINT64_C(1) << 47) - 4096 - 65536, SCENE_MUST + BACK); }
static void fault_in_space(void)
{
	scene_must(THERE);
	expect(vmmap_fault_until(scene.map, PAGE(4), PROT_WRITE, NULL, VMMAP_TRY) == -EAGAIN);
	scene_signal(BACK);
}

SCENARIO(beside_fine_coarse, .what = "a visit while one edit has all of the space", .policy = "fine-lock",
	 .set_up = thirty_two, .body = { hold_space, fault_in_space }, .mutants = "fine_coarse_unheeded");

/* ---- the tree: one release grants two ---- */

static void tree_grants(void)
{
	thirty_two();
	scene_stop(0, "grant_done", BACK, THIRD);
}
static void hold_4_20(void)
{
	struct vmmap_held high;

	scene_hold(0, PAGES(4, 4));
	expect(vmmap_hold(scene.map, PAGES(20, 1), &high) == 0);
	scene_signal(THERE);
	scene_asleep(1);
	scene_asleep(2);
	scene_release(0);
	vmmap_release(scene.map, &high);
}
static void want_one_and_20(void)
{
	struct vmmap_held held;

	scene_must(THERE);
	expect(vmmap_hold(scene.map, PAGES(7, 1), &held) == 0);
	vmmap_release(scene.map, &held);
	expect(vmmap_hold(scene.map, PAGES(20, 1), &held) == 0);
	vmmap_release(scene.map, &held);
}
static void want_4(void)
{
	scene_must(THERE);
	scene_asleep(1);
	take(2, 4, 1);
}
static void want_4_first(void)
{
	scene_must(THERE);
	take(1, 4, 1);
}
static void want_one_and_20_after(void)
{
	struct vmmap_held held;

	scene_must(THERE);
	scene_asleep(1);
	expect(vmmap_hold(scene.map, PAGES(7, 1), &held) == 0);
	vmmap_release(scene.map, &held);
	expect(vmmap_hold(scene.map, PAGES(20, 1), &held) == 0);
	vmmap_release(scene.map, &held);
}

SCENARIO(beside_tree_record, .what = "one release grants two, the first waits again before the second is told",
	 .policy = "range-tree", .set_up = tree_grants, .body = { hold_4_20, want_one_and_20, want_4 },
	 .mutants = "tree_reads_after");
SCENARIO(beside_tree_record_other, .what = "the same, the other way round", .policy = "range-tree",
	 .set_up = tree_grants, .body = { hold_4_20, want_4_first, want_one_and_20_after },
	 .mutants = "tree_reads_after");
