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
#include <stdio.h>

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
	uint64_t base, limit;                    /* pfns that segments may ever lie at: [base, limit); limit 0:    */
						 /* those of the boot segments. base: rounded down to 2 MiB        */
};
#define PHYSMEM_CONFIG { sizeof(struct physmem_config), NULL, 0, 0, 0, 0, 0 }

/* Makes an instance with all frames free. config: NULL = all defaults; it and its segments may go after the call. 0
 * and *out; -EINVAL: out NULL, size wrong, segments empty, not ascending or disjoint, not in [base, limit), at or above
 * pfn 2^40, or spanning 2^32 frames or more, holes included; -ENOMEM. Never sleeps. Cost: O(segments), and a word for
 * each 2 MiB; per frame only address space is reserved, memory is used as frames are. Source: boot segments and vmemmap
 * of Linux. */
int  physmem_create(struct physmem **out, const struct physmem_config *config);
/* Destroys the instance (NULL: nothing). No other call on it may run or come, its maps and objects are gone, and every
 * frame is free, poisoned, or the host's: aborts in builds with assertions otherwise. Sleeps for grace periods. */
void physmem_destroy(struct physmem *pm);

/* Plugs a segment: [pfn, pfn + pages) can be allocated from now on, by anybody, also beside calls that run (it goes by
 * physmem_unplug, physmem_hotplug.h, where listeners can have a veto, too). movable: it takes only what maps and
 * objects have, which can be moved; what is to be pinned (vmmap_pin) is moved out first. 0; -EINVAL: empty, not in the
 * instance's [base, limit), or a block of 2 MiB at one of its ends has a segment of the other kind; -EEXIST: a frame
 * of it is there already; -ENOMEM, -ENOSPC. An error has changed nothing. May sleep for another plug. Cost: as of
 * creation. */
int  physmem_plug(struct physmem *pm, uint64_t pfn, uint64_t pages, int movable);

#define PHYSMEM_NONE UINT64_MAX
/* Takes a frame that stays where it is until it is freed, so never in a segment for what can be moved (maps and objects
 * take theirs by themselves, and those can be). Contents undefined. Returns its pfn, or PHYSMEM_NONE: nothing is left
 * that this thread can reach at one instant of the call: what else is free or deferred is in others' caches, which hold
 * back a few batches each between calls (three free for what can be moved and three for what cannot, two deferred; more
 * after one munmap of many pages), usually of 64 frames. Sleeps only if all that is left is deferred, for its grace
 * period, or in objects that died, for the round that frees them, or in the hands of the host (physmem_host.h), for
 * its call. Cost: O(1) from the caller's own cache, which no other thread writes; a refill takes a batch. Source:
 * magazines, Bonwick and Adams 2001. */
uint64_t physmem_frame_alloc(struct physmem *pm);
/* Frees a frame that physmem_frame_alloc gave, at once: nobody may still be reading it. 0; -EINVAL: no segment of this
 * instance has it, or it is the first of a run of more; -EALREADY: nobody has it, it was freed before: of two racing
 * frees one gets this, unless it is had anew in between; -EPERM: a map or an object has it. Never sleeps. O(1). */
int      physmem_frame_free(struct physmem *pm, uint64_t pfn);
/* A run of 2^order frames that begins at a multiple of that, and which of the lives of its first frame this is. */
struct physmem_run { uint64_t pfn; uint32_t generation; unsigned order; };

/* Takes a run; contents undefined. Order 0 is a frame of physmem_frame_alloc, and may be freed as one. 0 and *out;
 * -EINVAL: order above 9; -ENOMEM: there is none in what this thread can reach (as physmem_frame_alloc; nothing is
 * moved out of the way). Never in a segment for what can be moved. Order 0 sleeps as physmem_frame_alloc, others for
 * a call of the host's only. Cost: three atomic writes at most orders, if a block near by has one; else a look at a
 * word for 64 blocks of 2 MiB, and at one for each to say that there is none. Source: LLFree, USENIX ATC 2023. */
int      physmem_run_alloc(struct physmem *pm, unsigned order, struct physmem_run *out);
/* Frees a run. 0; -EINVAL, -EALREADY, -EPERM as physmem_frame_free, of its first frame and order; -ESTALE: the run was
 * freed before, and somebody has it anew. Never sleeps. */
int      physmem_run_free(struct physmem *pm, const struct physmem_run *run);
/* Returns where the frame's 4096 bytes lie, fixed for the life of the instance; NULL: metadata only, or outside of its
 * span (a hole between segments is inside). Concurrent access is the caller's to order. Never sleeps. O(1). */
void    *physmem_frame_bytes(struct physmem *pm, uint64_t pfn);

struct physmem_usage {
	uint64_t frames;                         /* in all segments                                                */
	uint64_t free;                           /* in the depot and below                                         */
	uint64_t cached;                         /* in per-slot caches                                             */
	uint64_t deferred;                       /* freed, waiting for readers (the TLB shootdown's stand-in)      */
	uint64_t balloon;                        /* the host has them (physmem_host.h)                             */
	uint64_t poisoned;                       /* out of use                                                     */
	uint64_t isolated;                       /* free, but an unplug that goes on has them                      */
	uint64_t owned;                          /* frames - all of these                                          */
};
/* Sums frames by place over all threads' slots: exact when quiescent, else each part at its own time. Takes no lock,
 * never sleeps. Cost: O(threads ever alive at a time, and their batches). */
void physmem_get_usage(struct physmem *pm, struct physmem_usage *out);

/* Takes a frame out of use, for good: it is never handed out again, and does not stand in the way of an unplug. One
 * that maps or objects have is moved away first, contents and all; the balloon gives its own back. 0, also if it is out
 * of use already; -EINVAL: no segment has it; -EBUSY: who has it does not move (physmem_frame_alloc, a run, a page that
 * is pinned), or it is in the hands of somebody just now; or an unplug is at work in its block of 2 MiB, or another
 * poison anywhere, or an allocation is short: it waits for none of these, an unplug may take long. -ENOMEM: there is no
 * frame to move it to. May sleep for a grace period. Source: soft offline of Linux's mm/memory-failure.c. */
int  physmem_poison(struct physmem *pm, uint64_t pfn);
/* It can be had again; if an unplug is at work there, once that has failed. 0; -EINVAL: it is not out of use. Never
 * sleeps. */
int  physmem_unpoison(struct physmem *pm, uint64_t pfn);

/* What a frame is, for a picture. */
enum physmem_state {
	PHYSMEM_ABSENT,                          /* in no segment                                                  */
	PHYSMEM_FREE, PHYSMEM_REPORTED,          /* ... and the host knows it                                      */
	PHYSMEM_CACHED,                          /* free or deferred, in a cache or on the way                     */
	PHYSMEM_MOVABLE, PHYSMEM_UNMOVABLE,      /* a map's or an object's; somebody else's                        */
	PHYSMEM_ISOLATED,                        /* free, but not to be had: the host is being told, or an unplug  */
	PHYSMEM_BALLOON, PHYSMEM_POISONED,
	PHYSMEM_STATES
};
/* [pfn, pfn + pages), all of that state. */
struct physmem_stretch { uint64_t pfn, pages; enum physmem_state state; };
/* Calls fn for [pfn, pfn + pages), cut to the instance's [base, limit), in order, once for each stretch of frames of
 * one state, until it returns something else than 0. Returns that, or 0. Exact when quiescent, else each frame at its
 * own time. fn may make other calls. Takes no lock. Cost: a word for each block that is all of one state, else for
 * each frame. */
int  physmem_walk(struct physmem *pm, uint64_t pfn, uint64_t pages,
		  int (*fn)(void *arg, const struct physmem_stretch *stretch), void *arg);

/* Checks that every frame is in exactly one place and in the state that belongs there, segments, words of blocks, and
 * that the sums of physmem_get_usage agree. A line per violation to report (NULL: none). Returns their number; want of
 * memory is one. Quiescent only: no call on pm or on a map of it. Never sleeps. Cost: O(frames, but for blocks that are
 * all free). */
uint64_t physmem_audit(struct physmem *pm, FILE *report);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
