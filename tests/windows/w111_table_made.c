/* SPDX-License-Identifier: MIT */
/*
 * Window (pt-lock): a fault makes a table while another thread holds the one above, or comes by the new one.
 * Rule: a table is made under the lock of the one above it, which is the fault's if nothing is below; and it is born
 * held by its maker. Broken: two are at work in one table.
 * mutant: table_made_unlocked
 * mutant: table_born_free
 */
#include "tests/windows/window.h"

static void mapped(struct vmmap *map, uint64_t len)
{
	expect(vmmap_mmap(map, BASE, len, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
}

/* An edit holds the table above, for other pages. */
static void above_is_held(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread holder = { .role = "holder", .fn = window_hold, .map = map, .addr = BASE, .len = 4 * MIB };
	struct window_thread fault = { .role = "beside", .fn = window_fault, .map = map, .addr = BASE + 8 * MIB };

	mapped(map, 16 * MIB);
	window_start_to(&holder, "window_held");
	window_start(&fault);
	expect(!window_done_within(&fault, 60));
	point_release("holder", "window_held");
	window_join(&holder);
	window_join(&fault);
	expect(holder.result == 0 && fault.result == 0);
	window_close(map);
}

/* A fault has made the table, and is not done; another page of it is unmapped. */
static void new_one_is_held(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread fault = { .role = "maker", .fn = window_fault, .map = map, .addr = BASE + PAGE };
	struct window_thread unmap = { .role = "comer", .fn = window_munmap, .map = map, .addr = BASE + 8 * PAGE,
				       .len = PAGE };

	mapped(map, 16 * MIB);
	window_start_to(&fault, "fault_before_cas");
	window_start(&unmap);
	expect(!window_done_within(&unmap, 60));
	point_release("maker", "fault_before_cas");
	window_join(&fault);
	window_join(&unmap);
	expect(fault.result == 0 && unmap.result == 0);
	window_close(map);
}

static void script(const char *policy)
{
	above_is_held(policy);
	new_one_is_held(policy);
}

int main(void)
{
	return window_run((const char *const[]){ "pt-lock", NULL }, script);
}
