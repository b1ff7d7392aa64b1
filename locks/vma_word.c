/* SPDX-License-Identifier: MIT */
/* vma_word.c - the two transitions of a reader counter that sleep or wake; vma_word.h has the protocol. */
#include "locks/vma_word.h"

#include "base/assert.h"
#include "base/park.h"
#include "base/point.h"

/* By address: the object may be anything by now, also one whose next holder drains. */
static void unpin_wake(atomic_u32 *pins)
{
	BASE_POINT(unpin_before_wake);
	if (BASE_MUTANT(unpin_touches_late))
		atomic_and_release(pins, ~LOCK_WRITER);                         /* D2 -> P1: as lock_drain */
	park_wake(pins, 1);
}

void lock_unpin(atomic_u32 *pins)
{
	uint32_t old = atomic_sub_release(pins, 1);                      /* U1 -> D2 */

	ASSERT((old & ~LOCK_WRITER) != 0);
	if (old == (BASE_MUTANT(unpin_wake_wrong) ? 1 : (LOCK_WRITER | 1)))
		unpin_wake(pins);
}

void lock_drain(atomic_u32 *pins)
{
	uint32_t seen = atomic_load_seqcst(pins);                        /* D2 -> P1, U1 */

	ASSERT(!(seen & LOCK_WRITER));
	if (likely(seen == 0) || BASE_MUTANT(drain_ignores_pins))
		return;
	seen = atomic_or_seqcst(pins, LOCK_WRITER) | LOCK_WRITER;               /* D2 -> U1 */
	BASE_POINT(drain_after_w);
	while (seen != LOCK_WRITER) {
		park_wait(pins, seen, PARK_FOREVER);
		seen = atomic_load_acquire(pins);                        /* D2 -> U1 */
	}
	atomic_and_release(pins, ~LOCK_WRITER);                                 /* D2 -> P1: pins may come again */
}
