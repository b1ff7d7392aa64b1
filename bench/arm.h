/* SPDX-License-Identifier: MIT */
/*
 * arm.h - one arm of a comparison: a profile under a policy, as blocks for pairs.h.
 *
 * MAPS      An arm works on maps of its own, made for this comparison, and makes them anew every ARM_RENEW blocks: the
 *           layout that one instance happened to get in memory is not the result. Set-up is outside of the clock; after
 *           it the arm works for `first_ms` unmeasured, so that frames, tables and caches have been used once.
 * BLOCK     `warm_ms` unmeasured, then `block_ms` measured, both stretched (up to ARM_STRETCH times) for workloads that
 *           spend most of their time making their ground anew, so that as much is measured of them. Afterwards the
 *           arm lies still for ARM_DRAIN_MS: the library's thread sleeps 10 ms between its rounds, and what this arm
 *           retired must not be freed on the next arm's time.
 */
#ifndef BENCH_ARM_H
#define BENCH_ARM_H

#include "bench/gang.h"
#include "bench/pairs.h"
#include "stress/profile.h"

#define ARM_RENEW     5
#define ARM_DRAIN_MS  12
#define ARM_STRETCH   8

struct arm {
	const struct profile *profile;
	struct profile_params params;
	struct gang *gang;                       /* at least params.threads; shared by all arms                     */
	double block_ms, warm_ms, first_ms;
	double stretch;                          /* of blocks, from the share that the first work had of its time   */
	unsigned age;                            /* blocks since the maps were made                                 */
	struct profile_run *run;
	struct profile_result result;            /* of the latest block                                             */
};

/* An arm of `threads` threads with the usual times, and block_ms. Opens nothing yet. */
void arm_init(struct arm *arm, const struct profile *profile, const char *policy, unsigned threads, struct gang *gang);
/* pairs_arm.block; ctx is the arm. 0 or a negative errno, the reason said on stderr. */
int  arm_block(void *ctx, uint64_t seed, struct pairs_block *out);
void arm_close(struct arm *arm);

#endif
