/* SPDX-License-Identifier: MIT */
/*
 * crowd.h - is anybody shut out? Threads over the same pages: some must come to the end of their rounds, the others are
 * in their way until then.
 */
#ifndef TESTS_POLICY_CROWD_H
#define TESTS_POLICY_CROWD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/prng.h"

#define CROWD_MAX 8

struct job;                                      /* what a member does in each round: the test's own               */

struct member {
	pthread_t thread;
	struct crowd *crowd;
	const struct job *job;
	uint64_t rounds;                         /* that it must do; 0: until the others end                       */
	uint64_t round;                          /* the one it is in                                               */
	uint32_t number, slot;                   /* in the crowd; of its thread                                    */
	struct prng random;
};

struct crowd {
	struct member member[CROWD_MAX];
	unsigned n;
	bool (*one_round)(struct member *m);
	atomic_u32 left, stop, wrong;            /* wrong: rounds that have returned false, and what these add     */
};

void crowd_add(struct crowd *c, const struct job *job, uint64_t rounds);
/* False, and a line to stderr: somebody is shut out. The threads still run then: the program can only end. */
bool crowd_run(struct crowd *c, bool (*one_round)(struct member *m));

#endif
