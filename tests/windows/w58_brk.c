/* SPDX-License-Identifier: MIT */
/*
 * Window: two calls of brk; the first has read the break and is about to move it.
 * Rule: they exclude each other. Broken: both move it from the same place.
 * mutant: brk_no_lock
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void grow(struct window_thread *t) { t->result = vmmap_brk(t->map, t->addr); }

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	struct window_thread first = { .role = "first", .fn = grow, .map = map, .addr = BASE + 4 * PAGE };
	struct window_thread second = { .role = "second", .fn = grow, .map = map, .addr = BASE + 8 * PAGE };
	struct vmmap_vma v;

	map->brk_start = BASE;                           /* the ready-made map has no such area                    */
	atomic_store_relaxed(&map->brk, BASE);
	window_start_to(&first, "brk_after_now");
	window_start(&second);
	expect(!window_done_within(&second, 30));
	point_release("first", "brk_after_now");
	window_join(&first);
	window_join(&second);
	expect(first.result == (int64_t)(BASE + 4 * PAGE) && second.result == (int64_t)(BASE + 8 * PAGE));
	expect(vmmap_query(map, BASE, &v) == 0 && v.start == BASE && v.end == BASE + 8 * PAGE);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "rwlock", "rwsem", "pervma", "vma-count", "vma", "checked",
						  "range-tree", "pt-lock", NULL }, script);
}
