/* SPDX-License-Identifier: MIT */
/*
 * Window: two slots take from the pool at the same time, which has enough for one.
 * Rule: what is left is looked at and taken under the pool's lock. Broken: both take it, and the limit is passed.
 * mutant: limit_fetch_unlocked
 */
#include "tests/windows/window.h"

static void map_known(struct window_thread *t)
{
	vmmap_munmap(t->map, t->addr, PAGE);             /* a slot's first window is exact                         */
	BASE_POINT(window_known);
	t->result = vmmap_mmap(t->map, t->addr, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map_limited(policy, &(struct vmmap_config){ sizeof(struct vmmap_config),
									       .limit_as = 6 * PAGE });
	struct window_thread a = { .role = "a", .fn = map_known, .map = map, .addr = BASE };
	struct window_thread b = { .role = "b", .fn = map_known, .map = map, .addr = BASE + MIB };

	expect(point_stop("a", "window_known", NULL, NULL) == 0 && point_stop("b", "window_known", NULL, NULL) == 0);
	expect(point_stop("a", "limit_in_fetch", NULL, NULL) == 0);
	window_start(&a);
	window_start(&b);
	expect(point_wait_reached("a", "window_known", UINT64_C(10000000000)));
	expect(point_wait_reached("b", "window_known", UINT64_C(10000000000)));
	point_release("a", "window_known");
	expect(point_wait_reached("a", "limit_in_fetch", UINT64_C(10000000000)));
	point_release("b", "window_known");
	window_done_within(&b, 300);
	point_release("a", "limit_in_fetch");
	window_join(&a);
	window_join(&b);
	expect((a.result == -ENOMEM) + (b.result == -ENOMEM) == 1);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "pt-lock", NULL }, script);
}
