/* SPDX-License-Identifier: MIT */
/*
 * frame_bits.c - which frames are free: what one block gives and takes back.
 *
 * WORDS       a word for each block of 512 frames (frame_block.h: how many, for whom, whether at all), eight rows of 64
 *             bits (frame_row.h: which ones). All zeroes: no memory. The rows of a block that is ABSENT, that is all
 *             free, or that was taken as a WHOLE are 0; elsewhere a bit is set for what is taken and for what is in no
 *             segment (a hole). So a block is plugged by one store, whatever its frames; and an order-9 run is one CAS.
 * PERMITS     take: the word's count goes down (n permits), then bits are set. give: bits are cleared, then the count
 *             goes up. So clear bits >= the count + permits in hands: who has a permit finds a bit, and a count of all
 *             that is present says that nothing is out and nobody is about to take.
 *             A run of order 1 .. 8 is looked for before it is promised, and may be gone when it is claimed: the
 *             permits go back. Order 7, 8: rows one by one, lowest first; those that were got go back as well.
 * ISOLATION   is decided at the word, by the same CAS as the count. A permit that was got before is used: who isolates
 *             waits until the block is drained, not for threads.
 * EDGES       R1 a row's bits are cleared (release), after the last access to those frames -> R2 a row's CAS that sets
 *             some (acquire). All changes of a row are read-modify-writes or come from who has all of it, so R2 reads
 *             from each R1 before it or from what continues it.
 *             B1 a block's CAS that gives, or plugs (release) -> B2 a block's CAS that takes, or a look that finds it
 *             drained (acquire): the bits, and for runs of order 9 the accesses to their frames. Each CAS is both.
 * PROGRESS    lock-free. Who looks for the bit of a permit goes on while bits move: each move is a take or a give.
 *             A thread that is stopped in here keeps from others what it has promised itself, a block at most.
 * ORDER       no lock is taken; callable with anything held.
 * INVARIANT   set bits = 512 - count - permits in hands, but ABSENT, WHOLE: none (frame_bits_audit).
 * DOUBLE FREE the row's CAS decides: of two gives of a frame one finds the bit clear. Whose frame it is, of which order
 *             it was taken, and that it is no hole: the frame's own word, above this file.
 * NOT HERE    whom to ask for a run (frame_bits_search.c); caches; runs beyond one block.
 * SOURCE      LLFree: Wrenger et al., USENIX ATC 2023.
 */
#include "vmmap/phys/frame_bits.h"

#include <errno.h>

#include "base/point.h"
#include "vmmap/phys/frame_bits_change.h"

int frame_bits_init(struct frame_bits *b, uint64_t frames, enum physseg_form form)
{
	uint64_t blocks = (frames + FRAME_BLOCK_FRAMES - 1) >> FRAME_BLOCK_ORDER;
	int err;

	*b = (struct frame_bits){ .frames = blocks << FRAME_BLOCK_ORDER };
	err = physseg_plane_init(&b->block, blocks, sizeof(atomic_u64), form);
	if (err == 0)
		err = physseg_plane_init(&b->row, blocks * FRAME_BLOCK_ROWS, sizeof(atomic_u64), form);
	if (err == 0)
		err = physseg_plane_init(&b->hint, FRAME_HINTS * frame_bits_groups(b), sizeof(atomic_u64), form);
	if (err != 0)
		frame_bits_fini(b);
	return err;
}

void frame_bits_fini(struct frame_bits *b)
{
	physseg_plane_fini(&b->hint);
	physseg_plane_fini(&b->row);
	physseg_plane_fini(&b->block);
	*b = (struct frame_bits){ 0 };
}

uint64_t frame_bits_word(struct frame_bits *b, uint64_t block)
{
	atomic_u64 *word = frame_bits_block(b, block);

	return word != NULL ? atomic_load_acquire(word) : 0;                     /* B2 -> B1 */
}

bool frame_bits_step(struct frame_bits *b, uint64_t block, frame_block_step *step)
{
	atomic_u64 *word = frame_bits_block(b, block);

	return word != NULL && frame_bits_change_told(b, block, word, step, 0, FRAME_CLASS_NONE);
}

/* ---- take ---- */

static bool claim_in_row(atomic_u64 *row, unsigned order, unsigned *bit)
{
	uint64_t old = atomic_load_relaxed(row);

	do {
		*bit = frame_row_find(old, order);
		if (*bit == FRAME_ROW_FRAMES)
			return false;
	} while (!atomic_cas_acquire(row, &old, old | frame_row_mask(order) << *bit));   /* R2 -> R1 */
	return true;
}

/* The first of the block's rows that has such a run, or any, by a look that promises nothing. order <= 6. */
static unsigned row_with(atomic_u64 *rows, unsigned order)
{
	unsigned r = 0;

	for (; r < FRAME_BLOCK_ROWS; r++) {
		uint64_t row = atomic_load_relaxed(&rows[r]);

		if (row != FRAME_ROW_TAKEN && frame_row_find(row, order) != FRAME_ROW_FRAMES)
			break;
	}
	return r;
}

/* In that row, or one behind it. */
static bool claim_in_block(atomic_u64 *rows, unsigned order, unsigned r, unsigned *at)
{
	unsigned bit = 0;

	for (; r < FRAME_BLOCK_ROWS; r++) {
		if (claim_in_row(&rows[r], order, &bit)) {
			*at = r * FRAME_ROW_FRAMES + bit;
			return true;
		}
	}
	return false;
}

/* n rows, all of each. */
static bool claim_rows(atomic_u64 *rows, unsigned n)
{
	for (unsigned r = 0; r < n; r++) {
		uint64_t none = 0;

		if (atomic_cas_acquire(&rows[r], &none, FRAME_ROW_TAKEN))        /* R2 -> R1 */
			continue;
		BASE_POINT(frame_bits_undo);
		while (r-- > 0)
			atomic_store_release(&rows[r], 0);                       /* R1 */
		return false;
	}
	return true;
}

static bool rows_all(atomic_u64 *rows, unsigned n, uint64_t is)
{
	for (unsigned r = 0; r < n; r++)
		if (atomic_load_relaxed(&rows[r]) != is)
			return false;
	return true;
}

/* Order 7, 8. look: promises nothing. */
static bool claim_some_rows(atomic_u64 *rows, unsigned order, bool look, unsigned *at)
{
	unsigned n = 1u << (order - FRAME_ROW_ORDER);

	for (unsigned r = 0; r < FRAME_BLOCK_ROWS; r += n) {
		if (!rows_all(&rows[r], n, 0))
			continue;
		if (!look)
			BASE_POINT(frame_bits_run_seen);
		if (!look && !claim_rows(&rows[r], n))
			continue;
		*at = r * FRAME_ROW_FRAMES;
		return true;
	}
	return false;
}

/* *row: where, if it is to be in one row. */
static bool may_have(atomic_u64 *rows, unsigned order, unsigned *row)
{
	unsigned at;

	if (order > FRAME_ROW_ORDER)
		return claim_some_rows(rows, order, true, &at);
	*row = row_with(rows, order);
	return order == 0 || *row < FRAME_BLOCK_ROWS;
}

/* A single frame is there for who has a permit; a run may be gone. */
static bool claim(atomic_u64 *rows, unsigned order, unsigned row, unsigned *at)
{
	if (order > FRAME_ROW_ORDER)
		return claim_some_rows(rows, order, false, at);
	for (; !claim_in_block(rows, order, row, at); row = row_with(rows, order))
		if (order != 0)
			return false;
	return true;
}

static bool take_whole(atomic_u64 *word, uint64_t block, enum frame_class class, uint64_t *index)
{
	*index = block << FRAME_BLOCK_ORDER;
	return frame_bits_change(word, frame_block_take_whole, FRAME_BLOCK_FRAMES, class);
}

bool frame_bits_take_in(struct frame_bits *b, uint64_t block, unsigned order, enum frame_class class, bool steal,
			uint64_t *index)
{
	atomic_u64 *rows = frame_bits_rows(b, block), *word = frame_bits_block(b, block);
	frame_block_step *step = steal ? frame_block_steal : frame_block_take;
	unsigned at = 0, row = 0;

	if (rows == NULL || word == NULL)
		return false;
	if (order == FRAME_BLOCK_ORDER)
		return take_whole(word, block, class, index);
	if (!may_have(rows, order, &row))
		return false;
	if (!BASE_MUTANT(frame_bits_claims_first) && !frame_bits_change(word, step, 1u << order, class))
		return false;
	BASE_POINT(frame_bits_promised);
	if (!claim(rows, order, row, &at)) {
		BASE_POINT(frame_bits_lost);
		frame_bits_return(b, block, word, 1u << order);
		return false;
	}
	if (BASE_MUTANT(frame_bits_claims_first))
		(void)frame_bits_change(word, step, 1u << order, class);
	*index = (block << FRAME_BLOCK_ORDER) + at;
	return true;
}

/* Up to n of a row's free frames. */
static uint64_t claim_some(atomic_u64 *row, unsigned n)
{
	uint64_t old = atomic_load_relaxed(row), mask;

	do {
		mask = frame_row_some(old, n);
		if (mask == 0)
			return 0;
	} while (!atomic_cas_acquire(row, &old, old | mask));                    /* R2 -> R1 */
	return mask;
}

/* The row that has most. */
static unsigned best_row(atomic_u64 *rows, unsigned *n)
{
	unsigned best = 0;

	*n = 0;
	for (unsigned r = 0; r < FRAME_BLOCK_ROWS && *n < FRAME_ROW_FRAMES; r++) {
		unsigned has = frame_row_free(atomic_load_relaxed(&rows[r]));

		if (has > *n) {
			*n = has;
			best = r;
		}
	}
	return best;
}

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

unsigned frame_bits_take_some(struct frame_bits *b, uint64_t block, unsigned n, enum frame_class class, bool steal,
			      struct frame_some *out)
{
	atomic_u64 *rows = frame_bits_rows(b, block), *word = frame_bits_block(b, block);
	frame_block_step *step = steal ? frame_block_steal : frame_block_take;
	unsigned row, has, got;

	if (rows == NULL || word == NULL)
		return 0;
	row = best_row(rows, &has);
	n = least(n, least(has, frame_block_free(atomic_load_relaxed(word))));
	if (!frame_bits_change(word, step, n, class))
		return 0;
	BASE_POINT(frame_bits_promised);
	out->first = (block << FRAME_BLOCK_ORDER) + row * FRAME_ROW_FRAMES;
	out->mask = claim_some(&rows[row], n);
	got = (unsigned)__builtin_popcountll(out->mask);
	if (got < n)
		frame_bits_return(b, block, word, n - got);
	return got;
}

/* ---- give ---- */

static bool clear(atomic_u64 *row, uint64_t mask)
{
	uint64_t old = atomic_load_relaxed(row);

	do {
		if ((old & mask) != mask)
			return false;
	} while (!atomic_cas_release(row, &old, old & ~mask));                   /* R1 */
	return true;
}

int frame_bits_give_some(struct frame_bits *b, const struct frame_some *some)
{
	uint64_t block = some->first >> FRAME_BLOCK_ORDER;
	atomic_u64 *rows = frame_bits_rows(b, block), *word = frame_bits_block(b, block);
	unsigned n = (unsigned)__builtin_popcountll(some->mask);
	bool counted;

	if (rows == NULL || word == NULL || n == 0 || some->first % FRAME_ROW_FRAMES != 0)
		return -EINVAL;
	counted = BASE_MUTANT(frame_bits_counts_first) &&
		  frame_bits_change(word, frame_block_give, n, FRAME_CLASS_NONE);
	BASE_POINT(frame_bits_giving);
	if (!clear(&rows[some->first / FRAME_ROW_FRAMES % FRAME_BLOCK_ROWS], some->mask))
		return -EINVAL;
	BASE_POINT(frame_bits_cleared);
	if (!counted)
		frame_bits_return(b, block, word, n);
	return 0;
}

/* Order 7, 8: who clears the first row has all of them to give. */
static int give_rows(struct frame_bits *b, uint64_t index, unsigned order)
{
	uint64_t block = index >> FRAME_BLOCK_ORDER;
	atomic_u64 *rows = frame_bits_rows(b, block), *word = frame_bits_block(b, block);
	unsigned n = 1u << (order - FRAME_ROW_ORDER);

	if (rows == NULL || word == NULL)
		return -EINVAL;
	rows += index / FRAME_ROW_FRAMES % FRAME_BLOCK_ROWS;
	if (!rows_all(rows, n, FRAME_ROW_TAKEN) || !clear(&rows[0], FRAME_ROW_TAKEN))
		return -EINVAL;
	for (unsigned r = 1; r < n; r++)
		CHECK(clear(&rows[r], FRAME_ROW_TAKEN));
	frame_bits_return(b, block, word, 1u << order);
	return 0;
}

static int give_whole(struct frame_bits *b, uint64_t block)
{
	return frame_bits_step(b, block, frame_block_give_whole) ? 0 : -EINVAL;
}

int frame_bits_give(struct frame_bits *b, uint64_t index, unsigned order)
{
	uint64_t in_row = index % FRAME_ROW_FRAMES;

	if (order > FRAME_BLOCK_ORDER || index >= b->frames || index & ((1u << order) - 1))
		return -EINVAL;
	if (order == FRAME_BLOCK_ORDER)
		return give_whole(b, index >> FRAME_BLOCK_ORDER);
	if (order > FRAME_ROW_ORDER)
		return give_rows(b, index, order);
	return frame_bits_give_some(b, &(struct frame_some){ index - in_row, frame_row_mask(order) << in_row });
}

int frame_bits_split(struct frame_bits *b, uint64_t block, enum frame_class class)
{
	atomic_u64 *rows = frame_bits_rows(b, block), *word = frame_bits_block(b, block);

	if (rows == NULL || word == NULL ||
	    frame_block_split(atomic_load_relaxed(word), 0, class) == FRAME_BLOCK_NO)
		return -EINVAL;
	for (unsigned r = 0; r < FRAME_BLOCK_ROWS; r++)
		atomic_store_relaxed(&rows[r], FRAME_ROW_TAKEN);
	return frame_bits_change(word, frame_block_split, 0, class) ? 0 : -EINVAL;
}
