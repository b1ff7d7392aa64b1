/* SPDX-License-Identifier: MIT */
/* order.h - a hash over the partial order of a run's conflicting accesses (run.h, ORDER). */
#ifndef BENCH_EXPLORE_ORDER_H
#define BENCH_EXPLORE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

struct word;

void order_begin(void);                                  /* once                                                    */
void order_run(void);                                    /* a run begins                                           */
void order_note(const struct word *w, uint32_t core, bool writes);       /* its next access                        */
void order_stale(uint32_t core, uint32_t access, uint32_t age);          /* that load saw an old value             */
uint64_t order_hash(void);                               /* of the run so far                                      */
bool order_is_new(uint64_t hash);                        /* true once for each                                     */
uint64_t order_count(void);                              /* how often it was true                                  */

#endif
