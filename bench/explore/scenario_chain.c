/* SPDX-License-Identifier: MIT */
/* scenario_chain.c - tables that one call has unlinked: they wait for readers, come back as one, and are counted. */
#include "bench/explore/scenario.h"

#define SPAN 512                         /* pages of a table                                                        */
#define NEXT (16 * SPAN)

enum { UNLINKED = 1, BACK, ENDED };

/* ---- a table that a reader has in hand, and the next to take one ---- */

static void span_written(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, SPAN), RW);
	scene_mmap(PAGES(NEXT, SPAN), RW);
	expect(scene_write(0, PAGE(5), 1) == 8);
	expect(scene_write(0, PAGE(NEXT + SPAN), 1) == -EFAULT);
}
static void unmap_and_write(void)
{
	expect(scene_munmap(0, PAGES(0, SPAN)) == 0);
	expect(scene_write(0, PAGE(NEXT + 5), 2) == 8);
}
static void read_old(void)
{
	int64_t rc = scene_read(1, PAGE(5), &scene.word[0]);

	expect(rc == -EFAULT || (rc == 8 && scene.word[0] == 1));
}

SCENARIO(chain_reader, .what = "a table is unlinked under a load, and who unlinked it makes one elsewhere",
	 .set_up = span_written, .body = { unmap_and_write, read_old }, .mutants = "chain_freed_at_once");

/* ---- three tables come back ---- */

#define TABLES 3
#define TRIPS  4
#define BYTES  (4096 + 64)               /* of a table                                                              */
#define MOST   14                        /* three for each of two, and of its warming up; those above; two to spare */

static void nothing_mapped(void)
{
	scene_map();
	scene.word[8] = scene_table_bytes() + MOST * BYTES;
}
static void make_trips(unsigned i, uint64_t from)
{
	for (unsigned n = 0; n < TRIPS; n++) {
		expect(scene_fixed(i, PAGES(from, TABLES * SPAN), RW) == (int64_t)PAGE(from));
		for (unsigned t = 0; t < TABLES; t++)
			expect(scene_fault(i, PAGE(from + t * SPAN), PROT_WRITE) == 0);
		expect(scene_munmap(i, PAGES(from, TABLES * SPAN)) == 0);
		scene_drain();
	}
}
static void trips_low(void)  { make_trips(0, 0); }
static void trips_high(void) { make_trips(1, NEXT); }
static void tables_used_again(void)
{
	expect(scene_table_bytes() <= scene.word[8]);
}

SCENARIO(chain_back, .what = "two map, write and unmap three tables each, again and again",
	 .set_up = nothing_mapped, .body = { trips_low, trips_high }, .check = tables_used_again,
	 .mutants = "chain_loses_rest");

/* ---- what a thread leaves behind where it unmaps ---- */

#define PLACES 16                        /* twice what a set of notes holds                                         */

static uint64_t table_pages(void)
{
	struct vmmap_usage usage;

	vmmap_get_usage(scene.map, &usage);
	return usage.table_pages;
}
static void wander(unsigned i, uint64_t at)
{
	for (unsigned trips = 0; trips < PLACES; trips++, at = scene_same_notes(at)) {
		expect(scene_fixed(i, at, 2 * 4096, RW) == (int64_t)at);
		expect(scene_fault(i, at, PROT_WRITE) == 0);
		expect(scene_munmap(i, at, 2 * 4096) == 0);
	}
}
static void wander_low(void)  { wander(0, PAGE(0)); }
static void wander_high(void) { wander(1, PAGE(512 * 512 * 16)); }
/* A place that met the other's look is forgotten: a few. */
static void left_little(void)
{
	expect(table_pages() < 2 * PLACES);
}

SCENARIO(chain_left, .what = "two wander about; the tables of where they have been go",
	 .set_up = nothing_mapped, .body = { wander_low, wander_high }, .check = left_little,
	 .mutants = "scavenge_nothing");

/* ---- a page table ends beside the thread that brings tables back ---- */

static struct pt *tables;

static void own_tables(void)
{
	scene_map();
	tables = scene_tables();
	scene_stop(1, "chain_before_recycle", BACK, ENDED);
}
static void unlink_and_end(void)
{
	scene_tables_unlink(tables, TABLES);
	scene_signal(UNLINKED);
	scene_await(BACK);
	scene_tables_end(tables);
	scene_signal(ENDED);
}
static void round_meanwhile(void)
{
	scene_await(UNLINKED);
	scene_drain();
}

SCENARIO(chain_end, .what = "a page table ends while a round of grace periods brings its tables back",
	 .set_up = own_tables, .body = { unlink_and_end, round_meanwhile }, .mutants = "chain_counts_early");

/* ---- a fault hangs a table below one that was unlinked; who unlinked it makes tables elsewhere ---- */

#define GIB   (512 * SPAN)
#define LATER 8                          /* as many tables as come back, and more                                   */
#define LATE  77                         /* the word of the upper one, then of a table of pages                     */

static void one_gib(void)
{
	scene_map();
	scene_mmap(PAGES(GIB, GIB), RW);
	scene_mmap(PAGES(3 * GIB, GIB), RW);
	expect(vmmap_fault(scene.map, PAGE(GIB), PROT_WRITE, NULL) == 0);
	expect(vmmap_fault(scene.map, PAGE(3 * GIB), PROT_WRITE, NULL) == 0);
	scene_stop(0, "pt_make_before_cas", UNLINKED, BACK);
}
static void fault_late(void)
{
	int64_t rc = scene_fault(0, PAGE(GIB + LATE * SPAN), PROT_WRITE);

	expect(rc == 0 || rc == -EFAULT);
	scene_signal(ENDED);
}
static void unmap_and_make(void)
{
	scene_await(UNLINKED);
	expect(scene_munmap(1, PAGES(GIB, GIB)) == 0);
	scene_signal(BACK);
	scene_await(ENDED);
	scene_drain();
	for (unsigned n = 1; n <= LATER; n++) {
		expect(scene_fault(1, PAGE(3 * GIB + n * SPAN), PROT_WRITE) == 0);
		expect(!scene_present(PAGE(3 * GIB + n * SPAN + LATE)));
	}
}

SCENARIO(chain_late, .what = "a fault hangs a table below one that is unlinked; tables are made of both",
	 .set_up = one_gib, .body = { fault_late, unmap_and_make }, .mutants = "table_taken_unlooked");
