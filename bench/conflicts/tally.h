/* SPDX-License-Identifier: MIT */
/*
 * tally.h - the books of one policy in one placement: a verdict for each test, and what was found, by cell.
 *
 * A finding is (cell, relation, label, field, code of A, code of B, byte or line only): however many tests show it, it
 * is one.
 * In the order in which they were met, so that two runs that see the same write the same.
 */
#ifndef BENCH_CONFLICTS_TALLY_H
#define BENCH_CONFLICTS_TALLY_H

#include "bench/conflicts/run.h"

enum tally_verdict { TALLY_NOT_RUN, TALLY_NONE, TALLY_LINE, TALLY_BYTE };        /* the worst of a test's             */

struct tally_finding {
	struct suite_cell cell;
	uint8_t relation;                        /* enum suite_relation                                            */
	bool byte, waived, known;                /* waive.h: exempt; some line names it                            */
	char *label, *field, *at_a, *at_b;
	uint32_t tests, example;                 /* how many show it; the first one                                */
};

struct tally_seen { uint32_t test, finding; };

struct tally {
	const struct suite *suite;
	const char *policy;
	enum placement placement;
	uint8_t *verdict;
	struct tally_finding *finding;
	struct tally_seen *seen;                 /* by test, ascending                                             */
	size_t findings, seens, finding_room, seen_room;
	uint32_t *slot;                          /* hash table of findings, + 1                                    */
	size_t slots;
};

/* Of a cell, a relation, or all: only tests with `spread` as told. */
struct tally_count { unsigned tests, none, line, byte, waived; };

int  tally_open(struct tally *t, const struct suite *suite, const char *policy, enum placement placement);
void tally_close(struct tally *t);
/* The tests come by ascending id. -ENOMEM. */
int  tally_add(struct tally *t, const struct test *test, const struct run_verdict *v);
/* waived: of line and byte, those whose findings all are. */
struct tally_count tally_cell(const struct tally *t, struct suite_cell cell, bool spread);
struct tally_count tally_relation(const struct tally *t, enum suite_relation relation, bool spread);
struct tally_count tally_all(const struct tally *t, bool spread);
/* The share of tests that are free, or waived if those count: of a count (1: it has none); of that cell of two
 * mutators in which it is smallest (*worst). */
double tally_share(const struct tally_count *c, bool waived);
double tally_worst(const struct tally *t, bool waived, struct suite_cell *worst);
/* Findings by number of tests, then by name: indexes; free() it. NULL: no memory. */
uint32_t *tally_sorted(const struct tally *t);
/* "mprotect|munmap" into text[64]. */
const char *tally_cell_name(char *text, struct suite_cell cell);

#endif
