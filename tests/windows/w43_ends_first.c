/* SPDX-License-Identifier: MIT */
/*
 * Window: mremap with DONTUNMAP to the place right below leaves two mergeable neighbours, each held by one of its two
 * edits.
 * Rule: the target is ended before the source merges. Broken: each is held against the other's merge, and under one
 * lock nobody comes back to it.
 * mutant: remap_ends_late
 */
#include "tests/windows/window.h"
#include "vmmap/space/space.h"

static void script(const char *policy)
{
	struct vmmap *map = window_map(policy);
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;

	expect(vmmap_mmap(map, BASE + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, NULL, 0) > 0);
	expect(vmmap_mremap_until(map, BASE + 4 * PAGE, 4 * PAGE, 4 * PAGE, flags, BASE, VMMAP_TRY) == (int64_t)BASE);
	expect(vtree_lookup(&map->tree, BASE) == vtree_lookup(&map->tree, BASE + 4 * PAGE));
	window_close(map);
}

int main(void)
{
	return window_run((const char *const[]){ "checked", "vma", "vma-count", "pt-lock", NULL }, script);
}
