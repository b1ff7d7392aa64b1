/* SPDX-License-Identifier: MIT */
/*
 * Window 31: MAP_FIXED over three leaves; the first shows the new mapping, the others the old one. Faults come to both.
 * Rule: all of the range is held until all of it is new, what comes by being born held. So once a fault has seen a page
 * new, none that begins later sees another page old. Broken: the first page is let in while the last is old.
 * mutant: born_free
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

#define LEN (6 * MIB)

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread replace = {
		.role = "replace", .fn = window_mmap_fixed, .map = map, .addr = BASE, .len = LEN
	};
	struct window_thread low = { .role = "low", .fn = window_fault, .map = map, .addr = BASE };
	struct window_thread high = { .role = "high", .fn = window_fault, .map = map, .addr = BASE + LEN - PAGE };

	for (unsigned i = 1; i < 3; i++)
		expect(vtree_separate(&map->tree, thread_self(), BASE + i * 2 * MIB) == 0);
	expect(vmmap_mmap(map, BASE, LEN, PROT_READ, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	window_start_to(&replace, "replace_after_leave");
	window_start(&low);
	window_start(&high);
	expect(!window_done_within(&low, 30) && !window_done_within(&high, 5));
	point_release("replace", "replace_after_leave");
	window_join(&replace);
	window_join(&low);
	window_join(&high);
	expect(replace.result == (int64_t)BASE && low.result == 0 && high.result == 0);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "pt-lock", NULL }, script);
}
