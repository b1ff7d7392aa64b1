/* SPDX-License-Identifier: MIT */
/*
 * frame_bits.h - which frames are free: a word for each block of 512 (frame_block.h), a bit for each (frame_row.h).
 *
 * Frames go by index: pfn less a base that is a multiple of 512. A run of an order begins at a multiple of 2^order. No
 * call sleeps, takes a lock, or allocates, but init and cover. Protocol: frame_bits.c. Private to vmmap/phys.
 */
#ifndef VMMAP_PHYS_FRAME_BITS_H
#define VMMAP_PHYS_FRAME_BITS_H

#include <stdio.h>

#include "base/compiler.h"
#include "vmmap/phys/frame_block.h"
#include "vmmap/phys/frame_planes.h"
#include "vmmap/phys/frame_row.h"

#define FRAME_BLOCK_ROWS (FRAME_BLOCK_FRAMES / FRAME_ROW_FRAMES)

/* Who wants to know which blocks there are to be reported (frame_block_reportable): called by whoever makes one so,
 * after that, holding nothing; perhaps also once more by one who saw it before another was set. Never goes away. */
struct frame_listener { void (*reportable)(struct frame_listener *l, uint64_t block); };

/* Some free frames of one row: bit i is frame first + i. */
struct frame_some { uint64_t first, mask; };

/* Blocks [first, end): where a segment lies. cursor: where the last search of this kind ended; the caller's. */
struct frame_search { uint64_t first, end, cursor; };

/* 0; -ENOMEM. */
int  frame_bits_init(struct frame_bits *b, uint64_t frames, enum physseg_form form) MUST_CHECK;
/* Also after an init that failed, and of bits that are all zeroes. */
void frame_bits_fini(struct frame_bits *b);

/* ---- frames come and go: one such call at a time, that of who changes the segments ---- */

/* Memory for the words of [lo, hi), kept from then on. 0; -ENOMEM; -EINVAL: a block at one of the ends has a segment of
 * the other kind (kind: MOVABLE, only what is movable; NONE, everything). */
int  frame_bits_cover(struct frame_bits *b, uint64_t lo, uint64_t hi, enum frame_class kind) MUST_CHECK;
/* [lo, hi), covered, are there and free. Cost: O(blocks). */
void frame_bits_come(struct frame_bits *b, uint64_t lo, uint64_t hi, enum frame_class kind);
/* [lo, hi) are there no more. Their blocks are offline, by the caller, and all of them are taken, by it. */
void frame_bits_go(struct frame_bits *b, uint64_t lo, uint64_t hi);

/* ---- one block ---- */

/* Takes a run of 2^order frames, order <= 9. False: the block has none, or none for this class. steal: also from
 * another class's block. */
bool frame_bits_take_in(struct frame_bits *b, uint64_t block, unsigned order, enum frame_class class, bool steal,
			uint64_t *index) MUST_CHECK;
/* Takes up to n <= 64 frames of one row, the whole row if it can, by two writes. 0: how many. */
unsigned frame_bits_take_some(struct frame_bits *b, uint64_t block, unsigned n, enum frame_class class, bool steal,
			      struct frame_some *out);
/* Gives a run back; or frames of a row. 0; -EINVAL, nothing changed: some of them are not taken, or no block is there.
 * Of two that give the same, one gets 0. That they are the caller's to give, and no holes, the caller knows. */
int  frame_bits_give(struct frame_bits *b, uint64_t index, unsigned order) MUST_CHECK;
int  frame_bits_give_some(struct frame_bits *b, const struct frame_some *some) MUST_CHECK;
/* By the owner of a run of order 9: its frames are given back one by one, or in runs. 0; -EINVAL */
int  frame_bits_split(struct frame_bits *b, uint64_t block, enum frame_class class) MUST_CHECK;

/* The block's word changes by that step (frame_block.h) if it may: offline, online, report, reported, unreported. */
bool frame_bits_step(struct frame_bits *b, uint64_t block, frame_block_step *step) MUST_CHECK;
/* 0: absent. */
uint64_t frame_bits_word(struct frame_bits *b, uint64_t block);
/* The frame is not free in its row: somebody has it, or it is a hole. Quiescent only. */
bool frame_bits_is_taken(struct frame_bits *b, uint64_t index);
/* By who has set the block offline: takes what is free of frames [lo, hi) of one block. Returns how many, and adds
 * their bits to rows[row of the block]. */
unsigned frame_bits_claim_rows(struct frame_bits *b, uint64_t lo, uint64_t hi, uint64_t *rows);
static inline unsigned frame_bits_claim(struct frame_bits *b, uint64_t lo, uint64_t hi)
{
	return frame_bits_claim_rows(b, lo, hi, (uint64_t[FRAME_BLOCK_ROWS]){ 0 });
}

/* ---- many blocks: frame_bits_search.c ---- */

/* Takes a run: from a block that its class uses already, from one that is all free, from any that may. 0; -ENOMEM: none
 * of them had one when it was looked at; -EINVAL: order > 9. */
int  frame_bits_take(struct frame_bits *b, struct frame_search *s, unsigned order, enum frame_class class,
		     uint64_t *index) MUST_CHECK;
/* The same for up to n <= 64 frames of one row. Returns how many. */
unsigned frame_bits_refill(struct frame_bits *b, struct frame_search *s, unsigned n, enum frame_class class,
			   struct frame_some *out);

/* How many frames can be had, each block seen at its own time; looks no further than it must to be sure of `enough`,
 * and begins at block *from. */
uint64_t frame_bits_free(struct frame_bits *b, uint64_t enough, uint64_t *from);

/* Words and rows agree. Writes a line per violation to report (NULL: none). Returns their number. Quiescent only. */
uint64_t frame_bits_audit(struct frame_bits *b, uint64_t first, uint64_t end, FILE *report);

#endif
