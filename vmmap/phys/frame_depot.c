/* SPDX-License-Identifier: MIT */
/*
 * frame_depot.c - two stacks of chains, and the frames that nobody has had yet.
 *
 * WORDS       depot, late_stack: tag << 32 | link of the first chain (index of its first frame + 1, 0 = empty).
 *             batch_of[first frame].next links the chains of a stack; .count says how many frames a chain has.
 *             fresh: segment << 32 | frames of that segment handed out. Moves up only.
 * EDGES       D1 push: the chain's words, count and cookie are written, then the head's CAS (acq_rel).
 *             D2 pop: the head's CAS (acq_rel) -> the chain's words are read and written.  D1 -> D2: the pop reads
 *             from that push or from a later RMW on the same word, which continues its release sequence.
 * ABA         A pop loads head A and its `next` B, and may be overtaken: A popped, B popped, A pushed again. Its CAS
 *             would then make B the head although somebody owns B. Each success adds 1 to the tag, so the stale CAS
 *             fails. The tag wraps after 2^32 transfers, i.e. more than 2^37 frames within the window of one stalled
 *             pop, and must then hit the very same value.
 *             Reading `next` of a chain that is no longer in the stack is harmless: batch_of is never given back
 *             while the instance lives; the value is thrown away with the failed CAS.
 * PROGRESS    lock-free: a CAS fails only because another transfer succeeded. A thread stopped anywhere in here keeps
 *             at most the one chain that it holds from others (the isolation test stops one in a refill).
 * ORDER       no lock is held. Called with anything held.
 * INVARIANT   sum over chains in `depot` + frames not yet fresh = frames - sum of `taken` (physmem_audit).
 * NOT HERE    physical contiguity; NUMA. Short chains (thread exit) are not joined.
 * SOURCE      magazines and depot: Bonwick and Adams, "Magazines and Vmem", USENIX 2001; tagged stack: IBM System/370
 *             Principles of Operation, appendix A; Treiber 1986.
 */
#include "vmmap/phys/frame_depot.h"

#include "base/point.h"

#define TAG_ONE (UINT64_C(1) << 32)

static uint64_t stack_head(uint64_t old, uint32_t chain)
{
	uint64_t tag = (old & ~(TAG_ONE - 1)) + (BASE_MUTANT(depot_no_tag) ? 0 : TAG_ONE);

	return tag | chain;
}

static void stack_push(struct physmem *pm, atomic_u64 *stack, uint32_t chain)
{
	uint64_t head = atomic_load_relaxed(stack);

	do
		atomic_store_relaxed(&frame_batch_of(pm, chain)->next, (uint32_t)head);
	while (!atomic_cas_acqrel(stack, &head, stack_head(head, chain)));       /* D1 */
}

static uint32_t stack_pop(struct physmem *pm, atomic_u64 *stack)
{
	uint64_t head = atomic_load_acquire(stack);                             /* D2 -> D1 */
	uint32_t next;

	do {
		if (!(uint32_t)head)
			return 0;
		next = atomic_load_relaxed(&frame_batch_of(pm, (uint32_t)head)->next);
		BASE_POINT(depot_pop_before_cas);
	} while (!atomic_cas_acqrel(stack, &head, stack_head(head, next)));      /* D2 */
	return (uint32_t)head;
}

static void count(atomic_u64 *owners, atomic_u64 *strays, uint64_t delta)
{
	if (owners)
		atomic_bump(owners, delta);
	else
		(void)atomic_add_relaxed(strays, delta);
}

static void count_taken(struct physmem *pm, struct frame_slot *slot, uint64_t delta)
{
	count(slot ? &slot->taken : NULL, &pm->stray_taken, delta);
}

void frame_late_count(struct physmem *pm, struct frame_slot *slot, uint64_t delta)
{
	count(slot ? &slot->late : NULL, &pm->stray_late, delta);
}

/* ---- frames that nobody has had yet ---- */

/*
 * Claims up to a batch of them, ending at a multiple of FRAME_BATCH: two slots' fresh frames then share no line of
 * words but at the ends of a segment. Returns how many; *index is the first.
 */
static uint32_t fresh_claim(struct physmem *pm, uint32_t *index)
{
	uint64_t fresh = atomic_load_relaxed(&pm->fresh);
	uint64_t pfn, room, n, after;

	do {
		const struct physmem_range *seg = &pm->segment[fresh >> 32];
		uint64_t used = (uint32_t)fresh;

		if (fresh >> 32 == pm->nsegments)
			return 0;
		pfn = seg->pfn + used;
		room = seg->pages - used;
		n = pm->batch - pfn % pm->batch;
		n = n < room ? n : room;
		after = n < room ? fresh + n : ((fresh >> 32) + 1) << 32;
	} while (!atomic_cas_relaxed(&pm->fresh, &fresh, after));
	*index = (uint32_t)(pfn - pm->base);
	return (uint32_t)n;
}

static uint32_t fresh_chain(struct physmem *pm)
{
	uint32_t first, n = fresh_claim(pm, &first);

	if (!n)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t link = i + 1 < n ? first + i + 2 : 0;

		atomic_store_relaxed(&pm->word[first + i], frame_word(0, FRAME_FREE, link));
	}
	atomic_store_relaxed(&frame_batch_of(pm, first + 1)->count, n);
	return first + 1;
}

uint64_t frame_depot_fresh_used(struct physmem *pm)
{
	uint64_t fresh = atomic_load_relaxed(&pm->fresh), used = (uint32_t)fresh;

	for (uint32_t i = 0; i < fresh >> 32; i++)
		used += pm->segment[i].pages;
	return used;
}

/* ---- free chains ---- */

uint32_t frame_depot_take(struct physmem *pm, struct frame_slot *slot)
{
	uint32_t chain = stack_pop(pm, &pm->depot);

	if (!chain)
		chain = fresh_chain(pm);
	if (chain)
		count_taken(pm, slot, frame_chain_count(pm, chain));
	return chain;
}

void frame_depot_give(struct physmem *pm, struct frame_slot *slot, uint32_t chain)
{
	count_taken(pm, slot, -(uint64_t)frame_chain_count(pm, chain));
	stack_push(pm, &pm->depot, chain);
}

/* ---- deferred chains ---- */

void frame_late_put(struct physmem *pm, struct frame_slot *slot, uint32_t chain)
{
	frame_late_count(pm, slot, frame_chain_count(pm, chain));
	stack_push(pm, &pm->late_stack, chain);
}

uint32_t frame_late_take(struct physmem *pm, struct frame_slot *slot)
{
	uint32_t chain = stack_pop(pm, &pm->late_stack);

	if (chain)
		frame_late_count(pm, slot, -(uint64_t)frame_chain_count(pm, chain));
	return chain;
}

uint32_t frame_late_take_all(struct physmem *pm)
{
	uint64_t head = atomic_load_relaxed(&pm->late_stack);

	while ((uint32_t)head && !atomic_cas_acqrel(&pm->late_stack, &head, stack_head(head, 0)))        /* D2 */
		;
	return (uint32_t)head;
}
