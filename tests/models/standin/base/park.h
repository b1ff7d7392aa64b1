/* SPDX-License-Identifier: MIT */
/*
 * park.h - stands in for base/park.h in the models. A sleep compares the newest value, as the kernel does under its
 * lock, and orders nothing. It may end for no reason, and one with a deadline at any time; one that nobody ends is a
 * deadlock, which the model reports.
 */
#ifndef BASE_PARK_H
#define BASE_PARK_H

#include "base/atomic.h"

#define PARK_TRY      UINT64_C(0)
#define PARK_FOREVER  UINT64_MAX

int  park_wait(atomic_u32 *word, uint32_t expected, uint64_t deadline_ns);
void park_wake(atomic_u32 *word, int n);

struct park_spin { uint32_t rounds; };
#define PARK_SPIN { 0 }
void park_spin(struct park_spin *spin);
void park_spin_queued(struct park_spin *spin);

struct park_mutex { atomic_u32 word; };
void park_lock(struct park_mutex *m);
bool park_trylock(struct park_mutex *m);
void park_unlock(struct park_mutex *m);
int  park_stall(atomic_u32 *word, uint32_t expected, uint64_t deadline_ns);
void park_stall_lock(struct park_mutex *m);

#endif
