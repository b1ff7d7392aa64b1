/* SPDX-License-Identifier: MIT */
/*
 * scenario_memory.c - memory is short while another is at work: what fails has changed nothing, or is joined again.
 *
 * A body is refused its first want of memory, then its second, and so on, until the call does not come so far.
 */
#include "bench/explore/scenario.h"

#include "base/clock.h"

#define MOST 40                          /* no call here wants more often                                           */

enum { HELD = 1, TRIED, HOLDS };

#define SECOND_CUT 4                     /* its want of memory, counted from the release on                          */

/* ---- a hold of VMAs and gaps, more than a leaf has slots for ---- */

#define COMB 20

static void comb(void)
{
	scene_map();
	for (unsigned i = 0; i < COMB; i++)
		scene_mmap(PAGES(2 * i, 1), RW);
}
static void hold_comb(void)
{
	scene_hold(0, PAGES(0, 2 * COMB));
	scene.word[0] = 1;
	scene_signal(HELD);
	scene_await(TRIED);
	scene.word[0] = 0;
	scene_release(0);
}
static void try_gaps(void)
{
	scene_await(HELD);
	for (unsigned i = 0; i < COMB; i++) {
		int64_t rc = vmmap_mmap_until(scene.map, PAGES(2 * i + 1, 1), PROT_READ, ANON | MAP_FIXED, NULL, 0,
					      VMMAP_TRY);

		expect(rc == -EAGAIN || scene.word[0] == 0);
	}
	scene_signal(TRIED);
}

SCENARIO(memory_comb, .what = "a hold of many VMAs and gaps, which are tried meanwhile",
	 .set_up = comb, .body = { hold_comb, try_gaps }, .mutants = "claim_skips_gap");

/* ---- holds over borders of leaves fail, each behind one cut or another ---- */

#define BORDERS 8

static void many_leaves(void)
{
	scene_map();
	for (unsigned n = 1; n <= BORDERS; n++)
		scene_separate(PAGE(512 * n));
	scene_mmap(PAGES(0, 512 * (BORDERS + 1)), RW);
}
static void hold_short(void)
{
	bool fired = true;

	for (unsigned n = 1; fired && n <= BORDERS; n++) {
		int rc;

		scene_refuse(n);
		rc = vmmap_hold(scene.map, PAGES(512 * n - 8, 16), &scene.held[0]);
		fired = scene_refused();
		expect(rc == 0 || (rc == -ENOMEM && fired));
		if (rc == 0)
			scene_release(0);
	}
	expect(!fired);
}
static void fault_there(void) { expect(scene_fault(1, PAGE(514), PROT_WRITE) == 0); }

SCENARIO(memory_cut, .what = "holds over borders of leaves, and memory is short behind a cut",
	 .set_up = many_leaves, .body = { hold_short, fault_there }, .mutants = "take_forgets_cut");
SCENARIO(memory_cut_beside, .what = "the same with a range lock beside the map", .policy = "range-tree",
	 .set_up = many_leaves, .body = { hold_short, fault_there }, .mutants = "beside_forgets_cut");

/* ---- a hand-over has cut at a border of leaves, and then memory is short ---- */

#define BORDER 512

static void one_border(void)
{
	scene_map();
	scene_separate(PAGE(BORDER));
	scene_mmap(PAGES(0, 2 * BORDER), RW);
}
/* Passes the waiter until it insists, and releases what it wants but for a page that another holds. */
static void hand_over_short(void)
{
	scene_must(HELD);
	scene_hold(0, PAGES(0, BORDER + 2));
	scene_signal(HOLDS);
	for (unsigned n = 0; n < 2; n++) {
		scene_asleep(1);
		scene_release(0);
		scene_hold(0, PAGES(0, BORDER + 2));
	}
	scene_asleep(1);
	scene_refuse(SECOND_CUT);
	scene_release(0);
	(void)scene_refused();
}
static void want_in_vain(void)
{
	int rc;

	scene_must(HOLDS);
	rc = vmmap_hold_until(scene.map, PAGES(BORDER - 8, 16), &scene.held[1], clock_ns() + 10000000);
	expect(rc == -ETIMEDOUT);
	scene_signal(TRIED);
}
static void hold_above(void)
{
	scene_hold(2, PAGES(BORDER + 4, 1));
	scene_signal(HELD);
	scene_must(TRIED);
	scene_release(2);
}

SCENARIO(memory_handed, .what = "a hand-over over a border of leaves, and memory is short behind its first cut",
	 .set_up = one_border, .body = { hand_over_short, want_in_vain, hold_above },
	 .mutants = "handover_forgets_cut");

/* ---- a first fault ---- */

#define FEW 8

static void few_pages(void)
{
	scene_map();
	scene_mmap(PAGES(0, FEW), RW);
}
/* It begins with its n-th allocation: what a call has made by then, the next one finds. */
static void fault_short(unsigned i, uint64_t n)
{
	bool fired = true;

	for (uint64_t page = 0; fired && page < FEW; page++, n++) {
		int rc;

		scene_refuse_memory(n);
		rc = vmmap_fault(scene.map, PAGE(page), PROT_WRITE, NULL);
		fired = scene_refused();
		expect(rc == 0 || (rc == -ENOMEM && fired));
		scene_hold(i, PAGES(0, 1));              /* it has no pin any more: it may wait                     */
		scene_release(i);
	}
	expect(!fired);
}
static void fault_short_0(void) { fault_short(0, 1); }
static void fault_short_1(void) { fault_short(1, 2); }

SCENARIO(memory_fault, .what = "two first faults, and memory is short", .flags = SCENARIO_COLD, .policy = "vma-count",
	 .set_up = few_pages, .body = { fault_short_0, fault_short_1 }, .mutants = "pin_count_unmatched");
SCENARIO(memory_fault_checked, .what = "the same under the checker", .flags = SCENARIO_COLD, .policy = "checked",
	 .set_up = few_pages, .body = { fault_short_0, fault_short_1 }, .mutants = "checked_makes_late");

/* ---- mremap ---- */

static void four_pages(void)
{
	scene_map();
	scene_mmap(PAGES(0, 4), RW);
}
static void grow_short(void)
{
	bool fired = true;

	for (uint64_t n = 1; fired && n < MOST; n++) {
		int64_t rc;

		scene_refuse(n);
		rc = vmmap_mremap(scene.map, PAGES(0, 4 * n), 4 * 4096 * (n + 1), MREMAP_MAYMOVE, 0);
		fired = scene_refused();
		expect(rc == (int64_t)PAGE(0) || (rc == -ENOMEM && fired));
		if (rc < 0)
			expect(vmmap_mremap(scene.map, PAGES(0, 4 * n), 4 * 4096 * (n + 1), MREMAP_MAYMOVE, 0) ==
			       (int64_t)PAGE(0));
	}
	expect(!fired);
}
static void fault_first(void) { expect(scene_fault(1, PAGE(1), PROT_WRITE) == 0); }

SCENARIO(memory_grow, .what = "an mremap that may grow in place, or move, and memory is short",
	 .set_up = four_pages, .body = { grow_short, fault_first }, .mutants = "grow_moves_instead");

#define FAR (512 * 512 * 4 - 1)          /* no tables there, nor above it                                           */

static void two_tables(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(511, 2), RW);
	scene_mmap(PAGES(FAR, 2), RW);
	expect(scene_write(0, PAGE(511), 1) == 8);
	expect(scene_write(0, PAGE(512), 2) == 8);
}
/* All entries of a range, or none: mremap itself has made all tables before. They go back, where their frames' names
 * lead: no VMA has moved with them. */
static void move_entries_short(void)
{
	struct vmmap_held to;
	bool fired = true;

	scene_hold(0, PAGES(511, 2));
	expect(vmmap_hold(scene.map, PAGES(FAR, 2), &to) == 0);
	for (uint64_t n = 1; fired && n < MOST; n++) {
		int err;

		scene_refuse_memory(n);
		err = scene_move_entries(PAGES(511, 2), PAGE(FAR));
		fired = scene_refused();
		expect(err == 0 || (err == -ENOMEM && fired));
		for (unsigned i = 0; i < 2; i++)
			expect(scene_present(PAGE((err ? 511 : FAR) + i)));
	}
	expect(!fired);
	expect(scene_move_entries(PAGES(FAR, 2), PAGE(511)) == 0);
	vmmap_release(scene.map, &to);
	scene_release(0);
}
/* What it meets empty is held: it waits until the entry is back. */
static void read_source(void)
{
	uint64_t word;

	expect(scene_read(1, PAGE(512), &word) == 8 && word == 2);
}

SCENARIO(memory_move, .what = "entries move to where there are no tables, and memory is short",
	 .set_up = two_tables, .body = { move_entries_short, read_source }, .mutants = "move_makes_late");
