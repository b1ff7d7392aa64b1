/* SPDX-License-Identifier: MIT */
/*
 * kernel.h - the kernel and the thread library, as far as the engine asks them for anything: futex, membarrier, yields,
 * naps, the clock, threads and their exit. The linker's --wrap leads the calls here (cmake/simulated.cmake).
 */
#ifndef BENCH_SIM_KERNEL_H
#define BENCH_SIM_KERNEL_H

#include <stdint.h>

/* The program's: how many CPUs the engine is to believe in. With one, base/park never spins before it sleeps. */
extern const long kernel_cpus;

uint64_t kernel_real_ns(void);                   /* the machine's own clock: clock_ns() is virtual                 */
uint64_t kernel_cpu_ns(void);                    /* which this process has used                                    */
/* First thing in main: runs the program again without address space layout randomisation, so that what depends on
 * addresses (hashes, the order of objects) is the same in each run. Returns where that is so, or cannot be had. */
void kernel_same_addresses(char **argv);
void kernel_thread_exit(void);                   /* runs the library's exit handler, as a thread's end would       */
/* The process forks, and what goes on is the child: the calling core is all that is left (core_lose_others). */
void kernel_fork(void);

#endif
