/* SPDX-License-Identifier: MIT */
/* scenario_merge.c - neighbours that are to become one VMA while others hold, change or fault in one of them. */
#include "bench/explore/scene.h"

#define GROUPED (MAP_PRIVATE | MAP_ANONYMOUS)

static bool one_vma(uint64_t at, uint64_t end)
{
	struct vmmap_vma v;

	return vmmap_query(scene.map, at, &v) == 0 && v.start == at && v.end == end;
}

/* ---- a mapping beside one that is held ---- */

static void four_pages(void) { scene_pages(4); }

static void hold_four(void)
{
	scene_hold(0, PAGES(0, 4));
	scene_release(0);
}
static void map_beside(void)   { expect(scene_fixed(1, PAGES(4, 4), RW) == (int64_t)PAGE(4)); }
static void fault_beside(void) { scene_fault(2, PAGE(4), PROT_WRITE); }
static void eight_are_one(void) { expect(one_vma(PAGE(0), PAGE(8))); }
/* A fault that came too late may have left a group of its own in the lower one: then they are two, says the audit. */
static void eight_are_mapped(void) { expect(scene_mapped(PAGE(0), NULL) && scene_mapped(PAGE(7), NULL)); }

SCENARIO(merge_held, .what = "mmap beside a VMA that another holds, and a fault in the new one",
	 .set_up = four_pages, .body = { hold_four, map_beside, fault_beside }, .check = eight_are_mapped,
	 .mutants = "merge_into_held heal_tries_once note_unchecked merge_trusts_held merge_looks_outside");

static void try_beside(void)
{
	scene.result[1] = vmmap_mmap_until(scene.map, PAGES(4, 4), RW, ANON | MAP_FIXED, NULL, 0, VMMAP_TRY);
	expect(scene.result[1] == (int64_t)PAGE(4) || scene.result[1] == -EAGAIN);
}
static void one_if_mapped(void) { expect(scene.result[1] < 0 || one_vma(PAGE(0), PAGE(8))); }

SCENARIO(merge_try, .what = "a try of mmap beside a VMA that another holds",
	 .set_up = four_pages, .body = { hold_four, try_beside }, .check = one_if_mapped,
	 .mutants = "heal_tries_once");

SCENARIO(merge_counted, .what = "the same under counted visits", .policy = "vma-count",
	 .set_up = four_pages, .body = { hold_four, map_beside, fault_beside }, .check = eight_are_mapped,
	 .mutants = "merge_no_drain drain_ignores_pins");

/* ---- both neighbours change ---- */

static void two_neighbours(void)
{
	scene_map();
	scene_mmap(PAGES(0, LONG), PROT_READ);
	scene_mmap(PAGES(LONG, 4), PROT_NONE);
}

static void lower_to_rw(void) { expect(scene_protect(0, PAGES(0, LONG), RW) == 0); }
static void upper_to_rw(void) { expect(scene_protect(1, PAGES(LONG, 4), RW) == 0); }
static void both_are_one(void) { expect(one_vma(PAGE(0), PAGE(LONG + 4))); }

SCENARIO(merge_both, .what = "two neighbours change at once and become mergeable, one in each form",
	 .set_up = two_neighbours, .body = { lower_to_rw, upper_to_rw }, .check = both_are_one,
	 .mutants = "merge_looks_outside note_unchecked heal_tries_once merge_after_lock");

static void two_brief(void)
{
	scene_map();
	scene_mmap(PAGES(0, 4), PROT_READ);
	scene_mmap(PAGES(4, 4), PROT_NONE);
}
static void low_to_rw(void)  { expect(scene_protect(0, PAGES(0, 4), RW) == 0); }
static void high_to_rw(void) { expect(scene_protect(1, PAGES(4, 4), RW) == 0); }

SCENARIO(merge_brief, .what = "the same, both in the brief form",
	 .set_up = two_brief, .body = { low_to_rw, high_to_rw }, .check = eight_are_one,
	 .mutants = "merge_looks_outside");

static void at_border(void)
{
	scene_map();
	scene_separate(PAGE(512));
	scene_mmap(PAGES(508, 4), PROT_READ);
	scene_mmap(PAGES(512, 4), PROT_NONE);
}
static void below_to_rw(void) { expect(scene_protect(0, PAGES(509, 3), RW) == 0); }
static void above_to_rw(void) { expect(scene_protect(1, PAGES(512, 4), RW) == 0); }
static void cut_below(void)
{
	expect(scene_munmap(2, PAGES(508, 1)) == 0);
}
static void one_at_border(void) { expect(scene_mapped(PAGE(511), NULL) && one_vma(PAGE(509), PAGE(516))); }

SCENARIO(merge_border, .what = "two neighbours at a border of leaves change at once, one is cut below",
	 .set_up = at_border, .body = { below_to_rw, above_to_rw, cut_below }, .check = one_at_border,
	 .mutants = "merge_one_look merge_trusts_held merge_looks_outside extend_spanning extend_one_look");

/* ---- groups ---- */

static void three_pieces(void)
{
	scene_pages(4);
	scene_mmap(PAGES(4, 4), PROT_READ);
	scene_mmap(PAGES(8, 4), RW);
}

static void middle_to_rw(void) { expect(scene_protect(0, PAGES(4, 4), RW) == 0); }
static void write_above(void)  { expect(scene_fault(1, PAGE(8), PROT_WRITE) == 0); }
static void write_below(void)  { expect(scene_fault(2, PAGE(0), PROT_WRITE) == 0); }

SCENARIO(merge_groups, .what = "an mprotect joins three VMAs while first writes give them groups",
	 .set_up = three_pieces, .body = { middle_to_rw, write_above, write_below },
	 .mutants = "join_group_early group_any_join fault_group_any_life");

static void account_page(void)
{
	scene_map();
	expect(vmmap_mmap(scene.map, PAGES(0, 1), RW, GROUPED | MAP_FIXED, NULL, 0) == (int64_t)PAGE(0));
}
static void write_page(void)
{
	scene_fault(0, PAGE(0), PROT_WRITE);
	expect(scene.result[0] == 0 || scene.info[0].code == VMMAP_MAPERR);
}
static void live_elsewhere(void)
{
	expect(scene_munmap(1, PAGES(0, 1)) == 0);
	expect(vmmap_mmap(scene.map, PAGES(256, 1), RW, GROUPED | MAP_FIXED, NULL, 0) == (int64_t)PAGE(256));
	expect(vmmap_mprotect(scene.map, PAGES(256, 1), PROT_READ) == 0);
}
/* Never written: it has no group, and does not count any more. */
static void never_written(void)
{
	expect(vmmap_mmap(scene.map, PAGES(257, 1), PROT_READ, GROUPED | MAP_FIXED, NULL, 0) == (int64_t)PAGE(257));
	expect(one_vma(PAGE(256), PAGE(258)));
}

SCENARIO(group_life, .what = "a late first write, and the VMA's memory lives again elsewhere",
	 .set_up = account_page, .body = { write_page, live_elsewhere }, .check = never_written,
	 .mutants = "fault_group_any_life vtree_lk_after_validation");
