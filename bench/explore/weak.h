/* SPDX-License-Identifier: MIT */
/*
 * weak.h - weak memory (--weak): loads may see old values, and plain accesses must be ordered.
 *
 * A machine of views, after C11 as far as the engine uses it (no stand-alone fences; cf. Kang et al., "A Promising
 * Semantics for Relaxed-Memory Concurrency", POPL 2017, without promises, and Lahav et al., RC11, PLDI 2017):
 *   location   an atomic word has a history of messages, in the order in which its stores are run; the last eight count
 *   view       a core knows, for each location, a message that it may not look behind (coherence)
 *   load       any message from there on. acquire: the core's view joins the message's
 *   store      a new message. release: it carries the core's view; relaxed: nothing
 *   RMW        reads the last message, and hands on what that carried (a release sequence)
 *   seq_cst    also: a load does not look behind the last seq_cst store of its location
 *   membarrier all cores' views join all others'
 *   futex      who is woken joins the waker's view; who is not put to sleep has nothing of it
 * Plain accesses see memory; two of different cores, one of them a store, that no release and acquire orders are a data
 * race, and a violation. So are a plain access and an atomic store, a plain store and an atomic load.
 * Not shown: stores that are seen before they are run (load buffering), stores that overtake each other in their own
 * location's order, a failed compare-and-swap that reads an old value, more than 1,024 atomic words in one run.
 *
 * What an operation of the engine demands can be weakened by its place in the code, "FILE FUNCTION OPERATION N", as
 * tests/models/orders.list names it: a mutant that needs no change of the code.
 */
#ifndef BENCH_EXPLORE_WEAK_H
#define BENCH_EXPLORE_WEAK_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/sim/access.h"
#include "bench/sim/core.h"

struct chooser;
struct outcome;

void weak_use(void);                             /* before the first run; there is no way back                     */
static inline bool weak_on(void) { extern bool weak_is_on; return weak_is_on; }

/* For scenario.c: core sees what those that have told had seen; what `of` has seen. No order of plain accesses. */
void weak_tell(uint32_t core);
void weak_told(uint32_t core);
void weak_knows(uint32_t core, uint32_t of);

/* ---- for run.c ---- */
void weak_begin(const struct chooser *c, struct outcome *out);
void weak_before(const struct access *a, uint32_t core);
bool weak_load(const struct access *a, uint64_t *value);
void weak_after(const struct access *a, uint32_t core, uint64_t stored);
void weak_call(enum core_call what, uint32_t core, uint32_t about);

#endif
