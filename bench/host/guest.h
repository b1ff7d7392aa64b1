/* SPDX-License-Identifier: MIT */
/*
 * guest.h - a guest: a machine of frames (frame_bits), with a kernel, a cache of files, and a program that wants much
 * memory for a while. What it does not use it tells the host of (frame_report), if it does.
 */
#ifndef BENCH_HOST_GUEST_H
#define BENCH_HOST_GUEST_H

#include "base/prng.h"
#include "bench/host/host.h"
#include "vmmap/phys/frame_balloon.h"
#include "vmmap/phys/frame_report.h"

struct guest_config {
	uint64_t frames, kernel;         /* of the machine; what its kernel and services keep                      */
	uint64_t files;                  /* pages of files that it reads: they stay in its cache while there is room */
	uint64_t reserve;                /* frames that the cache leaves free                                      */
	bool reports, balloon;
	unsigned capture;                /* as frame_report_config's                                               */
	uint64_t age;                    /* virtual ns between two passes for ALL                                  */
	uint64_t seed;                   /* in which order files are read, and the program's pages come back       */
};

struct guest {
	struct guest_config config;
	struct host *host;
	struct host_page *page;          /* [frames]                                                               */
	uint32_t number;
	struct prng rng;
	struct frame_bits bits;
	struct frame_report report;
	struct frame_balloon balloon;
	struct frame_search search;
	struct frame_some some;          /* taken, not used yet: its allocator's cache                             */
	uint64_t used;                   /* frames that are taken, the balloon's too                               */
	uint32_t *cached;                /* [files]: frame + 1, or 0                                               */
	uint32_t *oldest;                /* files' pages in the order they were read: a ring of [files]            */
	uint64_t read, dropped;          /* so far                                                                 */
	uint32_t *file;                  /* the files, of 64 pages each, in the order in which they are read       */
	uint32_t *hog;                   /* the program's frames                                                   */
	uint64_t hogs;
	uint64_t until;                  /* the next pass for ALL                                                  */
	uint64_t reported, calls;        /* blocks; calls of the host                                              */
	uint64_t longest_pass;           /* virtual ns                                                             */
	uint64_t wrong;                  /* contents that were not there, frames that were not to be had           */
};

/* Boots it. 0; -ENOMEM. g does not move afterwards. */
int  guest_init(struct guest *g, struct host *host, uint32_t number, const struct guest_config *c);
void guest_fini(struct guest *g);
/* A program takes so many pages, and writes each. It ends: each is as it was written. */
void guest_hog(struct guest *g, uint64_t pages, void (*tick)(void *arg), void *arg);
void guest_hog_ends(struct guest *g, void (*tick)(void *arg), void *arg);
/* Reads all its files, from its cache where they are there. */
void guest_read_files(struct guest *g, void (*tick)(void *arg), void *arg);
/* What the host can ask it for: pages of its cache, and, if it has a balloon, free frames. */
uint64_t guest_has(const struct guest *g);
/* The host asks for n frames: the oldest pages of its cache go, and are reported; or as much as must, and its balloon
 * grows. Returns how many frames the host got. */
uint64_t guest_shrink(struct guest *g, uint64_t n);
/* Reports, if it is time to. */
void guest_tick(struct guest *g);
/* Nothing is left to be told, or there is too little beside it. */
bool guest_all_told(struct guest *g);
/* The number of violations. */
uint64_t guest_audit(struct guest *g);

#endif
