/* SPDX-License-Identifier: MIT */
/*
 * noise.h - what disturbed a measurement: time stolen by the hypervisor, and involuntary context switches.
 *
 * Steal comes from /proc/stat in ticks of 10 ms, for the whole machine; switches from getrusage of each measuring
 * thread. Neither says how a rate came out, so dropping by them does not choose results.
 */
#ifndef BENCH_NOISE_H
#define BENCH_NOISE_H

#include <stdint.h>

/* Stolen ticks of all CPUs since boot; 0 where the kernel does not tell. */
uint64_t noise_steal(void);

/* Involuntary context switches of the calling thread since its start. */
uint64_t noise_switches(void);

/* CPUs this process may run on. */
unsigned noise_cpus(void);

/* Pins the calling thread to the i-th of them, modulo their number. Best effort. */
void noise_pin(unsigned i);

#endif
