/* SPDX-License-Identifier: MIT */
/* scenario_global.c - policies with one lock for all edits: rwsem's queue, visits of pervma and spf that pass it by. */
#include "bench/explore/scene.h"

#define GROUPED (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)

static void long_vma(void) { scene_pages(3 * LONG); }

/* ---- rwsem: its queue ---- */

static void hold_page(void) { scene_take(1, PAGES(0, 1)); }
static void pass_six_times(void)
{
	scene_pass(PAGES(0, 1), 1, 6);
	scene_release(0);
}

SCENARIO(global_passed, .what = "an edit waits for the lock that another takes again and again", .policy = "rwsem",
	 .set_up = long_vma, .body = { pass_six_times, hold_page }, .mutants = "rwsem_no_handoff");

static void before_join(void)
{
	long_vma();
	scene_stop(1, "rwsem_before_join", BACK, THIRD);
}
static void hold_and_go(void)
{
	scene_keep(0, PAGES(0, 1), BACK);
	scene_signal(THIRD);
}
static void fault_held(void)
{
	(void)scene_await(THERE);
	expect(scene_fault(1, PAGE(3), PROT_WRITE) == 0);
}

SCENARIO(global_last_look, .what = "the lock comes free before a fault stands in its queue", .policy = "rwsem",
	 .set_up = before_join, .body = { hold_and_go, fault_held }, .mutants = "rwsem_no_last_look");

static void before_quit(void)
{
	long_vma();
	scene_stop(1, "rwsem_before_quit", BACK, THIRD);
}
static void fault_for_a_while(void) { scene_then_fault_soon(PAGE(3)); }

SCENARIO(global_quit, .what = "a fault's time is up when the lock is granted to it", .policy = "rwsem",
	 .set_up = before_quit, .body = { hold_and_go, fault_for_a_while }, .mutants = "rwsem_quits_granted");

/* An edit waits for a fault that is inside, looks from time to time, and is woken and granted the lock at once. */
static void woken_and_granted(void)
{
	long_vma();
	scene_stop(0, "fault_before_cas", 1, 5);
	scene_stop(1, "rwsem_look", 4, 4);
	scene_stop(1, "rwsem_look", 5, 6);
	scene_stop(0, "fault_before_cas", 6, 7);
	scene_stop(1, "rwsem_woken", 7, 8);
}
static void fault_twice(void)
{
	expect(scene_fault(0, PAGE(1), PROT_WRITE) == 0);
	expect(scene_fault(0, PAGE(2), PROT_WRITE) == 0);
	scene_signal(8);
}
static void hold_beside(void)
{
	(void)scene_await(1);
	hold_page();
}

SCENARIO(global_granted, .what = "the lock is granted to an edit that was woken and has not tried yet",
	 .policy = "rwsem", .set_up = woken_and_granted, .body = { fault_twice, hold_beside },
	 .mutants = "rwsem_forgets_grant");

/* Two wait, one behind the other; hundreds that look leave who releases no room. */
static void second_looks(void)
{
	scene_pages(4);
	scene_stop(2, "rwsem_look", THIRD, THIRD);
}
static void hold_for_long(void)
{
	scene_hold(0, PAGES(0, 4));
	scene_signal(THERE);
	scene_asleep(1);
	scene_signal(BACK);
	scene_asleep(2);
	expect(!scene_await(THIRD));
	scene_release(0);
}
static void first_edit(void)
{
	scene_must(THERE);
	expect(scene_munmap(1, PAGES(0, 1)) == 0);
}
static void second_edit(void)
{
	scene_must(BACK);
	expect(scene_munmap(2, PAGES(1, 1)) == 0);
}

SCENARIO(global_one_looks, .what = "two edits wait for long: the first looks from time to time", .policy = "rwsem",
	 .set_up = second_looks, .body = { hold_for_long, first_edit, second_edit }, .mutants = "rwsem_all_look");

/* ---- rwsem: after a downgrade ---- */

static void object_mapped(void)
{
	scene_map_bytes();
	scene_object(LONG, false);
	scene_share(PAGE(0), LONG, 0);
	expect(scene_write(0, PAGE(0), 5) == 8);
	scene_stop(0, "unmap_downgraded", THERE, BACK);
}
static void unmap_object(void) { expect(scene_munmap(0, PAGES(0, LONG)) == 0); }
/* When the resize has returned no access hits what it has cut off. */
static void cut_all(void)
{
	uint64_t word;

	(void)scene_await(THERE);
	expect(vmmap_object_resize(scene.object, 0) == 0);
	expect(scene_read(1, PAGE(0), &word) == -EFAULT);
	scene_signal(BACK);
}

SCENARIO(global_walk, .what = "a munmap has downgraded and not zapped yet when a resize comes by", .policy = "rwsem",
	 .flags = SCENARIO_SHARED, .set_up = object_mapped, .body = { unmap_object, cut_all },
	 .mutants = "walk_trusts_gap");

static void last_reference(void)
{
	scene_map_bytes();
	expect(vmmap_mmap(scene.map, PAGES(0, LONG), RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0) > 0);
	expect(scene_write(0, PAGE(0), 42) == 8);
	scene_stop(0, "unmap_downgraded", THERE, BACK);
}
static void read_entry(void)
{
	uint64_t word;

	(void)scene_await(THERE);
	if (scene_read(1, PAGE(0), &word) == 8)
		expect(word == 42);
	scene_drain();
	if (!scene.signal[BACK])
		expect(scene_owned() == 1);
	scene_signal(BACK);
}

SCENARIO(global_object, .what = "the last reference on an object goes before its entries", .policy = "rwsem",
	 .flags = SCENARIO_SHARED, .set_up = last_reference, .body = { unmap_object, read_entry },
	 .mutants = "downgrade_buries_first");

/* ---- pervma, spf: visits against an edit ---- */

static void fault_page_3(void)
{
	scene_fault(0, PAGE(3), PROT_WRITE);
	expect(scene.result[0] == 0 || scene.result[0] == -EFAULT);
	scene_signal(THIRD);
}
static void to_read_only(void) { scene_then_fixed(PAGES(0, 3 * LONG), PROT_READ); }
static void late_pin(void)
{
	long_vma();
	scene_stop(0, "visit_before_pin", THERE, BACK);
	scene_stop(1, "replace_before_leave", BACK, THIRD);
}

SCENARIO(global_pervma, .what = "a visit is counted behind an edit's look at the counter", .policy = "pervma",
	 .set_up = late_pin, .body = { fault_page_3, to_read_only }, .mutants = "pervma_no_recheck");

static void before_cas(void)
{
	long_vma();
	scene_stop(0, "fault_before_cas", THERE, BACK);
}

SCENARIO(global_spf, .what = "an edit changes a VMA under a speculative fault", .policy = "spf",
	 .set_up = before_cas, .body = { fault_page_3, to_read_only },
	 .mutants = "spf_no_recheck");

static void before_valid(void)
{
	long_vma();
	scene_stop(0, "visit_before_valid", THERE, BACK);
	scene_stop(1, "change_before_tell", BACK, THIRD);
}
static void protect_read(void) { scene_then_protect(PAGES(0, 3 * LONG), PROT_READ); }
static void cas_before_protect(void)
{
	long_vma();
	scene_stop(0, "fault_before_cas", THERE, BACK);
}

SCENARIO(global_spf_protect, .what = "mprotect under a speculative fault", .policy = "spf",
	 .set_up = cas_before_protect, .body = { fault_page_3, protect_read },
	 .mutants = "spf_no_recheck spf_shut_keeps_version");
SCENARIO(global_spf_valid, .what = "the same, at the fault's last look", .policy = "spf",
	 .set_up = before_valid, .body = { fault_page_3, protect_read }, .mutants = "spf_shut_keeps_version");

static void in_the_middle(void)
{
	long_vma();
	scene_stop(1, "replace_before_leave", THERE, THIRD);
}
static void fault_meanwhile(void)
{
	(void)scene_await(THERE);
	fault_page_3();
}
static void replace_now(void) { expect(scene_fixed(1, PAGES(0, 3 * LONG), PROT_READ) == (int64_t)PAGE(0)); }

SCENARIO(global_spf_inside, .what = "a speculative fault begins in the middle of an edit", .policy = "spf",
	 .set_up = in_the_middle, .body = { fault_meanwhile, replace_now }, .mutants = "spf_ignores_writer");

static void fault_in_middle(void)
{
	scene_fault(0, PAGE(LONG + 3), PROT_WRITE);
	expect(scene.result[0] == 0 || scene.info[0].code == VMMAP_MAPERR);
	scene_signal(THIRD);
}
static void unmap_middle(void) { scene_then_munmap(PAGES(LONG, LONG)); }

SCENARIO(global_spf_cut, .what = "a cut gives the page of a speculative fault away", .policy = "spf",
	 .set_up = before_cas, .body = { fault_in_middle, unmap_middle }, .mutants = "writer_cuts_unshut");
SCENARIO(global_pervma_cut, .what = "a cut gives the page of a counted fault away", .policy = "pervma",
	 .set_up = before_cas, .body = { fault_in_middle, unmap_middle }, .mutants = "writer_cuts_unshut");

/* ---- spf: edits fail a visit again and again ---- */

enum { PASSES = 5 };

static void eight_pages(void)
{
	scene_pages(8);
	scene_stop(1, "fault_before_cas", 0, 8);
}
static void change_under_fault(void)
{
	for (unsigned n = 0; n < PASSES; n++) {
		scene_must(n);
		if (n + 1 < PASSES)
			scene_stop(1, "fault_before_cas", n + 1, n + 9);
		expect(scene_protect(0, PAGES(0, 8), n & 1 ? RW : RW | PROT_EXEC) == 0);
		scene_signal(n + 8);
	}
}
static void fault_on_and_on(void)
{
	expect(scene_fault(1, PAGE(4), PROT_WRITE) == 0);
	for (unsigned n = 0; n < PASSES; n++)
		scene_signal(n);
}
static void once_again(void)
{
	struct vmmap_counters counters;

	vmmap_get_counters(scene.map, &counters);
	expect(counters.fault_retries <= 1);
}

SCENARIO(global_spf_fails, .what = "edits fail a speculative fault again and again", .policy = "spf",
	 .set_up = eight_pages, .body = { change_under_fault, fault_on_and_on }, .check = once_again,
	 .mutants = "spf_never_falls_back");

/* ---- what is to become of a VMA is decided after it was shut ---- */

static void never_written(const char *stop)
{
	scene_map();
	expect(vmmap_mmap(scene.map, PAGES(0, LONG), RW, GROUPED, NULL, 0) == (int64_t)PAGE(0));
	scene_stop(0, "fault_before_group", THERE, BACK);
	scene_stop(1, stop, BACK, THIRD);
}
static void decided_change(void) { never_written("change_before_shut"); }
static void decided_remap(void)  { never_written("remap_before_shut"); }
static void protect_long(void)
{
	(void)scene_await(THERE);
	expect(scene_protect(1, PAGES(0, LONG), PROT_READ) == 0);
}
static void written_is_committed(void)
{
	struct vmmap_usage usage;

	vmmap_get_usage(scene.map, &usage);
	expect(usage.resident_pages == 0 || usage.committed_pages == LONG);
}
static void remap_long(void)
{
	(void)scene_await(THERE);
	expect(scene_move(1, PAGES(0, LONG), PAGE(256)) == (int64_t)PAGE(256));
}
static void written_has_group(void)
{
	struct vmmap_usage usage;

	vmmap_get_usage(scene.map, &usage);
	expect(usage.resident_pages == 0 || scene_group(PAGE(256)) != 0);
}

SCENARIO(global_decided, .what = "mprotect beside the first write", .policy = "pervma",
	 .set_up = decided_change, .body = { fault_page_3, protect_long }, .check = written_is_committed,
	 .mutants = "change_decides_early");
SCENARIO(global_decided_spf, .what = "the same, a speculative fault", .policy = "spf",
	 .set_up = decided_change, .body = { fault_page_3, protect_long }, .check = written_is_committed,
	 .mutants = "change_decides_early");
SCENARIO(global_moved, .what = "mremap beside the first write", .policy = "pervma",
	 .set_up = decided_remap, .body = { fault_page_3, remap_long }, .check = written_has_group,
	 .mutants = "remap_looks_early");
