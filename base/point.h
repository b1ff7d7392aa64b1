/* SPDX-License-Identifier: MIT */
/*
 * point.h - named places in a race window, and mutants.
 *
 * In a release build both macros vanish. In an instrumented build (VMMAP_POINTS, a second copy of the library):
 *   BASE_POINT(fault_before_cas)      may yield or sleep at random (torture), stop for a script, or call a test's hook
 *   BASE_MUTANT(fault_no_recheck)     is true when that mutant was chosen at run time: the code then breaks its rule
 * Names are C identifiers: <operation>_<place>. The same name may stand in several places: it is then one point.
 * The linker collects all of them in two sections, so a script that names an unknown point or mutant is an error, not
 * a silent pass, even if the place has never been reached.
 */
#ifndef BASE_POINT_H
#define BASE_POINT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/atomic.h"

#ifdef VMMAP_POINTS

struct point_site {
	const char *name, *file;
	int line;
	atomic_u64 hits;                 /* exact while a script or the yields are on; else only "0" or "not 0"     */
};
struct point_mutant {
	const char *name, *file;
	int line;
	atomic_u32 on;
};
void point_hit(struct point_site *site);

/* Pointers, not the structs, go to the section: no padding between them whatever the compiler aligns structs to. */
#define POINT_LIST(section_name) __attribute__((used, section(section_name)))

#define BASE_POINT(id) do { \
	static struct point_site point_site_ = { #id, __FILE__, __LINE__, 0 }; \
	static struct point_site *point_site_entry_ POINT_LIST("vmmap_points") = &point_site_; \
	point_hit(point_site_entry_); } while (0)
#define BASE_MUTANT(id) __extension__ ({ \
	static struct point_mutant point_mutant_ = { #id, __FILE__, __LINE__, 0 }; \
	static struct point_mutant *point_mutant_entry_ POINT_LIST("vmmap_mutants") = &point_mutant_; \
	atomic_load_relaxed(&point_mutant_entry_->on) != 0; })

#else
#define BASE_POINT(id)  ((void)0)
#define BASE_MUTANT(id) 0
#endif

/* For base/atfork: nobody else is inside the script's books when the process forks. */
void point_fork_prepare(void);
void point_fork_done(void);                              /* parent and child                                       */

/* ---- for tests; in builds without VMMAP_POINTS point_available() is false and the rest does nothing ---- */

bool point_available(void);

/* Chooses one mutant (NULL: none). -ENOENT: no mutant of that name has been compiled in. */
int  point_mutant_select(const char *name);

/* Random yields at every point: in one of `one_in` hits; 0 switches it off. Each slot draws its own sequence. */
void point_yield(uint32_t one_in, uint64_t seed);
/* One in `one_in` of those yields is a sleep of up to 3 ms; 0: none. */
void point_doze(uint32_t one_in);

/*
 * Scripts. A thread takes a role ("fault", "unmap"; at most 31 characters). Rules are set before the threads run; a
 * rule fires once, at the first hit of `at` that begins after it was set, by a thread in `role` (NULL: by any thread),
 * in the order they were set.
 * A stop that lasts longer than 5 s (2 s with a mutant) is reported on stderr, counted by point_timeouts, and goes on.
 * Return 0; -ENOENT: unknown point (also reported and counted); -ENOSPC: more than 64 rules.
 */
void point_role(const char *role);                       /* of the calling thread (a literal); NULL: none          */
/* Stops until `until_role` has passed `until_point` (also before the stop); until_role NULL: until point_release. */
int  point_stop(const char *role, const char *at, const char *until_role, const char *until_point);
/* As point_stop, until the n-th passing (n >= 1) counted since point_reset. */
int  point_stop_nth(const char *role, const char *at, const char *until_role, const char *until_point, uint32_t n);
int  point_call(const char *role, const char *at, void (*fn)(void *arg), void *arg);
/* Waits until `role` is stopped at `at` or has passed it. False: time-out, or unknown point. */
bool point_wait_reached(const char *role, const char *at, uint64_t timeout_ns);
/* Lets go whoever is stopped there by `role`'s rules, now or later. */
void point_release(const char *role, const char *at);
/* Forgets rules, roles' passings, mutants, yields, counts. Whoever is stopped goes on. Roles of threads stay. */
void point_reset(void);
uint64_t point_timeouts(void);                           /* time-outs and unknown names since reset: 0 in a good run */
uint64_t point_hits(const char *name);                   /* UINT64_MAX: unknown                                    */
void point_list(FILE *out);                              /* "point|mutant name file:line hits", one per line       */

#endif
