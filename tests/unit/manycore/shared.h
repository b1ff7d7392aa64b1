/* SPDX-License-Identifier: MIT */
/* shared.h - what the cores of test_turn do, compiled as the engine is. */
#ifndef TESTS_UNIT_MANYCORE_SHARED_H
#define TESTS_UNIT_MANYCORE_SHARED_H

#include <stdint.h>

void shared_count(void *times);                  /* a core: adds 1 to one counter, that often                      */
void shared_count_own(void *times);              /* the same, each core to a counter of its own                    */
void shared_wait(void *unused);                  /* sleeps until shared_wake                                        */
void shared_wake(void *unused);
uint64_t shared_total(void);

#endif
