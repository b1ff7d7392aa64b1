/* SPDX-License-Identifier: MIT */
/*
 * frame_bits_search.c - whom to ask for frames: the blocks of a segment, in an order that keeps whole blocks whole.
 *
 * WAYS      1. blocks that the class uses already, from the cursor on: the last one that gave, then those behind it,
 *           then those before it. 2. blocks that are all free. 3. any that may: movable frames in unmovable blocks, and
 *           the other way round where the segment allows it. Order 9 has the second way only.
 *           A run is looked for nearer first: in the cursor's block, if that is of the class or all free; in the eight
 *           whose words share its line, of the class, then all free; but in none that the host has. So who takes and
 *           gives runs in turn, whose block is nobody's in between, looks at a word; and a whole block of its 16 MiB
 *           is used before what is left in blocks elsewhere.
 * LOOKS     promise nothing: frame_bits_take_in asks again, by its CAS. Who finds nothing knows of what he saw taken
 *           that its taker had begun (M1 in frame_refill.c): the look is an acquire.
 * COST      a word for each block, three times at worst: when nearly all of the segment is out. Of a run: a line, while
 *           the cursor's has one; when it has none, a word for each block, once for 16 MiB.
 * NOT PROMISED  a search sees each block at its own time. -ENOMEM says that none had a run when it was looked at; what
 *           came back behind the search, or was in another one's hands, it does not know.
 * SOURCE    fallback between migrate types that spoils few pageblocks: Linux, mm/page_alloc.c. Cursor: LLFree.
 */
#include <errno.h>

#include "vmmap/phys/frame_bits_change.h"

#define NEAR UINT64_C(8)

/* UNTOLD: all free, and the host does not have it. MINE: that, or of the class. */
enum way { SAME_CLASS, ALL_FREE, ANY, UNTOLD, MINE };

struct want {
	unsigned order;                          /* of a run; or                                                   */
	unsigned some;                           /* frames of one row; 0: a run                                    */
	enum frame_class class;
	uint64_t index;                          /* found: the run                                                 */
	struct frame_some *out;                  /* found: the frames                                              */
};

/* way is a constant here and below: a search looks at many words. */
static ALWAYS_INLINE bool suits(uint64_t word, const struct want *want, enum way way)
{
	enum frame_class class = frame_block_class(word);

	if (!frame_block_gives(word, want->some != 0 ? 1 : 1u << want->order, want->class))
		return false;
	if (class == want->class)
		return way != ALL_FREE && way != UNTOLD;
	if (class == FRAME_CLASS_NONE && (way == UNTOLD || way == MINE))
		return !(word & FRAME_BLOCK_REPORTED);
	if (class == FRAME_CLASS_NONE)
		return way != SAME_CLASS;
	return way == ANY;
}

static NOINLINE bool take_from(struct frame_bits *b, uint64_t block, struct want *want, enum way way)
{
	if (want->some != 0)
		return frame_bits_take_some(b, block, want->some, want->class, way == ANY, want->out) != 0;
	return frame_bits_take_in(b, block, want->order, want->class, way == ANY, &want->index);
}

static ALWAYS_INLINE bool look(struct frame_bits *b, uint64_t block, struct want *want, enum way way)
{
	atomic_u64 *word = frame_bits_block(b, block);

	return word != NULL && suits(atomic_load_acquire(word), want, way) &&            /* B2 -> B1 */
	       take_from(b, block, want, way);
}

static ALWAYS_INLINE bool search(struct frame_bits *b, struct frame_search *s, struct want *want, enum way way)
{
	uint64_t blocks = s->end - s->first, from = s->cursor >= s->first && s->cursor < s->end ? s->cursor : s->first;

	for (uint64_t i = 0; i < blocks; i++) {
		uint64_t block = from + i < s->end ? from + i : from + i - blocks;

		if (!look(b, block, want, way))
			continue;
		s->cursor = block;
		return true;
	}
	return false;
}

/* For a run: the cursor's block, then those whose words share a line with its word. */
static bool search_near(struct frame_bits *b, struct frame_search *s, struct want *want)
{
	uint64_t at = s->cursor, line = at & ~(NEAR - 1);
	struct frame_search near = { line, line + NEAR < s->end ? line + NEAR : s->end, at };

	near.first = line > s->first ? line : s->first;
	if (at < s->first || at >= s->end)
		return false;
	if (look(b, at, want, MINE))
		return true;
	if (!search(b, &near, want, SAME_CLASS) && !search(b, &near, want, UNTOLD))
		return false;
	s->cursor = near.cursor;
	return true;
}

static bool search_ways(struct frame_bits *b, struct frame_search *s, struct want *want)
{
	if (want->order == FRAME_BLOCK_ORDER)
		return search(b, s, want, ALL_FREE);
	if (want->some == 0 && search_near(b, s, want))
		return true;
	return search(b, s, want, SAME_CLASS) || search(b, s, want, ALL_FREE) || search(b, s, want, ANY);
}

int frame_bits_take(struct frame_bits *b, struct frame_search *s, unsigned order, enum frame_class class,
		    uint64_t *index)
{
	struct want want = { .order = order, .class = class };

	if (order > FRAME_BLOCK_ORDER)
		return -EINVAL;
	if (!search_ways(b, s, &want))
		return -ENOMEM;
	*index = want.index;
	return 0;
}

unsigned frame_bits_refill(struct frame_bits *b, struct frame_search *s, unsigned n, enum frame_class class,
			   struct frame_some *out)
{
	struct want want = { .some = n, .class = class, .out = out };

	out->mask = 0;
	return n != 0 && search_ways(b, s, &want) ? (unsigned)__builtin_popcountll(out->mask) : 0;
}

uint64_t frame_bits_free(struct frame_bits *b, uint64_t enough, uint64_t *from)
{
	uint64_t blocks = b->frames >> FRAME_BLOCK_ORDER, free = 0, block = *from;

	for (uint64_t i = 0; i < blocks && free < enough; i++, block++) {
		atomic_u64 *at = frame_bits_block(b, block < blocks ? block : (block = 0));
		uint64_t word = at != NULL ? atomic_load_relaxed(at) : 0;

		if (!(word & FRAME_BLOCK_ISOLATED))
			free += frame_block_free(word);
	}
	return free < enough ? free : enough;
}
