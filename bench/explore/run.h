/* SPDX-License-Identifier: MIT */
/*
 * run.h - one schedule of a scenario: cores switch where a chooser says so; what went wrong, and in which order.
 *
 * POINTS   An access is a scheduling point if its word is known to be touched by two cores and written by one (learned
 *          over all runs of the scenario; words.h), or if the chooser wants every access; going to sleep on a word and
 *          waking its sleepers are always points. The chooser is also asked when a core cannot go on.
 * SPINS    A core that yields (base/park spins so) cannot go on until another core has changed a word: so spinning
 *          costs no schedules, and one that nobody will end is found out.
 * TIME     one access is a nanosecond; where nobody can run it jumps to the next deadline. With SCENARIO_TIMERS a
 *          sleeper with a deadline may run at any point: time has passed until then.
 * ORDER    outcome.order is a hash over the partial order of conflicting accesses: which write each load saw, which
 *          loads and which write each write came behind. Interleavings that differ in the order of independent
 *          accesses only have the same hash; looks that see what the core has seen before do not count.
 */
#ifndef BENCH_EXPLORE_RUN_H
#define BENCH_EXPLORE_RUN_H

#include "bench/explore/scenario.h"
#include "bench/explore/schedule.h"

enum failure {
	FAIL_NONE,
	FAIL_EXPECTED,                   /* what the scenario, or the audit, expects                               */
	FAIL_CHECK,                      /* ASSERT or CHECK of the engine                                          */
	FAIL_DEADLOCK,
	FAIL_LIVELOCK,                   /* too many steps, or all that can run spin in vain                       */
	FAIL_LIFETIME,                   /* freed memory is touched; or a grace period ends inside a section       */
	FAIL_OVERTAKEN,                  /* more often than threads + 2                                            */
	FAIL_ASLEEP_INSIDE,              /* sleeps in a read section                                               */
	FAIL_SIGNAL,                     /* SIGSEGV and the like                                                   */
	FAIL_ORDER,                      /* waits below what it holds, or in a cycle: lockorder.h                   */
	FAIL_RACE,                       /* --weak: two plain accesses, one a store, and nothing orders them       */
	FAILURES
};
const char *failure_name(enum failure f);

#define RUN_CORES  8                     /* the bodies', and the library's threads                                 */
#define RUN_POINTS 4096                  /* of which a chooser may know who else could have run                    */

struct outcome {
	enum failure failure;
	bool fresh;                      /* its order was met for the first time                                   */
	bool checked;                    /* what it has left was looked at: nobody had left that before             */
	char text[512];
	uint64_t order;
	uint64_t overtakes;              /* the most that a waiter was passed, if it was checked                    */
	uint32_t points, accesses, preemptions;
	uint8_t others[RUN_POINTS];      /* per point: a bit for each other core that could have run                */
	struct schedule schedule;
};

struct chooser {
	bool everywhere;                 /* every access is a point                                                */
	bool again;                      /* a run of before: it is checked, whether its order is new or not         */
	void *state;
	/* The n-th point of the run (from 0), before an access of core `self`, which has made `accesses` since it was
	 * switched to: who goes on, self or one of the bits in others (not 0). NULL: self. */
	uint32_t (*point)(void *state, uint32_t self, uint32_t others, uint32_t n, uint32_t accesses);
	/* self cannot go on (at first: nobody has run, self is RUN_CORES): one of the bits in ready (not 0). */
	uint32_t (*forced)(void *state, uint32_t self, uint32_t ready);
	/* The same, but nobody is asked: all that could run spin, or sleep until a time; to goes on. May be NULL. */
	void (*passed)(void *state, uint32_t self, uint32_t to);
	/* Weak memory: a load of core self, its access number `access`, may see any of the last n (> 1) values of the
	 * word: how old, 0 to n - 1. NULL: 0. */
	uint32_t (*stale)(void *state, uint32_t self, uint32_t access, uint32_t n);
};

/* Once in a process, in this order. */
void run_begin(void);
void run_prepare(const struct scenario *s, const char *policy, const char *mutant);
/* As often as one likes. */
void run_once(const struct chooser *chooser, struct outcome *out);
/* By whoever notices: ends the run, on a core or behind it. */
_Noreturn void run_fail(enum failure f, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Told of each event of a run, if it is set: for the printed interleaving. */
struct run_event {
	enum { EVENT_LOAD, EVENT_STORE, EVENT_RMW, EVENT_WAIT, EVENT_WAKE, EVENT_WOKEN, EVENT_SWITCH } what;
	uint32_t core, to;               /* to: of a switch or a wake                                              */
	bool atomic, conflict, forced;
	int order;
	uintptr_t at;
	size_t bytes;
	const void *pc;
	uint64_t before, after;
};
extern void (*run_listener)(const struct run_event *e);

#endif
