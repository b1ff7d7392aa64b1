/* SPDX-License-Identifier: MIT */
/*
 * physmem_poison.c - a frame goes out of use: whoever has it, its contents go elsewhere, and nobody gets it again.
 *
 * STATE      OWNED by FRAME_OWNER_POISON, its row's bit set, as of any frame that somebody has: so no allocation meets
 *            it, and an unplug counts it as done (free + poisoned = present).
 * GOING      OWNED by FRAME_OWNER_GOING: an unplug has claimed it. If that fails it is out of use again; but who
 *            unpoisons it meanwhile makes it FREE, as any other that is claimed.
 * TAKING     who poisons has the frame's block offline meanwhile, so that nobody else takes the frame when it comes
 *            free; an unplug that has it, or comes, gets or causes -EBUSY. It waits for the report that is in
 *            flight. If it is not free in its row, caches are isolated (frame_isolate.c). Then by what
 *            the word says: free or deferred somewhere: drained, after a grace period. The balloon's: it leaves. A
 *            map's or an object's: it is moved (frame_mover.h), deferred, and comes home as such. Anybody else's: it
 *            stays. So many rounds as there are kinds of places that it may come through.
 * EDGES      those of frame_bits.c: who claims the frame sees the last accesses to it.
 *            M1 store-release of pm->mover -> M2 its acquire.
 * RACES      of two poisons the second one is -EBUSY. Against unpoison, and an unplug that takes it or leaves it: the
 *            word's CAS decides. Who unpoisons what has gone by then comes too late.
 *            Against an allocation that is short: it waits until the block is there again, and no other poison begins
 *            before it has looked (frame_short.c; Z1, Z2 there).
 * ORDER      holds nothing while it moves a frame or waits.
 * SOURCE     soft offline: Linux, mm/memory-failure.c.
 */
#include "vmmap/phys/physmem_poison.h"

#include <errno.h>
#include <limits.h>

#include "base/point.h"
#include "vmmap/phys/frame_depot.h"
#include "vmmap/phys/frame_isolate.h"
#include "vmmap/phys/frame_mover.h"
#include "vmmap/phys/physmem_balloon.h"
#include "vmmap/phys/physmem_report.h"
#include "vmmap/phys/physseg.h"

#define ROUNDS 8

static bool is_owned_by(uint64_t word, enum frame_owner owner)
{
	return frame_state(word) == FRAME_OWNED && frame_owner(word) == owner;
}

bool physmem_poison_is(struct physmem *pm, uint64_t index)
{
	return is_owned_by(atomic_load_relaxed(&pm->word[index]), FRAME_OWNER_POISON);
}

/* From that owner on, of the same generation: of two one succeeds. */
static bool step(struct physmem *pm, uint64_t index, enum frame_owner from, uint32_t to)
{
	uint64_t old = atomic_load_relaxed(&pm->word[index]);

	do
		if (!is_owned_by(old, from))
			return false;
	while (!atomic_cas_relaxed(&pm->word[index], &old, (old & FRAME_LIVES_MASK) | to));
	return true;
}

static void count(struct physmem *pm, uint64_t n)
{
	(void)atomic_add_relaxed(&pm->poisoned, n);
	frame_taken_count(pm, NULL, n);
}

/* Out of POISON. */
static bool leave(struct physmem *pm, uint64_t index, uint32_t to)
{
	if (!step(pm, index, FRAME_OWNER_POISON, to))
		return false;
	count(pm, -UINT64_C(1));
	return true;
}

bool physmem_poison_leaves(struct physmem *pm, uint64_t index)
{
	return leave(pm, index, frame_owned(FRAME_OWNER_GOING, 0));
}

/* Counted before it can leave again. */
bool physmem_poison_stays(struct physmem *pm, uint64_t index)
{
	count(pm, 1);
	if (step(pm, index, FRAME_OWNER_GOING, frame_owned(FRAME_OWNER_POISON, 0)))
		return true;
	count(pm, -UINT64_C(1));
	return false;
}

/* Of a frame that is ours. */
static void enter(struct physmem *pm, uint64_t index)
{
	uint64_t old = atomic_load_relaxed(&pm->word[index]);

	count(pm, 1);
	atomic_store_relaxed(&pm->word[index], frame_word_taken(old, FRAME_OWNER_POISON, 0));
}

/* ---- by what the frame is ---- */

/* It was free in its row, and is ours: now it is nobody's. */
static bool claim(struct physmem *pm, uint64_t index)
{
	if (frame_bits_claim(&pm->bits, index, index + 1) == 0)
		return false;
	enter(pm, index);
	return true;
}

/* What is free, or deferred, in anybody's cache goes to its row. -EAGAIN: look again. */
static int bring_home(struct physmem *pm, struct thread_slot *self)
{
	if (frame_isolate_drain(pm, self) && rcu_poll_wait(self->deadline_ns) != 0)
		return -EBUSY;
	return -EAGAIN;
}

/* -EAGAIN: look again. */
static int move(struct physmem *pm, struct thread_slot *self, uint64_t index)
{
	const struct frame_mover *mover = atomic_load_acquire(&pm->mover);       /* M2 -> M1 */
	enum frame_moved moved = mover != NULL ? mover->move(pm, self, pm->base + index, NULL) : FRAME_PINNED;

	if (moved == FRAME_GONE && BASE_MUTANT(physmem_poison_trusts))
		return 0;
	if (moved == FRAME_MOVED)
		return bring_home(pm, self);
	return moved == FRAME_GONE || moved == FRAME_BUSY ? -EAGAIN : moved == FRAME_NO_MEMORY ? -ENOMEM : -EBUSY;
}

/* It was not free in its row. -EAGAIN: it may be now. */
static int fetch(struct physmem *pm, struct thread_slot *self, uint64_t index)
{
	uint64_t word = atomic_load_relaxed(&pm->word[index]);

	BASE_POINT(physmem_poison_looked);
	if (is_owned_by(word, FRAME_OWNER_POISON))
		return 0;
	if (is_owned_by(word, FRAME_OWNER_MAP) || is_owned_by(word, FRAME_OWNER_OBJECT))
		return move(pm, self, index);
	if (is_owned_by(word, FRAME_OWNER_CALLER))
		return -EBUSY;
	return physmem_balloon_leave(pm, index, index + 1) != 0 ? -EAGAIN : bring_home(pm, self);
}

/* With the block offline, no report in flight, and what is freed in it on its way to its row. */
static int take_used(struct physmem *pm, struct thread_slot *self, uint64_t index)
{
	struct park_spin spin = PARK_SPIN;
	int err = -EAGAIN;

	for (unsigned round = 0; round < ROUNDS && err == -EAGAIN; round++) {
		err = claim(pm, index) ? 0 : fetch(pm, self, index);
		park_spin(&spin);
	}
	return err == -EAGAIN ? -EBUSY : err;
}

/* With the block offline, and no report in flight. */
static int take(struct physmem *pm, struct thread_slot *self, uint64_t index)
{
	int err;

	if (claim(pm, index))
		return 0;
	if (frame_isolate_begin(pm, self) != 0)
		return -ENOMEM;
	err = frame_isolate_wait(self->deadline_ns) == 0 ? take_used(pm, self, index) : -EBUSY;
	frame_isolate_end(pm);
	return err;
}

/* ---- calls ---- */

static void end(struct physmem *pm)
{
	atomic_store_seqcst(&pm->poisoner, 0);                                   /* Z2 */
	park_wake(&pm->poisoner, INT_MAX);
}

/* One at a time, and not while an allocation is short: it would miss the block. */
static bool begin(struct physmem *pm, const struct thread_slot *self)
{
	uint32_t nobody = 0;

	if (!atomic_cas_seqcst(&pm->poisoner, &nobody, self->number + 1))        /* Z2 */
		return false;
	if (atomic_load_seqcst(&pm->shorts) == 0)                                /* Z2 -> Z1 */
		return true;
	end(pm);
	return false;
}

static int poison(struct physmem *pm, struct thread_slot *self, uint64_t index)
{
	uint64_t block = index >> FRAME_BLOCK_ORDER;
	int err = 0;

	if (!frame_bits_step(&pm->bits, block, frame_block_offline))
		return -EBUSY;
	BASE_POINT(physmem_poison_offline);
	if (!BASE_MUTANT(physmem_poison_hurries))
		err = physmem_report_await(pm, self->deadline_ns);
	if (err == 0)
		err = take(pm, self, index);
	CHECK(frame_bits_step(&pm->bits, block, frame_block_online));
	return err == -ETIMEDOUT ? -EBUSY : err;
}

static bool is_there(struct physmem *pm, uint64_t pfn)
{
	return pfn >= pm->base && pfn - pm->base < pm->span &&
	       physseg_found(physseg_find(pm->segments, pfn, NULL));
}

API int physmem_poison(struct physmem *pm, uint64_t pfn)
{
	struct thread_slot *self = thread_self();
	int err;

	if (!is_there(pm, pfn))
		return -EINVAL;
	if (physmem_poison_is(pm, pfn - pm->base))
		return 0;
	if (!begin(pm, self))
		return -EBUSY;
	err = poison(pm, self, pfn - pm->base);
	end(pm);
	return err;
}

API int physmem_unpoison(struct physmem *pm, uint64_t pfn)
{
	uint64_t index = pfn - pm->base, word;

	if (index >= pm->span)
		return -EINVAL;
	do {                                     /* again, while unplugs begin and fail                            */
		if (leave(pm, index, FRAME_FREE)) {
			CHECK(frame_bits_give(&pm->bits, index, 0) == 0);
			return 0;
		}
		if (BASE_MUTANT(unpoison_denies))
			return -EINVAL;
		if (step(pm, index, FRAME_OWNER_GOING, FRAME_FREE))
			return 0;
		word = atomic_load_relaxed(&pm->word[index]);
	} while (is_owned_by(word, FRAME_OWNER_POISON) || is_owned_by(word, FRAME_OWNER_GOING));
	return -EINVAL;
}

void physmem_set_mover(struct physmem *pm, const struct frame_mover *mover)
{
	atomic_store_release(&pm->mover, mover);                                 /* M1 */
}
