/* SPDX-License-Identifier: MIT */
/*
 * isolate.h - does one writer stop the others? The map, the workers and their count of blocked operations.
 *
 * LAYOUT    One RW VMA ("shared"): thread t faults and reads in a 64 MiB part of it that is its own; its last 64 MiB
 *           are the writer's: there a range is held, or edited, inside the same VMA. And for each thread, 1 TiB apart,
 *           an area in which it maps, protects and unmaps. Each area has 64 VMAs that just stand there, so that it
 *           owns leaves of the tree: edits of one leaf may exclude each other for its short section, elsewhere never.
 * BLOCKED   An operation is blocked if vmmap_blocked_self() grew while it ran: its thread entered the kernel to wait,
 *           or spun more than 1,000 times.
 */
#ifndef BENCH_ISOLATE_H
#define BENCH_ISOLATE_H

#include <stdbool.h>
#include <stdint.h>

#include <vmmap/vmmap.h>

#include "base/atomic.h"
#include "bench/gang.h"

#define ISOLATE_THREADS 16

enum isolate_op {
	ISOLATE_FAULT, ISOLATE_ACCESS, ISOLATE_LIST, ISOLATE_MMAP, ISOLATE_MPROTECT, ISOLATE_MUNMAP, ISOLATE_OPS
};
extern const char *const isolate_op_name[ISOLATE_OPS];

struct isolate_count { uint64_t ops[ISOLATE_OPS], blocked[ISOLATE_OPS]; };

/* What the workers saw of operations that began while the writer held something. */
struct isolate_result {
	struct isolate_count count;              /* by kind                                                         */
	uint64_t ops, blocked;                   /* in all                                                          */
	uint64_t p50_ns, p99_ns, p999_ns, max_ns;
	uint64_t holds;
};

struct isolate;

/* threads: workers, 1 .. ISOLATE_THREADS. 0, -ENOENT (policy), -ENOMEM ... */
int  isolate_create(struct isolate **out, const char *policy, unsigned threads, struct gang *gang);
void isolate_destroy(struct isolate *iso);

/* Workers run for `ms`, beside a thread that holds 16 MiB of the shared VMA for hold_ms, again and again. hold_ms 0:
 * nobody holds (the figures of an idle machine). 0 or what an operation returned. */
int  isolate_hold(struct isolate *iso, double hold_ms, double ms, struct isolate_result *result);

/* Stops a writer at the test point `place` inside whatever edit comes by it, lets the workers run for `ms`, lets it go.
 * 0; -ENOENT: no such point in this program; -ETIMEDOUT: no edit comes by. Only in programs with test points. */
int  isolate_stop(struct isolate *iso, const char *place, double ms, struct isolate_result *result);

#endif
