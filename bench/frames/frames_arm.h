/* SPDX-License-Identifier: MIT */
/*
 * frames_arm.h - one source of frames under one loop, as an arm of the paired runner.
 *
 * An arm has its source and its stamps for itself, and keeps them from block to block. PROOF: after each block all
 * frames are free again, but those in the rings; and each frame that came was checked (churn.h).
 */
#ifndef BENCH_FRAMES_FRAMES_ARM_H
#define BENCH_FRAMES_FRAMES_ARM_H

#include "bench/frames/source.h"
#include "bench/gang.h"
#include "bench/pairs.h"

struct frames_plan {
	enum source_loop loop;
	unsigned threads;
	unsigned order;                          /* not 0: runs of that order, a few at a time, in place of `loop`  */
	uint64_t frames;                         /* that each source has                                            */
	uint32_t burst;                          /* of SOURCE_BULK and SOURCE_RANDOM                                */
	double ms;
	struct gang *gang;
};

struct frames_arm;

/* NULL: no memory. plan: kept by reference. */
struct frames_arm *frames_arm_open(const struct source *source, const struct frames_plan *plan);
void frames_arm_close(struct frames_arm *arm);
void *frames_arm_source(struct frames_arm *arm);
/* One step of its loop, as thread 0, by the caller. Returns the operations of it. */
uint64_t frames_arm_step(struct frames_arm *arm);
/* pairs_arm.block; ctx: the arm. */
int  frames_arm_block(void *ctx, uint64_t seed, struct pairs_block *out);

#endif
