/* SPDX-License-Identifier: MIT */
/* scenario_pager.c - objects with a pager: reads and writes of pages against cuts, stores, and each other. */
#include "bench/explore/scenario.h"

enum { IN_READ = 3, REPLACED };          /* signals                                                         */
enum { FAIL_READ = 10, FAIL_WRITE, WRITES, CUT_DONE, SIZE };     /* words                                           */

/* ---- a pager that can be stopped and can fail ---- */

static int read_page(void *self, uint64_t page, void *bytes)
{
	uint64_t *word = bytes;

	(void)self;
	for (unsigned i = 0; i < 512; i++)
		word[i] = 0;
	word[0] = word[1] = scene.stored[page];
	scene_pause();
	if (scene.word[FAIL_READ] > 0) {
		scene.word[FAIL_READ]--;
		return -EIO;
	}
	return 0;
}

static int write_page(void *self, uint64_t page, const void *bytes)
{
	uint64_t word = *(const uint64_t *)bytes;

	(void)self;
	expect(scene.word[WRITES] == 0);                 /* one at a time                                           */
	scene.word[WRITES] = 1;
	scene_pause();
	expect(!(scene.word[CUT_DONE] && page >= scene.word[SIZE]));     /* the resize has returned                 */
	scene.stored[page] = word;
	scene.word[WRITES] = 0;
	if (scene.word[FAIL_WRITE] > 0) {
		scene.word[FAIL_WRITE]--;
		return -EIO;
	}
	return 0;
}

static void paged(uint64_t pages)
{
	static const struct vmmap_pager pager = { .read_page = read_page, .write_page = write_page };

	scene_map_bytes();
	expect(vmmap_object_create(&scene.object, scene.physmem, "paged", pages * 4096, &pager) == 0);
	scene_share(PAGE(0), pages, 0);
}

static int sync_all(void) { return vmmap_object_sync(scene.object, 0, UINT64_MAX); }

/* ---- syncs ---- */

static void one_stored(void)
{
	paged(1);
	expect(scene_write(0, PAGE(0), 1) == 8);
}
static void sync_0(void) { expect(sync_all() == 0); }
static void store_and_sync(void)
{
	expect(scene_write(1, PAGE(0), 2) == 8);
	expect(sync_all() == 0);
	expect(scene.stored[0] == 2);
}
static void two_is_stored(void) { expect(scene.stored[0] == 2); }

SCENARIO(pager_two_syncs, .what = "a sync while another one writes an older copy", .flags = SCENARIO_SHARED,
	 .set_up = one_stored, .body = { sync_0, store_and_sync }, .check = two_is_stored,
	 .mutants = "sync_no_wait sync_clears_late");

static void moves(void) { (void)scene_migrate(scene.map, PAGE(0)); }
static void sync_one(void)
{
	expect(sync_all() == 0);
	expect(scene.stored[0] == 1);
}

SCENARIO(pager_page_moves, .what = "a sync while the page goes to another frame", .flags = SCENARIO_SHARED,
	 .set_up = one_stored, .body = { moves, sync_one }, .mutants = "sync_passes_moving");

static void two_stored(void)
{
	paged(2);
	expect(scene_write(0, PAGE(1), 1) == 8);
	scene.word[SIZE] = 1;
}
static void cut_and_tell(void)
{
	expect(vmmap_object_resize(scene.object, 4096) == 0);
	scene.word[CUT_DONE] = 1;
}

SCENARIO(pager_cut, .what = "a resize cuts a page off that is being written", .flags = SCENARIO_SHARED,
	 .set_up = two_stored, .body = { sync_0, cut_and_tell }, .mutants = "cut_no_wait");

static void fails_once(void)
{
	one_stored();
	scene.word[FAIL_WRITE] = 1;
}
/* The first sync fails: whatever comes after it writes the page again. */
static void sync_fails(void)
{
	uint64_t before;

	expect(sync_all() == -EIO || scene.word[FAIL_WRITE] == 0);
	before = scene.stored[0];
	scene.stored[0] = 0;
	expect(sync_all() == 0);
	expect(before == 1 && scene.stored[0] == 1);
}
static void load_it(void)
{
	uint64_t word;

	expect(scene_read(1, PAGE(0), &word) == 8 && word == 1);
}

SCENARIO(pager_fails_once, .what = "a write that fails leaves the page dirty, beside a load", .flags = SCENARIO_SHARED,
	 .set_up = fails_once, .body = { sync_fails, load_it }, .mutants = "sync_forgets_failure");

/* ---- mprotect gives no WRITE that a sync has taken ---- */

static void protect_and_store(void)
{
	expect(vmmap_mprotect(scene.map, PAGES(0, 1), PROT_READ) == 0);
	expect(vmmap_mprotect(scene.map, PAGES(0, 1), RW) == 0);
	expect(scene_write(1, PAGE(0), 3) == 8);
}
static void three_is_stored(void)
{
	expect(sync_all() == 0);
	expect(scene.stored[0] == 3);
}

SCENARIO(pager_protect, .what = "mprotect to read-only and back beside a sync", .flags = SCENARIO_SHARED,
	 .set_up = one_stored, .body = { sync_0, protect_and_store }, .check = three_is_stored,
	 .mutants = "protect_gives_write sync_keeps_write");

static void move_and_store(void)
{
	expect(scene_move(1, PAGES(0, 1), PAGE(512)) == (int64_t)PAGE(512));
	expect(scene_write(1, PAGE(512), 3) == 8);
}

SCENARIO(pager_move, .what = "mremap moves an entry past a sync", .flags = SCENARIO_SHARED,
	 .set_up = one_stored, .body = { sync_0, move_and_store }, .check = three_is_stored,
	 .mutants = "move_keeps_write");

/* ---- the dirty mark ---- */

static void mapped_twice(void)
{
	paged(1);
	scene_share(PAGE(256), 1, 0);
	expect(scene_write(0, PAGE(256), 1) == 8);
}
static void store_three(void) { expect(scene_write(1, PAGE(0), 3) == 8); }

SCENARIO(pager_dirty, .what = "a first store at one place while a sync comes by", .flags = SCENARIO_SHARED,
	 .set_up = mapped_twice, .body = { sync_0, store_three }, .check = three_is_stored,
	 .mutants = "dirty_before_lock dirty_after_store");

static void read_before(void)
{
	uint64_t word;

	paged(1);
	expect(scene_read(0, PAGE(0), &word) == 8);
	scene_stop(0, "fault_after_store", 1, 2);
}
static void fault_for_store(void) { expect(scene_fault(0, PAGE(0), PROT_WRITE) == 0); }
static void store_and_look(void)
{
	expect(scene_write(1, PAGE(0), 3) == 8);
	expect(sync_all() == 0);
	expect(scene.stored[0] == 3);
	scene_signal(2);
}

SCENARIO(pager_dirty_late, .what = "a store through an entry that a fault has just made, and a sync",
	 .flags = SCENARIO_SHARED, .set_up = read_before, .body = { fault_for_store, store_and_look },
	 .mutants = "dirty_after_store");

/* ---- reads ---- */

static void seven_in_pager(void)
{
	paged(2);
	scene.stored[1] = 7;
	scene_stop(1, "fill_before_publish", IN_READ, REPLACED);
}
/* Its first word stays; the second one is cut off. */
static void cut_inside(void)
{
	scene_await(IN_READ);
	expect(vmmap_object_resize(scene.object, 4096 + 8) == 0);
	expect(vmmap_object_resize(scene.object, 2 * 4096) == 0);
	scene_signal(REPLACED);
}
static void fault_page(void)
{
	scene_fault(1, PAGE(1), PROT_WRITE);
	expect(scene.result[1] == 0);
}
static void rest_is_zero(void)
{
	uint64_t word[2] = { 1, 1 };

	expect(vmmap_read(scene.map, PAGE(1), word, 16) == 16 && word[0] == 7 && word[1] == 0);
}

SCENARIO(pager_read_cut, .what = "a page is cut off in its middle, and grown back, while it is read",
	 .flags = SCENARIO_SHARED, .set_up = seven_in_pager, .body = { cut_inside, fault_page },
	 .check = rest_is_zero, .mutants = "fill_ignores_cut");

static void replace_it(void)
{
	expect(vmmap_mmap(scene.map, PAGE(0), 4096, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)PAGE(0));
	scene_signal(REPLACED);
}
/* The pager fails: told only if nobody has mapped something else there by then. */
static void fault_fails(void)
{
	bool anonymous;

	scene_fault(0, PAGE(0), PROT_WRITE);
	anonymous = scene.signal[REPLACED];
	expect(scene.result[0] == 0 ||
	       (scene.info[0].code == VMMAP_BUS && (!anonymous || scene.word[5])));
}
static int stop_in_read(void *self, uint64_t page, void *bytes)
{
	int rc = read_page(self, page, bytes);

	scene_signal(IN_READ);
	for (unsigned n = 0; n < 20 && !scene.signal[REPLACED]; n++)
		scene_pause();
	scene.word[5] = !scene.signal[REPLACED]; /* the failure is of before the replacement                        */
	return rc;
}
static void stopped_read_fails(void)
{
	static const struct vmmap_pager pager = { .read_page = stop_in_read, .write_page = write_page };

	scene_map_bytes();
	expect(vmmap_object_create(&scene.object, scene.physmem, "paged", 4096, &pager) == 0);
	scene_share(PAGE(0), 1, 0);
	scene.word[FAIL_READ] = 1;
}
static void replace_while_read(void)
{
	scene_await(IN_READ);
	replace_it();
}

SCENARIO(pager_replaced, .what = "a pager fails when its page is no longer mapped", .flags = SCENARIO_SHARED,
	 .set_up = stopped_read_fails, .body = { fault_fails, replace_while_read },
	 .mutants = "fault_trusts_failure");
