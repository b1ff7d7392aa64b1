/* SPDX-License-Identifier: MIT */
/* scenario_fault.c - faults against what takes, changes or replaces the place under them. */
#include "bench/explore/scene.h"

#define LEAVES 1024                      /* pages, 4 MiB: two tables, and the general form                          */

/* ---- against munmap ---- */

static void four_pages(void) { scene_pages(4); }

static void fault_page_1(void)   { scene_fault(0, PAGE(1), PROT_WRITE); }
static void unmap_four(void)     { scene_munmap(1, PAGES(0, 4)); }

static void fault_and_unmap(void)
{
	expect(scene.result[1] == 0);
	expect(scene.result[0] == 0 || (scene.result[0] == -EFAULT && scene.info[0].code == VMMAP_MAPERR));
	expect(!scene_mapped(PAGE(1), NULL));
}

SCENARIO(fault_unmap_brief, .what = "a first write fault against a munmap in one leaf",
	 .set_up = four_pages, .body = { fault_page_1, unmap_four }, .check = fault_and_unmap,
	 .mutants = "fault_no_recheck carve_releases_early");

static void two_tables(void) { scene_pages(LEAVES); }

static void unmap_two_tables(void) { scene_munmap(1, PAGES(0, LEAVES)); }

SCENARIO(fault_unmap_general, .what = "a first write fault, its table absent, against a munmap that frees tables",
	 .set_up = two_tables, .body = { fault_page_1, unmap_two_tables }, .check = fault_and_unmap,
	 .mutants = "fault_no_recheck unmap_table_before_lk");

/* ---- against mprotect ---- */

static void protect_read(void) { scene_protect(1, PAGES(0, 4), PROT_READ); }

static void fault_and_protect(void)
{
	int prot;

	expect(scene.result[1] == 0);
	expect(scene.result[0] == 0 || (scene.result[0] == -EFAULT && scene.info[0].code == VMMAP_ACCERR));
	expect(scene_mapped(PAGE(1), &prot) && prot == PROT_READ);
}

SCENARIO(fault_protect, .what = "a first write fault against an mprotect that takes the right away",
	 .set_up = four_pages, .body = { fault_page_1, protect_read }, .check = fault_and_protect,
	 .mutants = "fault_no_recheck");

/* ---- against a replacement ---- */

static void replace_four(void) { scene_fixed(1, PAGES(0, 4), RW); }

static void fault_and_replace(void)
{
	expect(scene.result[1] == (int64_t)PAGE(0));
	expect(scene.result[0] == 0);
}

SCENARIO(fault_replace_brief, .what = "a write fault against MAP_FIXED over its VMA: never a hole",
	 .set_up = four_pages, .body = { fault_page_1, replace_four }, .check = fault_and_replace,
	 .mutants = "fault_no_recheck");

static void replace_two_tables(void) { scene_fixed(1, PAGES(0, LEAVES), RW); }

SCENARIO(fault_replace_general, .what = "the same over two tables",
	 .set_up = two_tables, .body = { fault_page_1, replace_two_tables }, .check = fault_and_replace,
	 .mutants = "replace_unpublishes_first fault_no_recheck");
