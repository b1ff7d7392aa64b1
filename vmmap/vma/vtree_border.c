/* SPDX-License-Identifier: MIT */
/*
 * vtree_border.c - where a leaf is split. It is locked, and stays as it is.
 *
 * FOR ROOM   between two slots near the middle, or near the end at which a run of insertions works.
 * COLLIDERS  between the pages at which two threads came: the best aligned page that no slot crosses; where one VMA has
 *            it all, a multiple of VTREE_NEAR. For who passes by only a gap will do: it goes along a VMA, and each
 *            border inside of that, or at a piece that will be merged again, is a leaf more to go through, for all.
 * Sources    Aligned borders: arenas and stacks begin at them. Bayer, Unterauer, "Prefix B-trees" (1977), choose among
 *            possible borders, too: the shortest.
 */
#include "vmmap/vma/vtree_impl.h"

#define VTREE_NEAR    16                         /* pages: borders inside a slot are multiples of it               */
#define APPEND_LEAVES 4                          /* slots that go along when insertions work at one end            */

/* The page in first..last with the most trailing zeros. */
static uint32_t best_aligned(uint32_t first, uint32_t last)
{
	uint32_t low = first - 1, differ;

	if (first == 0)
		return 0;
	differ = low ^ last;                     /* low < last: the highest bit in which they differ is set in last  */
	return last & ~((UINT32_C(1) << (31 - __builtin_clz(differ))) - 1);
}

/* Of the borders from..to of a gap the best one that no VMA stands at, if there is one: at a border that touches a VMA
 * each edit of it would have to look for a neighbour to merge with in the other leaf. */
static uint32_t inside(uint32_t from, uint32_t to)
{
	return to - from >= 2 ? best_aligned(from + 1, to - 1) : best_aligned(from, to);
}

/* A page less, if that leaves the gap on both sides: what comes later will begin at an aligned page rather than end
 * below one, and is not to touch the border either. */
static uint32_t aside(uint32_t border, uint32_t from)
{
	return border - from > 1 ? border - 1 : border;          /* a gap may begin at a block's last page          */
}

/* Inside a slot, above lo, up to hi. Who was met at the leaf's first page has come from the leaf below and may go on to
 * hi, who was met at its last page only looks across the border: no border but one close to hi parts them. */
static uint32_t inside_slot(const struct vtree_leaf *leaf, uint32_t lo, uint32_t hi)
{
	uint32_t near = hi - hi % VTREE_NEAR;

	return (lo == leaf->base || hi == leaf->limit) && near > lo ? near : best_aligned(lo + 1, hi);
}

uint32_t vtree_border_room(const struct vtree_section *s, uint32_t page)
{
	struct vtree_items items;
	const struct vtree_item *left, *right;
	unsigned at;

	vtree_items_read(s->leaf, s->live, &items);
	at = items.n / 2;
	if (page > items.at[items.n - 1].first)
		at = items.n - APPEND_LEAVES;
	else if (page < items.at[0].first)
		at = APPEND_LEAVES;
	left = &items.at[at - 1];
	right = &items.at[at];
	if (left->last < page && page < right->first)
		return left->last + 1;           /* the gap that is to be filled stays in one piece                 */
	return aside(inside(left->last + 1, right->first), left->last + 1);
}

bool vtree_border_between(const struct vtree_section *s, struct vtree_rivals rivals, uint32_t *border)
{
	uint32_t a = rivals.a, b = rivals.b, lo = a < b ? a : b, hi = a < b ? b : a, best = 0, after = 0;
	struct vtree_items items;
	uint32_t from = lo + 1;                  /* borders lo+1..hi would part them                                */

	if (lo == hi || lo < s->leaf->base || hi > s->leaf->limit)
		return false;
	vtree_items_read(s->leaf, s->live, &items);
	for (unsigned i = 0; i < items.n && from <= hi; i++) {
		const struct vtree_item *item = &items.at[i];
		uint32_t to = item->first < hi ? item->first : hi, page;

		if (item->last < lo)
			continue;
		page = from < to || (from == to && !rivals.passes) ? inside(from, to) : 0;
		if (page != 0 && (best == 0 || __builtin_ctz(page) > __builtin_ctz(best))) {
			best = page;
			after = from;
		}
		from = item->last == UINT32_MAX ? UINT32_MAX : item->last + 1;
		if (from <= lo)
			from = lo + 1;
	}
	if (from <= hi && (items.n == 0 || items.at[items.n - 1].last < hi)) {
		uint32_t page = inside(from, hi);

		if (best == 0 || __builtin_ctz(page) > __builtin_ctz(best)) {
			best = page;
			after = from;
		}
	}
	if (best == 0 && rivals.passes)
		return false;
	*border = best != 0 ? aside(best, after) : inside_slot(s->leaf, lo, hi);
	return best != 0 || *border % VTREE_NEAR == 0;
}
