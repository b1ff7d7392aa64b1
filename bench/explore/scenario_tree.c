/* SPDX-License-Identifier: MIT */
/* scenario_tree.c - VMAs in several leaves, leaves that are split, and listings. */
#include "bench/explore/scene.h"

/* ---- one VMA in two leaves ---- */

static void unmap_all(void)    { expect(scene_munmap(0, PAGES(0, 1024)) == 0); }
static void map_behind(void)   { expect(scene_fixed(1, PAGES(1024, 256), RW) == (int64_t)PAGE(1024)); }
static void only_behind(void)
{
	struct vmmap_vma v;

	expect(vmmap_query(scene.map, PAGE(0), &v) == 0 && v.start == PAGE(1024) && v.end == PAGE(1280));
}

SCENARIO(span_extend, .what = "munmap of a VMA in two leaves against an mmap beside its end",
	 .set_up = scene_two_leaves, .body = { unmap_all, map_behind }, .check = only_behind,
	 .mutants = "extend_spanning extend_one_look merge_one_look");

static void cut_first(void)    { expect(scene_munmap(0, PAGES(256, 128)) == 0); }
static void fault_second(void) { expect(scene_fault(1, PAGE(900), PROT_WRITE) == 0); }
static void protect_part(void) { expect(scene_protect(2, PAGES(600, 100), PROT_READ) == 0); }
static void cut_right(void)
{
	int prot;

	expect(!scene_mapped(PAGE(300), NULL) && scene_mapped(PAGE(384), NULL) && scene_mapped(PAGE(1023), NULL));
	expect(scene_mapped(PAGE(650), &prot) && prot == PROT_READ);
	expect(scene_mapped(PAGE(700), &prot) && prot == RW);
}

SCENARIO(span_cut, .what = "a VMA in two leaves is cut in one and protected in the other; a fault in the other",
	 .set_up = scene_two_leaves, .body = { cut_first, fault_second, protect_part }, .check = cut_right,
	 .mutants = "cut_first_leaf_only claim_old_version drop_keeps_version claim_one_version");

/* ---- ... and the two become one while it is cut ---- */

static void leaves_for_now(void)
{
	scene_map();
	scene_separate_for_now(PAGE(512));
	scene_mmap(PAGES(0, 1024), RW);
	scene_stop(0, "cut_between_leaves", THERE, BACK);
}
static void unmap_long(void) { expect(scene_munmap(0, PAGES(100, LONG)) == 0); }
static void join_and_protect(void)
{
	(void)scene_await(THERE);
	scene_join(PAGE(512));
	scene_signal(BACK);
	expect(scene_protect(1, PAGES(512, 8), PROT_READ) == 0);
}
static void few_protected(void)
{
	int below, first, above;

	expect(scene_mapped(PAGE(511), &below) && scene_mapped(PAGE(512), &first) && scene_mapped(PAGE(520), &above));
	expect(below == RW && first == PROT_READ && above == RW);
}

SCENARIO(span_joined, .what = "a VMA in two leaves is cut, and they become one meanwhile; a brief mprotect",
	 .set_up = leaves_for_now, .body = { unmap_long, join_and_protect }, .check = few_protected,
	 .mutants = "put_apart");

static void two_vmas(void)
{
	scene_map();
	scene_separate(PAGE(512));
	scene_mmap(PAGES(0, 512), RW);
	scene_mmap(PAGES(512, 512), PROT_READ);
}
static void all_to_rw(void)  { expect(scene_protect(0, PAGES(0, 1024), RW) == 0 || scene.result[0] == -ENOMEM); }
static void carve_page(void) { expect(scene_munmap(1, PAGES(256, 1)) == 0); }
static void a_page_is_gone(void)
{
	expect(scene_mapped(PAGE(255), NULL) && !scene_mapped(PAGE(256), NULL) && scene_mapped(PAGE(257), NULL));
}

SCENARIO(span_carve, .what = "a brief munmap in a VMA that is being joined over a border of leaves",
	 .set_up = two_vmas, .body = { all_to_rw, carve_page }, .check = a_page_is_gone,
	 .mutants = "carve_spans_early extend_spanning");

/* On one side each: a middle, its return, and the pages at the border. */
static void change_low(void)
{
	expect(scene_protect(0, PAGES(128, 8), PROT_READ) == 0);
	expect(scene_protect(0, PAGES(256, 8), PROT_READ) == 0);
	expect(scene_protect(0, PAGES(256, 8), RW) == 0);
	expect(scene_protect(0, PAGES(508, 4), PROT_READ) == 0);
}
static void change_high(void)
{
	expect(scene_protect(1, PAGES(768, 8), PROT_READ) == 0);
	expect(scene_fixed(1, PAGES(768, 8), RW) == (int64_t)PAGE(768));
	expect(scene_munmap(1, PAGES(512, 4)) == 0);
}
static void both_changed(void)
{
	struct vmmap_vma v;

	expect(vmmap_query(scene.map, PAGE(0), &v) == 0 && v.start == PAGE(0) && v.end == PAGE(128));
	expect(vmmap_query(scene.map, PAGE(136), &v) == 0 && v.start == PAGE(136) && v.end == PAGE(508));
	expect(vmmap_query(scene.map, PAGE(508), &v) == 0 && v.start == PAGE(508) && v.end == PAGE(512));
	expect(vmmap_query(scene.map, PAGE(512), &v) == 0 && v.start == PAGE(516) && v.end == PAGE(1024));
}

SCENARIO(span_brief, .what = "a VMA in two leaves is cut, grows and is cut at the border, from both sides",
	 .set_up = scene_two_leaves, .body = { change_low, change_high }, .check = both_changed,
	 .mutants = "carve_left_keeps carve_elsewhere_dies join_spanning_dies");

static void replace_all(void) { expect(scene_fixed(0, PAGES(0, 1024), RW) == (int64_t)PAGE(0)); }
static void read_only_leaves(void)
{
	scene_map();
	scene_separate(PAGE(512));
	scene_mmap(PAGES(0, 1024), PROT_READ);
}
/* Once a page is new, no other is old. */
static void write_low_high(void)
{
	int64_t low = scene_fault(1, PAGE(0), PROT_WRITE);
	int64_t high = vmmap_fault(scene.map, PAGE(1023), PROT_WRITE, &scene.info[2]);

	expect(low == 0 || (low == -EFAULT && scene.info[1].code == VMMAP_ACCERR));
	expect(high == 0 || (low != 0 && scene.info[2].code == VMMAP_ACCERR));
}

SCENARIO(span_replace, .what = "MAP_FIXED over two leaves; a fault that saw the new page never sees an old one",
	 .set_up = read_only_leaves, .body = { replace_all, write_low_high },
	 .mutants = "born_free replace_unpublishes_first");

/* ---- listings ---- */

static int add_up(const struct vmmap_vma *v, void *arg)
{
	uint64_t *sum = arg;

	expect(v->start < v->end && v->end > sum[1]);
	sum[0]++;
	sum[1] = v->end;
	return 0;
}

static void some_vmas(void)
{
	scene_map();
	for (unsigned i = 0; i < 6; i++)
		scene_mmap(PAGES(2 * i, 2), i & 1 ? PROT_READ : RW);
}
static void walk(void)
{
	uint64_t sum[2] = { 0 };

	vmmap_walk(scene.map, PAGE(0), PAGE(64), add_up, sum);
	expect(sum[0] >= 4 && sum[1] == PAGE(12));
	sum[0] = sum[1] = 0;
	vmmap_walk(scene.map, PAGE(0), PAGE(64), add_up, sum);
	expect(sum[1] == PAGE(12));
}
static void churn_middle(void)
{
	expect(scene_protect(1, PAGES(4, 4), RW) == 0);
	expect(scene_fixed(1, PAGES(3, 4), PROT_READ) == (int64_t)PAGE(3));
	expect(scene_protect(1, PAGES(2, 6), PROT_EXEC) == 0);
}

SCENARIO(list_edit, .what = "a listing against edits that only replace: no hole is ever seen",
	 .set_up = some_vmas, .body = { walk, churn_middle },
	 .mutants = "vtree_list_single_collect vtree_bits_untold vtree_list_apart vtree_list_dummies list_enters_leaf "
		    "vtree_reader_no_recheck vtree_slot_refilled_early replace_unpublishes_first");

static void look(void)
{
	struct vmmap_vma v;

	for (unsigned i = 0; i < 2; i++) {
		expect(vmmap_query(scene.map, PAGE(5), &v) == 0 && v.start <= PAGE(5) && v.end > PAGE(5));
		expect(vmmap_query(scene.map, PAGE(11), &v) == 0 && v.start <= PAGE(11) && v.end == PAGE(12));
	}
}
static void hold_and_go(void)
{
	scene_hold(1, PAGES(3, 5));
	scene_release(1);
	churn_middle();
}

SCENARIO(list_hold, .what = "queries against a hold that cuts VMAs, and edits",
	 .set_up = some_vmas, .body = { look, hold_and_go },
	 .mutants = "vtree_list_apart vtree_list_dummies vtree_list_single_collect");

/* ---- a full leaf ---- */

#define MANY 26                          /* slots of VMAs: the leaf was split for the last ones                     */
#define FULL 24                          /* one edit more splits it                                                 */

static void full_leaf(void)
{
	scene_map();
	for (unsigned i = 0; i < MANY; i++)
		scene_mmap(PAGES(4 * i, 2), RW);
}
static void about_to_split(void)
{
	scene_map();
	scene_separate(PAGE(1024));              /* cores warm up in another leaf                                   */
	for (unsigned i = 0; i < FULL; i++)
		scene_mmap(PAGES(4 * i, 2), RW);
}
static void cut_one(void)    { expect(scene_protect(0, PAGES(1, 1), PROT_READ) == 0); }
static void cut_last(void)   { expect(scene_protect(1, PAGES(4 * (FULL - 1), 1), PROT_READ) == 0); }
static void cut_other(void)  { expect(scene_protect(1, PAGES(4 * (MANY - 1), 1), PROT_READ) == 0); }
static void fault_many(void)
{
	for (unsigned i = 0; i < 3; i++)
		expect(scene_fault(2, PAGE(4 * (i * FULL / 3)), PROT_WRITE) == 0);
}

SCENARIO(leaf_split, .what = "two edits fill a leaf, so that it is split, under faults in it",
	 .set_up = about_to_split, .body = { cut_one, cut_last, fault_many },
	 .mutants = "vtree_old_leaf_alive vtree_reader_no_recheck vtree_raise_not_carried vtree_raise_no_recheck "
		    "vtree_lk_after_validation");

static void free_many(void)
{
	for (unsigned i = 0; i < MANY / 2; i++)
		expect(scene_munmap(0, PAGES(4 * i, 2)) == 0);
}
static void fill_other(void)
{
	cut_other();
	expect(scene_fixed(1, PAGES(4 * MANY, 2), PROT_READ) == (int64_t)PAGE(4 * MANY));
}
static void fault_last(void)
{
	expect(scene_fault(2, PAGE(4 * (MANY - 1) + 1), PROT_WRITE) == 0);
	expect(scene_fault(2, PAGE(4 * (MANY - 2)), PROT_WRITE) == 0);
}

SCENARIO(leaf_sparse, .what = "half of a leaf is unmapped while the other half is filled and used",
	 .set_up = full_leaf, .body = { free_many, fill_other, fault_last },
	 .mutants = "vtree_old_leaf_alive vtree_slot_refilled_early vtree_reader_no_recheck");

/* ---- colliders in a leaf ---- */

#define LOW_PAGE  8
#define HIGH_PAGE 5000

/* The next that finds the leaf taken is one too many. */
static void about_to_part(void)
{
	scene_map();
	scene_separate(PAGE(8192));              /* cores warm up in another leaf                                   */
	scene_collided(PAGE(LOW_PAGE), 7);
	scene_stop(1, "vtree_enter_collided", THERE, BACK);
}
static void work_low(void)
{
	uint64_t lo, hi;

	for (unsigned n = 0; n < 3; n++) {
		scene_section(PAGE(LOW_PAGE + 4 * n), &lo, &hi);
		expect(lo <= PAGE(LOW_PAGE) && hi > PAGE(LOW_PAGE + 8));
		scene_signal(THIRD);
		if (n == 0)
			(void)scene_await(THERE);
		scene_section_end();
	}
	scene_signal(BACK);
}
static void work_high(void)
{
	uint64_t lo, hi;

	(void)scene_await(THIRD);
	scene_section(PAGE(HIGH_PAGE), &lo, &hi);
	expect(hi > PAGE(HIGH_PAGE));
	scene_section_end();
}

SCENARIO(leaf_part, .what = "one works in a leaf again and again while another waits for it: not parted from itself",
	 .set_up = about_to_part, .body = { work_low, work_high }, .mutants = "part_own_pages");
