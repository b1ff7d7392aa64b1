/* SPDX-License-Identifier: MIT */
/* crew.h - profiles on logical cores: what crew.c has beyond the calls of stress/profile_run.h. */
#ifndef BENCH_MANYCORE_CREW_H
#define BENCH_MANYCORE_CREW_H

#include <stdbool.h>
#include <stdint.h>

struct profile_run;

extern uint64_t crew_meeting_ps;                 /* what a meeting costs after the last one has come               */
extern bool crew_stuck;                          /* the last block ended because all cores slept for ever           */
/* The core works for the profile, and its stop-watch runs: not in a reset, not the library's own thread. */
bool crew_on_clock(const struct profile_run *run, uint32_t core);

#endif
