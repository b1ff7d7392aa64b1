/* SPDX-License-Identifier: MIT */
/*
 * Window: a stack is growing, leaf by leaf; another thread wants what the growth is about to use up.
 * Rule: a growth pays before its window closes, and who is short of units waits for that. Broken: both use them, and
 * the limit is passed.
 * mutant: grow_pays_nothing
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void grow_known(struct window_thread *t)
{
	vmmap_munmap(t->map, BASE, PAGE);                /* a slot's first window is exact                         */
	t->result = vmmap_fault(t->map, t->addr, PROT_WRITE, &t->info);
}

static void script(const char *policy)
{
	struct vmmap *map = window_map_limited(policy, &(struct vmmap_config){ sizeof(struct vmmap_config),
									       .limit_vmas = 100,
									       .limit_as = 12 * PAGE });
	struct window_thread grow = { .role = "grow", .fn = grow_known, .map = map, .addr = BASE + MIB - 6 * PAGE };
	struct window_thread late = {
		.role = "late", .fn = window_mmap_fixed, .map = map, .addr = BASE + 8 * MIB, .len = 4 * PAGE
	};

	expect(vtree_separate(&map->tree, thread_self(), BASE + MIB - 2 * PAGE) == 0);
	expect(vmmap_mmap(map, BASE + MIB, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, NULL, 0) ==
	       (int64_t)(BASE + MIB));
	window_start_to(&grow, "grow_after_leaf");
	window_start(&late);
	(void)window_done_within(&late, 50);                     /* it waits for the window                          */
	point_release("grow", "grow_after_leaf");
	window_join(&grow);
	window_join(&late);
	expect(grow.result == 0 && grow.info.grew == 1);
	expect(late.result == -ENOMEM);
	expect(vmmap_mmap(map, BASE + 8 * MIB, 2 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)(BASE + 8 * MIB));
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "vma-count", "vma", "pt-lock", NULL }, script);
}
