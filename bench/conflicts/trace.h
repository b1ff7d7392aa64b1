/* SPDX-License-Identifier: MIT */
/*
 * trace.h - what two calls touched, and on what they meet.
 *
 * A and B run one after the other, on two cores. A line is a *conflict* if some byte of it was written by one and
 * touched by the other; where only the line is common, it is *false sharing*. A compare-and-swap that fails writes: it
 * takes the line. Not looked at: what lies on the running core's own stack; errno.
 * Source: mtrace (Clements et al., SOSP'13): a conflict is a location accessed by both and written by at least one.
 */
#ifndef BENCH_CONFLICTS_TRACE_H
#define BENCH_CONFLICTS_TRACE_H

#include "bench/sim/access.h"

struct trace_side { enum access_op op; bool atomic; const void *pc; };   /* debug_location() says where            */

struct trace_meeting {
	const char *label[2];                    /* what A, B touched (label.h); a conflict: the same              */
	struct trace_side side[2];               /* how: a write, if that one wrote                                */
	bool same_bytes;                         /* a conflict; else false sharing                                 */
};

#define TRACE_MEETINGS 48

/* Meetings of one label (two, where the line is all that is common) are one. */
struct trace_verdict {
	unsigned lines, false_lines;             /* distinct 64-byte lines                                         */
	unsigned n;                              /* at most TRACE_MEETINGS are told; those of same_bytes first     */
	unsigned accesses[2];
	struct trace_meeting met[TRACE_MEETINGS];
};

void trace_begin(void);
void trace_add(unsigned who, const struct access *a);            /* 0: A, 1: B                                     */
/* While the memory that was touched is as the calls have left it: labels are asked for. */
void trace_judge(struct trace_verdict *out);

#endif
