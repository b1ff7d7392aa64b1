/* SPDX-License-Identifier: MIT */
/*
 * access.h - every memory access of the engine, told to whoever listens.
 *
 * The engine's unchanged sources are compiled with -fsanitize=thread and linked without its runtime: access.c has the
 * functions that the compiler calls instead. An atomic access is told before it happens, and carried out right after
 * the listener returns; so a listener that switches to another logical core (core.h) decides where in the order of all
 * accesses this one stands. Plain accesses, and what memset, memcpy and memmove touch, are told before they happen.
 * Not seen: libc's inside, the kernel (kernel.c tells what it would touch), inline assembly (there is none).
 *
 * Source: the interface of ThreadSanitizer's compiler pass (gcc 12, clang 14), found by what the linker misses; mtrace
 * (Clements et al., SOSP'13) for the idea.
 */
#ifndef BENCH_SIM_ACCESS_H
#define BENCH_SIM_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum access_op { ACCESS_LOAD, ACCESS_STORE, ACCESS_RMW };        /* RMW: also a compare-and-swap that fails        */

struct access {
	uintptr_t at;
	size_t bytes;
	enum access_op op;
	bool atomic;
	bool failed;                     /* for `after`: a compare-and-swap that found another value                 */
	int order;                       /* __ATOMIC_*; of a plain access: __ATOMIC_RELAXED                          */
	const void *pc;                  /* behind the call: what addr2line wants is one less                        */
};

struct access_listener {
	/* May switch cores. What it does itself must not be instrumented. */
	void (*before)(const struct access *a);
	/* NULL, or: after an atomic access. seen: what was loaded, stored: what stands there now. May not switch. */
	void (*after)(const struct access *a, uint64_t seen, uint64_t stored);
	/* NULL, or: in place of memory, for atomic loads and stores of up to eight bytes, after `before`. True: done.
	 * A read-modify-write always goes to memory: who holds stores back lets them out in `before`. */
	bool (*load)(const struct access *a, uint64_t *value);
	bool (*store)(const struct access *a, uint64_t value);
	bool deaf_to_loads;              /* loads are not told: for who only keeps what stores overwrite             */
};

/* NULL: nobody listens, accesses just happen. */
extern const struct access_listener *access_listener;

/* What memset, memcpy and memmove are in the engine's simulated flavour (macros of its compilation). */
void *access_memset(void *to, int byte, size_t bytes);
void *access_memcpy(void *to, const void *from, size_t bytes);
void *access_memmove(void *to, const void *from, size_t bytes);

/* For code that is not instrumented, and stands for something that is: tells one plain access. */
void access_tell(const void *at, size_t bytes, enum access_op op);

#endif
