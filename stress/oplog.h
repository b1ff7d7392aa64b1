/* SPDX-License-Identifier: MIT */
/*
 * oplog.h - the last calls of one thread, for the report of a violation.
 *
 * A ring with one writer. Words are relaxed atomics: a report of a hanging run reads it while its thread still writes,
 * and may then show a line that is half old, half new; after the threads have stopped it is exact.
 */
#ifndef STRESS_OPLOG_H
#define STRESS_OPLOG_H

#include <stdio.h>

#include "base/atomic.h"

#define OPLOG_ENTRIES 64u

struct oplog_entry {
	atomic_u64 ns, what, addr, len, result;  /* what: call | 1 << 32 while it has not returned | arg << 33     */
};

struct oplog {
	uint64_t n;                              /* written by the thread; calls so far                            */
	atomic_u64 seen;                         /* the same, for readers                                          */
	struct oplog_entry entry[OPLOG_ENTRIES];
};

void oplog_begin(struct oplog *log, unsigned call, uint64_t addr, uint64_t len, unsigned arg);
void oplog_end(struct oplog *log, int64_t result);
/* The last `most` calls, oldest first, times relative to `began`. */
void oplog_print(const struct oplog *log, unsigned thread, unsigned most, uint64_t began, FILE *out);

#endif
