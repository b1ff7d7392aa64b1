/* SPDX-License-Identifier: MIT */
/* parts_isolate.c - the caches of a machine are emptied of frames that are to leave. Compiled as parts.c is. */
#include "bench/explore/scenario.h"

#include "vmmap/phys/frame_isolate.h"
#include "vmmap/physmem_hotplug.h"

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

void scene_isolate_open(void) { frame_isolate_open(scene.physmem); }
void scene_isolate_shut(void) { frame_isolate_close(scene.physmem); }

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

/* ---- a frame that goes round ---- */

#define HELD scene.word[2]                       /* its place is before that of what goes round                     */
#define OURS scene.word[3]

static void lets_go(void *arg, uint64_t pfn, uint64_t pages)
{
	bool *out = arg;

	expect(pfn == HELD && pages == 1);
	if (*out)
		frame_give(scene.physmem, thread_self(), OURS, FRAME_OWNER_MAP);
	else
		expect(physmem_frame_free(scene.physmem, HELD) == 0);
	*out = false;
}

static int takes_again(void *arg)
{
	uint64_t pfn = frame_take(scene.physmem, thread_self(), FRAME_OWNER_MAP);
	bool *out = arg;

	*out = pfn == OURS;
	if (!*out)
		frame_give(scene.physmem, thread_self(), pfn, FRAME_OWNER_MAP);
	return 0;
}

int scene_goes_round(uint64_t pages, unsigned attempts)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	bool out = true;

	HELD = physmem_frame_alloc(scene.physmem);
	OURS = frame_take(scene.physmem, thread_self(), FRAME_OWNER_MAP);
	expect(HELD < OURS && OURS < pages);
	how.mode = PHYSMEM_UNPLUG_REVOKE;
	how.revoke = lets_go;
	how.cancelled = takes_again;
	how.arg = &out;
	how.attempts = attempts;
	return physmem_unplug(scene.physmem, 0, pages, &how, NULL);
}
