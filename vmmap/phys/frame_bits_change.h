/* SPDX-License-Identifier: MIT */
/* frame_bits_change.h - words and rows of a block, and the CAS that changes a word. Protocol: frame_bits.c. */
#ifndef VMMAP_PHYS_FRAME_BITS_CHANGE_H
#define VMMAP_PHYS_FRAME_BITS_CHANGE_H

#include "base/assert.h"
#include "base/point.h"
#include "vmmap/phys/frame_bits.h"

/* NULL: outside, or no segment has ever been near (frame_bits_cover makes a block's word before its rows). */
static inline atomic_u64 *frame_bits_block(struct frame_bits *b, uint64_t block)
{
	return block < b->frames >> FRAME_BLOCK_ORDER ? physseg_plane_word(&b->block, block) : NULL;
}

/* The first of the eight, or NULL. */
static inline atomic_u64 *frame_bits_rows(struct frame_bits *b, uint64_t block)
{
	return block < b->frames >> FRAME_BLOCK_ORDER ? physseg_plane_word(&b->row, block * FRAME_BLOCK_ROWS) : NULL;
}

/* ---- hints: frame_bits_search.c ---- */

#define FRAME_HINTS 3u                           /* classes that a block with free frames may have                 */

/* Groups of 64 blocks. */
static inline uint64_t frame_bits_groups(const struct frame_bits *b)
{
	return ((b->frames >> FRAME_BLOCK_ORDER) + 63) / 64;
}

/* NULL: no segment has ever been near. */
static inline atomic_u64 *frame_bits_hint_word(struct frame_bits *b, enum frame_class class, uint64_t group)
{
	return physseg_plane_word(&b->hint, class * frame_bits_groups(b) + group);
}

/* A block with that word is worth a look, if it is. */
static inline void frame_bits_hint(struct frame_bits *b, uint64_t block, uint64_t word)
{
	uint64_t bit = UINT64_C(1) << block % 64;
	atomic_u64 *hint;

	if (frame_block_free(word) == 0)
		return;
	hint = frame_bits_hint_word(b, frame_block_class(word), block / 64);
	if (hint != NULL && !(atomic_load_relaxed(hint) & bit))
		(void)atomic_or_relaxed(hint, bit);
}

/* The new word; NO: the step refuses. */
static ALWAYS_INLINE uint64_t frame_bits_change_to(atomic_u64 *word, frame_block_step *step, uint32_t n,
						   enum frame_class class)
{
	uint64_t old = atomic_load_relaxed(word), new = FRAME_BLOCK_NO;

	do {
		if (new == FRAME_BLOCK_NO || !BASE_MUTANT(frame_bits_keeps_new))
			new = step(old, n, class);
		if (new == FRAME_BLOCK_NO)
			return new;
		BASE_POINT(frame_bits_changing);
	} while (!atomic_cas_seqcst(word, &old, new));                           /* B1, B2; L1 */
	return new;
}

static ALWAYS_INLINE bool frame_bits_change(atomic_u64 *word, frame_block_step *step, uint32_t n,
					    enum frame_class class)
{
	return frame_bits_change_to(word, step, n, class) != FRAME_BLOCK_NO;
}

static inline void frame_bits_tell(struct frame_bits *b, uint64_t block)
{
	struct frame_listener *l = atomic_load_seqcst(&b->listener);             /* L1 -> L2 */

	if (l != NULL)
		l->reportable(l, block);
}

/* Of a step that may end with a block to be reported: the listener is told after the CAS, or a look in between would
 * find the block not so, and nobody would come again. Who begins to listen looks at all words after that (L2): one of
 * the two sees the other. */
static ALWAYS_INLINE bool frame_bits_change_told(struct frame_bits *b, uint64_t block, atomic_u64 *word,
						 frame_block_step *step, uint32_t n, enum frame_class class)
{
	uint64_t new;

	if (BASE_MUTANT(frame_bits_tells_first))
		frame_bits_tell(b, block);
	BASE_POINT(frame_bits_telling);
	new = frame_bits_change_to(word, step, n, class);
	if (new != FRAME_BLOCK_NO)
		frame_bits_hint(b, block, new);
	if (unlikely(frame_block_reportable(new)) && !BASE_MUTANT(frame_bits_tells_first))       /* NO is not */
		frame_bits_tell(b, block);
	return new != FRAME_BLOCK_NO;
}

/* n permits go back, or frames whose bits are clear. */
static inline void frame_bits_return(struct frame_bits *b, uint64_t block, atomic_u64 *word, uint32_t n)
{
	CHECK(frame_bits_change_told(b, block, word, frame_block_give, n, FRAME_CLASS_NONE));
}

#endif
