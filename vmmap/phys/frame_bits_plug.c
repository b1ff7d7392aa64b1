/* SPDX-License-Identifier: MIT */
/*
 * frame_bits_plug.c - frames come and go; blocks that somebody wants to have empty. Protocol: frame_bits.c.
 *
 * COME   the rows of an ABSENT block are 0, so a whole block is plugged by its word alone (B1). If only a part of it
 *        comes, the rest are holes: their bits are set while the block is still ABSENT and nobody looks at them.
 * GO     who unplugs has set the block offline, waited until nothing is out, and claimed every frame that goes. The
 *        last ones to go leave rows of 0 behind.
 * TURNS  frame_bits_cover, come, go: by who holds the lock of the table of segments, so one at a time. Everything else
 *        goes on beside them.
 */
#include <errno.h>

#include "vmmap/phys/frame_bits_change.h"

/* The part of [lo, hi) that lies in a block. */
struct part { uint64_t block; unsigned lo, hi; };

static struct part part_of(uint64_t block, uint64_t lo, uint64_t hi)
{
	uint64_t first = block << FRAME_BLOCK_ORDER, end = first + FRAME_BLOCK_FRAMES;

	return (struct part){ block, (unsigned)((lo > first ? lo : first) - first),
			      (unsigned)((hi < end ? hi : end) - first) };
}

static uint64_t block_of(uint64_t index) { return index >> FRAME_BLOCK_ORDER; }

/* Bits of frames [lo, hi) of a block in its row r. */
static uint64_t bits_in_row(struct part p, unsigned r)
{
	unsigned first = r * FRAME_ROW_FRAMES, end = first + FRAME_ROW_FRAMES;
	unsigned lo = p.lo > first ? p.lo : first, hi = p.hi < end ? p.hi : end;

	return lo < hi ? frame_row_range(lo - first, hi - first) : 0;
}

static bool kind_fits(struct frame_bits *b, uint64_t block, enum frame_class kind)
{
	uint64_t word = frame_bits_word(b, block);

	return frame_block_present(word) == 0 ||
	       !(word & FRAME_BLOCK_MOVABLE_ONLY) == (kind != FRAME_CLASS_MOVABLE);
}

int frame_bits_cover(struct frame_bits *b, uint64_t lo, uint64_t hi, enum frame_class kind)
{
	uint64_t first = block_of(lo), last = block_of(hi - 1);
	int err;

	if (!kind_fits(b, first, kind) || !kind_fits(b, last, kind))
		return -EINVAL;
	err = physseg_plane_cover(&b->block, first, last);
	for (unsigned class = 0; class < FRAME_HINTS && err == 0; class++)
		err = physseg_plane_cover(&b->hint, class * frame_bits_groups(b) + first / 64,
					  class * frame_bits_groups(b) + last / 64);
	if (err != 0)
		return err;
	return physseg_plane_cover(&b->row, first * FRAME_BLOCK_ROWS, last * FRAME_BLOCK_ROWS + FRAME_BLOCK_ROWS - 1);
}

static void set_rows(atomic_u64 *rows, uint64_t to)
{
	for (unsigned r = 0; r < FRAME_BLOCK_ROWS; r++)
		atomic_store_relaxed(&rows[r], to);
}

static void block_comes(struct frame_bits *b, struct part p, enum frame_class kind)
{
	atomic_u64 *rows = frame_bits_rows(b, p.block), *word = frame_bits_block(b, p.block);

	if (p.hi - p.lo < FRAME_BLOCK_FRAMES) {
		if (frame_block_present(atomic_load_relaxed(word)) == 0)
			set_rows(rows, FRAME_ROW_TAKEN);
		for (unsigned r = 0; r < FRAME_BLOCK_ROWS; r++)
			(void)atomic_and_release(&rows[r], ~bits_in_row(p, r));  /* R1 */
	}
	CHECK(frame_bits_change_told(b, p.block, word, frame_block_come, p.hi - p.lo, kind));
}

void frame_bits_come(struct frame_bits *b, uint64_t lo, uint64_t hi, enum frame_class kind)
{
	for (uint64_t block = block_of(lo); block <= block_of(hi - 1); block++)
		block_comes(b, part_of(block, lo, hi), kind);
}

static void block_goes(struct frame_bits *b, struct part p)
{
	atomic_u64 *rows = frame_bits_rows(b, p.block), *word = frame_bits_block(b, p.block);
	unsigned n = p.hi - p.lo;

	if (frame_block_present(atomic_load_relaxed(word)) == n)
		set_rows(rows, 0);
	CHECK(frame_bits_change(word, frame_block_go, n, FRAME_CLASS_NONE));
}

void frame_bits_go(struct frame_bits *b, uint64_t lo, uint64_t hi)
{
	for (uint64_t block = block_of(lo); block <= block_of(hi - 1); block++)
		block_goes(b, part_of(block, lo, hi));
}

/* Of a row, what is free of those bits. */
static uint64_t claim_bits(struct frame_bits *b, uint64_t block, atomic_u64 *row, uint64_t bits)
{
	atomic_u64 *word = frame_bits_block(b, block);

	for (;;) {
		uint64_t old = atomic_load_relaxed(row), mask = ~old & bits;
		unsigned n = (unsigned)__builtin_popcountll(mask);

		if (mask == 0 || !frame_bits_change(word, frame_block_claim, n, FRAME_CLASS_NONE))
			return 0;
		if (atomic_cas_acquire(row, &old, old | mask))                   /* R2 -> R1 */
			return mask;
		frame_bits_return(b, block, word, n);
	}
}

unsigned frame_bits_claim_rows(struct frame_bits *b, uint64_t lo, uint64_t hi, uint64_t *mine)
{
	struct part p = part_of(block_of(lo), lo, hi);
	atomic_u64 *rows = frame_bits_rows(b, p.block), *word = frame_bits_block(b, p.block);
	unsigned n = 0;

	for (unsigned r = 0; rows != NULL && word != NULL && r < FRAME_BLOCK_ROWS; r++) {
		uint64_t mask = claim_bits(b, p.block, &rows[r], bits_in_row(p, r));

		mine[r] |= mask;
		n += (unsigned)__builtin_popcountll(mask);
	}
	return n;
}

/* ---- audit ---- */

static uint64_t violation(FILE *report, const char *what, uint64_t block, uint64_t word)
{
	if (report != NULL)
		fprintf(report, "frame_bits: %s (block %#llx, word %#llx)\n", what, (unsigned long long)block,
			(unsigned long long)word);
	return 1;
}

bool frame_bits_is_taken(struct frame_bits *b, uint64_t index)
{
	uint64_t block = index >> FRAME_BLOCK_ORDER, word = frame_bits_word(b, block);
	atomic_u64 *rows = frame_bits_rows(b, block);

	if (frame_block_present(word) == 0 || frame_block_class(word) == FRAME_CLASS_WHOLE)
		return true;
	return atomic_load_relaxed(&rows[index / FRAME_ROW_FRAMES % FRAME_BLOCK_ROWS]) >>
	       (index % FRAME_ROW_FRAMES) & 1;
}

static uint64_t audit_block(struct frame_bits *b, uint64_t block, FILE *report)
{
	atomic_u64 *rows = frame_bits_rows(b, block);
	uint64_t word = frame_bits_word(b, block);
	bool zero = frame_block_present(word) == 0 || frame_block_class(word) == FRAME_CLASS_WHOLE;
	unsigned set = 0;

	if (!frame_block_valid(word))
		return violation(report, "no such word", block, word);
	for (unsigned r = 0; rows != NULL && r < FRAME_BLOCK_ROWS; r++)
		set += FRAME_ROW_FRAMES - frame_row_free(atomic_load_relaxed(&rows[r]));
	if (set != (zero ? 0 : FRAME_BLOCK_FRAMES - frame_block_free(word)))
		return violation(report, "word and rows differ", block, word);
	return 0;
}

uint64_t frame_bits_audit(struct frame_bits *b, uint64_t first, uint64_t end, FILE *report)
{
	uint64_t bad = 0;

	for (uint64_t block = first; block < end; block++)
		bad += audit_block(b, block, report);
	return bad;
}
