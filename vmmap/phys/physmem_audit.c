/* SPDX-License-Identifier: MIT */
/*
 * physmem_audit.c - the invariants of frame.c and frame_depot.c, checked while nothing moves.
 *
 * Walks every chain of every place, marks each frame it meets, and compares: a frame is met at most once, in the
 * state of its place; what was not met is OWNED or FRESH; counts and sums agree with the walk.
 */
#include "base/mem.h"
#include "vmmap/phys/frame_depot.h"

struct audit {
	struct physmem *pm;
	FILE *report;
	unsigned char *met;              /* [span / 8 + 1] a bit per frame                                         */
	uint64_t bad;
};

static void violation(struct audit *a, const char *what, uint64_t at)
{
	a->bad++;
	if (a->report)
		fprintf(a->report, "physmem: %s (%#llx)\n", what, (unsigned long long)at);
}

/* Of a frame that is not owned. */
static bool record_is_clear(const struct frame_record *r)
{
	return (atomic_load_relaxed(&r->counts) | atomic_load_relaxed(&r->where)) == 0;
}

static bool mark(struct audit *a, uint64_t index)
{
	unsigned char bit = (unsigned char)(1u << (index & 7));
	bool seen = a->met[index >> 3] & bit;

	a->met[index >> 3] |= bit;
	return seen;
}

/* Returns the length. */
static uint64_t walk_chain(struct audit *a, uint32_t chain, enum frame_state state)
{
	uint64_t n = 0;

	for (; chain; n++) {
		uint64_t word = atomic_load_relaxed(&a->pm->word[chain - 1]), pfn = a->pm->base + chain - 1;

		if (mark(a, chain - 1)) {
			violation(a, "frame in two places", pfn);
			return n;
		}
		if (frame_state(word) != state)
			violation(a, "frame's state does not belong to its place", pfn);
		if (!record_is_clear(&a->pm->record[chain - 1]))
			violation(a, "record of a frame that is not owned", pfn);
		chain = frame_link(word);
		if (chain > a->pm->span) {
			violation(a, "link leaves the span", pfn);
			return n + 1;
		}
	}
	return n;
}

static uint64_t walk_shelf(struct audit *a, uint32_t chain, enum frame_state state)
{
	uint64_t n = walk_chain(a, chain, state);

	if (n != frame_chain_count(a->pm, chain))
		violation(a, "count of a chain", chain);
	return n;
}

/* Chains linked by `next`: a stack, a slot's shelf. */
static uint64_t walk_chains(struct audit *a, uint32_t chain, enum frame_state state)
{
	uint64_t n = 0, before;

	while (chain) {
		before = a->bad;
		n += walk_shelf(a, chain, state);
		if (a->bad != before)
			return n;        /* the list itself may run in a circle */
		chain = atomic_load_relaxed(&frame_batch_of(a->pm, chain)->next);
	}
	return n;
}

static void walk_slots(struct audit *a, struct physmem_usage *walked)
{
	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct frame_slot *slot = thread_local_at(&a->pm->slots, i);
		uint64_t loaded, open;

		if (!slot)
			continue;
		loaded = walk_chain(a, slot->loaded, FRAME_FREE);
		open = walk_chain(a, slot->open, FRAME_DEFERRED);
		if (loaded != atomic_load_relaxed(&slot->loaded_n))
			violation(a, "count of a slot's loaded chain", i);
		if (open != atomic_load_relaxed(&slot->open_n))
			violation(a, "count of a slot's open chain", i);
		walked->cached += loaded +
				  walk_chains(a, atomic_load_acquire(&slot->spare), FRAME_FREE); /* S2 -> S1 */
		walked->deferred += open +
				    walk_chains(a, atomic_load_acquire(&slot->closed), FRAME_DEFERRED); /* S2 -> S1 */
	}
}

/* What no chain holds: owned, or never handed out; holes have never been. */
static void walk_frames(struct audit *a, struct physmem_usage *walked)
{
	uint64_t ordinal = 0, used = frame_depot_fresh_used(a->pm);

	for (uint32_t s = 0; s < a->pm->nsegments; s++) {
		uint64_t first = a->pm->segment[s].pfn - a->pm->base;
		uint64_t n = a->pm->segment[s].pages;

		for (uint64_t i = first; i < first + n && ordinal < used; i++, ordinal++) {
			enum frame_state state = frame_state(atomic_load_relaxed(&a->pm->word[i]));

			if (state == FRAME_OWNED)
				walked->owned++;
			if (mark(a, i) ? state == FRAME_OWNED || state == FRAME_FRESH : state != FRAME_OWNED)
				violation(a, "frame lost, or owned while in a chain", a->pm->base + i);
		}
	}
	walked->free += a->pm->frames - used;
}

uint64_t physmem_audit(struct physmem *pm, FILE *report)
{
	struct audit a = { .pm = pm, .report = report };
	struct physmem_usage said, walked = { .frames = pm->frames };
	size_t bytes = pm->span / 8 + 1;

	a.met = mem_reserve(MEM_OTHER, bytes);
	if (!a.met) {
		violation(&a, "no memory for the audit", bytes);
		return a.bad;
	}
	walked.free = walk_chains(&a, (uint32_t)atomic_load_acquire(&pm->depot), FRAME_FREE); /* D2 -> D1: quiescent */
	walked.deferred = walk_chains(&a, (uint32_t)atomic_load_acquire(&pm->late_stack),       /* D2 -> D1 */
				      FRAME_DEFERRED);
	walk_slots(&a, &walked);
	walk_frames(&a, &walked);
	physmem_get_usage(pm, &said);
	if (said.free != walked.free)
		violation(&a, "usage: free", said.free - walked.free);
	if (said.cached != walked.cached)
		violation(&a, "usage: cached", said.cached - walked.cached);
	if (said.deferred != walked.deferred)
		violation(&a, "usage: deferred", said.deferred - walked.deferred);
	if (said.owned != walked.owned)
		violation(&a, "usage: owned", said.owned - walked.owned);
	mem_unreserve(MEM_OTHER, a.met, bytes);
	return a.bad;
}
