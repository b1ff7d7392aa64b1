/* SPDX-License-Identifier: MIT */
/*
 * frame_block.h - the word of a block of 512 frames (2 MiB), and its transitions: functions from word to word.
 *
 * WORD      0..9    free          frames that may be promised: the permits (frame_bits.c)
 *           10..19  present       frames of the block that are in segments; 0: ABSENT
 *           20..21  class         NONE (all that is present is free), MOVABLE, UNMOVABLE, WHOLE (taken as one)
 *           22      movable_only  its segment takes nothing that cannot be moved; the same for all segments in it
 *           23      reporting     the host is being told that it is free
 *           24      offline       somebody unplugs frames of it, or takes them out of use
 *           25      reported      the host was told, and nothing has been handed out since
 *           32..63  takes         how often something was promised; wraps. Unchanged: nothing has been since
 *           An array of zeroes is a machine without memory.
 * STATES    ABSENT - come -> free - take -> in use - give -> free - go -> ABSENT
 *           free - take_whole -> WHOLE - give_whole -> free, or - split -> in use
 *           free - report -> reporting - reported, unreported -> free; `reported` goes with the next take
 *           any but ABSENT - offline -> the same, from which only who set it takes (claim) - online -> the same
 * WHO       take, steal, take_whole: anybody. give, give_whole, split: who owns the frames. come, go: who changes the
 *           segments. offline: anybody, once; claim, online, go: who did. report: anybody, once; the end: who did.
 * ISOLATED  is a bit, not a count of 0: `free` goes on counting what comes back, so that a block is drained when
 *           free = present, and the end of isolation has nothing to count. A frame that comes back late, from whichever
 *           cache, is judged by the word as it is then: what it was when the frame was taken is remembered nowhere.
 * INVARIANT frame_block_valid. Each transition keeps it, or refuses: FRAME_BLOCK_NO, and nothing has changed.
 * NOT HERE  which frames are free: rows (frame_row.h). That a word and its rows agree: frame_bits.c.
 * SOURCE    child entries of LLFree (Wrenger et al., USENIX ATC 2023), without its recount; isolation per pageblock and
 *           its races: Linux 51bb1a4093; "reported" until the next use: Linux, mm/page_reporting.c.
 */
#ifndef VMMAP_PHYS_FRAME_BLOCK_H
#define VMMAP_PHYS_FRAME_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define FRAME_BLOCK_ORDER  9u
#define FRAME_BLOCK_FRAMES (1u << FRAME_BLOCK_ORDER)
#define FRAME_BLOCK_NO     UINT64_MAX            /* no word: bits that stay 0 are set                              */

/* Of what is taken: MOVABLE, UNMOVABLE. Of a segment: NONE takes both, MOVABLE the one. */
enum frame_class { FRAME_CLASS_NONE, FRAME_CLASS_MOVABLE, FRAME_CLASS_UNMOVABLE, FRAME_CLASS_WHOLE };

#define FRAME_BLOCK_PRESENT_SHIFT 10
#define FRAME_BLOCK_CLASS_SHIFT   20
#define FRAME_BLOCK_MOVABLE_ONLY  (UINT64_C(1) << 22)
#define FRAME_BLOCK_REPORTING     (UINT64_C(1) << 23)
#define FRAME_BLOCK_OFFLINE       (UINT64_C(1) << 24)
#define FRAME_BLOCK_REPORTED      (UINT64_C(1) << 25)
#define FRAME_BLOCK_ZERO          (UINT64_C(0x3f) << 26)
#define FRAME_BLOCK_TAKE          (UINT64_C(1) << 32)
#define FRAME_BLOCK_TAKES         (~(FRAME_BLOCK_TAKE - 1))

#define FRAME_BLOCK_ISOLATED      (FRAME_BLOCK_REPORTING | FRAME_BLOCK_OFFLINE)
#define FRAME_BLOCK_FLAGS         (FRAME_BLOCK_MOVABLE_ONLY | FRAME_BLOCK_ISOLATED | FRAME_BLOCK_REPORTED)

static inline uint32_t frame_block_free(uint64_t word) { return (uint32_t)word & 0x3ff; }
static inline uint32_t frame_block_takes(uint64_t word) { return (uint32_t)(word >> 32); }
static inline uint32_t frame_block_present(uint64_t word)
{
	return (uint32_t)(word >> FRAME_BLOCK_PRESENT_SHIFT) & 0x3ff;
}

static inline enum frame_class frame_block_class(uint64_t word)
{
	return (enum frame_class)(word >> FRAME_BLOCK_CLASS_SHIFT & 3);
}

/* All 512 frames are there, and nobody has one or a permit for one. */
static inline bool frame_block_all_free(uint64_t word) { return frame_block_free(word) == FRAME_BLOCK_FRAMES; }
/* ... and whoever tells the host of what it may have can choose it. */
static inline bool frame_block_reportable(uint64_t word)
{
	return frame_block_all_free(word) && !(word & (FRAME_BLOCK_ISOLATED | FRAME_BLOCK_REPORTED));
}
/* Whatever of it is there has come back. */
static inline bool frame_block_drained(uint64_t word) { return frame_block_free(word) == frame_block_present(word); }

static inline bool frame_block_valid(uint64_t word)
{
	uint32_t free = frame_block_free(word), present = frame_block_present(word);
	enum frame_class class = frame_block_class(word);

	if (word & FRAME_BLOCK_ZERO || present > FRAME_BLOCK_FRAMES || free > present)
		return false;
	if ((class == FRAME_CLASS_NONE) != (free == present) || (present == 0 && word & FRAME_BLOCK_FLAGS))
		return false;
	if (class == FRAME_CLASS_WHOLE && (free != 0 || present != FRAME_BLOCK_FRAMES))
		return false;
	if (class == FRAME_CLASS_UNMOVABLE && word & FRAME_BLOCK_MOVABLE_ONLY)
		return false;
	return !(word & (FRAME_BLOCK_REPORTING | FRAME_BLOCK_REPORTED)) || frame_block_all_free(word);
}

/* The same word but for these; the class of a block that is drained is NONE. */
static inline uint64_t frame_block_with(uint64_t old, uint32_t free, uint32_t present, enum frame_class class)
{
	uint64_t flags = present != 0 ? old & FRAME_BLOCK_FLAGS : 0;

	if (free == present)
		class = FRAME_CLASS_NONE;
	return (old & FRAME_BLOCK_TAKES) | flags | (uint64_t)class << FRAME_BLOCK_CLASS_SHIFT |
	       (uint64_t)present << FRAME_BLOCK_PRESENT_SHIFT | free;
}

/* ---- transitions: (word, frames, class); what a transition has no use for is ignored ---- */

typedef uint64_t frame_block_step(uint64_t old, uint32_t n, enum frame_class class);

/* What is taken in such a segment may be of that class. */
static inline bool frame_block_may(uint64_t word, enum frame_class class)
{
	return class == FRAME_CLASS_MOVABLE || (class == FRAME_CLASS_UNMOVABLE && !(word & FRAME_BLOCK_MOVABLE_ONLY));
}

/* The block may give n frames, and has none that such a class may not have. */
static inline bool frame_block_gives(uint64_t word, uint32_t n, enum frame_class class)
{
	return n != 0 && n <= frame_block_free(word) && !(word & FRAME_BLOCK_ISOLATED) && frame_block_may(word, class);
}

static inline uint64_t frame_block_promised(uint64_t old, uint32_t n, enum frame_class class)
{
	uint64_t word = frame_block_with(old, frame_block_free(old) - n, frame_block_present(old), class);

	return (word & ~FRAME_BLOCK_REPORTED) + FRAME_BLOCK_TAKE;
}

/* Promises n frames to a class whose block it is, or whose it becomes. */
static inline uint64_t frame_block_take(uint64_t old, uint32_t n, enum frame_class class)
{
	enum frame_class before = frame_block_class(old);

	if (!frame_block_gives(old, n, class) || (before != FRAME_CLASS_NONE && before != class))
		return FRAME_BLOCK_NO;
	return frame_block_promised(old, n, class);
}

/* ... or to another one, when nothing better is left: what is unmovable makes the block so. */
static inline uint64_t frame_block_steal(uint64_t old, uint32_t n, enum frame_class class)
{
	if (!frame_block_gives(old, n, class))
		return FRAME_BLOCK_NO;
	return frame_block_promised(old, n, frame_block_class(old) > class ? frame_block_class(old) : class);
}

static inline uint64_t frame_block_take_whole(uint64_t old, uint32_t n, enum frame_class class)
{
	(void)n;
	if (!frame_block_gives(old, FRAME_BLOCK_FRAMES, class))
		return FRAME_BLOCK_NO;
	return frame_block_promised(old, FRAME_BLOCK_FRAMES, FRAME_CLASS_WHOLE);
}

/* n frames come back. Refuses more than are out. */
static inline uint64_t frame_block_give(uint64_t old, uint32_t n, enum frame_class class)
{
	uint32_t free = frame_block_free(old), present = frame_block_present(old);

	(void)class;
	if (n == 0 || frame_block_class(old) == FRAME_CLASS_WHOLE || n > present - free)
		return FRAME_BLOCK_NO;
	return frame_block_with(old, free + n, present, frame_block_class(old));
}

static inline uint64_t frame_block_give_whole(uint64_t old, uint32_t n, enum frame_class class)
{
	(void)n;
	(void)class;
	if (frame_block_class(old) != FRAME_CLASS_WHOLE)
		return FRAME_BLOCK_NO;
	return frame_block_with(old, FRAME_BLOCK_FRAMES, FRAME_BLOCK_FRAMES, FRAME_CLASS_NONE);
}

/* What was taken as one will be given back in parts; its class is what it is used for. */
static inline uint64_t frame_block_split(uint64_t old, uint32_t n, enum frame_class class)
{
	(void)n;
	if (frame_block_class(old) != FRAME_CLASS_WHOLE || !frame_block_may(old, class))
		return FRAME_BLOCK_NO;
	return frame_block_with(old, 0, FRAME_BLOCK_FRAMES, class);
}

/* n frames are plugged, free. class: of their segment. */
static inline uint64_t frame_block_come(uint64_t old, uint32_t n, enum frame_class class)
{
	uint64_t kind = class == FRAME_CLASS_MOVABLE ? FRAME_BLOCK_MOVABLE_ONLY : 0;
	uint32_t present = frame_block_present(old);

	if (n == 0 || n > FRAME_BLOCK_FRAMES - present)
		return FRAME_BLOCK_NO;
	if (present != 0 && (old & FRAME_BLOCK_MOVABLE_ONLY) != kind)
		return FRAME_BLOCK_NO;
	return frame_block_with(old, frame_block_free(old) + n, present + n, frame_block_class(old)) | kind;
}

/* n frames that were claimed are unplugged. With the last one the block is ABSENT, and not offline. */
static inline uint64_t frame_block_go(uint64_t old, uint32_t n, enum frame_class class)
{
	uint32_t free = frame_block_free(old), present = frame_block_present(old);

	(void)class;
	if (n == 0 || !(old & FRAME_BLOCK_OFFLINE) || frame_block_class(old) == FRAME_CLASS_WHOLE || n > present - free)
		return FRAME_BLOCK_NO;
	return frame_block_with(old, free, present - n, frame_block_class(old));
}

static inline uint64_t frame_block_offline(uint64_t old, uint32_t n, enum frame_class class)
{
	(void)n;
	(void)class;
	if (frame_block_present(old) == 0 || old & FRAME_BLOCK_OFFLINE)
		return FRAME_BLOCK_NO;
	return old | FRAME_BLOCK_OFFLINE;
}

static inline uint64_t frame_block_online(uint64_t old, uint32_t n, enum frame_class class)
{
	(void)n;
	(void)class;
	return old & FRAME_BLOCK_OFFLINE ? old & ~FRAME_BLOCK_OFFLINE : FRAME_BLOCK_NO;
}

/* As take, by who set `offline`; not while the host is being told. */
static inline uint64_t frame_block_claim(uint64_t old, uint32_t n, enum frame_class class)
{
	enum frame_class before = frame_block_class(old);

	(void)class;
	if (n == 0 || n > frame_block_free(old) || (old & FRAME_BLOCK_ISOLATED) != FRAME_BLOCK_OFFLINE)
		return FRAME_BLOCK_NO;
	return frame_block_promised(old, n, before != FRAME_CLASS_NONE ? before : FRAME_CLASS_MOVABLE);
}

static inline uint64_t frame_block_report(uint64_t old, uint32_t n, enum frame_class class)
{
	(void)n;
	(void)class;
	return frame_block_reportable(old) ? old | FRAME_BLOCK_REPORTING : FRAME_BLOCK_NO;
}

/* The host has taken it, or has not. */
static inline uint64_t frame_block_reported(uint64_t old, uint32_t n, enum frame_class class)
{
	(void)n;
	(void)class;
	return old & FRAME_BLOCK_REPORTING ? (old & ~FRAME_BLOCK_REPORTING) | FRAME_BLOCK_REPORTED : FRAME_BLOCK_NO;
}

static inline uint64_t frame_block_unreported(uint64_t old, uint32_t n, enum frame_class class)
{
	(void)n;
	(void)class;
	return old & FRAME_BLOCK_REPORTING ? old & ~FRAME_BLOCK_REPORTING : FRAME_BLOCK_NO;
}

#endif
