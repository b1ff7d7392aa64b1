/* SPDX-License-Identifier: MIT */
/* scenario_queue.c - queues behind a range lock, visits that are counted, entries that are locked under a zap. */
#include "bench/explore/scene.h"

static void thirty_two(void) { scene_pages(32); }

/* ---- a waiter queues on the next acquisition ---- */

static void before_push(void)
{
	thirty_two();
	scene_stop(1, "waiter_before_push", BACK, THIRD);
}
static void before_find(void)
{
	thirty_two();
	scene_stop(1, "waiter_after_count", BACK, THIRD);
}
static void hold_next(void)
{
	scene_keep(0, PAGES(4, 1), BACK);
	scene_hold(0, PAGES(20, 1));
	scene_signal(THIRD);
	scene_must(FOURTH);                      /* the other one has no business with this                         */
	scene_release(0);
}
static void hold_4(void)
{
	scene_must(THERE);
	scene_hold(1, PAGES(4, 1));
	scene_signal(FOURTH);
	scene_release(1);
}

SCENARIO(queue_next, .what = "a waiter is about to queue on a lock that is let go, and held for something else",
	 .set_up = before_push, .body = { hold_next, hold_4 }, .mutants = "push_no_refind push_any_count");

static void two_pages(void)
{
	scene_map();
	scene_mmap(PAGES(4, 1), RW);
	scene_mmap(PAGES(20, 1), RW);
	scene_stop(1, "vtree_find_validated", BACK, BACK);
}

SCENARIO(order_queue_next, .what = "a waiter comes to the queue of what is held for something else by now",
	 .set_up = two_pages, .body = { hold_next, hold_4 });
SCENARIO(queue_next_count, .what = "the same, behind its look at the count",
	 .set_up = before_find, .body = { hold_next, hold_4 }, .mutants = "push_no_refind");

/* ---- wake-ups ---- */

static void two_waits(void)
{
	thirty_two();
	scene_stop(1, "waiter_before_sleep", BACK, THIRD);
	scene_stop(0, "grant_stored", THIRD, NEVER);     /* the waiter goes on, and sleeps on its record again      */
}
static void hold_page_4(void)
{
	scene_must(FOURTH);
	scene_keep(0, PAGES(4, 1), BACK);
	scene_signal(5);
}
static void hold_20(void)
{
	scene_hold(2, PAGES(20, 1));
	scene.word[9] = 1;
	scene_signal(FOURTH);
	(void)scene_await(5);
	scene.word[9] = 0;
	scene_release(2);
}
static void hold_4_and_20(void)
{
	scene_must(THERE);
	scene_take(1, PAGES(4, 1));
	scene_hold(1, PAGES(20, 1));
	expect(scene.word[9] == 0);
	scene_release(1);
}

SCENARIO(queue_late_wake, .what = "a wake-up that was meant for an earlier wait comes late",
	 .set_up = two_waits, .body = { hold_page_4, hold_4_and_20, hold_20 }, .mutants = "waiter_believes_wake");

static void woken_when(void)
{
	thirty_two();
	scene_stop(0, "release_before_sweep", BACK, THIRD);
	scene_stop(1, "waiter_woken", FOURTH, THIRD);
}
static void hold_and_release(void) { scene_keep_asleep(0, PAGES(4, 1)); }
static void hold_behind(void)
{
	(void)scene_await(THERE);
	scene_take(1, PAGES(4, 1));
}
/* Nobody is woken before the words are free. */
static void watch(void)
{
	if (scene_await(FOURTH))
		expect(scene.signal[THIRD]);
}

SCENARIO(queue_woken, .what = "a waiter is woken when its place is free",
	 .set_up = woken_when, .body = { hold_and_release, hold_behind, watch }, .mutants = "wake_before_sweep");

/* ---- behind a brief edit there is no queue ---- */

static void brief_stays(void)
{
	thirty_two();
	scene_stop(0, "carve_after_leave", THERE, SCENE_MUST + BACK);
	scene_stop(1, "waiter_insists", BACK, BACK);
}
static void protect_brief(void) { expect(scene_protect(0, PAGES(4, 1), PROT_READ) == 0); }
static void hold_over_brief(void)
{
	scene_must(THERE);
	scene_take(1, PAGES(0, 8));
}

SCENARIO(queue_none, .what = "who polls behind a brief edit insists",
	 .set_up = brief_stays, .body = { protect_brief, hold_over_brief }, .mutants = "poller_never_insists");

/* ---- nobody sleeps inside a read section ---- */

static void hold_a_while(void)
{
	scene_hold(0, PAGES(4, 1));
	scene_asleep(1);
	scene_release(0);
}
static void fault_4(void) { expect(scene_fault(1, PAGE(4), PROT_WRITE) == 0); }

SCENARIO(queue_section, .what = "a fault waits for a holder",
	 .set_up = thirty_two, .body = { hold_a_while, fault_4 }, .mutants = "wait_inside_rcu");

/* ---- counted visits ---- */

static void counted(void) { scene_pages(3 * LONG); }
static void inside_when_zapped(void)
{
	counted();
	scene_stop(0, "fault_before_cas", THERE, BACK);
	scene_stop(1, "replace_before_leave", BACK, THIRD);
}
static void late_pin(void)
{
	counted();
	scene_stop(0, "visit_before_pin", THERE, BACK);
	scene_stop(1, "replace_before_leave", BACK, THIRD);
}
static void inside_when_carved(void)
{
	counted();
	scene_stop(0, "fault_before_cas", THERE, BACK);
	scene_stop(1, "carve_before_leave", BACK, THIRD);
}
static void inside(void)
{
	counted();
	scene_stop(0, "fault_before_cas", THERE, BACK);
}
static void fault_middle(void)
{
	scene_fault(0, PAGE(LONG + 3), PROT_WRITE);
	expect(scene.result[0] == 0 || scene.result[0] == -EFAULT);
	scene_signal(THIRD);
}
static void unmap_all(void) { scene_then_munmap(PAGES(0, 3 * LONG)); }
static void unmap_middle(void) { scene_then_munmap(PAGES(LONG, LONG)); }
static void carve_page(void) { scene_then_munmap(PAGES(LONG + 3, 1)); }
static void to_read_only(void) { scene_then_fixed(PAGES(0, 3 * LONG), PROT_READ); }

SCENARIO(counted_drain, .what = "a munmap waits for a counted fault", .policy = "vma-count",
	 .set_up = inside_when_zapped, .body = { fault_middle, unmap_all },
	 .mutants = "drain_ignores_pins unpin_wake_wrong");
SCENARIO(counted_late, .what = "a fault is counted behind an edit's look at the counter", .policy = "vma-count",
	 .set_up = late_pin, .body = { fault_middle, to_read_only }, .mutants = "pin_no_recheck");
SCENARIO(counted_cut, .what = "a cut gives a counted page away", .policy = "vma-count",
	 .set_up = inside, .body = { fault_middle, unmap_middle }, .mutants = "pinned_no_refind");
SCENARIO(counted_brief, .what = "a brief edit comes to what is counted", .policy = "vma-count",
	 .set_up = inside_when_carved, .body = { fault_middle, carve_page }, .mutants = "take_ignores_pins");

static void walked(void)
{
	scene_map_bytes();
	scene_object(8, false);
	scene_share(PAGE(0), 8, 0);
	for (unsigned i = 0; i < 8; i++)
		expect(scene_write(0, PAGE(i), 1) == 8);
	scene_stop(0, "walk_before_entries", THERE, BACK);
}
static void cut_all(void) { expect(vmmap_object_resize(scene.object, 0) == 0); }
static void anonymous_above(void)
{
	(void)scene_await(THERE);
	expect(scene_fixed(1, PAGES(4, 4), RW) == (int64_t)PAGE(4));
	expect(scene_write(1, PAGE(6), 7) == 8);
	scene_signal(BACK);
}
static void seven(void) { scene_word_is(PAGE(6), 7); }

SCENARIO(counted_short, .what = "a cut leaves a counted walk with less than it began with", .policy = "vma-count",
	 .flags = SCENARIO_SHARED, .set_up = walked, .body = { cut_all, anonymous_above }, .check = seven,
	 .mutants = "pinned_no_length");

static void held_below(void)
{
	scene_pages(4);
	scene_stop(2, "fault_before_cas", BACK, THIRD);
}
static void hold_below(void)
{
	scene_keep(0, PAGES(0, 4), BACK);
	expect(scene_vma(PAGE(0)) != scene_vma(PAGE(4)) || !scene.signal[BACK] || scene.signal[THIRD]);
	scene_signal(THIRD);
}
static void map_beside(void)
{
	(void)scene_await(THERE);
	expect(scene_fixed(1, PAGES(4, 4), RW) == (int64_t)PAGE(4));
	scene_signal(FOURTH);
}
static void fault_beside(void)
{
	(void)scene_await(FOURTH);
	(void)scene_fault(2, PAGE(4), PROT_READ);
}

SCENARIO(counted_merge, .what = "a VMA is swallowed under a counted fault", .policy = "vma-count",
	 .set_up = held_below, .body = { hold_below, map_beside, fault_beside }, .mutants = "merge_no_drain");

/* ---- entries ---- */

static void one_word(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 4), RW);
	expect(scene_write(0, PAGE(1), 1) == 8);
}
static void storing(void)
{
	one_word();
	scene_stop(0, "access_before_store", THERE, BACK);
}
static void store(void)
{
	int64_t rc = scene_write(0, PAGE(1), 42);

	expect(rc == 8 || rc == -EFAULT);
	scene_signal(THIRD);
}
static void unmap_and_look(void)
{
	bool inside_store = scene_await(THERE);

	expect(scene_munmap(1, PAGES(0, 4)) == 0);
	expect(!inside_store || scene.signal[BACK]);     /* it has waited for the store                             */
	scene_signal(BACK);
}
static void clearing(void)
{
	one_word();
	scene_stop(1, "pt_zap_before_clear", THERE, BACK);
	scene_stop(0, "access_before_store", BACK, THIRD);
}
static void store_then(void)
{
	(void)scene_await(THERE);
	store();
}
static void unmap_over_store(void)
{
	expect(scene_munmap(1, PAGES(0, 4)) == 0);
	expect(!scene.signal[BACK] || scene.signal[THIRD]);
	scene_signal(THIRD);
}

SCENARIO(entry_locked, .what = "munmap comes to an entry that is being stored through",
	 .set_up = storing, .body = { store, unmap_and_look }, .mutants = "zap_skips_locked");
SCENARIO(entry_cleared, .what = "a store locks an entry that munmap is about to clear",
	 .set_up = clearing, .body = { store_then, unmap_over_store }, .mutants = "zap_clears_unseen");

static void two_tables(void)
{
	scene_pages(1024);
	expect(vmmap_fault(scene.map, PAGE(1), PROT_WRITE, NULL) == 0);
	scene_stop(0, "fault_before_cas", THERE, BACK);
}
static void fault_in_table(void)
{
	scene_fault(0, PAGE(3), PROT_WRITE);
	expect(scene.result[0] == -EFAULT || scene.result[0] == 0);
}
static void unmap_tables(void) { scene_then_munmap(PAGES(0, 1024)); }

SCENARIO(table_freed, .what = "a table is freed under a fault",
	 .set_up = two_tables, .body = { fault_in_table, unmap_tables }, .mutants = "tables_freed_at_once");

static void read_in_table(void)
{
	uint64_t word = 1;
	int64_t rc = scene_read(0, PAGE(1), &word);

	expect(rc == -EFAULT || (rc == 8 && word == 0));
}
static void unmap_it(void) { expect(scene_munmap(1, PAGES(0, 1024)) == 0); }
static void two_tables_bytes(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 1024), RW);
	expect(vmmap_fault(scene.map, PAGE(1), PROT_WRITE, NULL) == 0);
}

SCENARIO(table_read, .what = "a table is freed under a load",
	 .set_up = two_tables_bytes, .body = { read_in_table, unmap_it }, .mutants = "tables_freed_at_once");

/* The toucher unmaps its page and writes to others; the reader is about to copy. */
static void touched(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 1), RW);
	scene_stop(1, "access_before_load", BACK, THIRD);
}
static void touch_and_use(void)
{
	expect(scene_write(0, PAGE(0), 42) == 8);
	scene_signal(THERE);
	(void)scene_await(BACK);
	expect(scene_munmap(0, PAGES(0, 1)) == 0);
	expect(scene_fixed(0, PAGES(256, 64), RW) == (int64_t)PAGE(256));
	for (unsigned i = 0; i < 64; i++)
		expect(scene_write(0, PAGE(256 + i), 0xbad) == 8);
	scene_signal(THIRD);
}
static void load(void)
{
	uint64_t word;
	int64_t rc;

	(void)scene_await(THERE);
	rc = scene_read(1, PAGE(0), &word);
	expect(rc == -EFAULT || (rc == 8 && word == 42));
}

SCENARIO(frame_toucher, .what = "a load copies from a frame whose toucher gives it away",
	 .set_up = touched, .body = { touch_and_use, load }, .mutants = "access_keeps_toucher retire_at_once");

static void touched_by_main(void)
{
	scene_map_bytes();
	scene_mmap(PAGES(0, 1), RW);
	expect(scene_write(0, PAGE(0), 42) == 8);
	scene_stop(1, "access_before_load", BACK, THIRD);
}
static void unmap_and_use(void)
{
	scene_signal(THERE);
	(void)scene_await(BACK);
	expect(scene_munmap(0, PAGES(0, 1)) == 0);
	expect(scene_fixed(0, PAGES(256, 128), RW) == (int64_t)PAGE(256));
	for (unsigned i = 0; i < 128; i++) {
		expect(scene_write(0, PAGE(256 + i), 0xbad) == 8);
		if (i % 16 == 15)
			expect(scene_munmap(0, PAGES(256 + i - 15, 16)) == 0);
	}
	scene_signal(THIRD);
}

SCENARIO(frame_early, .what = "a frame is used again inside its grace period",
	 .set_up = touched_by_main, .body = { unmap_and_use, load }, .mutants = "frame_poll_early rcu_poll_blind");
