/* SPDX-License-Identifier: MIT */
/*
 * rcu_inline.h - the read side, inlined: it is in every fault and every access. Included by rcu.h only.
 *
 * WORD  slot.rcu_word   0 = outside; epoch * 2 + 1 = inside, `epoch` read on entry. Written by its thread only.
 *       rcu_global.epoch  grows by one per rcu_poll_start.
 * ORDER on entry: own word, without membarrier the epoch once more (E4), then liburcu's lock; on exit: own word, then
 *       liburcu's unlock. liburcu's lock begins with a compiler barrier, so the own word's store stays ahead of the
 *       section in the code; its unlock comes last, so that whoever waited for liburcu's grace period finds the own
 *       word already cleared (E3 -> F2 in rcu.c).
 * BRIEF  a brief section has the own word alone, and a compiler barrier in the place of liburcu's. Its `rcu_nest`
 *        begins at RCU_BRIEF, so that dev builds notice a full section inside it, which would be none.
 * The protocol and its edges E1 to E4 are argued in rcu.c.
 *
 * liburcu's read side is inlined (allowed by its licence for functions of this size; the project's licence is
 * compatible in any case), except under ThreadSanitizer: there its plain accesses would be seen and reported, while
 * a call into the library is not looked at.
 */
#ifndef BASE_RCU_INLINE_H
#define BASE_RCU_INLINE_H

#include "base/assert.h"
#include "base/compiler.h"
#include "base/point.h"

#if !BUILT_WITH_TSAN && !defined(_LGPL_SOURCE)
#define _LGPL_SOURCE
#endif
#include <urcu/urcu-memb.h>

struct rcu_global {
	atomic_u64 epoch;                /* starts at 1: a cookie is never 0                                         */
	uint32_t heavy_readers;          /* no membarrier on this machine: readers order their entry themselves      */
} PAIR_ALIGNED;
extern struct rcu_global rcu_global;

#define RCU_BRIEF (UINT32_C(1) << 31)    /* of rcu_nest: the outermost section is a brief one                         */

static ALWAYS_INLINE void rcu_word_begin(struct thread_slot *self)
{
	uint64_t word = atomic_load_acquire(&rcu_global.epoch) << 1 | 1;                 /* E1 -> P1 */

	atomic_store_release(&self->rcu_word, word);                             /* E2 -> S1 */
	if (unlikely(rcu_global.heavy_readers))
		(void)atomic_add_acqrel(&rcu_global.epoch, 0);                   /* E4 -> P1 */
}

static ALWAYS_INLINE void rcu_word_end(struct thread_slot *self)
{
	atomic_store_release(&self->rcu_word, 0);                                /* E3 -> S1, F2 */
}

static ALWAYS_INLINE void rcu_enter(struct thread_slot *self)
{
	uint32_t before = self->rcu_nest++;

	ASSERT(!(before & RCU_BRIEF));
	if (before == 0) {
		rcu_word_begin(self);
		urcu_memb_read_lock();
	}
}

static ALWAYS_INLINE void rcu_leave(struct thread_slot *self)
{
	ASSERT(self->rcu_nest > 0);
	if (--self->rcu_nest == 0) {
		rcu_word_end(self);
		urcu_memb_read_unlock();
		BASE_POINT(rcu_left);
	}
}

static ALWAYS_INLINE void rcu_enter_brief(struct thread_slot *self)
{
	uint32_t before = self->rcu_nest;

	self->rcu_nest = likely(before == 0) ? RCU_BRIEF : before + 1;
	if (likely(before == 0)) {
		if (!BASE_MUTANT(rcu_brief_unseen))
			rcu_word_begin(self);
		COMPILER_BARRIER();
	}
}

static ALWAYS_INLINE void rcu_leave_brief(struct thread_slot *self)
{
	ASSERT(self->rcu_nest > 0);
	if (likely(self->rcu_nest == RCU_BRIEF)) {
		self->rcu_nest = 0;
		rcu_word_end(self);
		BASE_POINT(rcu_left);
	} else {
		self->rcu_nest--;
	}
}

#endif
