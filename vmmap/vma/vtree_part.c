/* SPDX-License-Identifier: MIT */
/*
 * vtree_part.c - threads that meet in one leaf: when are they to have a leaf each?
 *
 * COLLISIONS  who finds the leaf taken counts one in leaf->contended, and so does a reader that has to look again
 *             because of a writer; while that is not 0, each section leaves its slot number and its page there. After
 *             COLLISIONS of them a section that follows another thread's is parted from that, however empty the leaf
 *             is; one that follows its own thread's is not: who waits may be passed by it time after time. FORGIVE
 *             sections without a collision take one back.
 * TURNS       Threads that never meet can share a leaf all the same: each finds its lines gone. So a leaf knows its
 *             last visitor, and when another one comes, each section leaves its page (WATCHED). Of two threads that
 *             take turns, the pair, one works below and one above: as long as that stays true, turns are counted, and
 *             after TURNS they are parted between the highest page of the one and the lowest of the other. Once it is
 *             not, the pair is forgotten: threads that work all over a leaf gain nothing by a border. Visits of a third
 *             thread do not matter. ALONE sections of one thread in a row end the watch: so many, since of two
 *             neighbours one may be here all the time, and the other only for the first of its many places.
 * PASSERS     (vtree_pass, vtree_peek) go along a VMA that other leaves show too, or look across a border: they work
 *             elsewhere. Their turns count, but who meets a passer is parted from it by a gap or not at all; their
 *             waits and second looks do not count, nor does a passer that comes to a pair of others.
 * FIELDS      contended: any time, by anybody, a hint; the others: the section's holder.
 * COST        a leaf that one thread works in: two loads and two compares in a section, on a line that it reads anyway.
 */
#include "vmmap/vma/vtree_impl.h"

#define COLLISIONS 8
#define FORGIVE    16
#define TURNS      8
#define ALONE      64
#define TURNS_MASK 31
#define WATCHED    (UINT64_C(1) << 63)           /* in contended, as VTREE_MET_PASSED                              */
#define PASSING    (UINT64_C(1) << 62)           /* ... one of the pair passes by                                  */
#define FLAGS      (WATCHED | PASSING | VTREE_MET_PASSED)
#define MET_MASK   (VTREE_MET_PASSED / VTREE_MET_ONE - 1)

/* Two threads, and what they have shown of their places. */
static void pair_begin(struct vtree_leaf *leaf, uint8_t me, uint32_t page, uint32_t before)
{
	uint8_t other = (uint8_t)leaf->visitor;
	bool high = page > before;

	leaf->low = high ? other : me;
	leaf->high = high ? me : other;
	leaf->low_most = high ? before : page;
	leaf->high_least = high ? page : before;
	leaf->turns = (unsigned)(2 + high);
}

/* One of the pair, or a third thread, has come: one turn more, if it is the other one's and there is still room for a
 * border. */
static void pair_turns(struct vtree_leaf *leaf, uint8_t me, uint32_t page)
{
	bool high = me == leaf->high;

	if (!high && me != leaf->low)
		return;
	if (high && page < leaf->high_least)
		leaf->high_least = page;
	if (!high && page > leaf->low_most)
		leaf->low_most = page;
	if (leaf->low_most >= leaf->high_least)
		leaf->turns = 0;
	else if ((leaf->turns & 1) != high)
		leaf->turns = (unsigned)((leaf->turns + 2) ^ 1) & TURNS_MASK;
}

/* Notes who visits; the flags that are to be left. c: what the section before has left, with its page, if it was
 * watched. */
static uint64_t watch(struct vtree_section *s, uint32_t page, uint64_t c, bool passes)
{
	struct vtree_leaf *leaf = s->leaf;
	uint16_t me = (uint16_t)s->self->number;
	uint64_t flags = (c & (WATCHED | PASSING)) | (passes ? VTREE_MET_PASSED : 0);
	bool other = leaf->visitor != me;

	if (leaf->turns == 0)
		flags &= ~PASSING;
	if (leaf->turns != 0 && (!passes || flags & PASSING)) {
		pair_turns(leaf, (uint8_t)me, page);
	} else if (leaf->turns == 0 && other && c & WATCHED && (uint32_t)c != page) {
		pair_begin(leaf, (uint8_t)me, page, (uint32_t)c);
		flags |= passes || c & VTREE_MET_PASSED ? PASSING : 0;
	}
	leaf->visitor = me;
	if (other) {
		leaf->alone = 0;
		return flags | WATCHED;
	}
	if (leaf->alone < ALONE - 1) {
		leaf->alone++;
		return flags;
	}
	leaf->alone = 0;
	leaf->turns = 0;
	return flags & ~WATCHED;
}

/* Collisions with the section before: true if it is time. Else some are forgiven. */
static bool collided(struct vtree_leaf *leaf, uint64_t *met, bool elsewhere, bool waited)
{
	if (*met >= COLLISIONS && elsewhere) {
		*met = 0;
		return true;
	}
	if (waited || leaf->calm == FORGIVE - 1) {
		*met -= !waited && *met != 0;
		leaf->calm = 0;
	} else {
		leaf->calm++;
	}
	return false;
}

NOINLINE bool vtree_note_visit(struct vtree_section *s, uint32_t page, bool waited, bool passes,
			       struct vtree_rivals *rivals)
{
	struct vtree_leaf *leaf = s->leaf;
	uint64_t c = atomic_load_relaxed(&leaf->contended), met = c / VTREE_MET_ONE & MET_MASK;
	uint32_t before = (uint32_t)c;
	bool own = (c & ~FLAGS) == vtree_met(met, s->self, before) && !BASE_MUTANT(part_own_pages), part;
	uint64_t flags = watch(s, page, c, passes);

	*rivals = (struct vtree_rivals){ before, page, passes || c & VTREE_MET_PASSED };
	part = collided(leaf, &met, before != page && !own, waited);
	if (leaf->turns / 2 >= TURNS) {
		*rivals = (struct vtree_rivals){ leaf->low_most, leaf->high_least, flags & PASSING };
		leaf->turns = 0;
		part = true;
	}
	atomic_store_relaxed(&leaf->contended,
			     met || flags & WATCHED ? vtree_met(met, s->self, page) | flags : 0);
	return part;
}
