/* SPDX-License-Identifier: MIT */
/*
 * frame_balloon.h - frames that a machine does without, and its host has, until it asks for them or is short of memory.
 *
 * The counterpart of frame_report.h for good: what is in the balloon is not free. Protocol: frame_balloon.c. Private to
 * vmmap/phys.
 */
#ifndef VMMAP_PHYS_FRAME_BALLOON_H
#define VMMAP_PHYS_FRAME_BALLOON_H

#include "base/park.h"
#include "vmmap/phys/frame_bits.h"

/* 2^order frames. refused: by the host, which does not take them. */
struct frame_ballooned { uint64_t index; unsigned order; bool refused; };

struct frame_balloon_config {
	/* The host takes the memory of n runs; it may refuse each. */
	void (*inflate)(void *arg, struct frame_ballooned *run, unsigned n);
	/* They are going to be used again. None of the two may call the balloon, or take frames of the machine. */
	void (*deflate)(void *arg, const struct frame_ballooned *run, unsigned n);
	void *arg;
	unsigned order;          /* of the smallest run that it takes                                              */
	unsigned most;           /* runs that the host is told of at a time                                        */
	uint64_t low;            /* frames that it leaves free                                                     */
};
#define FRAME_BALLOON_CONFIG { NULL, NULL, NULL, 0, 32, 2048 }

struct frame_balloon {
	struct frame_bits *bits;         /*                                                                [const] */
	uint64_t capacity;               /* runs                                                           [const] */
	unsigned told_most;              /* of config, at first                                            [const] */
	struct park_mutex lock;          /* of what follows; held while the host is told                           */
	struct frame_balloon_config config;
	uint64_t life;                   /* of this config: 1, 2, ...                                              */
	uint64_t *run;                   /* [n of capacity]: index << 4 | order, in the order in which they came   */
	uint64_t n, rich;
	struct frame_search search;
	struct frame_ballooned *told;    /* [told_most]                                                            */
	atomic_u64 frames;               /* in the balloon                                                         */
	atomic_u32 pressed;              /* who is short of memory                                                 */
};

/* 0; -ENOMEM; -EINVAL: inflate or deflate NULL, most 0, order above 9. The bits outlive it. */
int  frame_balloon_init(struct frame_balloon *b, struct frame_bits *bits, const struct frame_balloon_config *c)
	MUST_CHECK;
/* All of it is the machine's again. */
void frame_balloon_fini(struct frame_balloon *b);
/* Another config: no smaller runs than the first one's, no more at a time. 0; -EINVAL: as init; -EBUSY: it has
 * frames. */
int  frame_balloon_change(struct frame_balloon *b, const struct frame_balloon_config *c) MUST_CHECK;

/* Takes up to n free frames, whole blocks first, but leaves `low`; not while somebody is short of memory, nor on under
 * another config than the one it began with. Returns how many the host has taken. */
uint64_t frame_balloon_inflate(struct frame_balloon *b, uint64_t n);
/* Gives back n frames or some more (a run is not cut), or all there are. Returns how many. */
uint64_t frame_balloon_deflate(struct frame_balloon *b, uint64_t n);
/* For who finds no frame: the same, and until frame_balloon_press_ends nobody inflates. 0: the balloon is empty. */
uint64_t frame_balloon_press(struct frame_balloon *b, uint64_t n);
void     frame_balloon_press_ends(struct frame_balloon *b);
/* For who has set the blocks of [lo, hi) offline: runs of the balloon that have a frame there it gives back, and
 * takes as much elsewhere, or is smaller then. Returns how many frames these were. */
uint64_t frame_balloon_leave(struct frame_balloon *b, uint64_t lo, uint64_t hi);

#endif
