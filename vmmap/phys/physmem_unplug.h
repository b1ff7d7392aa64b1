/* SPDX-License-Identifier: MIT */
/* physmem_unplug.h - an unplug that goes on, between its parts: the call (physmem_unplug.c), the range and its blocks
 * (physmem_unplug_range.c), what is left and why (physmem_unplug_left.c). Private to these. */
#ifndef VMMAP_PHYS_PHYSMEM_UNPLUG_H
#define VMMAP_PHYS_PHYSMEM_UNPLUG_H

#include "vmmap/phys/frame_bits.h"
#include "vmmap/phys/frame_isolate.h"
#include "vmmap/physmem_hotplug.h"

struct unplug {
	struct physmem *pm;
	struct thread_slot *self;
	const struct physmem_unplug_options *how;
	struct physmem_unplug_result result;
	uint64_t lo, hi;                 /* indexes                                                                */
	uint64_t first, end;             /* blocks                                                                 */
	uint64_t *mine;                  /* [rows of these blocks] bits of frames that are claimed                 */
	uint64_t *bad;                   /* the same; of those of them that were out of use                        */
	uint64_t claimed;
	struct frame_left left;          /* moved, and perhaps still read                                          */
	bool open;                       /* caches are                                                             */
	bool looks;                      /* what is left is counted, and nothing moved or asked for                */
	int err;                         /* of the frame that ends it                                              */
	uint64_t told;                   /* of physmem_notify_begin                                                */
};

static inline uint64_t pages_of(const struct unplug *u) { return u->hi - u->lo; }
static inline uint64_t rows_of(const struct unplug *u) { return (u->end - u->first) * FRAME_BLOCK_ROWS; }

/* The part of the range that lies in a block. */
static inline uint64_t part_lo(const struct unplug *u, uint64_t block)
{
	return block << FRAME_BLOCK_ORDER > u->lo ? block << FRAME_BLOCK_ORDER : u->lo;
}

static inline uint64_t part_hi(const struct unplug *u, uint64_t block)
{
	return (block + 1) << FRAME_BLOCK_ORDER < u->hi ? (block + 1) << FRAME_BLOCK_ORDER : u->hi;
}

static inline uint64_t *mine_of(struct unplug *u, uint64_t index)
{
	return &u->mine[index / FRAME_ROW_FRAMES - u->first * FRAME_BLOCK_ROWS];
}

static inline bool is_mine(struct unplug *u, uint64_t index)
{
	return *mine_of(u, index) >> (index % FRAME_ROW_FRAMES) & 1;
}

/* Blocks [first, end) are not ours any more. */
static inline void set_online(struct unplug *u, uint64_t end)
{
	for (uint64_t block = u->first; block < end; block++)
		CHECK(frame_bits_step(&u->pm->bits, block, frame_block_online));
}

/* ---- physmem_unplug_range.c ---- */

/* The range is all the memory that there is at one instant; then the result says so. */
bool unplug_is_all(struct unplug *u);
/* Says that it is. */
void unplug_note_all(struct unplug *u);
/* Every block of the range is ours, and all of the range is there. 0; the result says why not: -EBUSY: another one has
 * a block, and the mode is to fail, or the attempts are over; -ENXIO; -ENOMEM: it has come to be all that there is;
 * -EAGAIN, -ETIMEDOUT, -ECANCELED. With an error no block is ours. */
int  unplug_take_blocks(struct unplug *u) MUST_CHECK;
/* What must move may find room elsewhere. False is sure, if what must move can. */
bool unplug_has_room(struct unplug *u);

/* ---- physmem_unplug_left.c ---- */

/* Of the attempt before: nothing is left. */
void unplug_forget_left(struct unplug *u);
/* One attempt: what is not ours is moved or asked for, and counted if it is left. 0; -EBUSY, -ENOMEM: it ends it. All
 * that is left is counted, also if one of them ends it; but nothing is moved after that. */
int  unplug_go_through(struct unplug *u) MUST_CHECK;
/* Counts what is left without moving it, those that could be moved as `movable`; what is free, the balloon's or out of
 * use does not count. Returns as unplug_go_through. */
int  unplug_look(struct unplug *u, enum physmem_reason movable);
/* Before the next attempt. 0; -EBUSY: no more of them; -EAGAIN, -ETIMEDOUT, -ECANCELED. */
int  unplug_pause(struct unplug *u, struct park_spin *spin) MUST_CHECK;

#endif
