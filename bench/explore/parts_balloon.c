/* SPDX-License-Identifier: MIT */
/* parts_balloon.c - a balloon over some blocks of frames, without the rest. Compiled as parts.c is. */
#include "bench/explore/scenario.h"

#include "vmmap/phys/frame_balloon.h"

#define BLOCK FRAME_BLOCK_FRAMES

static struct frame_bits bits;
static struct frame_balloon balloon;
static uint64_t blocks;

/* word[b]: 1, the host has block b; 2, a body has it. */
static void host_takes(void *arg, struct frame_ballooned *run, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++) {
		expect(scene.word[run[i].index / BLOCK] == 0);
		scene.word[run[i].index / BLOCK] = 1;
	}
	scene_pause();
}

static void host_gives(void *arg, const struct frame_ballooned *run, unsigned n)
{
	(void)arg;
	scene_pause();
	for (unsigned i = 0; i < n; i++) {
		expect(scene.word[run[i].index / BLOCK] == 1);
		scene.word[run[i].index / BLOCK] = 0;
	}
}

void scene_balloon(uint64_t n)
{
	struct frame_balloon_config c = FRAME_BALLOON_CONFIG;

	c.inflate = host_takes;
	c.deflate = host_gives;
	c.order = FRAME_BLOCK_ORDER;
	c.most = 1;
	c.low = 0;
	blocks = n;
	expect(frame_bits_init(&bits, n * BLOCK, PLANE_EITHER) == 0);
	expect(frame_bits_cover(&bits, 0, n * BLOCK, FRAME_CLASS_NONE) == 0);
	frame_bits_come(&bits, 0, n * BLOCK, FRAME_CLASS_NONE);
	expect(frame_balloon_init(&balloon, &bits, &c) == 0);
}

uint64_t scene_inflate(void)
{
	return frame_balloon_inflate(&balloon, 2 * blocks * BLOCK) / BLOCK;
}

uint64_t scene_deflate(void)
{
	return frame_balloon_deflate(&balloon, UINT64_MAX) / BLOCK;
}

bool scene_use_block(bool press)
{
	struct frame_search s = { 0, blocks, 0 };
	uint64_t index;
	bool got;

	if (press)
		(void)frame_balloon_press(&balloon, BLOCK);
	got = frame_bits_take(&bits, &s, FRAME_BLOCK_ORDER, FRAME_CLASS_MOVABLE, &index) == 0;
	if (press)
		frame_balloon_press_ends(&balloon);
	if (!got)
		return false;
	expect(scene.word[index / BLOCK] == 0);
	scene.word[index / BLOCK] = 2;
	scene_pause();
	expect(scene.word[index / BLOCK] == 2);
	scene.word[index / BLOCK] = 0;
	expect(frame_bits_give(&bits, index, FRAME_BLOCK_ORDER) == 0);
	return true;
}

bool scene_empty_block(uint64_t block)
{
	bool empty;

	expect(frame_bits_step(&bits, block, frame_block_offline));
	(void)frame_balloon_leave(&balloon, block * BLOCK, (block + 1) * BLOCK);
	empty = frame_block_drained(frame_bits_word(&bits, block));
	expect(!empty || scene.word[block] == 0);
	expect(frame_bits_step(&bits, block, frame_block_online));
	return empty;
}

uint64_t scene_ballooned(void)
{
	return atomic_load_relaxed(&balloon.frames) / BLOCK;
}
