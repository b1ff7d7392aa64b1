/* SPDX-License-Identifier: MIT */
/*
 * physseg_bitmap.c - the default index: a bit per frame, set where a segment starts, and bitmaps over that.
 *
 * LAYOUT    level 0: bit i, a segment has its key at frame i. Level n: bit i, word i of level n - 1 may not be 0. Six
 *           levels of 64 span 2^32 frames. at[i]: the segment whose key i is. All of it is address space until a
 *           segment starts there, so a lookup costs the same however many segments there are: at most one word a level
 *           on the way up, one a level on the way down.
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

static size_t level_bytes(const struct physseg_table *t, unsigned level)
{
	return (((size_t)(t->span - 1) >> (WORD_SHIFT * (level + 1))) + 1) * sizeof(atomic_u64);
}

static void bitmap_fini(struct physseg_table *t)
{
	for (unsigned level = 0; level < PHYSSEG_LEVELS; level++)
		mem_unreserve(MEM_FRAME, t->bitmap.level[level], level_bytes(t, level));
	mem_unreserve(MEM_FRAME, t->bitmap.at, t->span * sizeof(*t->bitmap.at));
}

static int bitmap_init(struct physseg_table *t)
{
	bool all = true;

	for (unsigned level = 0; level < PHYSSEG_LEVELS; level++) {
		t->bitmap.level[level] = mem_reserve(MEM_FRAME, level_bytes(t, level));
		all &= t->bitmap.level[level] != NULL;
	}
	t->bitmap.at = mem_reserve(MEM_FRAME, t->span * sizeof(*t->bitmap.at));
	if (all && t->bitmap.at != NULL)
		return 0;
	bitmap_fini(t);
	return -ENOMEM;
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

static atomic_u64 *word_of(struct physseg_table *t, unsigned level, uint64_t at)
{
	return &t->bitmap.level[level][at >> WORD_SHIFT];
}

static void set_key(struct physseg_table *t, struct physseg *seg, uint32_t key)
{
	atomic_store_release(&t->bitmap.at[key], seg);                           /* B1 */
	for (unsigned level = PHYSSEG_LEVELS; level-- > 0;) {
		uint64_t at = (uint64_t)key >> (WORD_SHIFT * level);
		atomic_u64 *word = word_of(t, level, at);

		atomic_store_release(word, atomic_load_relaxed(word) | UINT64_C(1) << (at % WORD_BITS));         /* B1 */
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
		uint64_t hit = atomic_load_acquire(word_of(t, level, from)) & up_to(from % WORD_BITS);   /* B2 -> B1 */

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
		hit = atomic_load_acquire(word_of(t, level, from)) & ~UINT64_C(0) << (from % WORD_BITS);  /* B2 -> B1 */
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
	if (!key_below(t, at < t->span ? at : t->span - 1, key))
		return NULL;
	return atomic_load_acquire(&t->bitmap.at[*key]);                         /* B2 -> B1 */
}

static struct physseg *bitmap_ceil(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	return key_above(t, at, key) ? atomic_load_acquire(&t->bitmap.at[*key]) : NULL;          /* B2 -> B1 */
}

const struct physseg_index physseg_bitmap = {
	.name = "bitmap",
	.init = bitmap_init,
	.fini = bitmap_fini,
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
