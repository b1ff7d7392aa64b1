/* SPDX-License-Identifier: MIT */
/*
 * spin.h - rounds of park_spin that are not played.
 *
 * A core that waits in park_spin, past its pauses, loads a word of a line that it has, yields, and does that again: two
 * switches of cores here for each round, 300 ns of virtual time, in which nothing happens to anybody. Once two rounds
 * have been equal, in time and in accesses, with that one load between the calls, the next ones will be, until another
 * core takes the line. Till then the core sleeps (turn_watch), and all rounds are booked at once: time, accesses, what
 * it has spent spinning, and the count in struct park_spin, so that it is blocked, and naps, when it would have.
 * What is not the same: who spins keeps no other core from running ahead by the quantum. With --quantum 0 throughput
 * and transfers are within 1 % of those with --rounds (tests/unit/manycore/spin.py), with 200 ns within 3 %.
 */
#ifndef BENCH_MANYCORE_SPIN_H
#define BENCH_MANYCORE_SPIN_H

#include <stdbool.h>
#include <stdint.h>

extern uint64_t spin_skipped;                    /* rounds                                                          */
extern bool spin_played;                         /* all rounds are: to compare                                      */

#endif
