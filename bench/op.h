/* SPDX-License-Identifier: MIT */
/*
 * op.h - single operations in a plain loop: what `micro` times and what callgrind counts (`loop`).
 *
 * Each thread works in an area of its own, 64 GiB apart. An operation that uses something up (pages, mappings) does so
 * `batch` times, then `again` makes it new: outside of the clock.
 */
#ifndef BENCH_OP_H
#define BENCH_OP_H

#include <stdint.h>

#include <vmmap/vmmap.h>

#define OP_THREADS 64

struct op_thread {
	uint64_t area;                           /* first address that is this thread's                             */
	uint64_t cursor, random;
	uint64_t *list;                          /* addresses that the batch mapped                                 */
	uint8_t bytes[64];
} __attribute__((aligned(128)));

struct op_env {
	const char *policy;
	unsigned threads;
	uint64_t vmas;                           /* how many VMAs lookups and gap searches meet                     */
	struct vmmap *map;
	struct physmem *pm;
	struct op_thread thread[OP_THREADS];
};

struct op {
	const char *name, *what;
	uint64_t batch;
	unsigned most_threads;                   /* 0: any                                                          */
	int (*setup)(struct op_env *env);        /* after the map was made; NULL: nothing                           */
	int (*run)(struct op_env *env, struct op_thread *t, uint64_t n);         /* n <= batch; 0 or -errno         */
	int (*again)(struct op_env *env, struct op_thread *t, uint64_t n);       /* NULL: nothing was used up       */
};

const struct op *op_at(unsigned i);              /* NULL: past the last                                             */
const struct op *op_find(const char *name);      /* NULL: unknown                                                   */

/* Makes the map that `op` works in. env->policy, threads, vmas are the caller's. 0 or -errno (nothing is left). */
int  op_open(const struct op *op, struct op_env *env);
void op_close(struct op_env *env);

#endif
