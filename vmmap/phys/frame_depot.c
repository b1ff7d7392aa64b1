/* SPDX-License-Identifier: MIT */
/*
 * frame_depot.c - stacks of chains; below them, the rows.
 *
 * WORDS       depot (one for each kind), late_stack: tag << 32 | link of the first chain (index of its first frame + 1,
 *             0 = empty).
 *             batch_of[first frame].next links the chains of a stack; .count says how many frames a chain has, and
 *             how many chains the stack has from there on.
 * EDGES       D1 push: the chain's words, count and cookie are written, then the head's CAS (acq_rel).
 *             D2 pop: the head's CAS (acq_rel) -> the chain's words are read and written.  D1 -> D2: the pop reads
 *             from that push or from a later RMW on the same word, which continues its release sequence.
 * ABA         A pop loads head A and its `next` B, and may be overtaken: A popped, B popped, A pushed again. Its CAS
 *             would then make B the head although somebody owns B. Each success adds 1 to the tag, so the stale CAS
 *             fails. The tag wraps after 2^32 transfers, i.e. more than 2^37 frames within the window of one stalled
 *             pop, and must then hit the very same value.
 *             Reading `next` of a chain that is no longer in the stack is harmless: batch_of is never given back
 *             while the instance lives; the value is thrown away with the failed CAS.
 * BOUND       the depot takes no more than depot_max chains: what is beyond that goes to its rows (frame_rows.c), where
 *             runs and whole blocks form again. A push writes the depth into the chain that it holds, from the depth of
 *             the one below, which it does not: if that one moved meanwhile, the CAS fails.
 * PROGRESS    lock-free: a CAS fails only because another transfer succeeded. A thread stopped anywhere in here keeps
 *             at most the one chain that it holds from others (the isolation test stops one in a refill).
 * ORDER       no lock is held. Called with anything held.
 * INVARIANT   sum over chains in both depots + frames free in rows = frames - sum of `taken` (physmem_audit).
 * NOT HERE    NUMA. Short chains (thread exit) are not joined.
 * SOURCE      magazines and depot: Bonwick and Adams, "Magazines and Vmem", USENIX 2001; tagged stack: IBM System/370
 *             Principles of Operation, appendix A; Treiber 1986.
 */
#include "vmmap/phys/frame_isolate.h"

#define TAG_ONE (UINT64_C(1) << 32)

static uint64_t stack_head(uint64_t old, uint32_t chain)
{
	uint64_t tag = (old & ~(TAG_ONE - 1)) + (BASE_MUTANT(depot_no_tag) ? 0 : TAG_ONE);

	return tag | chain;
}

#define DEPTH_SHIFT 16
#define DEPTH_MAX   UINT16_MAX

static uint32_t depth_of(struct physmem *pm, uint32_t chain)
{
	return chain ? atomic_load_relaxed(&frame_batch_of(pm, chain)->count) >> DEPTH_SHIFT : 0;
}

/* False: the stack has so many chains already. One of DEPTH_MAX may have more. */
static bool stack_push(struct physmem *pm, struct frame_stack *stack, uint32_t chain, uint32_t most)
{
	struct frame_batch *batch = frame_batch_of(pm, chain);
	uint32_t n = frame_chain_count(pm, chain), depth;
	uint64_t head = atomic_load_relaxed(&stack->head);

	do {
		depth = depth_of(pm, (uint32_t)head);
		if (depth >= most && most < DEPTH_MAX)
			return false;
		depth += depth < DEPTH_MAX;
		atomic_store_relaxed(&batch->count, n | depth << DEPTH_SHIFT);
		atomic_store_relaxed(&batch->next, (uint32_t)head);
	} while (!atomic_cas_acqrel(&stack->head, &head, stack_head(head, chain)));     /* D1 */
	return true;
}

static uint32_t stack_pop(struct physmem *pm, struct frame_stack *stack)
{
	uint64_t head = atomic_load_acquire(&stack->head);                      /* D2 -> D1 */
	uint32_t next;

	do {
		if (!(uint32_t)head)
			return 0;
		next = atomic_load_relaxed(&frame_batch_of(pm, (uint32_t)head)->next);
		BASE_POINT(depot_pop_before_cas);
	} while (!atomic_cas_acqrel(&stack->head, &head, stack_head(head, next)));      /* D2 */
	return (uint32_t)head;
}

/* Linked by next. */
static uint32_t stack_take_all(struct frame_stack *stack)
{
	uint64_t head = atomic_load_relaxed(&stack->head);

	while ((uint32_t)head && !atomic_cas_acqrel(&stack->head, &head, stack_head(head, 0)))   /* D2 */
		;
	return (uint32_t)head;
}

static void count(atomic_u64 *owners, atomic_u64 *strays, uint64_t delta)
{
	if (owners)
		atomic_bump(owners, delta);
	else
		(void)atomic_add_relaxed(strays, delta);
}

void frame_taken_count(struct physmem *pm, struct frame_slot *slot, uint64_t delta)
{
	count(slot ? &slot->taken : NULL, &pm->stray_taken, delta);
}

void frame_late_count(struct physmem *pm, struct frame_slot *slot, uint64_t delta)
{
	count(slot ? &slot->late : NULL, &pm->stray_late, delta);
}

/* ---- free chains ---- */

uint32_t frame_depot_take(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind)
{
	uint32_t chain = stack_pop(pm, &pm->depot[kind]);

	if (!chain)
		chain = frame_rows_take(pm, slot, kind);
	if (chain)
		frame_taken_count(pm, slot, frame_chain_count(pm, chain));
	return chain;
}

void frame_depot_give(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind, uint32_t chain)
{
	frame_taken_count(pm, slot, -(uint64_t)frame_chain_count(pm, chain));
	if (!stack_push(pm, &pm->depot[kind], chain, atomic_load_relaxed(&pm->depot_max)))
		frame_rows_give(pm, chain);
}

/* As many as it may ever have had: others may be bringing more. */
void frame_depot_to_rows(struct physmem *pm, enum frame_kind kind)
{
	uint32_t chain;

	for (uint32_t i = 0; i < FRAME_DEPOT_MAX && (chain = stack_pop(pm, &pm->depot[kind])) != 0; i++)
		frame_rows_give(pm, chain);
}

void frame_depot_sort_out(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind)
{
	uint32_t chain = stack_take_all(&pm->depot[kind]), next;

	for (; chain; chain = next) {
		next = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
		frame_taken_count(pm, slot, frame_chain_count(pm, chain));
		chain = frame_sort_out(pm, slot, chain);
		if (chain)
			frame_depot_give(pm, slot, kind, chain);
	}
}

/* ---- deferred chains ---- */

void frame_late_put(struct physmem *pm, struct frame_slot *slot, uint32_t chain)
{
	frame_late_count(pm, slot, frame_chain_count(pm, chain));
	(void)stack_push(pm, &pm->late_stack, chain, DEPTH_MAX);
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
	return stack_take_all(&pm->late_stack);
}
