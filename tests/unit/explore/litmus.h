/* SPDX-License-Identifier: MIT */
/* litmus.h - small programs for test_explore, compiled as the engine is. Results go to scene.word. */
#ifndef TESTS_UNIT_EXPLORE_LITMUS_H
#define TESTS_UNIT_EXPLORE_LITMUS_H

void sb_seqcst_0(void);                          /* store buffering: x = 1; r0 = y                                 */
void sb_seqcst_1(void);                          /*                  y = 1; r1 = x                                 */
void sb_relacq_0(void);
void sb_relacq_1(void);
void mp_relaxed_0(void);                         /* message passing: x = 1; y = 1                                  */
void mp_relacq_0(void);
void mp_same_0(void);                            /* x = 1; y += 0; n = 1 and r0 = n; y += 0; r1 = x                */
void mp_same_read(void);
void mp_read_relaxed(void);                      /* r0 = y; r1 = x                                                 */
void mp_read_acquire(void);
void mp_plain_0(void);                           /* the same, x plain; y relaxed, or release and acquire           */
void mp_plain_read(void);
void mp_plain_rel_0(void);
void mp_plain_acq_read(void);
void reads_then_tells(void);                     /* r0 = x, atomic; y = 1: who sees that stores x plainly          */
void reads_then_tells_rel(void);
void stores_when_told(void);
void bytes_0(void);                              /* each its own byte of one word                                  */
void bytes_1(void);
void lb_0(void);                                 /* load buffering: r0 = y; x = 1                                  */
void lb_1(void);                                 /*                 r1 = x; y = 1                                  */
void iriw_x(void);                              /* x = 1, y = 1 on two cores; a third: r0 = x; r1 = y; r2 = x; r3 = y */
void iriw_y(void);
void iriw_read(void);
void coherence_write(void);                      /* x = 1; x = 2                                                   */
void coherence_read(void);                       /* r0 = x; r1 = x                                                 */
void count_twice_0(void);                        /* a planted race: n = n + 1, by load and store                   */
void count_twice_1(void);
unsigned count_twice_sum(void);
void item_retired(void);                         /* ends while the item's callback, which retires it again, is inside */
void item_once_more(void);                       /* rounds, until it has been called back for the last time         */

#endif
