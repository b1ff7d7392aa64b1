/* SPDX-License-Identifier: MIT */
/*
 * physmem.h - physical memory: frames, in an instance that several maps may share.
 *
 * A frame is 4096 bytes, named by its pfn. Conventions of vmmap.h: any thread, no registration, -errno. No call holds a
 * lock when it returns; none waits for a map. pm is not NULL but in physmem_destroy.
 */
#ifndef VMMAP_PHYSMEM_H
#define VMMAP_PHYSMEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)      /* the library is compiled with hidden visibility */

struct physmem;

/* Frames [pfn, pfn + pages), pages > 0, below 2^40. */
struct physmem_range { uint64_t pfn, pages; };

struct physmem_config {                          /* start from PHYSMEM_CONFIG; 0 / NULL = the default              */
	size_t size;                             /* sizeof(struct physmem_config)                                  */
	const struct physmem_range *segments;    /* boot segments, ascending, disjoint; NULL: `pages` from pfn 0   */
	unsigned nsegments;
	uint64_t pages;                          /* default 2^18 = 1 GiB                                           */
	int bytes;                               /* 1: frames have contents (checked accesses); 0: metadata only   */
};
#define PHYSMEM_CONFIG { sizeof(struct physmem_config), NULL, 0, 0, 0 }

/* Makes an instance with all frames free. config: NULL = all defaults; it and its segments may go after the call. 0
 * and *out; -EINVAL: out NULL, size wrong, segments empty, not ascending or disjoint, at or above pfn 2^40, or
 * spanning 2^32 frames or more, holes included; -ENOMEM. Never sleeps. Cost: O(segments); per frame only address space
 * is reserved, memory is used as frames are. Source: boot segments and vmemmap of Linux. */
int  physmem_create(struct physmem **out, const struct physmem_config *config);
/* Destroys the instance (NULL: nothing). No other call on it may run or come, its maps and objects are gone, and every
 * frame is free: aborts in builds with assertions otherwise. Sleeps for grace periods. */
void physmem_destroy(struct physmem *pm);

#define PHYSMEM_NONE UINT64_MAX
/* Takes a frame; contents undefined. Returns its pfn, or PHYSMEM_NONE: nothing is left that this thread can reach
 * at one instant of the call: what else is free or deferred is in others' caches, which hold back up to five batches
 * each between calls (three free, two deferred; more after one munmap of many pages), usually of 64 frames. Sleeps only
 * if all that is left is deferred, for its grace period, or in objects that died, for the round that frees them. Cost:
 * O(1) from the caller's own cache, which no other thread writes; a refill takes a batch. Source: magazines, Bonwick
 * and Adams 2001. */
uint64_t physmem_frame_alloc(struct physmem *pm);
/* Frees a frame that physmem_frame_alloc gave, at once: nobody may still be reading it. 0; -EINVAL: not of this
 * instance or not owned; of two racing frees one gets it. Does not know a map's frame. Never sleeps. O(1). */
int      physmem_frame_free(struct physmem *pm, uint64_t pfn);
/* Returns where the frame's 4096 bytes lie, fixed for the life of the instance; NULL: metadata only, or outside of its
 * span (a hole between segments is inside). Concurrent access is the caller's to order. Never sleeps. O(1). */
void    *physmem_frame_bytes(struct physmem *pm, uint64_t pfn);

struct physmem_usage {
	uint64_t frames;                         /* in all segments                                                */
	uint64_t free;                           /* in the depot                                                   */
	uint64_t cached;                         /* in per-slot caches                                             */
	uint64_t deferred;                       /* freed, waiting for readers (the TLB shootdown's stand-in)      */
	uint64_t owned;                          /* frames - free - cached - deferred                              */
};
/* Sums frames by place over all threads' slots: exact when quiescent, else each part at its own time. Takes no lock,
 * never sleeps. Cost: O(threads ever alive at a time, and their batches). */
void physmem_get_usage(struct physmem *pm, struct physmem_usage *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
