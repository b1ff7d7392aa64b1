/* SPDX-License-Identifier: MIT */
/* coverage.h - state x state coverage of lock encounters: which place in the code met a lock word in which state. */
#ifndef BENCH_EXPLORE_COVERAGE_H
#define BENCH_EXPLORE_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum met {                               /* what stood in lk, and where                                            */
	MET_FREE, MET_PINNED,            /* free; free, and visits that insist are counted in it                   */
	MET_BRIEF, MET_HELD, MET_HELD_PINNED,    /* held for a brief edit; by a range lock                          */
	MET_DUMMY,                       /* a locked gap                                                           */
	MET_DEAD,
	METS
};

#define COVERAGE_PLACES 96
struct coverage { uint32_t n; struct { const void *pc; uint64_t met[METS]; } place[COVERAGE_PLACES]; };

struct coverage *coverage_use(struct coverage *c);       /* counts there from now on; NULL: nowhere                */
static inline bool coverage_on(void) { extern struct coverage *coverage_used; return coverage_used != NULL; }
/* If it is on. */
void coverage_note(uintptr_t at, const void *pc, uint64_t seen);         /* an atomic access has seen that         */
void coverage_add(struct coverage *to, const struct coverage *from);
void coverage_print(const struct coverage *c, FILE *to);

#endif
