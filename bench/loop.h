/* SPDX-License-Identifier: MIT */
/* loop.h - the one function that callgrind is told to watch. */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include "bench/op.h"

/* Does the operation n <= op->batch times in thread 0 of env. What op->run returns. */
int loop_measured(const struct op *op, struct op_env *env, uint64_t n);

#endif
