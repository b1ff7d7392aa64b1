/* SPDX-License-Identifier: MIT */
/*
 * coverage.h - state x state coverage of lock encounters: who came to a lock word, and in which state he found it.
 *
 * WORDS    six kinds, by what label.h says of the address (coverage.c: kinds): lock words of VMAs and of dummies; who
 *          is counted in them; the rwsem; a table's lock; the links of range-list; the spin locks of the other policies
 *          beside the map. Each has states of its own.
 * DOING    what the core is about: by the function that looks at the word, as the debug information names it (an
 *          inlined one counts as itself), in coverage.c's table; a function that is not there is a row by its name.
 * NEVER    the printout names, for each row, the states that it has not met: some cannot be, others want a scenario.
 */
#ifndef BENCH_EXPLORE_COVERAGE_H
#define BENCH_EXPLORE_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json;

#define COVERAGE_STATES 9                /* at most, of a kind                                                     */
#define COVERAGE_PLACES 512              /* code addresses; those beyond are counted in `lost`                     */

struct coverage {
	uint32_t n;
	uint64_t lost;
	struct coverage_place { const void *pc; unsigned kind; uint64_t met[COVERAGE_STATES]; } place[COVERAGE_PLACES];
};

struct coverage *coverage_use(struct coverage *c);       /* counts there from now on; NULL: nowhere                */
static inline bool coverage_on(void) { extern struct coverage *coverage_used; return coverage_used != NULL; }
/* If it is on. */
void coverage_note(uintptr_t at, const void *pc, uint64_t seen);         /* an atomic access has seen that         */
void coverage_add(struct coverage *to, const struct coverage *from);
/* Of what it has met a table for each kind; and an array of rows. */
void coverage_print(const struct coverage *c, FILE *to);
void coverage_write(const struct coverage *c, struct json *array);

#endif
