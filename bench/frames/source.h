/* SPDX-License-Identifier: MIT */
/*
 * source.h - where frames come from: the engine's allocator and its rivals behind one face, each with its own loops.
 *
 * A source is made for a number of threads; each call says which of them it is (0 ..), and no two are one. Frames are
 * numbers below `frames`. Loops are compiled once for each source (churn.h), so that none pays for this face.
 */
#ifndef BENCH_FRAMES_SOURCE_H
#define BENCH_FRAMES_SOURCE_H

#include <stdint.h>

struct churn;

#define SOURCE_NONE    UINT64_MAX
#define SOURCE_THREADS 16u

enum source_loop {
	SOURCE_PAIR,                             /* one frame is taken and given back                               */
	SOURCE_BULK,                             /* many are taken, then given back in the order they came          */
	SOURCE_RANDOM,                           /* ... in random order                                             */
	SOURCE_HAND_OVER,                        /* thread 0 takes, the others give back                            */
	SOURCE_LOOPS,
};

struct source {
	const char *name, *what;
	unsigned order;                          /* of the largest run                                              */
	void *(*create)(uint64_t frames, unsigned threads);      /* NULL: no memory. frames: a multiple of 1024     */
	void (*destroy)(void *s);
	uint64_t (*take)(void *s, unsigned thread, unsigned order);      /* SOURCE_NONE: there is none              */
	void (*give)(void *s, unsigned thread, uint64_t frame, unsigned order);
	uint64_t (*free_frames)(void *s);        /* in all places, caches too; while nobody is in a call            */
	void (*loop[SOURCE_LOOPS])(struct churn *c);     /* one step                                                */
};

extern const struct source source_none;          /* has no loop for SOURCE_HAND_OVER                              */
extern const struct source source_engine;        /* frame.h: what a fault calls                                    */
extern const struct source source_public;        /* physmem.h                                                      */
extern const struct source source_bits;          /* frame_bits.h, frame by frame                                   */
extern const struct source source_buddy;
extern const struct source source_buddy_lock;
extern const struct source source_list;

#endif
