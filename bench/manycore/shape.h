/* SPDX-License-Identifier: MIT */
/* shape.h - the reference indexes and the shared counter on logical cores; each run in a process of its own. */
#ifndef BENCH_MANYCORE_SHAPE_H
#define BENCH_MANYCORE_SHAPE_H

#include "bench/manycore/measure.h"
#include "bench/manycore/reference.h"

/* Searches per second of virtual time by `readers` cores, while `writers` insert and remove keys of their own. */
double shape_index(const struct turn_costs *costs, const struct reference *index, uint32_t readers, uint32_t writers);
/* Iterations per second of virtual time by cores that map and unmap one page, whose counter they share (shape.c). */
double shape_counter(const struct turn_costs *costs, uint32_t cores);
/* measure() in a child. 0 or -errno; -EIO: also where it takes more than cpu_s seconds of CPU time (0: no limit). */
int shape_measure(const struct measure_params *p, struct measure_result *r, unsigned cpu_s);

#endif
