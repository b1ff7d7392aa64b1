/* SPDX-License-Identifier: MIT */
/*
 * physmem_host.h - a machine and its host: memory that is free is reported, and a balloon gives it away for longer.
 *
 * A reported block stays free: who takes a frame of it finds memory that the host gives anew, contents undefined. What
 * is in the balloon is not free until it is deflated. Conventions of physmem.h. The functions that the host brings are
 * called by the threads that make these calls, outside of every lock of the machine but the one of its own kind; they
 * may sleep; they may not use the machine, nor make calls of this header on it.
 */
#ifndef VMMAP_PHYSMEM_HOST_H
#define VMMAP_PHYSMEM_HOST_H

#include <vmmap/physmem.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)      /* the library is compiled with hidden visibility */

/* What the host says of a run of 2^order frames. LATER: ask again. REFUSED: not before it has been used again. */
enum physmem_verdict { PHYSMEM_LATER, PHYSMEM_ACCEPTED, PHYSMEM_REFUSED };
struct physmem_told { uint64_t pfn; unsigned order; enum physmem_verdict verdict; };

#define PHYSMEM_TOLD_MOST 1024u                  /* that a host can be told of in one call                         */

/* ---- reporting: the host is told which blocks of 512 frames are free ---- */

struct physmem_report_config {                   /* start from PHYSMEM_REPORT_CONFIG                               */
	size_t size;                             /* sizeof(struct physmem_report_config)                           */
	/* n blocks, ascending, of one bank; all of them LATER, unless it says otherwise. */
	void (*tell)(void *arg, struct physmem_told *told, unsigned n);
	/* What is to be told in calls of its own: a segment, a node. NULL: all is one. May be called at any time. */
	uint64_t (*bank)(void *arg, uint64_t pfn);
	void *arg;
	unsigned begin;                          /* a pass begins when so many blocks have become free ...         */
	unsigned notify;                         /* ... and tells no fewer of a bank at once, until `age` is over  */
	unsigned most;                           /* blocks in one call; they cannot be had until it ends           */
	unsigned capture;                        /* 0: a bitmap of what has become free. Else arrays of so many    */
						 /* for each thread, a power of two up to 1024                     */
	uint64_t low;                            /* frames that stay to be had beside those that are being told    */
	uint64_t age_ns;                         /* physmem_report_run tells all at least that often               */
	int busy;                                /* 1: also what was taken from since the pass before              */
};
#define PHYSMEM_REPORT_CONFIG { sizeof(struct physmem_report_config), NULL, NULL, NULL, 64, 1, 32, 0, 2048, \
				UINT64_C(2000000000), 0 }

/* From now on what becomes free is noted, for passes. 0; -EINVAL: size wrong, tell NULL, most 0 or above
 * PHYSMEM_TOLD_MOST, notify above most, no such capture; -EBUSY: it is on; -ENOMEM. May wait for a stop. While it is
 * on, an allocation that finds nothing else waits for the call of tell that is going on, and looks again: it never
 * fails for the report's sake. Cost while on: a write for each block that becomes free. Source: Linux,
 * mm/page_reporting.c. */
int  physmem_report_start(struct physmem *pm, const struct physmem_report_config *config);
/* Ends it; physmem_report_run returns. No call of tell is going on, or comes, when it returns: waits for one. What was
 * reported stays so until it is used. Off: nothing. */
void physmem_report_stop(struct physmem *pm);
/* The calling thread reports until physmem_report_stop. 0; -ENXIO: it is not on; -EBUSY: another thread is at it. When
 * nothing is taken any more, the host accepts, and `low` frames and a block are free, all blocks that are free are told
 * within two ages and the time of three passes, whatever threads keep in their caches. But what has been deferred, and
 * readers hold back for longer than 0.1 s, waits for a later pass. */
int  physmem_report_run(struct physmem *pm);

/* SOME: what there is in banks of `notify` blocks and more. ALL: fewer, too, and what was free in caches: it may sleep
 * for grace periods. NOW: and what was taken from since the pass before. */
enum physmem_report_how { PHYSMEM_REPORT_SOME, PHYSMEM_REPORT_ALL, PHYSMEM_REPORT_NOW };

struct physmem_report_result {
	uint64_t accepted, refused, later;       /* blocks, by verdict                                             */
	uint64_t put_off;                        /* left for the next pass: not idle, too few, no room             */
	uint64_t calls;                          /* of tell                                                        */
};
/* One pass, by the caller. 0 and *out (NULL: not wanted); -ENXIO: it is not on; -EBUSY: another one is at it. Cost: a
 * word for each 64 blocks, and what is told. */
int  physmem_report_pass(struct physmem *pm, enum physmem_report_how how, struct physmem_report_result *out);

struct physmem_report_state {
	int on;
	uint64_t reported;                       /* frames in blocks that the host knows to be free                */
	uint64_t reportable;                     /* ... that it will be told of                                    */
	uint64_t reporting;                      /* ... that it is being told of                                   */
	uint64_t passes, calls, accepted, refused, later;        /* since the first start; blocks, by verdict      */
};
/* Each block at its own time. Never sleeps. O(blocks). */
void physmem_get_report(struct physmem *pm, struct physmem_report_state *out);

/* ---- balloon: frames that the host has until they are wanted ---- */

struct physmem_balloon_config {                  /* start from PHYSMEM_BALLOON_CONFIG                              */
	size_t size;                             /* sizeof(struct physmem_balloon_config)                          */
	/* The host takes the memory of n runs: of those whose verdict it makes ACCEPTED. The others stay here. */
	void (*inflate)(void *arg, struct physmem_told *run, unsigned n);
	/* They are going to be used again. */
	void (*deflate)(void *arg, const struct physmem_told *run, unsigned n);
	void *arg;
	unsigned order;                          /* of the smallest run that it takes, at most 9                   */
	unsigned most;                           /* runs in one call                                               */
	uint64_t low;                            /* frames that it leaves free                                     */
};
#define PHYSMEM_BALLOON_CONFIG { sizeof(struct physmem_balloon_config), NULL, NULL, NULL, 0, 32, 2048 }

/* Brings an empty balloon. 0; -EINVAL: size wrong, a function NULL, most 0 or above PHYSMEM_TOLD_MOST, order above 9;
 * -EBUSY: there is one; -ENOMEM. May wait for a stop. While it is there, an allocation that finds nothing else deflates
 * as much as it needs before it fails: it may wait for calls of the host, beyond its deadline for the one that is going
 * on. Source: Waldspurger, OSDI 2002; virtio-balloon with deflate-on-oom. */
int      physmem_balloon_start(struct physmem *pm, const struct physmem_balloon_config *config);
/* Deflates all of it, and takes it away. No call of the host is going on, or comes, when it returns. No balloon:
 * nothing. */
void     physmem_balloon_stop(struct physmem *pm);
/* Takes up to n free frames, whole blocks first, but leaves `low`; not while an allocation is short. Returns how many
 * the host has taken; 0 without a balloon. */
uint64_t physmem_balloon_inflate(struct physmem *pm, uint64_t n);
/* Gives back n frames or some more (a run is not cut), or all there are. Returns how many. */
uint64_t physmem_balloon_deflate(struct physmem *pm, uint64_t n);
/* Frames in it. Never sleeps. */
uint64_t physmem_balloon_size(struct physmem *pm);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
