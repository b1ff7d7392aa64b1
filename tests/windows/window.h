/* SPDX-License-Identifier: MIT */
/*
 * window.h - scripts over race windows: two or three threads with roles, stopped and released at test points.
 *
 * A program runs its script under the policies it names. With VMMAP_MUTANT set it must fail: an expectation, an audit,
 * a stop that timed out, or no end at all (5 s, then alarm).
 */
#ifndef TESTS_WINDOWS_WINDOW_H
#define TESTS_WINDOWS_WINDOW_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/point.h"
#include "vmmap/vmmap.h"

#define PAGE UINT64_C(4096)
#define MIB  UINT64_C(1048576)
#define BASE UINT64_C(0x100000000)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define RW   (PROT_READ | PROT_WRITE)

/* Selects VMMAP_MUTANT (exit 99: unknown), runs the script once per policy of the NULL-ended list. Exit code. */
int window_run(const char *const policies[], void (*script)(const char *policy));
/* ... under every policy; one_thread: `none`, too. */
int window_run_every(bool one_thread, void (*script)(const char *policy));
/* ... under every policy whose edits of disjoint ranges run side by side. */
int window_run_disjoint(void (*script)(const char *policy));
/* The same two (disjoint: the latter), but for policies whose locks are in tables: the script stops a thread while
 * another one needs the same table. */
int window_run_in_table(bool disjoint, void (*script)(const char *policy));

struct vmmap *window_map(const char *policy);            /* TOPDOWN, frames with bytes                             */
struct vmmap *window_map_limited(const char *policy, const struct vmmap_config *limits);     /* its limit_* only   */
void window_close(struct vmmap *map);                    /* audit, no time-out of a stop, destroy                  */
#define expect(cond) window_expect((cond), #cond, __FILE__, __LINE__)
void window_expect(bool cond, const char *what, const char *file, int line);

struct window_thread {
	pthread_t id;
	const char *role;
	void (*fn)(struct window_thread *t);
	struct vmmap *map;
	uint64_t addr, len, bytes;
	int64_t result;
	struct vmmap_fault_info info;
	atomic_u32 done;
};
void window_start(struct window_thread *t);
/* Returns when it has stopped there. Its role must not have passed the point before, in another part of the script. */
void window_start_to(struct window_thread *t, const char *point);
void window_join(struct window_thread *t);
bool window_done_within(struct window_thread *t, unsigned ms);   /* it ended within that time                      */

/* Ready-made bodies: result is what the call returned. */
void window_fault(struct window_thread *t);              /* a write fault at addr                                  */
void window_write(struct window_thread *t);              /* the word `bytes` at addr                               */
void window_munmap(struct window_thread *t);
void window_protect(struct window_thread *t);            /* mprotect: RW                                           */
void window_protect_read(struct window_thread *t);       /* mprotect: R                                            */
void window_hold(struct window_thread *t);               /* holds the range while it stands at "window_held"       */
void window_mmap(struct window_thread *t);               /* len bytes anywhere                                     */
void window_mmap_fixed(struct window_thread *t);

#endif
