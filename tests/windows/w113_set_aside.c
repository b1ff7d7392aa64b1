/* SPDX-License-Identifier: MIT */
/*
 * Window (pt-lock): a thread holds a page, and wants a second range whose covering table another one has, who waits for
 * the table of that page, though no page of one is wanted by the other.
 * Rule: before it waits for tables again, or for marks, the thread gives up the tables it has: what it holds is set
 * aside, the marks in the tree stay. Who gets at its tables and wants what is marked waits for the marks. Broken: they
 * wait for each other; or a page that is held is given to somebody else.
 * mutant: table_not_set_aside
 * mutant: table_marks_unseen
 * mutant: table_marks_awaited
 */
#include "tests/windows/window.h"

#define GIB (1024 * MIB)

/* Holds a page, then unmaps far above. */
static void hold_and_unmap(struct window_thread *t)
{
	struct vmmap_held held;

	expect(vmmap_hold(t->map, t->addr, PAGE, &held) == 0);
	BASE_POINT(holds_one);
	t->result = vmmap_munmap(t->map, t->addr + GIB + 512 * MIB, GIB);
	BASE_POINT(holds_on);
	vmmap_release(t->map, &held);
}

static struct vmmap *touched(const char *policy)
{
	struct vmmap *map = window_map(policy);

	expect(vmmap_mmap(map, BASE, 3 * GIB, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	for (uint64_t at = BASE; at < BASE + 3 * GIB; at += 512 * MIB)
		expect(vmmap_fault(map, at, PROT_WRITE, NULL) == 0);
	return map;
}

/* The other one has the table over all, and waits for the table of the page that is held. */
static void crosswise(const char *policy)
{
	struct vmmap *map = touched(policy);
	struct window_thread holder = { .role = "crossing", .fn = hold_and_unmap, .map = map, .addr = BASE };
	struct window_thread wide = { .role = "wide", .fn = window_munmap, .map = map, .addr = BASE + PAGE,
				      .len = GIB + 256 * MIB };

	window_start_to(&holder, "holds_one");
	expect(point_stop("crossing", "holds_on", NULL, NULL) == 0);
	window_start_to(&wide, "table_before_sleep");
	point_release("wide", "table_before_sleep");
	point_release("crossing", "holds_one");
	expect(point_wait_reached("crossing", "holds_on", UINT64_C(4000000000)));
	point_release("crossing", "holds_on");
	window_join(&holder);
	window_join(&wide);
	expect(holder.result == 0 && wide.result == 0);
	window_close(map);
}

/* The other one is above, and only in the way: meanwhile faults come to the page that is set aside, and beside it. */
static void faults_come(const char *policy)
{
	struct vmmap *map = touched(policy);
	struct window_thread holder = { .role = "aside", .fn = hold_and_unmap, .map = map, .addr = BASE };
	struct window_thread wide = { .role = "in the way", .fn = window_munmap, .map = map,
				      .addr = BASE + GIB - 256 * MIB, .len = 512 * MIB };
	struct window_thread beside = { .role = "beside", .fn = window_fault, .map = map, .addr = BASE + PAGE };
	struct window_thread on_it = { .role = "on it", .fn = window_fault, .map = map, .addr = BASE };

	window_start_to(&holder, "holds_one");
	window_start_to(&wide, "pt_free_before_unlink");
	expect(point_stop("aside", "table_before_sleep", NULL, NULL) == 0);
	point_release("aside", "holds_one");
	expect(point_wait_reached("aside", "table_before_sleep", UINT64_C(4000000000)));
	window_start(&beside);
	expect(window_done_within(&beside, 4000));
	window_start(&on_it);
	expect(!window_done_within(&on_it, 60));
	point_release("aside", "table_before_sleep");
	point_release("in the way", "pt_free_before_unlink");
	window_join(&holder);
	window_join(&wide);
	window_join(&beside);
	window_join(&on_it);
	expect(holder.result == 0 && wide.result == 0 && beside.result == 0 && on_it.result == 0);
	window_close(map);
}

/* Holds what is below 1.25 GiB, then unmaps around the page of the other one. */
static void hold_low_and_unmap(struct window_thread *t)
{
	struct vmmap_held held;

	expect(vmmap_hold(t->map, BASE, GIB + 256 * MIB, &held) == 0);
	BASE_POINT(holds_low);
	t->result = vmmap_munmap(t->map, BASE + GIB + 512 * MIB, MIB);
	vmmap_release(t->map, &held);
}

/* Holds a page above that, then unmaps above the page. */
static void hold_high_and_unmap(struct window_thread *t)
{
	struct vmmap_held held;

	expect(vmmap_hold(t->map, BASE + GIB + 512 * MIB + 16 * PAGE, PAGE, &held) == 0);
	BASE_POINT(holds_high);
	t->result = vmmap_munmap(t->map, BASE + 2 * GIB - MIB, 2 * MIB);
	vmmap_release(t->map, &held);
}

/* The lower one waits for what the upper one has set aside, which waits for a table of the lower one. */
static void marks_and_tables(const char *policy)
{
	struct vmmap *map = touched(policy);
	struct window_thread low = { .role = "low", .fn = hold_low_and_unmap, .map = map };
	struct window_thread high = { .role = "high", .fn = hold_high_and_unmap, .map = map };

	window_start_to(&low, "holds_low");
	window_start_to(&high, "holds_high");
	expect(point_stop("high", "table_before_sleep", NULL, NULL) == 0);
	point_release("high", "holds_high");
	expect(point_wait_reached("high", "table_before_sleep", UINT64_C(4000000000)));
	point_release("low", "holds_low");
	window_done_within(&low, 20);                    /* it waits for the page by now                           */
	point_release("high", "table_before_sleep");
	expect(window_done_within(&low, 4000) && window_done_within(&high, 4000));
	window_join(&low);
	window_join(&high);
	expect(low.result == 0 && high.result == 0);
	window_close(map);
}

static void script(const char *policy)
{
	crosswise(policy);
	faults_come(policy);
	marks_and_tables(policy);
}

int main(void)
{
	return window_run((const char *const[]){ "pt-lock", NULL }, script);
}
