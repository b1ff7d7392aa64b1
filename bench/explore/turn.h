/* SPDX-License-Identifier: MIT */
/* turn.h - the scheduler of a run: asks the chooser at each point, keeps the books of who made how many accesses. */
#ifndef BENCH_EXPLORE_TURN_H
#define BENCH_EXPLORE_TURN_H

#include <stdbool.h>
#include <stdint.h>
#include "bench/sim/core.h"

struct chooser;
struct outcome;

void turn_begin(const struct chooser *c, struct outcome *out, bool may_time_out);
void turn_running(bool on);                      /* the bodies run; else the cores are only warmed up              */
void turn_point(bool conflicting);               /* before the calling core's next access; returns when it goes on */
struct core *turn_next(struct core *from, enum core_why why);    /* core_scheduler.next                            */
uint64_t turn_now(void);                         /* core_scheduler.now                                             */
void turn_changed(uint32_t self);                /* it has changed a word; RUN_CORES: somebody was woken           */
void turn_failed(void);                          /* the run ends here: who runs is the schedule's last segment      */
uint64_t turn_steps(void);
uint64_t turn_vain(void);                        /* yields since anything changed, when nobody could do anything   */
uint32_t turn_accesses(uint32_t core);

#endif
