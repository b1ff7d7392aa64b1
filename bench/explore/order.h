/* SPDX-License-Identifier: MIT */
/* order.h - a hash over the partial order of a run's conflicting accesses (run.h, ORDER). */
#ifndef BENCH_EXPLORE_ORDER_H
#define BENCH_EXPLORE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/explore/words.h"

#define ORDER_NOTES (1u << 20)           /* of a run; what comes behind does not count                              */

extern struct order_notes { uintptr_t *note; uint32_t n; } order_notes;

void order_begin(void);                                  /* once                                                    */
void order_run(void);                                    /* a run begins                                           */
void order_stale(uint32_t core, uint32_t access, uint32_t age);          /* that load saw an old value             */
/* Of the run so far. False: which words are fought over was learned in this very run, and it has no hash. */
bool order_hash(uint64_t *hash);
bool order_has_learned(void);                            /* in this run, or the last                                */
void order_learned(void);                                /* a word turned out to be fought over                     */
bool order_is_new(uint64_t hash);                        /* true once for each                                     */
uint64_t order_count(void);                              /* how often it was true                                  */

/* The next access of that core to a word that is fought over. In a note the word's place leaves four bits free. */
static inline void order_note(const struct word *w, uint32_t core, bool writes)
{
	if (order_notes.n < ORDER_NOTES)
		order_notes.note[order_notes.n++] = (uintptr_t)w | core << 1 | writes;
}

#endif
