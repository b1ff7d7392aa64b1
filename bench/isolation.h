/* SPDX-License-Identifier: MIT */
/* isolation.h - the two halves of the isolation test, for the command and for `bars`. */
#ifndef BENCH_ISOLATION_H
#define BENCH_ISOLATION_H

#include "bench/isolate.h"

#define ISOLATION_PLACES 16

struct isolation_place {
	char place[64], where[80];               /* the test point; in words                                        */
	uint64_t ops, blocked;
};

/* A writer holds for hold_ms, again and again, for `ms`. 0 or a negative errno (said on stderr). */
int isolation_held(const char *policy, unsigned threads, double hold_ms, double ms, struct isolate_result *result);

/* A writer stopped inside an edit, place by place, in vmmap-bench-points. *n places are filled in. 0; -ENOENT: that
 * program is not there; -EIO: it failed (said on stderr). */
int isolation_stopped(const char *policy, struct isolation_place *places, size_t most, size_t *n);

#endif
