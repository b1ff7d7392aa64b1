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
 * HINTS     a bit for each block and each class that it may have, set by who gives it frames, plugs it, or leaves it
 *           with some (frame_bits_hint): a search looks at 64 blocks, and beyond them only where the bit of the class
 *           is set. It takes out bits that it finds wrong; nobody who takes a frame does. So who takes and gives near
 *           by writes none. A bit may be missing: of a block that another thread has left, and nobody has given to
 *           since; on a machine that reorders, where one was taken out beside a give. So a search that finds nothing
 *           by them looks at all words, and hints are relaxed.
 * COST      of a search that finds something: 64 words, and one for each 64 blocks, for each way, and those of blocks
 *           of which it takes the bit out. Of one that finds nothing: a word more for each block. Of a run: a line,
 *           while the cursor's has one.
 * NOT PROMISED  a search sees each block at its own time. -ENOMEM says that none had a run when it was looked at; what
 *           came back behind the search, or was in another one's hands, it does not know.
 * SOURCE    fallback between migrate types that spoils few pageblocks: Linux, mm/page_alloc.c. Cursor: LLFree.
 */
#include <errno.h>

#include "vmmap/phys/frame_bits_change.h"

#define NEAR   UINT64_C(8)
#define DIRECT UINT64_C(64)                      /* blocks that are looked at whatever their hints are             */

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

/* Where a search begins. */
static ALWAYS_INLINE uint64_t begin_of(const struct frame_search *s)
{
	return s->cursor >= s->first && s->cursor < s->end ? s->cursor : s->first;
}

/* The first n blocks from there, round the end. */
static ALWAYS_INLINE bool search_some(struct frame_bits *b, struct frame_search *s, struct want *want, enum way way,
				      uint64_t n)
{
	uint64_t blocks = s->end - s->first, from = begin_of(s);

	for (uint64_t i = 0; i < n; i++) {
		uint64_t block = from + i < s->end ? from + i : from + i - blocks;

		if (!look(b, block, want, way))
			continue;
		s->cursor = block;
		return true;
	}
	return false;
}

static ALWAYS_INLINE bool search(struct frame_bits *b, struct frame_search *s, struct want *want, enum way way)
{
	return search_some(b, s, want, way, s->end - s->first);
}

/* ---- by hints ---- */

static ALWAYS_INLINE uint64_t hints(struct frame_bits *b, enum frame_class class, uint64_t group)
{
	atomic_u64 *hint = frame_bits_hint_word(b, class, group);

	return hint != NULL ? atomic_load_relaxed(hint) : 0;
}

static ALWAYS_INLINE uint64_t hints_of(struct frame_bits *b, const struct want *want, enum way way, uint64_t group)
{
	if (way == ANY)
		return hints(b, FRAME_CLASS_NONE, group) | hints(b, FRAME_CLASS_MOVABLE, group) |
		       hints(b, FRAME_CLASS_UNMOVABLE, group);
	return hints(b, way == SAME_CLASS ? want->class : FRAME_CLASS_NONE, group);
}

/* Of these blocks of a group those whose word does not say so are taken out; in again, if that has just changed. */
static NOINLINE void forget_wrong(struct frame_bits *b, enum frame_class class, uint64_t group, uint64_t bits)
{
	uint64_t wrong = 0;

	for (uint64_t left = bits; left != 0; left &= left - 1) {
		uint64_t word = frame_bits_word(b, group * 64 + (unsigned)__builtin_ctzll(left));

		if (frame_block_free(word) == 0 || frame_block_class(word) != class)
			wrong |= left & -left;
	}
	if (wrong == 0)
		return;
	BASE_POINT(frame_bits_forgetting);
	(void)atomic_and_relaxed(frame_bits_hint_word(b, class, group), ~wrong);
	for (; wrong != 0; wrong &= wrong - 1) {
		uint64_t block = group * 64 + (unsigned)__builtin_ctzll(wrong);

		frame_bits_hint(b, block, frame_bits_word(b, block));
	}
}

static ALWAYS_INLINE bool search_group(struct frame_bits *b, struct frame_search *s, struct want *want, enum way way,
				       uint64_t group)
{
	uint64_t bits = hints_of(b, want, way, group);

	for (uint64_t left = bits; left != 0; left &= left - 1) {
		uint64_t block = group * 64 + (unsigned)__builtin_ctzll(left);

		if (block < s->first || block >= s->end || !look(b, block, want, way))
			continue;
		s->cursor = block;
		return true;
	}
	if (bits != 0 && way != ANY)
		forget_wrong(b, way == SAME_CLASS ? want->class : FRAME_CLASS_NONE, group, bits);
	return false;
}

/* From the cursor's group on. What is left in the cursor's block is for others now. */
static ALWAYS_INLINE bool search_hinted(struct frame_bits *b, struct frame_search *s, struct want *want, enum way way)
{
	uint64_t first = s->first / 64, groups = (s->end + 63) / 64 - first, from = begin_of(s);

	frame_bits_hint(b, from, frame_bits_word(b, from));
	for (uint64_t i = 0; i < groups; i++) {
		uint64_t group = from / 64 + i;

		if (search_group(b, s, want, way, group < first + groups ? group : group - groups))
			return true;
	}
	return false;
}

static ALWAYS_INLINE bool search_way(struct frame_bits *b, struct frame_search *s, struct want *want, enum way way)
{
	if (s->end - s->first <= DIRECT)
		return search(b, s, want, way);
	return search_some(b, s, want, way, DIRECT) || search_hinted(b, s, want, way);
}

/* All words, where hints have found nothing. */
static NOINLINE bool search_all(struct frame_bits *b, struct frame_search *s, struct want *want)
{
	if (s->end - s->first <= DIRECT)
		return false;
	return want->order == FRAME_BLOCK_ORDER ? search(b, s, want, ALL_FREE) : search(b, s, want, ANY);
}

/* ---- near ---- */

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
		return search_way(b, s, want, ALL_FREE) || search_all(b, s, want);
	if (want->some == 0 && search_near(b, s, want))
		return true;
	return search_way(b, s, want, SAME_CLASS) || search_way(b, s, want, ALL_FREE) ||
	       search_way(b, s, want, ANY) || search_all(b, s, want);
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
