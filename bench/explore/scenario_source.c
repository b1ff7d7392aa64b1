/* SPDX-License-Identifier: MIT */
/* scenario_source.c - an mremap whose source is unmapped before it holds it. */
#include "bench/explore/scenario.h"

#define TOO_MUCH ((UINT64_C(1) << 47) - SCENE_BASE)      /* room for it is only where the source is               */

static void one_page(void)
{
	scene_map();
	scene_mmap(PAGES(0, 1), RW);
}
static void move_away(void)
{
	int64_t rc = vmmap_mremap(scene.map, PAGES(0, 1), TOO_MUCH, MREMAP_MAYMOVE, 0);

	expect(rc == -ENOMEM || rc == -EFAULT);
}
static void unmap_source(void) { expect(scene_munmap(1, PAGES(0, 1)) == 0); }

SCENARIO(source_gone, .what = "an mremap that only its own source's place has room for, and a munmap of that",
	 .set_up = one_page, .body = { move_away, unmap_source }, .mutants = "remap_source_unseen");
