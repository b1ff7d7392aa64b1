/* SPDX-License-Identifier: MIT */
/* scenario_move.c - mremap, stacks that grow, frames that are used again. */
#include "bench/explore/scene.h"

#define TO 4096                          /* pages: another table                                                    */

/* ---- mremap ---- */

static void two_places(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 8), RW);
	scene_mmap(PAGES(TO, 8), RW);
	expect(scene_write(0, PAGE(0), 1) == 8 && scene_write(0, PAGE(TO), 2) == 8);
}
static void up(void)   { scene_move(0, PAGES(0, 8), PAGE(TO)); }
static void down(void) { scene_move(1, PAGES(TO, 8), PAGE(0)); }
/* One of them is the last; or it came when its source was gone. */
static void crossed(void)
{
	uint64_t word = 0;
	bool low = scene_mapped(PAGE(0), NULL);

	expect(scene.result[0] == (int64_t)PAGE(TO) || scene.result[0] == -EFAULT);
	expect(scene.result[1] == (int64_t)PAGE(0) || scene.result[1] == -EFAULT);
	expect(low != scene_mapped(PAGE(TO), NULL));
	expect(vmmap_read(scene.map, low ? PAGE(0) : PAGE(TO), &word, sizeof(word)) == 8 && (word == 1 || word == 2));
}

SCENARIO(move_cross, .what = "mremap of A to B against mremap of B to A",
	 .set_up = two_places, .body = { up, down }, .check = crossed, .mutants = "remap_source_first");

static void one_place(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 8), RW);
	expect(scene_write(0, PAGE(0), 1) == 8);
}
static void store_low(void)
{
	int64_t rc = scene_write(1, PAGE(0), 7);

	expect(rc == 8 || rc == -EFAULT);
}
static void word_moved(void)
{
	uint64_t word = 0;

	expect(scene.result[0] == (int64_t)PAGE(TO));
	expect(vmmap_read(scene.map, PAGE(TO), &word, sizeof(word)) == 8);
	expect(word == (scene.result[1] == 8 ? 7 : 1));
}

SCENARIO(move_store, .what = "a store against mremap: it is at the new place, or was refused",
	 .set_up = one_place, .body = { up, store_low }, .check = word_moved,
	 .mutants = "zap_skips_locked zap_clears_unseen tables_freed_at_once");

static void protect_low(void) { scene.result[0] = vmmap_mprotect(scene.map, PAGES(0, 8), PROT_READ); }
/* Once mprotect has returned no store may come through. */
static void protect_and_look(void)
{
	uint64_t word = 0, again = 0;

	protect_low();
	expect(vmmap_read(scene.map, PAGE(0), &word, sizeof(word)) == 8);
	expect(vmmap_read(scene.map, PAGE(0), &again, sizeof(again)) == 8 && word == again);
}

SCENARIO(protect_store, .what = "a store against mprotect: none after it has returned",
	 .set_up = one_place, .body = { protect_and_look, store_low }, .mutants = "protect_skips_locked");

static void unmap_part(void)  { expect(scene_munmap(0, PAGES(4, 1)) == 0); }
static void word_is_there(void)
{
	uint64_t word = 0;

	expect(vmmap_read(scene.map, PAGE(0), &word, sizeof(word)) == 8 && (word == 1 || word == 7));
}
static void fault_low(void) { expect(scene_fault(1, PAGE(0), PROT_WRITE) == 0); }

SCENARIO(undo_fault, .what = "a fault on a page that is there, its VMA cut elsewhere",
	 .set_up = one_place, .body = { unmap_part, fault_low }, .check = word_is_there,
	 .mutants = "fault_undo_empties");

/* ---- frames ---- */

static void read_low(void)
{
	int64_t rc = scene_read(1, PAGE(0), &scene.word[0]);

	expect((rc == 8 && scene.word[0] == 1) || rc == -EFAULT);
}
static void unmap_and_use(void)
{
	expect(scene_munmap(0, PAGES(0, 8)) == 0);
	expect(vmmap_mmap(scene.map, PAGES(64, 4), RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)PAGE(64));
	for (unsigned i = 0; i < 4; i++)
		expect(scene_write(0, PAGE(64 + i), 0xbad) == 8);
}

/* The unmapper has touched the page first, and alone. */
static void touched_by_0(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 8), RW);
}
static void touch_unmap_use(void)
{
	expect(scene_write(0, PAGE(0), 1) == 8);
	unmap_and_use();
}
static void read_touched(void)
{
	int64_t rc = scene_read(1, PAGE(0), &scene.word[0]);

	expect((rc == 8 && (scene.word[0] == 1 || scene.word[0] == 0)) || rc == -EFAULT);
}

SCENARIO(frame_reuse, .what = "a load from a page whose toucher unmaps it and writes to others",
	 .set_up = touched_by_0, .body = { touch_unmap_use, read_touched },
	 .mutants = "access_keeps_toucher retire_at_once");
SCENARIO(frame_reuse_other, .what = "the same, touched by another thread before",
	 .set_up = one_place, .body = { unmap_and_use, read_low },
	 .mutants = "retire_at_once rcu_poll_blind frame_poll_early");

/* ---- tables ---- */

static void two_in_table(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 256), PROT_READ);
	scene_mmap(PAGES(256, 4), RW);
	expect(vmmap_fault(scene.map, PAGE(0), PROT_READ, NULL) == 0);
}
static void unmap_neighbour(void) { expect(scene_munmap(0, PAGES(0, 256)) == 0); }
static void store_there(void)     { expect(scene_write(1, PAGE(257), 42) == 8); }
static void stored(void) { scene_word_is(PAGE(257), 42); }

SCENARIO(table_shared, .what = "a munmap beside a store of which the entry is in the same table",
	 .set_up = two_in_table, .body = { unmap_neighbour, store_there }, .check = stored,
	 .mutants = "tables_partly_held tables_freed_at_once");

/* ---- stacks ---- */

#define STACK PAGE(600)

static void stack(void)
{
	scene_map();
	expect(vmmap_mmap(scene.map, STACK, 4096, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) == (int64_t)STACK);
}
static void grow_near(void) { expect(scene_fault(0, STACK - 3 * 4096, PROT_WRITE) == 0); }
static void grow_far(void)  { expect(scene_fault(1, STACK - 9 * 4096, PROT_WRITE) == 0); }
static void grown(void)
{
	struct vmmap_vma v;

	expect(vmmap_query(scene.map, STACK, &v) == 0 && v.start == STACK - 9 * 4096 && v.end == STACK + 4096);
}

SCENARIO(grow_two, .what = "two faults below one stack",
	 .set_up = stack, .body = { grow_near, grow_far }, .check = grown, .mutants = "grow_inside_visit");

static void replace_stack(void)
{
	expect(vmmap_mmap(scene.map, STACK, 4096, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)STACK);
}
static void grow_or_not(void)
{
	scene_fault(0, STACK - 3 * 4096, PROT_WRITE);
	expect(scene.result[0] == 0 || scene.info[0].code == VMMAP_MAPERR);
}
static void no_plain_one_grew(void)
{
	struct vmmap_vma v;

	expect(vmmap_query(scene.map, STACK, &v) == 0 && v.start == STACK);
}

SCENARIO(grow_replace, .what = "a fault below a stack that becomes a plain mapping",
	 .set_up = stack, .body = { grow_or_not, replace_stack }, .check = no_plain_one_grew,
	 .mutants = "grow_trusts_look");

static void map_some(void) { expect(scene_anywhere(1, 4 * 4096) > 0); }
static void high_stack(void)
{
	int64_t at;

	scene_map();
	at = vmmap_mmap(scene.map, 0, 4 * 4096, RW, ANON | MAP_GROWSDOWN, NULL, 0);
	expect(at > 0);
	scene.word[0] = (uint64_t)at;
}
/* The mapping, if it comes first, stands too near for the stack to grow. */
static void grow_high(void)
{
	scene_fault(0, scene.word[0] - 10 * 4096, PROT_WRITE);
	expect(scene.result[0] == 0 || scene.info[0].code == VMMAP_MAPERR);
}
static void guard_is_free(void)
{
	uint64_t start = scene.word[0] - (scene.result[0] == 0 ? 10 * 4096 : 0);

	expect((uint64_t)scene.result[1] + 4 * 4096 + 256 * 4096 <= start);
}

SCENARIO(grow_place, .what = "a stack grows towards a place that an mmap was proposed",
	 .set_up = high_stack, .body = { grow_high, map_some }, .check = guard_is_free,
	 .mutants = "map_no_guard grow_holds_no_guard");
