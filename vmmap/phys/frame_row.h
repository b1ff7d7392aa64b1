/* SPDX-License-Identifier: MIT */
/*
 * frame_row.h - a row: 64 frames, a bit each, set while the frame is not free (taken, or in no segment).
 *
 * Pure functions. Which thread may set a bit, and when a cleared one may be promised again: frame_bits.c.
 * SOURCE    runs by shifting and masking: Warren, Hacker's Delight, section 6-2.
 */
#ifndef VMMAP_PHYS_FRAME_ROW_H
#define VMMAP_PHYS_FRAME_ROW_H

#include <stdint.h>

#define FRAME_ROW_ORDER  6u
#define FRAME_ROW_FRAMES 64u
#define FRAME_ROW_TAKEN  UINT64_MAX

/* The 2^order lowest bits, order <= 6. */
static inline uint64_t frame_row_mask(unsigned order)
{
	return FRAME_ROW_TAKEN >> (FRAME_ROW_FRAMES - (1u << order));
}

/* Bits [lo, hi), lo < hi <= 64. */
static inline uint64_t frame_row_range(unsigned lo, unsigned hi)
{
	return FRAME_ROW_TAKEN >> (FRAME_ROW_FRAMES - (hi - lo)) << lo;
}

static inline unsigned frame_row_free(uint64_t row) { return (unsigned)__builtin_popcountll(~row); }

/* The lowest run of 2^order free frames at a multiple of that, or FRAME_ROW_FRAMES: there is none. order <= 6. */
static inline unsigned frame_row_find(uint64_t row, unsigned order)
{
	static const uint64_t multiples[FRAME_ROW_ORDER + 1] = {
		UINT64_MAX, UINT64_C(0x5555555555555555), UINT64_C(0x1111111111111111), UINT64_C(0x0101010101010101),
		UINT64_C(0x0001000100010001), UINT64_C(0x0000000100000001), 1,
	};
	uint64_t runs = ~row;                    /* bit i: as many frames from i on are free as have been looked at */

	for (unsigned i = 0; i < order; i++)
		runs &= runs >> (1u << i);
	runs &= multiples[order];
	return runs != 0 ? (unsigned)__builtin_ctzll(runs) : FRAME_ROW_FRAMES;
}

/* The n lowest free frames, or all, if there are not so many. */
static inline uint64_t frame_row_some(uint64_t row, unsigned n)
{
	uint64_t left = ~row;

	if (n >= frame_row_free(row))
		return left;
	for (; n != 0; n--)
		left &= left - 1;
	return ~row & ~left;
}

#endif
