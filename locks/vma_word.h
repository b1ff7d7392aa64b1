/* SPDX-License-Identifier: MIT */
/*
 * vma_word.h - the lock word and the reader counter of a VMA: layout and transitions.
 *
 * WORD lk     bit 0 clear: a version, free. Versions are acquisition numbers (thread_next_number): unique in the
 *             process, so that "the same version again" proves that nobody held the VMA in between, even if its
 *             memory was reused. 0 = LOCK_DEAD: in no tree.
 *             bit 0 set: held. LOCK_BRIEF (1): a short edit, ends soon, has no queue: spin.
 *             else address of a struct range_lock + 1.
 *
 * WORD pins   bit 31 W: the holder of lk waits for the count to fall; bits 0..30: readers inside.
 *             pin     count + 1 by the reader, refused while W is set or at the limit
 *             unpin   count - 1; the reader that leaves exactly W behind wakes the holder, and touches nothing after
 *             drain   by the one holder only: sets W, sleeps until the count is 0, takes W back
 *             W need not stay for the time of the hold: lk (or pervma's sequence) keeps new readers out, and a reader
 *             that came between looks at it after its increment and takes the increment back.
 *
 * EDGES       P1 pin's RMW (seq_cst), then a seq_cst load of lk   against   D1 lk's RMW (seq_cst), then D2 drain's
 *             seq_cst load of pins: one of the two sees the other (Dekker). U1 unpin's release -> D2: what the reader
 *             did happens before what the holder does next.
 * PROGRESS    Whoever is pinned waits for nothing, so a drain ends; at most the readers that were between their look
 *             at lk and their increment add to it.
 * NOT PROMISED  A pin keeps the object from changing, dying or being reused. It does not keep a page in it: a cut gives
 *             pages away to a new object. So a pinned reader proves "still here" by an equal lk, or finds again. Only
 *             what the slot's own word counts, visits that insist, is not cut (view.h, claim); who is counted on a line
 *             of its own and insists is counted in both.
 */
#ifndef LOCKS_VMA_WORD_H
#define LOCKS_VMA_WORD_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/point.h"

struct range_lock;

/* First in the line of a VMA that a fault reads anyway. */
struct lock_slot {
	atomic_u64 lk;
	atomic_u32 pins;                 /* in-tree policies: insisting visits. Counting policies: lock_slot_far, too */
	atomic_u32 seq;                  /* pervma, spf: sequence; the in-tree policies need only lk                  */
};

#define LOCK_SLOT_FAR 64                 /* from the slot, for policies with slot_bytes: a line that only they touch */

struct lock_slot_far { atomic_u32 pins; };

#define LOCK_DEAD   UINT64_C(0)
#define LOCK_BRIEF  UINT64_C(1)
#define LOCK_WRITER UINT32_C(0x80000000)
#define LOCK_PINS_MAX UINT32_C(0x7fffffff)

static inline bool lock_word_held(uint64_t lk) { return lk & 1; }
static inline bool lock_word_free(uint64_t lk) { return !(lk & 1) && lk != LOCK_DEAD; }
static inline uint64_t lock_word_of(struct range_lock *lock) { return (uint64_t)(uintptr_t)lock + 1; }
static inline struct range_lock *lock_word_lock(uint64_t lk)
{
	return (lk & 1) && lk != LOCK_BRIEF ? (struct range_lock *)(uintptr_t)(lk - 1) : NULL;
}

static inline atomic_u32 *lock_far_pins(struct lock_slot *slot)
{
	return &((struct lock_slot_far *)((char *)slot + LOCK_SLOT_FAR))->pins;
}

/* Enters as a reader. False: a holder drains, or the counter is full. */
static inline bool lock_pin(atomic_u32 *pins)
{
	uint32_t seen = atomic_load_relaxed(pins);

	while (!(seen & LOCK_WRITER) && (seen < LOCK_PINS_MAX || BASE_MUTANT(pins_no_limit)))
		if (atomic_cas_seqcst(pins, &seen, seen + 1))                    /* P1 -> D2 */
			return true;
	return false;
}

/* Leaves; wakes the draining holder if it was the last. */
void lock_unpin(atomic_u32 *pins);
/* By the holder of the VMA, outside RCU: returns when no reader is inside. */
void lock_drain(atomic_u32 *pins);

#endif
