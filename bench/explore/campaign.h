/* SPDX-License-Identifier: MIT */
/*
 * campaign.h - many schedules: scenarios, or mutants, explored by processes of their own beside each other.
 *
 * EXPLORE  goes in rounds, each as large as all before it. In the first all scenarios get the same work (accesses, and
 *          what runs and checks cost in accesses: that is the same in each run of the program; time is not), then each
 *          as much as it yields: new orders for its last work. So few large scenarios carry the count, and all are gone
 *          through until little is new. One that yields little beside the others is left out of a round, and one that
 *          shows nothing new any more, or has no schedule left, ends. A process that has used up its share stops and
 *          waits (SIGSTOP), so that it goes on where it was. What comes of it depends on the seed and on nothing else,
 *          the number of jobs and the machine's load included.
 * HUNT     Each mutant is looked for in the scenarios that name it, then in all others, each in a process of its own,
 *          until one fails, or the limit for each is reached. Weakened uses of atomics: all scenarios are asked
 *          first (guide.h); then each is looked for where it has failed.
 */
#ifndef BENCH_EXPLORE_CAMPAIGN_H
#define BENCH_EXPLORE_CAMPAIGN_H

#include "bench/explore/coverage.h"
#include "bench/explore/strategy.h"

#define FOUND_TEXT  16384
#define MUTANTS_MAX 512                  /* also of weaker orders: finds of one hunt                               */

struct settings {
	const char *policy;              /* NULL: each scenario's own, "vma"                                       */
	const char *mutant;              /* NULL: none                                                             */
	enum strategy_kind strategy;
	uint64_t seed, schedules;        /* distinct ones wanted, over all; of a hunt: runs for each scenario      */
	uint64_t until_ns;               /* of the machine's own clock; UINT64_MAX                                 */
	unsigned jobs;
	bool everywhere, progress, coverage;
	bool again;                      /* a hunt: found before, the schedule is not wanted                        */
	bool named;                      /* a hunt: only in the scenarios that name the mutant                     */
	const struct scenario *const *only;      /* a hunt: in these, NULL behind the last; NULL: in all            */
};

struct report {                          /* of one scenario; in memory that its process shares                      */
	const struct scenario *scenario;
	uint64_t runs, distinct, accesses, cpu_ns;
	uint64_t max_overtakes;          /* of a waiter, in any run                                                */
	uint64_t quota, limit;           /* of this round: distinct schedules, work; as sums from the beginning     */
	uint64_t work, last_work, last_distinct;         /* last: of its last round                                 */
	uint64_t vain;                   /* runs since one was new                                                 */
	bool over;                       /* it will show nothing new                                               */
	enum failure failure;
	char text[512], schedule[FOUND_TEXT];
	bool again;                      /* the schedule has failed again                                          */
	uint32_t preemptions;
	struct coverage coverage;
};

/* Returns how many scenarios failed. reports: n of them, made here. */
unsigned campaign_explore(const struct settings *s, const struct scenario *const *scenarios, unsigned n,
			  struct report **reports);

struct find {
	const char *mutant;              /* NULL: place ("FILE FUNCTION OPERATION N") demands no more than order    */
	const char *place, *order;
	unsigned reached;                /* scenarios that come by that place                                      */
	const struct scenario *scenario; /* NULL: nobody found it                                                  */
	enum strategy_kind strategy;
	bool weak;                       /* loads see old values, though it is a mutant                            */
	uint64_t seed, runs, all_runs;   /* in that scenario; in all that were tried                               */
	enum failure failure;
	char text[512], schedule[FOUND_TEXT];
};

/* Names of all mutants of the engine: the i-th, in order; NULL past the last. */
const char *campaign_mutant(unsigned i);
/* The one of this name, for good; NULL: there is none. */
const char *campaign_mutant_find(const char *name);
/* Returns how many were not found. finds[i].mutant, or place and order, are set by the caller; if .scenario is, that
 * one, its strategy and its seed are all that is tried. tell: of each, as it is decided; may be NULL. */
unsigned campaign_hunt(const struct settings *s, struct find *finds, unsigned n, void (*tell)(const struct find *f));

#endif
