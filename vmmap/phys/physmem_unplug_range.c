/* SPDX-License-Identifier: MIT */
/*
 * physmem_unplug_range.c - the range of an unplug and its blocks: are they there, who has them, is there room for what
 * must move out of them.
 *
 * CLAIM     a block is ours from the step to offline, which one can do at a time, to the step back. A block that is
 *           offline is another unplug's, or that of a poison. Then it ends (mode FAIL), or what we had set goes back,
 *           and it is tried again: nothing is held while it waits. Each such try is an attempt, as deadline, bound and
 *           cancellation see it.
 * PROGRESS  blocks are claimed in their order. Of all that claim, who has the highest block can only be refused by one
 *           who has all of his, and is at work; so they do not put each other off for ever. Who is next is not
 *           promised.
 * GONE      of two that want one range the other one then finds it absent: -ENXIO. What is left of the block where
 *           another one took a part of it is claimed as if nothing had been.
 * INSTANT   "all there is" is said of one instant, under plug_lock. That all of the range is there is asked when its
 *           blocks are ours: then it stays so.
 */
#include <errno.h>

#include "base/point.h"
#include "vmmap/phys/physmem_unplug.h"
#include "vmmap/phys/physseg.h"

/* ---- why not ---- */

static void note_blocked(struct unplug *u, uint64_t blocked)
{
	uint64_t n = part_hi(u, blocked) - part_lo(u, blocked);

	for (uint64_t block = blocked + 1; block < u->end; block++)
		if (frame_bits_word(&u->pm->bits, block) & FRAME_BLOCK_OFFLINE)
			n += part_hi(u, block) - part_lo(u, block);
	u->result.reason = PHYSMEM_REASON_TAKEN;
	u->result.first = u->pm->base + part_lo(u, blocked);
	u->result.left[PHYSMEM_REASON_TAKEN] = n;
}

/* Where the segment ends that this frame is in; itself: it is in none. A segment that was found may be cut below the
 * frame by another unplug, of its middle: what is above has another handle. */
static uint64_t there_until(const struct unplug *u, uint64_t index)
{
	struct physseg_table *t = u->pm->segments;
	uint64_t at = u->pm->base + index;

	for (;;) {
		struct physseg_handle h = physseg_find(t, at, NULL);
		uint64_t to;

		BASE_POINT(unplug_found);
		to = physseg_end(t, h);
		if (!physseg_found(h) || (to <= at && BASE_MUTANT(unplug_trusts_handle)))
			return index;
		if (to > at && to != PHYSSEG_NONE)
			return to - u->pm->base;
	}
}

/* Up to here it is known to be in none, since its block has nothing. */
static uint64_t absent_until(const struct unplug *u, uint64_t index)
{
	uint64_t block = index >> FRAME_BLOCK_ORDER;

	return frame_block_present(frame_bits_word(&u->pm->bits, block)) == 0 ? part_hi(u, block) : index + 1;
}

/* The frame `seen` was not there; others may come and go. */
static void note_absent(struct unplug *u, uint64_t seen)
{
	uint64_t n = 0, first = 0;

	for (uint64_t index = u->lo, to; index < u->hi; index = to) {
		to = index == seen ? index : there_until(u, index);
		if (index < seen && to > seen)
			to = seen;
		if (to != index)
			continue;
		first = n == 0 ? index : first;
		to = absent_until(u, index);
		n += to - index;
	}
	u->result.reason = PHYSMEM_REASON_ABSENT;
	u->result.first = u->pm->base + first;
	u->result.left[PHYSMEM_REASON_ABSENT] = n;
}

void unplug_note_all(struct unplug *u)
{
	u->result.reason = PHYSMEM_REASON_ALL;
	u->result.first = u->pm->base + u->lo;
	u->result.left[PHYSMEM_REASON_ALL] = pages_of(u);
}

/* ---- is it there ---- */

/* The first frame of the range that is in no segment; its end: none is. */
static uint64_t first_absent(const struct unplug *u)
{
	uint64_t at = u->lo;

	while (at < u->hi) {
		uint64_t to = there_until(u, at);

		if (to == at)
			return at;
		at = to;
	}
	return u->hi;
}

static bool covered(const struct unplug *u) { return first_absent(u) == u->hi; }

/* Of one instant: the sum of after the range has gone, with the segments of before it has, would say so of any half. Of
 * two that together want all there is, one fails in the commit. */
static bool is_all_there_is(struct unplug *u)
{
	bool all = atomic_load_relaxed(&u->pm->frames) == pages_of(u);

	BASE_POINT(unplug_summed);
	if (!all || BASE_MUTANT(unplug_sums_alone))
		return all && covered(u);
	park_lock(&u->pm->plug_lock);
	all = atomic_load_relaxed(&u->pm->frames) == pages_of(u) && covered(u);
	park_unlock(&u->pm->plug_lock);
	return all;
}

bool unplug_is_all(struct unplug *u)
{
	bool all = is_all_there_is(u);

	if (all)
		unplug_note_all(u);
	return all;
}

/* ---- the claim ---- */

static int set_offline(struct unplug *u)
{
	bool there = BASE_MUTANT(unplug_looks_early) && covered(u);
	uint64_t absent;

	BASE_POINT(unplug_before_claim);
	for (uint64_t block = u->first; block < u->end; block++) {
		if (frame_bits_step(&u->pm->bits, block, frame_block_offline) || BASE_MUTANT(unplug_claims_twice))
			continue;
		set_online(u, block);
		if (frame_block_present(frame_bits_word(&u->pm->bits, block))) {
			note_blocked(u, block);
			return -EBUSY;
		}
		note_absent(u, part_lo(u, block));
		return -ENXIO;
	}
	absent = there ? u->hi : first_absent(u);
	if (absent == u->hi)
		return 0;
	note_absent(u, absent);
	set_online(u, u->end);
	return -ENXIO;
}

int unplug_take_blocks(struct unplug *u)
{
	struct park_spin spin = PARK_SPIN;

	for (;;) {
		int err = set_offline(u);

		if (err != -EBUSY || u->how->mode == PHYSMEM_UNPLUG_FAIL || BASE_MUTANT(unplug_tries_once))
			return err;
		u->result.attempts++;
		BASE_POINT(unplug_blocked);
		err = unplug_pause(u, &spin);
		if (err != 0)
			return err;
		unplug_forget_left(u);
		if (unplug_is_all(u))
			return -ENOMEM;
	}
}

/* ---- room ---- */

/* Frames that are not in the rows of whole blocks of the range, against all that could be had elsewhere; what is in
 * caches, in the balloon and out of use counts for us, wherever it is, so that a no is sure. */
bool unplug_has_room(struct unplug *u)
{
	uint64_t used = 0, here = 0;
	struct physmem_usage usage;

	for (uint64_t block = u->first; block < u->end; block++) {
		uint64_t word = frame_bits_word(&u->pm->bits, block);

		here += frame_block_free(word);
		if (block << FRAME_BLOCK_ORDER >= u->lo && (block + 1) << FRAME_BLOCK_ORDER <= u->hi)
			used += frame_block_present(word) - frame_block_free(word);
	}
	physmem_get_usage(u->pm, &usage);
	return used <= usage.cached + usage.deferred + usage.poisoned + (usage.free > here ? usage.free - here : 0) +
		       (BASE_MUTANT(unplug_room_forgets) ? 0 : usage.balloon);
}
