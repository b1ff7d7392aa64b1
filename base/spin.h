/* SPDX-License-Identifier: MIT */
/*
 * spin.h - a lock of one word, for a few stores that threads rarely want at once. Locks of the map are in locks/.
 *
 * WORD      0 free, 1 held; zeroed memory is a free lock. Not fair.
 * EDGES     U1 the release store of spin_unlock -> L1 the acquire CAS of spin_lock and spin_trylock. What a lock
 *           carries is its user's, who may label the calls as well.
 * PROGRESS  a leaf of the lock order: its holder waits for nothing. Who wants it spins, then yields (base/park.h).
 */
#ifndef BASE_SPIN_H
#define BASE_SPIN_H

#include <stdbool.h>

#include "base/park.h"

static inline bool spin_trylock(atomic_u32 *word)
{
	uint32_t free = 0;

	return atomic_cas_acquire(word, &free, 1);                              /* L1 -> U1 */
}

static inline void spin_lock(atomic_u32 *word)
{
	struct park_spin spin = PARK_SPIN;

	while (!spin_trylock(word))
		park_spin(&spin);
}

static inline void spin_unlock(atomic_u32 *word)
{
	atomic_store_release(word, 0);                                          /* U1 -> L1 */
}

#endif
