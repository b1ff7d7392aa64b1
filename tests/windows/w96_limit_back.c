/* SPDX-License-Identifier: MIT */
/*
 * What a window reserved and did not use goes back once.
 * Rule: it is no longer reserved then. Broken: the limit grows with each operation.
 * mutant: limit_gives_twice
 */
#include "tests/windows/window.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map_limited(policy, &(struct vmmap_config){ sizeof(struct vmmap_config),
									       .limit_vmas = 1000,
									       .limit_as = 10 * PAGE });

	for (unsigned i = 0; i < 4; i++)
		expect(vmmap_mmap(map, BASE, 5 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)BASE);
	expect(vmmap_mmap(map, BASE + MIB, 6 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == -ENOMEM);
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "none", "rwlock", "rwsem", "pervma", "vma-count", "vma", "checked",
						  "pt-lock", NULL }, script);
}
