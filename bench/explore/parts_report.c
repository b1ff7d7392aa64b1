/* SPDX-License-Identifier: MIT */
/* parts_report.c - blocks of frames, and who tells a host of them, without the rest. Compiled as parts.c is. */
#include "bench/explore/scenario.h"

#include "vmmap/phys/frame_report.h"

#define BLOCK FRAME_BLOCK_FRAMES

static struct frame_bits bits;
static struct frame_report report;
static uint64_t blocks;

/* Nobody has a frame of what the host is told of. */
static void host(void *arg, struct frame_told *told, unsigned n)
{
	bool later = scene.word[SCENE_LATER] != 0;

	(void)arg;
	scene.word[SCENE_LATER] -= later;
	for (unsigned i = 0; i < n; i++) {
		expect(scene.word[told[i].block] == 0);
		told[i].verdict = later ? FRAME_LATER : FRAME_ACCEPTED;
	}
	scene_pause();
	for (unsigned i = 0; i < n; i++)
		expect(scene.word[told[i].block] == 0);
}

void scene_blocks_untold(uint64_t n)
{
	blocks = n;
	expect(frame_bits_init(&bits, n * BLOCK, PLANE_EITHER) == 0);
	expect(frame_bits_cover(&bits, 0, n * BLOCK, FRAME_CLASS_NONE) == 0);
	frame_bits_come(&bits, 0, n * BLOCK, FRAME_CLASS_NONE);
	expect(frame_report_init(&report, &bits) == 0);
}

void scene_reports_begin(unsigned capture)
{
	struct frame_report_config c = FRAME_REPORT_CONFIG;

	c.tell = host;
	c.capture = capture;
	c.low = 0;
	expect(frame_report_begin(&report, &c) == 0);
}

void scene_blocks(uint64_t n, unsigned capture)
{
	scene_blocks_untold(n);
	scene_reports_begin(capture);
}

void scene_report(void)
{
	int rc = frame_report_pass(&report, FRAME_REPORT_NOW, NULL);

	expect(rc == 0 || rc == -EBUSY);
}

bool scene_reported(uint64_t block)
{
	return frame_bits_word(&bits, block) & FRAME_BLOCK_REPORTED;
}

uint64_t scene_frame(uint64_t block)
{
	uint64_t index = 0;

	expect(frame_bits_take_in(&bits, block, 0, FRAME_CLASS_MOVABLE, false, &index));
	scene.word[block]++;
	return index;
}

bool scene_frame_try(uint64_t block, uint64_t *index)
{
	bool got = frame_bits_take_in(&bits, block, 0, FRAME_CLASS_MOVABLE, false, index);

	if (got)
		scene.word[block]++;
	return got;
}

void scene_frame_back(uint64_t index)
{
	scene.word[index / BLOCK]--;
	expect(frame_bits_give(&bits, index, 0) == 0);
}

static bool take_whole(uint64_t *index)
{
	struct frame_search s = { 0, blocks, 0 };

	return frame_bits_take(&bits, &s, FRAME_BLOCK_ORDER, FRAME_CLASS_MOVABLE, index) == 0;
}

bool scene_block(uint64_t *index)
{
	bool got = take_whole(index);

	if (!got) {
		expect(frame_report_hold(&report, PARK_FOREVER) == 0);
		got = take_whole(index);
		frame_report_let(&report);
	}
	if (got)
		scene.word[*index / BLOCK]++;
	return got;
}

void scene_block_back(uint64_t index)
{
	scene.word[index / BLOCK]--;
	expect(frame_bits_give(&bits, index, FRAME_BLOCK_ORDER) == 0);
}

bool scene_block_unplug(uint64_t block)
{
	uint64_t lo = block * BLOCK;
	unsigned n;

	expect(frame_bits_step(&bits, block, frame_block_offline));
	expect(frame_report_hold(&report, PARK_FOREVER) == 0);
	n = frame_bits_claim(&bits, lo, lo + BLOCK);
	frame_report_let(&report);
	if (n == BLOCK)
		frame_bits_go(&bits, lo, lo + BLOCK);
	return n == BLOCK;
}

static void give_rows_back(uint64_t block, const uint64_t *rows)
{
	for (unsigned r = 0; r < FRAME_BLOCK_ROWS; r++) {
		struct frame_some some = { block * BLOCK + r * FRAME_ROW_FRAMES, rows[r] };

		expect(rows[r] == 0 || frame_bits_give_some(&bits, &some) == 0);
	}
}

/* Whoever finds a block drained that takes nothing more, and is not being told, finds all its frames in their rows. */
void scene_block_look(uint64_t block)
{
	uint64_t lo = block * BLOCK, rows[FRAME_BLOCK_ROWS] = { 0 };

	expect(frame_bits_step(&bits, block, frame_block_offline));
	expect(frame_report_hold(&report, PARK_FOREVER) == 0);
	frame_report_let(&report);
	if (frame_block_drained(frame_bits_word(&bits, block))) {
		expect(frame_bits_claim_rows(&bits, lo, lo + BLOCK, rows) == BLOCK);
		expect(scene.word[block] == 0);
		give_rows_back(block, rows);
	}
	expect(frame_bits_step(&bits, block, frame_block_online));
}

bool scene_block_there(uint64_t block)
{
	return frame_bits_word(&bits, block) & ~FRAME_BLOCK_TAKES;
}
