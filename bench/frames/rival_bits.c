/* SPDX-License-Identifier: MIT */
/*
 * rival_bits.c - blocks and rows alone: this library's own bit fields, asked for each frame, without caches above them.
 *
 * STRONG    each thread asks the block first that served it last, a block of its own at the beginning: what a
 *           reservation of a core is in LLFree. Only then others are searched.
 * WEAKNESS  a frame that is taken and given costs four read-modify-writes: the block's word and the row, each way.
 * SOURCE    LLFree: Wrenger et al., USENIX ATC 2023 (there with its own trees above the blocks).
 */
#include <stdlib.h>
#include <string.h>

#include "bench/frames/churn.h"
#include "vmmap/phys/frame_bits.h"

struct cursor { struct frame_search one, run; } PAIR_ALIGNED;

struct bits {
	uint64_t frames;
	struct frame_bits map;
	struct cursor at[SOURCE_THREADS];
};

static void bits_destroy(void *s)
{
	struct bits *b = s;

	frame_bits_fini(&b->map);
	free(b);
}

static void *bits_create(uint64_t frames, unsigned threads)
{
	struct bits *b = aligned_alloc(_Alignof(struct bits), sizeof(*b));
	uint64_t blocks = frames >> FRAME_BLOCK_ORDER;

	if (b == NULL)
		return NULL;
	memset(b, 0, sizeof(*b));
	b->frames = frames;
	for (unsigned i = 0; i < threads; i++)
		b->at[i].one = b->at[i].run = (struct frame_search){ 0, blocks, blocks / threads * i };
	if (frame_bits_init(&b->map, frames, PLANE_FLAT) != 0 ||
	    frame_bits_cover(&b->map, 0, frames, FRAME_CLASS_NONE) != 0) {
		bits_destroy(b);
		return NULL;
	}
	frame_bits_come(&b->map, 0, frames, FRAME_CLASS_NONE);
	return b;
}

static ALWAYS_INLINE uint64_t run(struct frame_bits *map, struct frame_search *at, unsigned order,
				  enum frame_class class)
{
	uint64_t frame;

	if (likely(frame_bits_take_in(map, at->cursor, order, class, false, &frame)))
		return frame;
	return frame_bits_take(map, at, order, class, &frame) == 0 ? frame : SOURCE_NONE;
}

static ALWAYS_INLINE uint64_t take(void *s, void *mine)
{
	struct bits *b = s;
	struct cursor *at = mine;

	return run(&b->map, &at->one, 0, FRAME_CLASS_MOVABLE);
}

static ALWAYS_INLINE void give(void *s, void *mine, uint64_t frame)
{
	struct bits *b = s;

	(void)mine;
	CHECK(frame_bits_give(&b->map, frame, 0) == 0);
}

static uint64_t take_run(void *s, unsigned thread, unsigned order)
{
	struct bits *b = s;

	if (order == 0)
		return take(s, &b->at[thread]);
	return run(&b->map, &b->at[thread].run, order, FRAME_CLASS_UNMOVABLE);
}

static void give_run(void *s, unsigned thread, uint64_t frame, unsigned order)
{
	struct bits *b = s;

	(void)thread;
	CHECK(frame_bits_give(&b->map, frame, order) == 0);
}

static uint64_t free_frames(void *s)
{
	struct bits *b = s;
	uint64_t from = 0;

	return frame_bits_free(&b->map, b->frames, &from);
}

static void *mine_of(const struct churn *c) { return &((struct bits *)c->source)->at[c->thread]; }

static void pairs(struct churn *c) { churn_pair(c, mine_of(c), take, give); }
static void bulk(struct churn *c) { churn_bulk(c, mine_of(c), take, give); }
static void in_random_order(struct churn *c) { churn_random(c, mine_of(c), take, give); }
static void hand_over(struct churn *c) { churn_hand_over(c, mine_of(c), take, give); }

const struct source source_bits = {
	.name = "bits", .what = "blocks and rows of bits, without caches", .order = FRAME_BLOCK_ORDER,
	.create = bits_create, .destroy = bits_destroy, .take = take_run, .give = give_run,
	.free_frames = free_frames, .loop = { pairs, bulk, in_random_order, hand_over },
};
