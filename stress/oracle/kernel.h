/* SPDX-License-Identifier: MIT */
/*
 * kernel.h - the running kernel as a party: a child process whose address space is full but for one region.
 *
 * The child only executes calls from shared memory, in batches; it never allocates. All other addresses are filled
 * with PROT_NONE mappings, so that every placement, also without a hint, falls into the region; a page of a file of
 * its own on each side keeps the region's VMAs from merging with the filling. The program break is moved to the
 * region's start. What the running kernel does not do as Linux 6.18 is found out by probes (kernel_probe).
 */
#ifndef STRESS_ORACLE_KERNEL_H
#define STRESS_ORACLE_KERNEL_H

#include "stress/oracle/op.h"

#define KERNEL_BATCH 256u

struct kernel;

/* Starts the child with the region [lo, hi). why[128] gets the reason for an error. -errno: this machine or sandbox
 * does not let us. */
int  kernel_start(struct kernel **out, uint64_t lo, uint64_t hi, char *why);
void kernel_stop(struct kernel *k);
int  kernel_reset(struct kernel *k);             /* nothing mapped, break at lo, files zero. -EPIPE: the child died */
/* Runs n <= KERNEL_BATCH ops in the child; submit returns at once, collect waits. list_after[i]: list after op i. */
void kernel_submit(struct kernel *k, const struct op *ops, unsigned n, const uint8_t *list_after);
int  kernel_collect(struct kernel *k, int64_t *results);                 /* -EPIPE: the child died                  */
unsigned kernel_rows(struct kernel *k, unsigned i, const struct row **rows);     /* the list after op i             */
/* The same of this moment, with advices and NORESERVE, from smaps (slow). -errno: may not be read. */
int  kernel_deep(struct kernel *k, struct row *rows, unsigned room);
int  kernel_run_one(struct kernel *k, const struct op *op, int64_t *result, const struct row **rows, unsigned *count);

/* What is left out, because this kernel does it otherwise than 6.18 or not at all. */
enum {
	LACK_BRK = 1,
	LACK_DONTUNMAP = 2,
	LACK_POPULATE = 4,
	LACK_HUGEPAGE = 8,
	LACK_MERGEABLE = 16,
	LACK_MANY_MOVE = 32,
	LACK_NORESERVE = 64,
	LACK_HUGE_ALIGN = 128,
	LACK_SMAPS = 256,
	LACK_WILLNEED = 512,
	LACK_PROCMAP = 1024,
	LACK_COUNT = 11
};
extern const char *const kernel_lack_name[LACK_COUNT];
unsigned kernel_probe(struct kernel *k);         /* bits; leaves the kernel reset                                   */

#endif
