/* SPDX-License-Identifier: MIT */
/*
 * park.h - the only place that blocks.
 *
 * A word that is slept on is 32 bits wide. Being "blocked" (DESIGN section 9) is counted per thread: it entered
 * park_wait, or one park_spin loop passed 1,000 rounds.
 */
#ifndef BASE_PARK_H
#define BASE_PARK_H

#include "base/atomic.h"

#define PARK_TRY      UINT64_C(0)        /* deadline in ns of CLOCK_MONOTONIC                                      */
#define PARK_FOREVER  UINT64_MAX

/* Sleeps while *word == expected. 0: woken, or the word differed, or a spurious wake-up. -ETIMEDOUT: deadline. */
int  park_wait(atomic_u32 *word, uint32_t expected, uint64_t deadline_ns);
/* Wakes up to n sleepers of word. The memory behind word may already be something else: then the wake is spurious. */
void park_wake(atomic_u32 *word, int n);

/*
 * One round of waiting for what ends soon (a locked entry, a leaf edit): the first rounds pause, then each yields the
 * CPU, and past 1,000 rounds each naps 50 us. Inside a read section it never naps: there it goes on yielding.
 */
struct park_spin { uint32_t rounds; };
#define PARK_SPIN { 0 }
void park_spin(struct park_spin *spin);
/* The same in a queue of spinners, where a wait is as long as the queue: it never naps, since all behind would wait. */
void park_spin_queued(struct park_spin *spin);

/*
 * A mutex of one word, for what is rare and short (registry, scripts); locks of the map are in locks/. Not fair.
 * 0 free, 1 held, 2 held and perhaps slept on. Zeroed memory is a free mutex.
 */
struct park_mutex { atomic_u32 word; };
void park_lock(struct park_mutex *m);
bool park_trylock(struct park_mutex *m);
void park_unlock(struct park_mutex *m);

/* As park_wait, but stands for a preemption, not for a wait: is not counted and is allowed in a read section.
 * Only for base/point, which stops a thread in the middle of a race window, and for rcu.c's worker and fork's handlers,
 * which are nobody's operation. */
int  park_stall(atomic_u32 *word, uint32_t expected, uint64_t deadline_ns);
void park_stall_lock(struct park_mutex *m);              /* park_lock in the same spirit                           */

uint64_t park_blocked_total(void);                       /* sum over all slots, ever                               */
uint64_t park_blocked_self(void);                        /* of the calling thread's slot                           */

#endif
