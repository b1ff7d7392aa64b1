/* SPDX-License-Identifier: MIT */
/*
 * host.h - a host with so many frames, in virtual time: it gives a page a frame at the first touch, takes frames of
 * others when it has none, by writing them to swap, and gets back what a guest says it does not need.
 *
 * One thread; the same calls take the same time. What a call costs is stated (host_cost), not measured.
 */
#ifndef BENCH_HOST_HOST_H
#define BENCH_HOST_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct host_cost {               /* ns                                                                             */
	uint64_t touch;          /* of a page that has a frame                                                     */
	uint64_t fault;          /* first touch: exit, frame, zeroes                                               */
	uint64_t swap_out, swap_in;      /* of a page                                                              */
	uint64_t call, discard;  /* a report: the call, and each block of it                                       */
	uint64_t read, drop;     /* by guests: a page of a file from disk, a page out of a cache                   */
};
#define HOST_COST { 250, 1000, 100000, 100000, 5000, 2000, 20000, 200 }

/* Of a guest. Its content is a number; without a frame and not in swap it is 0. */
struct host_page { uint32_t place, content; };

struct host_slot { struct host_page *page; bool referenced, dirty; };

struct host {
	struct host_cost cost;
	uint64_t frames, used;           /* its budget, and what guests have of it                                 */
	uint64_t now;                    /* virtual ns                                                             */
	uint64_t swapped;                /* pages in swap                                                          */
	uint64_t outs, ins;              /* pages written to swap, and read                                        */
	struct host_slot *slot;          /* [frames]                                                               */
	uint32_t *spare;                 /* slots that nobody has: [frames - used]                                 */
	uint64_t hand;                   /* of the clock                                                           */
	/* Called when no frame is left: guests may give `want` back. How many they did; 0: it is not asked for a
	 * second. NULL: nobody. */
	uint64_t (*pressure)(void *arg, uint64_t want);
	void *arg;
	uint64_t ask_again;
};

/* 0; -ENOMEM. */
int  host_init(struct host *h, uint64_t frames, const struct host_cost *cost);
void host_fini(struct host *h);
/* A guest reads the page's content, or writes it. */
uint32_t host_read(struct host *h, struct host_page *page);
void host_write(struct host *h, struct host_page *page, uint32_t content);
/* The guest does not need the page: its frame and its place in swap are free, its content is 0. */
void host_discard(struct host *h, struct host_page *page);
/* Frames and pages name each other. Returns the number of violations. */
uint64_t host_audit(const struct host *h);

#endif
