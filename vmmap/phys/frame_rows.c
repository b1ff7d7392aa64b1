/* SPDX-License-Identifier: MIT */
/*
 * frame_rows.c - chains and rows: a refill makes a chain of one row's frames, what is too much for the depot goes back.
 *
 * TAKE      up to a batch of one row, linked from its lowest frame up: who has a chain of a row that was free has eight
 *           lines of words that it shares with nobody. The blocks' high-water mark is read with the edge P1 of
 *           physmem_plug.c.
 * GIVE      frames of one row go back together: the chain is gone through in pieces, a piece once for each row in it.
 *           The bits' edges (frame_bits.c) carry the frames' words and the last accesses to them.
 * MOVES     who takes or gives does so between two steps of its slot's `moves`: permits that are got and given back are
 *           in nobody's cache, and a search waits for them (frame_refill.c). A thread without a slot takes nothing;
 *           what it gives was owned until then.
 */
#include "vmmap/phys/frame_shelf.h"

#define PIECE 64u                                /* frames that are sorted together                                */

static uint32_t chain_of(struct physmem *pm, const struct frame_some *some)
{
	uint32_t after = 0, n = 0;

	for (uint64_t left = some->mask; left != 0; n++) {
		uint32_t index = (uint32_t)some->first + 63 - (uint32_t)__builtin_clzll(left);
		uint64_t old = atomic_load_relaxed(&pm->word[index]);

		ASSERT(frame_state(old) == FRAME_FRESH || frame_state(old) == FRAME_FREE);
		atomic_store_relaxed(&pm->word[index], frame_word(old, FRAME_FREE, after));
		after = index + 1;
		left &= ~(UINT64_C(1) << (index % FRAME_ROW_FRAMES));
	}
	atomic_store_relaxed(&frame_batch_of(pm, after)->count, n);
	return after;
}

uint32_t frame_rows_take(struct physmem *pm, struct frame_slot *slot, enum frame_kind kind)
{
	enum frame_class class = kind == FRAME_MOVABLE ? FRAME_CLASS_MOVABLE : FRAME_CLASS_UNMOVABLE;
	struct frame_search s = { 0, frame_blocks(pm), slot ? slot->cache[kind].cursor : 0 };
	struct frame_some some;

	if (frame_bits_refill(&pm->bits, &s, atomic_load_relaxed(&pm->batch), class, &some) == 0)
		return 0;
	if (slot)
		slot->cache[kind].cursor = s.cursor;
	return chain_of(pm, &some);
}

/* All frames of the piece that lie in the row of the first one; the others move up. Returns how many are left. */
static unsigned give_one_row(struct physmem *pm, uint32_t *index, unsigned n)
{
	struct frame_some some = { index[0] - index[0] % FRAME_ROW_FRAMES, 0 };
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		if (index[i] - some.first < FRAME_ROW_FRAMES)
			some.mask |= UINT64_C(1) << (index[i] - some.first);
		else
			index[left++] = index[i];
	}
	CHECK(frame_bits_give_some(&pm->bits, &some) == 0);
	return left;
}

void frame_rows_give(struct physmem *pm, uint32_t chain)
{
	uint32_t index[PIECE];

	while (chain) {
		unsigned n = 0;

		for (; chain && n < PIECE; n++) {
			index[n] = chain - 1;
			chain = frame_link(atomic_load_relaxed(&pm->word[chain - 1]));
		}
		while (n > 0)
			n = give_one_row(pm, index, n);
	}
}

static void shelf_to_rows(struct physmem *pm, struct frame_slot *mine, struct frame_cache *cache)
{
	uint32_t chain = frame_shelf_take(&cache->spare), next;

	for (; chain; chain = next) {
		next = atomic_load_relaxed(&frame_batch_of(pm, chain)->next);
		frame_taken_count(pm, mine, -(uint64_t)frame_chain_count(pm, chain));
		frame_rows_give(pm, chain);
	}
}

void frame_rows_gather(struct physmem *pm, struct frame_slot *mine, enum frame_kind kind)
{
	frame_depot_to_rows(pm, kind);
	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct frame_slot *slot = thread_local_at(&pm->slots, i);

		if (slot)
			shelf_to_rows(pm, mine, &slot->cache[kind]);
	}
}
