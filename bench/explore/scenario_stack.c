/* SPDX-License-Identifier: MIT */
/* scenario_stack.c - stacks that grow over borders of leaves, under edits, under others' changes of the tree. */
#include "bench/explore/scenario.h"

enum { LOOKED = 1, DONE };

#define BORDER PAGE(512)
#define STACK  PAGE(600)

static void stack_at(uint64_t at, uint64_t pages)
{
	expect(vmmap_mmap(scene.map, at, pages * 4096, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) == (int64_t)at);
}

/* ---- over a border, under a listing ---- */

static void over_border(void)
{
	scene_map();
	scene_separate(BORDER);
	stack_at(PAGE(516), 4);
	scene_stop(0, "grow_after_leaf", LOOKED, DONE);
}
static void grow_over(void) { expect(scene_fault(0, PAGE(504), PROT_WRITE) == 0); }
static void one_vma(void)
{
	struct vmmap_vma v;

	expect(vmmap_query(scene.map, 0, &v) == 0 && v.end == PAGE(520) && v.start >= PAGE(504));
	expect(vmmap_query(scene.map, PAGE(516), &v) == 0 && v.end == PAGE(520));
}
static void look_meanwhile(void)
{
	(void)scene_await(LOOKED);
	one_vma();
	scene_signal(DONE);
}

SCENARIO(stack_border, .what = "a stack grows over a border of leaves under queries",
	 .set_up = over_border, .body = { grow_over, look_meanwhile }, .check = one_vma, .mutants = "grow_low_first");

/* ---- what is above is being taken out ---- */

static void two_stacks(void)
{
	scene_map();
	scene_separate(BORDER);
	stack_at(PAGE(508), 4);
	scene_mmap(PAGES(512, 4), RW);
	stack_at(PAGE(516), 1);
	scene_stop(0, "replace_after_leave", LOOKED, DONE);
}
static void unmap_lower(void) { expect(scene_munmap(0, PAGES(508, 8)) == 0); }
static void grow_below(void)
{
	scene_await(LOOKED);
	expect(scene_fault(1, PAGE(212), PROT_WRITE) == 0 && scene.info[1].grew == 1);
	scene_signal(DONE);
}

SCENARIO(stack_above, .what = "a fault below two stacks, of which the lower one goes, and what lies between",
	 .set_up = two_stacks, .body = { unmap_lower, grow_below }, .mutants = "grow_trusts_held");

/* ---- mprotect that goes down ---- */

static void one_stack(void)
{
	scene_map();
	stack_at(STACK, 4);
}
static void protect_down(void)
{
	expect(vmmap_mprotect(scene.map, STACK + 4096, 4096, PROT_READ | PROT_GROWSDOWN) == 0);
}
static void grow_five(void)
{
	scene_fault(1, STACK - 5 * 4096, PROT_WRITE);
	expect(scene.result[1] == 0 || scene.info[1].code == VMMAP_ACCERR);
}
/* From wherever it begins: either it grew before, or with the new protection. */
static void all_protected(void)
{
	int low, high;

	expect(scene_mapped(STACK + 4096, &high) && high == PROT_READ);
	expect(!scene_mapped(STACK - 4096, &low) || low == PROT_READ);
}

SCENARIO(stack_protect, .what = "mprotect with PROT_GROWSDOWN against a growth",
	 .set_up = one_stack, .body = { protect_down, grow_five }, .check = all_protected,
	 .mutants = "protect_down_one_look");

/* ---- leaves are joined between two steps ---- */

static void soft_border(void)
{
	scene_map();
	scene_separate_for_now(BORDER);
	stack_at(PAGE(516), 4);
}
static void over_soft_border(void)
{
	soft_border();
	scene_stop(0, "grow_after_leaf", LOOKED, DONE);
}
static void join(void)
{
	(void)scene_await(LOOKED);
	scene_join(BORDER);
	scene_signal(DONE);
}

SCENARIO(stack_join, .what = "two leaves are joined under a stack that grows from one into the other",
	 .set_up = over_soft_border, .body = { grow_over, join }, .check = one_vma, .mutants = "grow_forgets_done");

static void grow_to_border(void) { expect(scene_fault(0, BORDER, PROT_WRITE) == 0); }
static void to_border(void)
{
	soft_border();
	scene_stop(0, "grow_before_slots", LOOKED, DONE);
	scene_stop(0, "grow_after_leaf", 3, 4);
}
/* The page below is in the guard gap, which the growth holds. */
static void join_and_try(void)
{
	scene_await(LOOKED);
	join();
	scene_signal(DONE);
	scene_await(3);
	if (vmmap_hold_until(scene.map, BORDER - 4096, 4096, &scene.held[1], VMMAP_TRY) == 0) {
		expect(scene.signal[5]);
		scene_release(1);
	}
	scene_signal(4);
}
static void grow_and_say(void)
{
	grow_to_border();
	scene_signal(5);
}

SCENARIO(stack_join_held, .what = "the same, up to the border: what is held below it stays held",
	 .set_up = to_border, .body = { grow_and_say, join_and_try }, .mutants = "join_joins_dummies");

/* ---- under a limit ---- */

static void short_of_room(void)
{
	struct vmmap_config config = VMMAP_CONFIG;

	config.placement = VMMAP_TOPDOWN;
	config.limit_as = 12 * 4096;
	config.limit_vmas = 100;
	scene_map_with(&config);
	scene_separate(PAGE(254));
	stack_at(PAGE(256), 4);
}
static void grow_six(void)
{
	vmmap_munmap(scene.map, PAGE(0), 4096);  /* a slot's first window is exact                                  */
	scene_fault(0, PAGE(250), PROT_WRITE);
	expect(scene.result[0] == 0 || scene.info[0].code == VMMAP_MAPERR);
}
static void take_four(void) { scene_fixed(1, PAGES(2048, 4), RW); }
static void never_beyond(void)
{
	struct vmmap_usage usage;

	expect((scene.result[0] == 0) + (scene.result[1] > 0) == 1);
	vmmap_get_usage(scene.map, &usage);
	expect(usage.mapped_bytes <= 12 * 4096);
}

SCENARIO(stack_limit, .what = "a stack grows while another takes the last units", .flags = SCENARIO_COLD,
	 .set_up = short_of_room, .body = { grow_six, take_four }, .check = never_beyond,
	 .mutants = "grow_pays_nothing");
