/* SPDX-License-Identifier: MIT */
/*
 * points.h - the table of a sweep: points.json of its directory.
 *
 * A *place* is a policy, a profile, a number of cores, and what the model was told: costs, quantum, cores of a socket,
 * seed. It has one point at most, and one note at most that it was too dear. Each bears the operations that were asked
 * for, what may be spent on it, and the digest of the program that ran it. The file is written to a new one that takes
 * its name, so that it is whole at any time.
 */
#ifndef BENCH_MANYCORE_POINTS_H
#define BENCH_MANYCORE_POINTS_H

#include "bench/manycore/options.h"

struct point_terms {
	char costs[8], seed[24];
	uint64_t quantum_ns, ops;                /* ops: of a core, that were asked for                             */
	uint32_t socket;
};

struct point {
	char policy[32], profile[32];
	uint32_t cores;
	struct point_terms terms;
	double seconds;                          /* CPU time that it could have; 0: no limit                        */
	unsigned warm_most;                      /* blocks of warm-up, as many                                      */
	uint64_t ops;                            /* of all cores, in the window; 0: too dear                        */
	double ops_per_s, transfers, cold;
	unsigned warm;                           /* blocks                                                          */
	bool steady;
	char build[20];                          /* points_build then                                               */
};

#define POINTS_WHOLE 0.99                        /* of the operations: a unit may be several calls, a little is lost */

struct point_list { struct point *at; size_t n, room; };
struct points { struct point_list done, dear; };

/* The digest of the program that runs, in hexadecimal. */
const char *points_build(void);
/* What a point of these options will be like before it is measured. */
struct point points_new(const struct options *o, const char *policy, const char *profile, uint32_t cores);
/* Its model is the default one, but for the costs: quantum 200 ns, sockets of 32 cores, seed 1; and costs 100, too. */
bool points_default(const struct point *p);
bool points_plain(const struct point *p);
/* It is steady, and has as many operations as a point has that is not told how many (options_ops). */
bool points_whole(const struct point *p);
/* a has fewer operations than b; or is not steady, and b is, or was warmed up for longer. Of one place. */
bool points_worse(const struct point *a, const struct point *b);
/* Operations of a core in the window. */
double points_ops(const struct point *p);

/* Of directory dir, sorted by profile, policy, model, cores. 0 or -errno; without a file: none, 0. */
int  points_read(struct points *t, const char *dir);
int  points_write(struct points *t, const char *dir);
void points_free(struct points *t);
/* NULL: it has no point there. */
struct point *points_find(const struct point_list *list, const struct point *place);
/* Takes the place of what is there, and of what does not say its costs; a point, of the note that it was too dear. */
void points_put(struct points *t, const struct point *p);

#endif
