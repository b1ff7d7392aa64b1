/* SPDX-License-Identifier: MIT */
/*
 * physseg_bitmap.c - the default index: a bit per frame, set where a segment starts, and bitmaps over that.
 *
 * LAYOUT    level 0: bit i, a segment has its key at frame i. Level n: bit i, word i of level n - 1 may not be 0. Six
 *           levels of 64 span 2^32 frames. at[i]: the segment whose key i is. Level 0 and at are planes: address space
 *           until a segment comes there (physseg_plane.h). A lookup costs the same however many segments there are: at
 *           most one word a level on the way up, one a level on the way down.
 * CHANGES   one at a time (the table's lock). Set: at[i], then upper levels, then level 0. Clear: level 0, then the
 *           upper bits of words that became 0. So an upper bit may promise too much, never too little, and a key is
 *           there or not from one store of level 0 on.
 * READERS   beside it. Who follows an upper bit to an empty word goes on behind it.
 * EDGES     B1 store-release of at[i], then of a level's word -> B2 acquire load of the word, then of at[i].
 */
#include <errno.h>

#include "base/mem.h"
#include "base/point.h"
#include "vmmap/phys/physseg_impl.h"

#define WORD_SHIFT 6u
#define WORD_BITS  64u

/* Words of a level. */
static uint64_t level_words(const struct physseg_table *t, unsigned level)
{
	return ((uint64_t)(t->span - 1) >> (WORD_SHIFT * (level + 1))) + 1;
}

static void bitmap_fini(struct physseg_table *t)
{
	physseg_plane_fini(&t->bitmap.at);
	physseg_plane_fini(&t->bitmap.low);
	for (unsigned level = 1; level < PHYSSEG_LEVELS; level++)
		mem_unreserve(MEM_FRAME, t->bitmap.level[level], level_words(t, level) * sizeof(atomic_u64));
}

static int bitmap_init(struct physseg_table *t)
{
	int err = physseg_plane_init(&t->bitmap.low, level_words(t, 0), sizeof(atomic_u64), sectioned(t));

	if (err == 0)
		err = physseg_plane_init(&t->bitmap.at, t->span, sizeof(atomic_u64), sectioned(t));
	for (unsigned level = 1; err == 0 && level < PHYSSEG_LEVELS; level++) {
		t->bitmap.level[level] = mem_reserve(MEM_FRAME, level_words(t, level) * sizeof(atomic_u64));
		if (t->bitmap.level[level] == NULL)
			err = -ENOMEM;
	}
	if (err != 0)
		bitmap_fini(t);
	return err;
}

/* A segment may be cut anywhere, and there is nothing to be had then. */
static int bitmap_cover(struct physseg_table *t, uint32_t lo, uint32_t hi)
{
	int err = physseg_plane_cover(&t->bitmap.low, lo >> WORD_SHIFT, (hi - 1) >> WORD_SHIFT);

	return err ? err : physseg_plane_cover(&t->bitmap.at, lo, hi - 1);
}

static bool bitmap_ready(struct physseg_table *t)
{
	(void)t;
	return true;
}

static int bitmap_prepare(struct physseg_table *t)
{
	(void)t;
	return 0;
}

static void bitmap_nothing(struct physseg_table *t)
{
	(void)t;
}

/* NULL: of level 0, in a section where no segment has ever been. */
static atomic_u64 *word_of(struct physseg_table *t, unsigned level, uint64_t at)
{
	uint64_t i = at >> WORD_SHIFT;

	return level == 0 ? physseg_plane_word(&t->bitmap.low, i) : &t->bitmap.level[level][i];
}

static uint64_t bits_of(struct physseg_table *t, unsigned level, uint64_t at)
{
	atomic_u64 *word = word_of(t, level, at);

	return word != NULL ? atomic_load_acquire(word) : 0;                     /* B2 -> B1 */
}

/* Its key was found, so there is a word for it. */
static struct physseg *segment_at(struct physseg_table *t, uint32_t key)
{
	uint64_t word = atomic_load_acquire(physseg_plane_word(&t->bitmap.at, key));     /* B2 -> B1 */

	return (struct physseg *)(uintptr_t)word;
}

static void set_key(struct physseg_table *t, struct physseg *seg, uint32_t key)
{
	atomic_store_release(physseg_plane_word(&t->bitmap.at, key), (uintptr_t)seg);    /* B1 */
	for (unsigned level = PHYSSEG_LEVELS; level-- > 0;) {
		uint64_t at = (uint64_t)key >> (WORD_SHIFT * level);
		atomic_u64 *word = word_of(t, level, at);
		uint64_t bits = atomic_load_relaxed(word) | UINT64_C(1) << (at % WORD_BITS);

		atomic_store_release(word, bits);                                /* B1 */
	}
}

static void clear_key(struct physseg_table *t, uint32_t key)
{
	for (unsigned level = 0; level < PHYSSEG_LEVELS; level++) {
		uint64_t at = (uint64_t)key >> (WORD_SHIFT * level);
		atomic_u64 *word = word_of(t, level, at);
		uint64_t left = atomic_load_relaxed(word) & ~(UINT64_C(1) << (at % WORD_BITS));

		atomic_store_release(word, left);                                /* B1 */
		if (left != 0)
			return;
	}
}

static void bitmap_insert(struct physseg_table *t, struct physseg *seg, uint32_t start)
{
	set_key(t, seg, start);
}

static void bitmap_move(struct physseg_table *t, struct physseg *seg, uint32_t from, uint32_t to)
{
	set_key(t, seg, to);
	BASE_POINT(physseg_moved);
	if (!BASE_MUTANT(physseg_move_untold))
		physseg_hide(t);                 /* a lookup may have passed `to` before, and come to `from` after  */
	clear_key(t, from);
}

static void bitmap_remove(struct physseg_table *t, struct physseg *seg, uint32_t start)
{
	(void)seg;
	clear_key(t, start);
}

/* ---- readers ---- */

static uint64_t up_to(unsigned bit) { return ~UINT64_C(0) >> (WORD_BITS - 1 - bit); }

/* The highest set bit of level 0 at or below at. */
static bool key_below(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	uint64_t from = at;                      /* of this level: bits up to it are asked for                      */
	unsigned level = 0;

	for (;;) {
		uint64_t hit = bits_of(t, level, from) & up_to(from % WORD_BITS);

		if (hit != 0) {
			from = (from & ~(uint64_t)(WORD_BITS - 1)) | (WORD_BITS - 1 - (unsigned)__builtin_clzll(hit));
			if (level == 0) {
				*key = (uint32_t)from;
				return true;
			}
			level--;
			from = from << WORD_SHIFT | (WORD_BITS - 1);
			continue;
		}
		BASE_POINT(physseg_word_passed);
		from >>= WORD_SHIFT;             /* its word is empty: what is in front of it, a level up           */
		if (from == 0 || ++level == PHYSSEG_LEVELS)
			return false;
		from--;
	}
}

/* The lowest one at or above. */
static bool key_above(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	uint64_t from = at;
	unsigned level = 0;

	for (;;) {
		uint64_t last = (uint64_t)(t->span - 1) >> (WORD_SHIFT * level), hit;

		if (from > last)
			return false;
		hit = bits_of(t, level, from) & ~UINT64_C(0) << (from % WORD_BITS);
		if (hit != 0) {
			from = (from & ~(uint64_t)(WORD_BITS - 1)) | (unsigned)__builtin_ctzll(hit);
			if (level == 0) {
				*key = (uint32_t)from;
				return true;
			}
			level--;
			from <<= WORD_SHIFT;
			continue;
		}
		from = (from >> WORD_SHIFT) + 1;
		if (++level == PHYSSEG_LEVELS)
			return false;
	}
}

static struct physseg *bitmap_floor(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	return key_below(t, at < t->span ? at : t->span - 1, key) ? segment_at(t, *key) : NULL;
}

static struct physseg *bitmap_ceil(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	return key_above(t, at, key) ? segment_at(t, *key) : NULL;
}

const struct physseg_index physseg_bitmap = {
	.name = "bitmap",
	.init = bitmap_init,
	.fini = bitmap_fini,
	.cover = bitmap_cover,
	.ready = bitmap_ready,
	.prepare = bitmap_prepare,
	.begin = bitmap_nothing,
	.insert = bitmap_insert,
	.move = bitmap_move,
	.remove = bitmap_remove,
	.commit = bitmap_nothing,
	.floor = bitmap_floor,
	.ceil = bitmap_ceil,
};
