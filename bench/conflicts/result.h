/* SPDX-License-Identifier: MIT */
/*
 * result.h - the matrix for machines and for readers of one cell.
 *
 * JSON, of one policy: policy, seed, distance, digest, tests (that run in both placements), packed_conflict_free,
 * spread_conflict_free, waived (of spread), pairs (first, second, tests; packed, spread: free of conflicts; lines:
 * tests that in spread only share a line; mutators), relations (the same by how A and B lie), packed_only (tests that
 * have no spread form, and how many are free of conflicts), objects (findings by label and field: in how many tests of
 * each placement). Several policies: an object with an array of these, `policies`. Of a placement that was not run:
 * null.
 */
#ifndef BENCH_CONFLICTS_RESULT_H
#define BENCH_CONFLICTS_RESULT_H

#include "base/tool/json.h"
#include "bench/conflicts/tally.h"

struct result_policy {
	const char *policy;
	const struct tally *tally[PLACEMENTS];   /* NULL: not run                                                  */
	uint64_t seed, distance, digest;         /* digest: of the tests                                           */
};

void result_json(struct json *out, const struct result_policy *r);
/* A table line per placement: tests, free, line only, byte, waived. */
void result_print(FILE *out, const struct result_policy *r);
/* What keeps the calls of the cell apart: objects, fields, both places in the code, how often; an example of the most
 * frequent ones, with its layout and addresses. */
void result_why(FILE *out, const struct result_policy *r, struct suite_cell cell);

#endif
