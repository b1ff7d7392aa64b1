/* SPDX-License-Identifier: MIT */
/*
 * Window 17: MAP_FIXED over an existing mapping that spans leaves.
 * Rule: old and new VMAs change places in one publication per leaf; nobody sees a hole.
 * mutant: replace_unpublishes_first
 */
#include "tests/windows/window.h"

static struct vmmap *watched;

static void look(void *arg)
{
	struct vmmap_vma v;

	(void)arg;
	for (uint64_t at = BASE; at < BASE + 8 * MIB; at += MIB)
		expect(vmmap_query(watched, at, &v) == 0 && v.start <= at);
}

static void script(const char *policy)
{
	struct vmmap *map = watched = window_map(policy);
	struct window_thread replace = {
		.role = "replace", .fn = window_mmap_fixed, .map = map, .addr = BASE, .len = 8 * MIB
	};

	expect(vmmap_mmap(map, BASE, 8 * MIB, PROT_READ, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(point_call("replace", "replace_after_leave", look, NULL) == 0);
	window_start(&replace);
	window_join(&replace);
	expect(replace.result == (int64_t)BASE);
	look(NULL);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "rwsem", "pervma", "vma-count", "vma", "range-tree",
						  "pt-lock", NULL }, script);
}
