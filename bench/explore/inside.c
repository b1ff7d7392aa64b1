/* SPDX-License-Identifier: MIT */
/* inside.c - what scenarios want of the engine that has no public face. */
#include "bench/explore/scenario.h"
#include "vmmap/space/space.h"
#include "vmmap/vma/vtree.h"

#undef PAGE

void scene_separate(uint64_t at)
{
	expect(vtree_separate(&scene.map->tree, thread_self(), at) == 0);
}
