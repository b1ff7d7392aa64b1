/* SPDX-License-Identifier: MIT */
/*
 * gang.h - measuring threads, pinned one per CPU, that live as long as the program measures.
 *
 * Threads that were started for each block would pay for registration, cold caches and the scheduler's first guess.
 */
#ifndef BENCH_GANG_H
#define BENCH_GANG_H

struct gang;

/* Starts n threads (1 <= n <= 256); thread i sits on the i-th CPU of the process, modulo their number. */
struct gang *gang_create(unsigned n);
void gang_destroy(struct gang *gang);

/* Runs fn(arg, i) in threads 0 .. n-1 (n <= size) and returns when all have returned; the caller sleeps meanwhile.
 * The threads pass a barrier before the call, so that they start within the time of a wake-up. */
void gang_run(struct gang *gang, unsigned n, void (*fn)(void *arg, unsigned i), void *arg);

#endif
