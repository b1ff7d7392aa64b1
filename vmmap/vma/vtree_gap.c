/* SPDX-License-Identifier: MIT */
/*
 * vtree_gap.c - the highest free place that fits.
 *
 * WALK     from the top of `within` downwards, leaves and whole subtrees, with one run open at its low end: pages
 *          [at, top) are free, everything above has been looked at. Below the open run lies the next child:
 *            - its bounds say that neither it nor its tail together with the open run can hold the request:
 *              skipped. What is open then is its head, which is a bound only (sure = false);
 *            - else it is entered; a leaf closes the open run at each of its slots, from the highest down.
 *          A closed run that is long enough is first made sure: its top is looked up (first occupied page above).
 * BOUNDS   that let the walk in for nothing are lowered on the way out (vtree_bound.c), so that the next search
 *          does not go there. Without bounds (vtree_gap_scan) every leaf is read.
 * CONSISTENCY  each leaf is read as of one instant; the answer over several leaves is a proposal. The section that
 *          takes it checks. Nodes that are DEAD by now are read as they were: what was freed before the call began
 *          is seen. vtree_gap_scan says no only if two scans in one read section met the same leaves, with the same
 *          words: at an instant between the two no place was free. What is freed behind a scan, and taken in front of
 *          it, changes a word.
 * Progress  waits for nobody, writes bounds only. Cost: O(height) nodes and leaves if the bounds are true and no
 *          alignment beyond a page is asked for; vtree_gap_scan: all leaves of `within`.
 */
#include <errno.h>
#include "vmmap/vma/vtree_impl.h"

struct search {
	struct vtree *t;
	uint64_t lo, need, align, phase;         /* pages, absolute                                                */
	uint64_t top, at, limit;                 /* [at, top) is free; nothing above limit counts                  */
	uint64_t unsure_page;                    /* !sure: first page of the lowest child that was skipped         */
	unsigned block;
	bool sure, dummies_free, bounds;
	uint64_t found, stamp;                   /* stamp: of the leaves that were read, and their words           */
};

#define SCANS       64u                          /* so often leaves changed under a scan: it gives up              */
#define BLOCK_PAGES (UINT64_C(1) << (VTREE_BLOCK_SHIFT - PAGE_SHIFT))

/* First occupied page at or above page, as far as limit. */
static uint64_t occupied_from(const struct search *s, uint64_t page)
{
	uint64_t addr = page << PAGE_SHIFT, end = s->limit << PAGE_SHIFT;

	while (addr < end) {
		struct vtree_seen seen;

		if (!vtree_next(s->t, addr, end, &seen))
			break;
		if (!s->dummies_free || !vma_gap(seen.vma))
			return (seen.r.lo > addr ? seen.r.lo : addr) >> PAGE_SHIFT;
		addr = seen.r.hi;
	}
	return s->limit;
}

/* Does a request fit into the free pages [from, s->top)? */
static bool fits(struct search *s, uint64_t from)
{
	for (;;) {
		uint64_t place;

		if (from < s->lo)
			from = s->lo;
		if (s->top < from || s->top - from < s->need)
			return false;
		place = s->top - s->need;
		place -= (place - s->phase) & (s->align - 1);
		if (place < from || place > s->top)
			return false;
		if (s->sure) {
			s->found = place;
			return true;
		}
		s->top = occupied_from(s, from);
		s->sure = true;
		if (s->bounds)
			vtree_bound_tighten(s->t, (unsigned)(s->unsure_page / BLOCK_PAGES), (uint32_t)s->unsure_page);
	}
}

/* The occupied slots as of one instant (dummies left out if they count as free), in any order. */
static unsigned leaf_slots(struct search *s, const struct vtree_leaf *leaf, uint32_t first[VTREE_SLOTS],
			   uint32_t last[VTREE_SLOTS])
{
	uint64_t word = atomic_load_acquire(&leaf->word), now;                           /* W1 -> P */
	unsigned n;

	for (;; word = now) {
		n = 0;
		for (uint32_t live = (uint32_t)(word & VTREE_MASK); live != 0; live &= live - 1) {
			unsigned i = (unsigned)__builtin_ctz(live);

			if (s->dummies_free && (atomic_load_acquire(&leaf->vma[i]) & VTREE_DUMMY))       /* D -> F */
				continue;
			first[n] = simd_bias(atomic_load_acquire(&leaf->first[i]));      /* D -> F */
			last[n++] = simd_bias(atomic_load_acquire(&leaf->last[i]));      /* D -> F */
		}
		now = atomic_load_acquire(&leaf->word);                                  /* W2 */
		if (vtree_same(word, now) || (now & VTREE_DEAD))
			break;
	}
	s->stamp = (s->stamp ^ (word & ~VTREE_WRITER) ^ (uintptr_t)leaf) * UINT64_C(0x9e3779b97f4a7c15);
	s->stamp ^= s->stamp >> 29;
	return n;
}

/* The highest slot that begins below `at`; n: none. */
static unsigned slot_below(const uint32_t *first, unsigned n, uint64_t base, uint64_t at)
{
	unsigned best = n;
	uint32_t most = 0;

	for (unsigned i = 0; i < n; i++) {
		if (base + first[i] < at && (best == n || first[i] > most)) {
			most = first[i];
			best = i;
		}
	}
	return best;
}

static bool visit_leaf(struct search *s, const struct vtree_leaf *leaf)
{
	uint32_t first[VTREE_SLOTS], last[VTREE_SLOTS];
	uint64_t base = s->block * BLOCK_PAGES;
	unsigned n = leaf_slots(s, leaf, first, last), i;

	BASE_POINT(gap_leaf_read);
	while ((i = slot_below(first, n, base, s->at)) < n) {
		uint64_t end = base + last[i] + 1;

		if (fits(s, end < s->at ? end : s->at))
			return true;
		s->top = s->at = base + first[i];
		s->sure = true;
		if (s->at <= s->lo)
			return false;
	}
	s->at = base + leaf->base;
	return false;
}

static bool visit(struct search *s, uintptr_t node);

/* Child i of inner begins below s->at. true: found. */
static bool visit_child(struct search *s, struct vtree_inner *inner, unsigned i)
{
	uint64_t lo = s->block * BLOCK_PAGES + vtree_first_of(inner, i);
	uint64_t hi = s->block * BLOCK_PAGES + vtree_last_of(inner, i) + 1;
	struct vtree_free bound = vtree_bound(inner, i);
	uint64_t tail = hi > s->at ? bound.best : bound.tail, best = bound.best;
	bool infinite = best == UINT32_MAX || tail == UINT32_MAX;

	if (!s->bounds || infinite || best >= s->need || tail + (s->top - s->at) >= s->need) {
		if (visit(s, atomic_load_acquire(&inner->child[i])))            /* C2 -> C1 */
			return true;
		if (s->bounds)
			vtree_bound_lower(s->t, s->block, inner, i, bound);
		return false;
	}
	if (bound.head < s->at - lo)
		s->top = lo + bound.head;
	s->sure = bound.head == 0;
	s->at = s->unsure_page = lo;
	return false;
}

static bool visit(struct search *s, uintptr_t node)
{
	struct vtree_inner *inner = (struct vtree_inner *)node;

	if (node & VTREE_LEAF)
		return visit_leaf(s, vtree_as_leaf(node));
	for (unsigned i = inner->n; i-- > 0;) {
		if (s->block * BLOCK_PAGES + vtree_first_of(inner, i) >= s->at)
			continue;
		if (visit_child(s, inner, i))
			return true;
		if (s->at <= s->lo)
			break;
	}
	return false;
}

static int search(struct search *s, const struct vtree_want *want, uint64_t below, struct lock_range *fit)
{
	struct thread_slot *self = thread_self();
	uint64_t hi = want->within.hi < below ? want->within.hi : below;
	bool found = false;

	ASSERT(want->len > 0 && (want->len & (PAGE_BYTES - 1)) == 0 && (want->align & (want->align - 1)) == 0);
	if (hi > ADDRESS_END)
		hi = ADDRESS_END;
	s->lo = (want->within.lo + PAGE_BYTES - 1) >> PAGE_SHIFT;
	s->top = s->at = s->limit = hi >> PAGE_SHIFT;
	s->need = want->len >> PAGE_SHIFT;
	s->align = want->align > PAGE_BYTES ? want->align >> PAGE_SHIFT : 1;
	s->phase = (want->phase >> PAGE_SHIFT) & (s->align - 1);
	s->sure = true;
	if (s->at <= s->lo || s->at - s->lo < s->need)
		return -ENOENT;
	rcu_enter(self);
	while (!found && s->at > s->lo) {
		s->block = (unsigned)((s->at - 1) / BLOCK_PAGES);
		found = visit(s, atomic_load_acquire(&s->t->root[s->block]));   /* C2 -> C1 */
	}
	if (!found)
		found = fits(s, s->at);
	rcu_leave(self);
	if (!found)
		return -ENOENT;
	*fit = (struct lock_range){ s->found << PAGE_SHIFT, (s->found + s->need) << PAGE_SHIFT };
	return 0;
}

int vtree_gap(struct vtree *t, struct thread_slot *self, const struct vtree_want *want, uint64_t below,
	      bool dummies_free, struct lock_range *fit)
{
	struct search s = { .t = t, .dummies_free = dummies_free, .bounds = true };

	(void)self;
	return search(&s, want, below, fit);
}

int vtree_gap_scan(struct vtree *t, const struct vtree_want *want, bool dummies_free, struct lock_range *fit)
{
	struct thread_slot *self = thread_self();
	uint64_t before = 0;
	int err;

	rcu_enter(self);                         /* a leaf's memory is that leaf throughout */
	for (unsigned looks = 1;; looks++) {
		struct search s = { .t = t, .dummies_free = dummies_free };

		err = search(&s, want, UINT64_MAX, fit);
		if (!err || (looks > 1 && s.stamp == before) || looks == SCANS || BASE_MUTANT(gap_scans_once))
			break;
		before = s.stamp;
	}
	rcu_leave(self);
	return err;
}
