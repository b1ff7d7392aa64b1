/* SPDX-License-Identifier: MIT */
/* experiment.h - guests are started one by one on a host, each runs a program once: how many fit, and what it costs. */
#ifndef BENCH_HOST_EXPERIMENT_H
#define BENCH_HOST_EXPERIMENT_H

#include "bench/host/guest.h"

#define EXPERIMENT_GUESTS  64u
#define EXPERIMENT_SAMPLES 4096u

struct experiment_setup {
	uint64_t host_frames, hog;       /* the host's budget; pages that the program wants                        */
	struct guest_config guest;
	struct host_cost cost;
	unsigned guests, last;           /* at most so many; whose program is timed, 1 ..                          */
	uint64_t settle;                 /* virtual ns between two guests                                          */
};

/* What is varied. hook: the host asks guests before it swaps; they shrink caches, or inflate balloons. */
struct experiment_arm { bool reports, caches, hook, balloon; };

struct experiment_sample { uint64_t now, used, swapped; };

struct experiment_outcome {
	unsigned fit;                    /* guests until the host wrote to swap                                    */
	bool all_fit;                    /* it never did: as many as there may be                                  */
	uint64_t first_hog, last_hog;    /* virtual ns of the program, in the first guest and in the one asked for */
	uint64_t last_life;              /* ... of all that this one did: files, program, files                    */
	uint64_t outs, ins;              /* pages of swap, when that one had ended                                 */
	uint64_t reread;                 /* virtual ns: the first guest reads its files again                      */
	uint64_t reported, calls;
	uint64_t told_after, bound;      /* virtual ns from the end of a program until all is told, at most; promised */
	uint64_t wrong;
	unsigned samples;
	struct experiment_sample sample[EXPERIMENT_SAMPLES];     /* until the one asked for has ended              */
};

/* 0; -ENOMEM. */
int experiment_run(const struct experiment_setup *s, const struct experiment_arm *arm, struct experiment_outcome *out);

#endif
