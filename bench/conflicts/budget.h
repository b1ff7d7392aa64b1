/* SPDX-License-Identifier: MIT */
/*
 * budget.h - how many tests of each cell may conflict: bench/conflicts/budget.list.
 *
 *	tests 13776 2592 12ad5168bd5b8ae6        of the suite that it was made for: spread too, packed only; digest
 *	vma spread mmap_any|munmap 3 1           3 tests with a common byte, 1 with a common line only
 *
 * Cells that are not named have none. A cell is worse when more tests have a common byte, or more have a common line.
 */
#ifndef BENCH_CONFLICTS_BUDGET_H
#define BENCH_CONFLICTS_BUDGET_H

#include "bench/conflicts/tally.h"

struct budget_cell { unsigned byte, line; };

/* Of one policy in one placement. */
struct budget { struct budget_cell cell[SUITE_CELLS]; };

/* What the file says about that policy and placement. -errno; -EINVAL: a line that is none (complained about);
 * -ESTALE: made for another suite. */
int  budget_read(struct budget *b, const char *path, const struct tally *t);
/* Counts what the tally has: all tests, packed-only ones too. */
void budget_count(struct budget *b, const struct tally *t);
/* How many cells are worse than allowed; each is told to `out`. */
unsigned budget_worse(const struct budget *allowed, const struct tally *t, FILE *out);
/* How many are better: time to write it anew. */
unsigned budget_better(const struct budget *allowed, const struct tally *t);
/* Writes what the tallies have, of one suite. -errno. */
int  budget_write(const char *path, const struct tally *const *tallies, size_t n);

#endif
