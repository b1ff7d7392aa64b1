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
 * NEAR      near[i]: if one segment begins in frames [8 i, 8 i + 8), its handle and which of these frames it has: a
 *           lookup of one of them is that word; fragments lie in theirs as a whole, so that lookups in very many of
 *           them touch one line each, of few. If more begin there: MANY. Any other frame takes its state, its word of
 *           level 0, and near[] where that says that its segment begins: three lines that many segments share. All
 *           this only while nobody changes the table (T1, T2 in physseg.c); who meets a change goes the long way,
 *           which waits for nobody either.
 *             bits 0..25 slot, 26..28 seven less the first frame, 29..31 the last one, 32.. generation. 0 and MANY have
 *             no generation, and the first frame behind the last.
 * EDGES     B1 store-release of at[i], then of a level's word, near[i] -> B2 acquire load of the word, then of at[i].
 *           T1 of physseg.c -> T2.
 */
#include <errno.h>

#include "base/mem.h"
#include "base/point.h"
#include "vmmap/phys/physseg_impl.h"

#define WORD_SHIFT 6u
#define WORD_BITS  64u
#define NEAR_SHIFT 3u
#define NEAR_LAST  ((1u << NEAR_SHIFT) - 1)      /* of the frames of a word                                        */
#define NEAR_BITS  UINT64_C(0xff)
#define NEAR_SLOT  ((UINT32_C(1) << 26) - 1)
#define NEAR_MANY  UINT64_C(1)

_Static_assert((uint64_t)PHYSSEG_BOOT_SLOTS << PHYSSEG_CHUNKS <= NEAR_SLOT + 1, "a slot's number fits into near");

/* Words of a level. */
static uint64_t level_words(const struct physseg_table *t, unsigned level)
{
	return ((uint64_t)(t->span - 1) >> (WORD_SHIFT * (level + 1))) + 1;
}

static void bitmap_fini(struct physseg_table *t)
{
	physseg_plane_fini(&t->bitmap.near);
	physseg_plane_fini(&t->bitmap.at);
	physseg_plane_fini(&t->bitmap.low);
	for (unsigned level = 1; level < PHYSSEG_LEVELS; level++)
		mem_unreserve(MEM_FRAME, t->bitmap.level[level], level_words(t, level) * sizeof(atomic_u64));
}

static int bitmap_init(struct physseg_table *t)
{
	int err = physseg_plane_init(&t->bitmap.low, level_words(t, 0), sizeof(atomic_u64), form(t));

	if (err == 0)
		err = physseg_plane_init(&t->bitmap.at, t->span, sizeof(atomic_u64), form(t));
	if (err == 0)
		err = physseg_plane_init(&t->bitmap.near, ((uint64_t)(t->span - 1) >> NEAR_SHIFT) + 1,
					 sizeof(atomic_u64), form(t));
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

	if (err == 0)
		err = physseg_plane_cover(&t->bitmap.near, lo >> NEAR_SHIFT, (hi - 1) >> NEAR_SHIFT);
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

/* ---- near ---- */

/* first: of the frames that it is for. A segment that is being plugged has no odd generation yet: it will be the next
 * one. */
static uint64_t near_word(const struct physseg *seg, uint64_t first)
{
	uint64_t run = atomic_load_relaxed(&seg->run), from = run_start(run) - first, last = run_end(run) - first - 1;

	last = last < NEAR_LAST ? last : NEAR_LAST;
	return seg->number | (NEAR_LAST - from) << 26 | last << 29 |
	       (uint64_t)(atomic_load_relaxed(&seg->generation) | 1) << 32;
}

static struct physseg_handle near_handle(uint64_t near)
{
	return (struct physseg_handle){ (uint32_t)near & NEAR_SLOT, (uint32_t)(near >> 32) };
}

static uint32_t near_first(uint64_t near) { return NEAR_LAST - (near >> 26 & NEAR_LAST); }
static uint32_t near_last(uint64_t near) { return near >> 29 & NEAR_LAST; }

/* After the bit of key was set or cleared, or the segment there was cut. */
static void set_near(struct physseg_table *t, uint32_t key)
{
	uint64_t first = key >> NEAR_SHIFT << NEAR_SHIFT, near = 0;
	uint64_t bits = atomic_load_relaxed(word_of(t, 0, key)) >> (first % WORD_BITS) & NEAR_BITS;

	if (bits != 0 && (bits & (bits - 1)) == 0)
		near = near_word(segment_at(t, (uint32_t)(first + (unsigned)__builtin_ctzll(bits))), first);
	else if (bits != 0)
		near = NEAR_MANY;
	atomic_store_release(physseg_plane_word(&t->bitmap.near, key >> NEAR_SHIFT), near);      /* B1 */
}

/* ---- changes ---- */

static void set_key(struct physseg_table *t, struct physseg *seg, uint32_t key)
{
	atomic_store_release(physseg_plane_word(&t->bitmap.at, key), (uintptr_t)seg);    /* B1 */
	for (unsigned level = PHYSSEG_LEVELS; level-- > 0;) {
		uint64_t at = (uint64_t)key >> (WORD_SHIFT * level);
		atomic_u64 *word = word_of(t, level, at);
		uint64_t bits = atomic_load_relaxed(word) | UINT64_C(1) << (at % WORD_BITS);

		atomic_store_release(word, bits);                                /* B1 */
	}
	set_near(t, key);
}

static void clear_bits(struct physseg_table *t, uint32_t key)
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

static void clear_key(struct physseg_table *t, uint32_t key)
{
	clear_bits(t, key);
	set_near(t, key);
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

static void bitmap_cut(struct physseg_table *t, struct physseg *seg)
{
	set_near(t, run_start(atomic_load_relaxed(&seg->run)));
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

/* 0 also where there is no such word. */
static uint64_t near_at(struct physseg_table *t, uint32_t at)
{
	atomic_u64 *word = physseg_plane_word(&t->bitmap.near, at >> NEAR_SHIFT);

	return word != NULL ? atomic_load_acquire(word) : 0;                     /* B2 -> B1 */
}

/* Of the segment of frame `at`, which does not begin beside it. 0: there is no such frame; MANY: it takes a longer
 * search. */
static uint64_t near_below(struct physseg_table *t, uint32_t at, uint32_t *key)
{
	uint64_t hit, near;

	if (physseg_frame_state(t, at) == 0)
		return 0;
	hit = bits_of(t, 0, at) & up_to(at % WORD_BITS);
	if (hit == 0)
		return NEAR_MANY;
	*key = (at & ~(WORD_BITS - 1)) | (WORD_BITS - 1 - (unsigned)__builtin_clzll(hit));
	near = near_at(t, *key);
	return near != 0 ? near : NEAR_MANY;     /* 0: a change is under way                                        */
}

static bool bitmap_quick(struct physseg_table *t, uint32_t at, struct physseg_handle *h, uint64_t *offset)
{
	uint64_t turn = atomic_load_acquire(&t->turn), near;                     /* T2 -> T1 */
	uint32_t i = at & NEAR_LAST, key;

	if (t->bare)
		return false;
	near = near_at(t, at);
	key = at - i + near_first(near);
	if (i < near_first(near) || i > near_last(near))
		near = near_below(t, at, &key);
	if (near == NEAR_MANY || ((turn & 1 || atomic_load_relaxed(&t->turn) != turn) &&
				  !BASE_MUTANT(physseg_turn_unseen)))
		return false;
	if (near != 0) {
		*h = near_handle(near);
		if (offset != NULL)
			*offset = at - key;
	}
	return true;
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
	.cut = bitmap_cut,
	.commit = bitmap_nothing,
	.quick = bitmap_quick,
	.floor = bitmap_floor,
	.ceil = bitmap_ceil,
};
