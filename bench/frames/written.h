/* SPDX-License-Identifier: MIT */
/*
 * written.h - atomic writes of the frame allocator to words that other threads may write as well: an exact count, in
 * the build that reports each write (base/count.h).
 *
 * LEFT OUT  what is the thread's own: its slot, its block in the instance, its stack, and the words of frames that it
 *           holds or has in a chain of its own: nobody else knows these frames.
 * SHARED    the heads of depot and late stack, words of blocks, rows; `other` is what is none of all these.
 */
#ifndef BENCH_FRAMES_WRITTEN_H
#define BENCH_FRAMES_WRITTEN_H

#include <stdint.h>

struct written { uint64_t calls, depot, blocks, rows, other; };

enum written_load {
	WRITTEN_CACHE,                           /* one frame is taken and given back                               */
	WRITTEN_SHELVES,                         /* 16,320 are: what a slot keeps                                   */
	WRITTEN_FRESH,                           /* 65,536 frames are taken that nobody has had                     */
	WRITTEN_DEPOT,                           /* 32,768 are taken and given back, again and again                */
	WRITTEN_OVERFLOW,                        /* 65,536 are: more than the depot keeps                           */
	WRITTEN_RANDOM,                          /* the same, given back in random order                            */
	WRITTEN_LOADS,
};

extern const char *const written_name[WRITTEN_LOADS];

/* Counts on an instance made for it. 0; -ENOMEM; -ENOSYS: this build reports no writes. */
int written_count(enum written_load load, struct written *out);

static inline uint64_t written_shared(const struct written *w)
{
	return w->depot + w->blocks + w->rows + w->other;
}

#endif
