/* SPDX-License-Identifier: MIT */
/*
 * physmem_audit.c - the invariants of frame.c and frame_depot.c, checked while nothing moves.
 *
 * Walks every chain of every place, marks each frame it meets, and compares: a frame is met at most once, in the
 * state of its place, and taken from its row; what was not met is OWNED, or free in its row; counts, sums, segments and
 * blocks agree with the walk.
 */
#include "base/mem.h"
#include "vmmap/phys/frame_depot.h"
#include "vmmap/phys/physseg.h"

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
	return atomic_load_relaxed(&r->counts) == 0;
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
		if (!frame_bits_is_taken(&a->pm->bits, chain - 1))
			violation(a, "frame in a chain, and free in its row", pfn);
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

static uint64_t walk_cache(struct audit *a, struct frame_cache *cache, uint32_t number)
{
	uint64_t loaded = walk_chain(a, cache->loaded, FRAME_FREE);

	if (loaded != atomic_load_relaxed(&cache->loaded_n))
		violation(a, "count of a slot's loaded chain", number);
	return loaded + walk_chains(a, atomic_load_acquire(&cache->spare), FRAME_FREE); /* S2 -> S1 */
}

static void walk_slots(struct audit *a, struct physmem_usage *walked)
{
	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct frame_slot *slot = thread_local_at(&a->pm->slots, i);
		uint64_t open;

		if (!slot)
			continue;
		for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
			walked->cached += walk_cache(a, &slot->cache[kind], i);
		open = walk_chain(a, slot->open, FRAME_DEFERRED);
		if (open != atomic_load_relaxed(&slot->open_n))
			violation(a, "count of a slot's open chain", i);
		walked->deferred += open +
				    walk_chains(a, atomic_load_acquire(&slot->closed), FRAME_DEFERRED); /* S2 -> S1 */
	}
}

static bool is_met(const struct audit *a, uint64_t index) { return a->met[index >> 3] >> (index & 7) & 1; }

/* In no row: in a chain, or owned, alone or as the first of a run. Returns how many frames that are. */
static uint64_t check_taken(struct audit *a, uint64_t index, struct physmem_usage *walked)
{
	uint64_t word = atomic_load_relaxed(&a->pm->word[index]), n = 1;

	if (is_met(a, index))
		return 1;
	if (frame_state(word) == FRAME_OWNED)
		n = UINT64_C(1) << frame_order(word);
	else
		violation(a, "frame lost", a->pm->base + index);
	if (frame_state(word) == FRAME_OWNED && frame_owner(word) == FRAME_OWNER_BALLOON)
		walked->balloon += n;
	else if (frame_state(word) == FRAME_OWNED && frame_owner(word) == FRAME_OWNER_POISON)
		walked->poisoned += n;
	else
		walked->owned += n;
	return n;
}

static void check_free(struct audit *a, uint64_t index, struct physmem_usage *walked)
{
	enum frame_state state = frame_state(atomic_load_relaxed(&a->pm->word[index]));

	if (state != FRAME_FRESH && state != FRAME_FREE)
		violation(a, "frame owned or deferred, and free in its row", a->pm->base + index);
	if (!record_is_clear(&a->pm->record[index]))
		violation(a, "record of a frame that is not owned", a->pm->base + index);
	walked->free++;
}

/* Frames [lo, hi), all of which are there. Blocks that are all free may have words that nobody has ever touched: not
 * looked at. */
static void walk_range(struct audit *a, uint64_t lo, uint64_t hi, struct physmem_usage *walked)
{
	for (uint64_t i = lo; i < hi;) {
		uint64_t end = (i | (FRAME_BLOCK_FRAMES - 1)) + 1;

		if (end <= hi && i % FRAME_BLOCK_FRAMES == 0 &&
		    frame_block_all_free(frame_bits_word(&a->pm->bits, i >> FRAME_BLOCK_ORDER))) {
			walked->free += FRAME_BLOCK_FRAMES;
			i = end;
		} else if (frame_bits_is_taken(&a->pm->bits, i)) {
			i += check_taken(a, i, walked);
		} else {
			check_free(a, i++, walked);
		}
	}
}

static void walk_segments(struct audit *a, struct physmem_usage *walked)
{
	struct physseg_table *t = a->pm->segments;
	uint64_t frames = 0;

	for (struct physseg_handle h = physseg_first(t); physseg_valid(t, h);) {
		uint64_t lo = physseg_start(t, h), hi;

		do {                     /* a run may lie in several segments that touch                           */
			hi = physseg_end(t, h);
			h = physseg_next(t, h);
		} while (physseg_valid(t, h) && physseg_start(t, h) == hi);
		frames += hi - lo;
		walk_range(a, lo - a->pm->base, hi - a->pm->base, walked);
	}
	if (frames != walked->frames || frames != physseg_pages(t))
		violation(a, "frames of all segments", frames);
}

static void compare(struct audit *a, const struct physmem_usage *walked)
{
	struct physmem_usage said;

	physmem_get_usage(a->pm, &said);
	if (said.free != walked->free)
		violation(a, "usage: free", said.free - walked->free);
	if (said.cached != walked->cached)
		violation(a, "usage: cached", said.cached - walked->cached);
	if (said.deferred != walked->deferred)
		violation(a, "usage: deferred", said.deferred - walked->deferred);
	if (said.balloon != walked->balloon)
		violation(a, "usage: balloon", said.balloon - walked->balloon);
	if (said.poisoned != walked->poisoned)
		violation(a, "usage: poisoned", said.poisoned - walked->poisoned);
	if (said.owned != walked->owned)
		violation(a, "usage: owned", said.owned - walked->owned);
}

API uint64_t physmem_audit(struct physmem *pm, FILE *report)
{
	struct physmem_usage walked = { .frames = atomic_load_relaxed(&pm->frames) };
	struct audit a = { .pm = pm, .report = report };
	size_t bytes = pm->span / 8 + 1;

	a.met = mem_reserve(MEM_OTHER, bytes);
	if (!a.met) {
		violation(&a, "no memory for the audit", bytes);
		return a.bad;
	}
	for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
		walked.free += walk_chains(&a, (uint32_t)atomic_load_acquire(&pm->depot[kind].head),     /* D2 -> D1 */
					   FRAME_FREE);
	walked.deferred = walk_chains(&a, (uint32_t)atomic_load_acquire(&pm->late_stack.head),  /* D2 -> D1 */
				      FRAME_DEFERRED);
	walk_slots(&a, &walked);
	walk_segments(&a, &walked);
	compare(&a, &walked);
	a.bad += physseg_audit(pm->segments, report);
	a.bad += frame_bits_audit(&pm->bits, 0, atomic_load_relaxed(&pm->blocks), report);
	mem_unreserve(MEM_OTHER, a.met, bytes);
	return a.bad;
}
