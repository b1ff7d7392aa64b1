/* SPDX-License-Identifier: MIT */
/*
 * measure.h - one point of a curve: a profile under a policy on N logical cores, warmed up, then measured.
 *
 * WARM-UP   blocks of a quarter of the window, until three in a row have the same transfers per operation (within 3 %,
 *           or 0.001) and first touches (within 0.1), at most `warm_most` of them; `steady` says whether that came
 *           to pass, and the window has few first touches itself.
 * WINDOW    one block of `ops` units a core (what the profile counts: docs/benchmarking.md), on average. Where cores
 *           meet, the first that is done ends the block: so twice what the others lacked in the warm-up, and a little,
 *           is added, that no fewer come out. A profile whose unit is many calls (arena, wasm ...) does as many units
 *           as make `ops` calls.
 * COUNTED   transfers of cores whose stop-watch runs; beside them those of resets, and of the library's own thread.
 */
#ifndef BENCH_MANYCORE_MEASURE_H
#define BENCH_MANYCORE_MEASURE_H

#include "bench/manycore/hot.h"
#include "bench/manycore/turn.h"
#include "stress/profile.h"

#define MEASURE_HOT 24

struct measure_params {
	const char *policy, *profile;
	uint32_t cores;
	uint64_t seed, ops;
	unsigned shrink;                         /* sizes of the profile / 2^n; MEASURE_SHRINK: by the cores  */
	unsigned warm_most;
	struct turn_costs costs;
};

#define MEASURE_SHRINK UINT32_MAX
#define MEASURE_COLD   0.1                       /* first touches per unit: what has more is in no steady state       */

struct measure_result {
	uint64_t units, calls;                   /* in the window, all cores                                        */
	double ops;                              /* of a core, as measure_params                                    */
	double ops_per_s;                        /* of virtual time                                                 */
	double ns_per_op;                        /* of one core: cores / ops_per_s                                  */
	double transfers;                        /* per unit, on the clock                                          */
	double reset_transfers, daemon_transfers, cold;  /* per unit                                                */
	double accesses, rmws;                   /* per unit, resets included                                       */
	double share[TURN_WAITS], running;       /* of the time of all cores, resets included                       */
	uint64_t sleeps, graces, refills, depot, tables, grafts;
	unsigned warm_blocks;
	uint64_t behind;                         /* units of a core that a warm-up block lacked at most             */
	bool steady;
	uint64_t digest;
	double real_s, accesses_per_s;           /* what the window took here                                       */
	double cpu_s, set_up_cpu_s;              /* the window, what came before the warm-up                        */
	struct hot hot[MEASURE_HOT];
	size_t nhot;
	uint64_t virtual_ns;
	char error[160];
};

/* Once in a process. 0, or -errno with a sentence in result->error: -EDEADLK: all cores slept for ever. */
int measure(const struct measure_params *p, struct measure_result *result);
unsigned measure_shrink(uint32_t cores);
/* What a window of so many units of all cores is in measure_params.ops. */
double measure_ops(const struct profile *profile, uint64_t units, uint32_t cores);

#endif
