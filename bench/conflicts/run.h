/* SPDX-License-Identifier: MIT */
/*
 * run.h - between the list of tests and what runs one of them on the instrumented engine.
 *
 * The program calls conflicts_main() with its runner. For each policy and placement: begin, then run for each test in
 * the order of their ids. A run makes a map, lets core 0 make the set-up and the fillers (exec.h), then core 1 call A,
 * then core 2 call B, and tells the locations that one of the two wrote and the other touched. It ends with
 * exec_proves(): a verdict over calls that did something else is none. Answers, rows and copied bytes lie on the
 * caller's stack and in struct answer: they belong to the harness, not to the engine.
 */
#ifndef BENCH_CONFLICTS_RUN_H
#define BENCH_CONFLICTS_RUN_H

#include "bench/conflicts/placed.h"

/* One location that keeps A and B apart. Strings live until the next run. */
struct run_conflict {
	const char *label, *field;               /* type and field: "vtree_leaf", "word"                           */
	const char *at_a, *at_b;                 /* code: "vtree_edit.c:212 vtree_enter"                           */
	bool byte;                               /* a common byte; else only the 64-byte line is common            */
};

struct run_verdict {
	bool proven;
	char why[160];                           /* if not                                                         */
	const struct run_conflict *conflict;
	unsigned n;                              /* 0: conflict-free                                               */
};

struct runner {
	void *self;
	int  (*begin)(void *self, const char *policy, enum placement placement);         /* 0, -errno                 */
	int  (*run)(void *self, const struct test *t, const struct placed *p, struct run_verdict *out);
};

/* vmmap-conflicts: options, reports, exit code (base/tool/cli.h). */
int conflicts_main(int argc, char **argv, const struct runner *runner);

#endif
