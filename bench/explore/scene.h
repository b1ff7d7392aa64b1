/* SPDX-License-Identifier: MIT */
/*
 * scene.h - what bodies and set-ups of many scenarios have in common, several of scenario.h's calls in one.
 *
 * They are led alike: body 0 comes to its place, in a call (scene_stop) or between two, and says THERE; body 1 has
 * awaited that, does what it is there for, and says BACK.
 */
#ifndef BENCH_EXPLORE_SCENE_H
#define BENCH_EXPLORE_SCENE_H

#include "bench/explore/scenario.h"

enum { THERE = 1, BACK, THIRD, FOURTH, NEVER = 15 };     /* signals                                                 */

#define LONG 100                                         /* pages: too many for the brief form                      */

/* Set-ups. */
void scene_pages(uint64_t n);                            /* a map; one VMA, RW, from page 0                         */
void scene_two_leaves(void);                             /* 1024 pages of it; in the middle a border                */

/* After scene_movable and a map: what it allocates lies in the segment for what can be moved. */
#define SCENE_MOVABLE_FROM UINT64_C(512)
void scene_fill_movable(void (*fill)(void));
bool scene_is_movable(uint64_t pfn);

uint64_t scene_soon(void);                               /* a deadline                                              */

/* Holds, and releases at once; before `until`: 0, or the error. */
void scene_take(unsigned i, uint64_t at, uint64_t len);
int scene_take_until(unsigned i, uint64_t at, uint64_t len, uint64_t until);

/* Body i holds, says THERE, and releases when signal `awaits` has come (+ SCENE_MUST: for ever), or body 1 sleeps. */
void scene_keep(unsigned i, uint64_t at, uint64_t len, unsigned awaits);
void scene_keep_asleep(unsigned i, uint64_t at, uint64_t len);
/* Body 0 holds, and passes bodies 1 to `waiters`, once they sleep, `times` times. It still holds when they do again. */
void scene_pass(uint64_t at, uint64_t len, unsigned waiters, unsigned times);

/* Body 1, when body 0 is THERE: a call that must succeed. BACK. */
void scene_then_munmap(uint64_t at, uint64_t len);
void scene_then_protect(uint64_t at, uint64_t len, int prot);
void scene_then_fixed(uint64_t at, uint64_t len, int prot);
/* The same, but for BACK; its time may be up soon. */
void scene_then_fault_soon(uint64_t at);

/* What is there. */
void scene_word_is(uint64_t at, uint64_t word);

/* Of any map: the scene's, or a child of it, which a scenario keeps in a word. */
uint64_t scene_word_of(struct vmmap *map, uint64_t at);
void scene_put(struct vmmap *map, uint64_t at, uint64_t word);
uint64_t scene_fork(void);                               /* the child                                               */
void scene_is_cut(uint64_t at);                          /* mapped, and past the end of its object                  */

#endif
