/* SPDX-License-Identifier: MIT */
/*
 * budget.h - how many operations a core a point may have, if it is to cost no more than a stated time of this machine.
 *
 * Trials in processes of their own, of 1, 4, 16 ... operations a core, until one costs a twentieth of the budget: what
 * an operation costs. Then the point has the most of 10,000, 5,000, 2,000 ... 100 that fit with three blocks of
 * warm-up, and as many blocks more as fit; if 100 do not, 50, 20 or 10 with one block. Cores that have met each other
 * may need much longer than trials say: what takes two budgets is tried again with less; what has no less, or whose
 * first trial takes a budget, is too dear; so is what touches memory for the first time all the while (MEASURE_COLD)
 * and has less than is wanted. What is chosen depends on the machine; what then comes out does not: the
 * same --ops and --warm give it again.
 */
#ifndef BENCH_MANYCORE_BUDGET_H
#define BENCH_MANYCORE_BUDGET_H

#include "bench/manycore/options.h"

/* Sets o->m.ops, which is what is wanted, and o->m.warm_most for o->seconds of CPU time. 0; -E2BIG: too dear;
 * another -errno: a trial failed. */
int budget_fit(struct options *o);
/* Less than that. False: there is nothing less. */
bool budget_less(struct options *o);

#endif
