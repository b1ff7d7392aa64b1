/* SPDX-License-Identifier: MIT */
/* parts_isolate.c - the caches of a machine are emptied of frames that are to leave. Compiled as parts.c is. */
#include "bench/explore/scenario.h"

#include "vmmap/phys/frame_isolate.h"

static void all_blocks(frame_block_step *step)
{
	for (uint64_t block = 0; block < frame_blocks(scene.physmem); block++)
		expect(frame_bits_step(&scene.physmem->bits, block, step));
}

void scene_isolate(void)
{
	all_blocks(frame_block_offline);
	expect(frame_isolate_begin(scene.physmem, thread_self()) == 0);
	expect(frame_isolate_wait(PARK_FOREVER) == 0);
	(void)frame_isolate_drain(scene.physmem, thread_self());
}

void scene_isolate_opens(void)
{
	expect(frame_isolate_begin(scene.physmem, thread_self()) == 0);
	expect(frame_isolate_wait(PARK_FOREVER) == 0);
	(void)frame_isolate_drain(scene.physmem, thread_self());
	frame_isolate_open(scene.physmem);
}

void scene_isolate_again(void)
{
	all_blocks(frame_block_offline);
	frame_isolate_close(scene.physmem);
	expect(thread_local_mine(&scene.physmem->slots, thread_self()) != NULL);
	expect(frame_isolate_wait(PARK_FOREVER) == 0);
	(void)frame_isolate_drain(scene.physmem, thread_self());
}

uint64_t scene_cached(void)
{
	struct physmem_usage u;

	physmem_get_usage(scene.physmem, &u);
	return u.cached;
}

void scene_isolate_ends(void)
{
	frame_isolate_end(scene.physmem);
	all_blocks(frame_block_online);
}
