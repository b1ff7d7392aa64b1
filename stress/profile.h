/* SPDX-License-Identifier: MIT */
/*
 * profile.h - a workload, defined once: vmmap-stress runs it under the verifier, vmmap-bench against the clock.
 *
 * A *profile* says how a map is prepared, what one thread does in one step, and what counts. A *run* is a profile on
 * fresh maps with its physical memory: one map for all threads, or (`private_maps`) one map per thread, which is how
 * the policy `none`, made for one thread, shows what two threads could do at best. A *block* is one stretch of a run:
 * all threads start together, work until the deadline (or their number of units), and stop; the run stays as it is,
 * so the next block goes on where this one stopped.
 *
 *   struct profile_params p = PROFILE_PARAMS;  p.policy = "vma";  p.threads = 2;
 *   err = profile_open(&run, profile_find("fault"), &p, &why);
 *   err = profile_block(run, &(struct profile_goal){ .ns = 20000000 }, &result);       (as often as wanted)
 *   profile_close(run);
 *
 * Who brings threads of his own (the benchmarks' gang) calls instead, per block:
 *   profile_block_begin(run, &goal);  in thread i of T: profile_block_thread(run, i);  profile_block_end(run, &result);
 * Thread i should be the same thread in every block of a run: the engine knows its threads.
 *
 * CLOCK     each thread has its own: from the gate to its last step, less what it spent in resets (profile_watch_*).
 *           One look at the clock per step: a step is a batch of a few microseconds to about 100.
 * ROUNDS    threads of a profile with rounds meet in profile_meet(). A thread that leaves at the end of a block
 *           withdraws from the meeting; its next step must come to the same meeting again (steps are re-entrant).
 * PROOF     evidence / evidence_per_unit: result.engine_ops, from the engine's own counters, must not be below
 *           units x evidence_per_unit, else the arm did not do what it was timed for (result.proven).
 */
#ifndef STRESS_PROFILE_H
#define STRESS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/prng.h"
#include "vmmap/physmem.h"
#include "vmmap/vmmap.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PROFILE_THREADS_MAX 1024u                /* the most that a run can have: logical cores                      */
#define PROFILE_CREW_MAX    64u                  /* ... that are real threads                                      */

/* ---- what can be asked for ---- */

enum profile_call {                              /* calls of `race`, and columns of the operation log             */
	CALL_MMAP, CALL_MUNMAP, CALL_MPROTECT, CALL_FAULT, CALL_READ, CALL_WRITE, CALL_MADVISE, CALL_MREMAP,
	CALL_WITHIN, CALL_BRK, CALL_WALK, CALL_QUERY, CALL_HOLD, CALL_COUNT
};
extern const char *const profile_call_name[CALL_COUNT];

struct profile_params {                          /* start from PROFILE_PARAMS                                     */
	const char *policy;
	unsigned threads;                        /* 1 .. PROFILE_THREADS_MAX                                      */
	uint64_t seed;
	bool bytes;                              /* frames with contents, zeroed; else metadata only              */
	bool private_maps;                       /* one map per thread                                            */
	bool pin;                                /* profile_block's threads: i-th CPU of the process              */
	unsigned shrink;                         /* sizes of the profile >> shrink: shorter rounds for checks     */
	enum vmmap_placement placement;
	unsigned pinned;                         /* per cent of pages, of profiles that have `pins`               */
	unsigned mix[CALL_COUNT];                /* weights for `race`; all 0: the profile's own                  */
	struct verify *verify;                   /* NULL: calls go straight to the engine (stress only)           */
};
#define PROFILE_PARAMS { .policy = "vma", .threads = 2, .seed = 1, .pin = true }

struct profile_goal {
	uint64_t ns;                             /* stop after so long ...                                        */
	uint64_t units;                          /* ... or, each thread, after so many units; 0: no such limit    */
};

/* ---- what comes back ---- */

struct profile_share {                           /* of one thread, in one block                                   */
	uint64_t units;
	uint64_t net_ns;                         /* gate to last step, less resets                                */
	uint64_t reset_ns;
	uint64_t involuntary;                    /* context switches forced on it                                 */
	unsigned role;                           /* churn-beside: 0 faults, 1 churns                              */
};

struct profile_result {
	unsigned threads;
	uint64_t units;                          /* sum                                                           */
	double rate;                             /* units per second: sum of the threads' own rates, or, with two
	                                            roles, the harmonic mean of the two halves' rates             */
	double role_rate[2];
	uint64_t wall_ns;
	struct vmmap_counters counters;          /* of this block, all maps (max_overtakes: since creation)       */
	uint64_t engine_ops;                     /* the counters that the profile names as evidence               */
	bool proven;
	struct profile_share share[PROFILE_THREADS_MAX];
	char error[160];                         /* "" or the first call that failed though it must not           */
};

#define PROFILE_FIGURES 24u

struct profile_figure { const char *name; uint64_t value; };     /* "failures.busy": busy, of failures             */

/* ---- one profile ---- */

struct profile_map;
struct profile_thread;

enum profile_counter { COUNT_FAULTS = 1, COUNT_MMAPS = 2, COUNT_MUNMAPS = 4, COUNT_MPROTECTS = 8, COUNT_MADVISES = 16,
		       COUNT_MREMAPS = 32, COUNT_ACCESSES = 64, COUNT_BRKS = 128 };

struct profile {
	const char *name, *idea, *source;
	unsigned min_threads;                    /* pipeline, churn-beside: 2                                     */
	bool rounds;                             /* the threads of a map meet: needs them all to run              */
	bool roles;                              /* two halves, two rates                                         */
	bool blind;                              /* threads fight for the same pages: calls may fail              */
	bool brk;                                /* wants a brk area                                              */
	bool destroys;                           /* maps of its own, which waits for grace periods                */
	bool pins;                               /* as many pages as `pinned` says                                */
	bool whole;                              /* what begins a round would stand out in a shorter one          */
	unsigned evidence, evidence_per_unit;
	uint64_t (*frames)(const struct profile_map *);          /* present at most at one time                   */
	void (*machine)(const struct profile_map *, struct physmem_config *);    /* NULL: frames, and some more       */
	int  (*setup)(struct profile_map *);                     /* once per map: 0 or -errno                     */
	void (*finish)(struct profile_map *);                    /* once per map, before it goes; or NULL           */
	int  (*thread_init)(struct profile_thread *);            /* once per thread, before the first block; or NULL */
	uint64_t (*step)(struct profile_thread *);               /* a batch; returns units                        */
	/* What it has counted itself, since open, at rest; NULL: nothing. Returns how many, PROFILE_FIGURES at most. */
	unsigned (*figures)(const struct profile_map *, struct profile_figure *out);
};

const struct profile *profile_find(const char *name);    /* NULL: unknown                                          */
const struct profile *profile_at(unsigned i);            /* NULL: past the last                                    */

/* ---- a run ---- */

struct profile_run;

/* 0; -EINVAL -ENOENT -ENOMEM and whatever the set-up met; *why: a sentence with cause and remedy. */
int  profile_open(struct profile_run **out, const struct profile *profile, const struct profile_params *params,
		  const char **why);
int  profile_block(struct profile_run *run, const struct profile_goal *goal, struct profile_result *result);
int  profile_block_start(struct profile_run *run, const struct profile_goal *goal);      /* 0, -EAGAIN: no threads */
int  profile_block_wait(struct profile_run *run, struct profile_result *result);
void profile_block_begin(struct profile_run *run, const struct profile_goal *goal);
void profile_block_thread(struct profile_run *run, unsigned i);
int  profile_block_end(struct profile_run *run, struct profile_result *result); /* 0, -EIO: result->error        */
void profile_close(struct profile_run *run);             /* every map and frame; waits for a grace period            */

/* While a block runs, from any thread. */
void     profile_stop(struct profile_run *run);
bool     profile_running(struct profile_run *run);       /* some thread is still inside the block                   */
uint64_t profile_units(const struct profile_run *run);   /* so far, since open: a moment old                        */
unsigned profile_maps(const struct profile_run *run);
unsigned profile_figures(const struct profile_run *run, struct profile_figure *out);     /* of map 0, at rest      */
struct vmmap *profile_vmmap(const struct profile_run *run, unsigned i);
struct physmem *profile_physmem(const struct profile_run *run, unsigned i);
/* Calls fn(arg) while every thread of the block rests between two steps, or in a meeting. 0; -ESRCH: the block is
 * over; -ETIMEDOUT: some thread did not come to rest in timeout_ns (an engine call that hangs). */
int      profile_pause(struct profile_run *run, void (*fn)(void *arg), void *arg, uint64_t timeout_ns);

#ifdef __cplusplus
}
#endif
#endif
