/* SPDX-License-Identifier: MIT */
/*
 * vtree_list.c - reading over leaf borders: the next slot, and whole VMAs for listings.
 *
 * BOUND  who needs to know only what begins below `hi` looks at no leaf that begins above, and at no VMA above in the
 *        leaf that hi lies in: those lines are other threads'.
 * NEXT   leaf by leaf, each read as of one instant (vtree_node.h). An address that is mapped throughout is covered by a
 *        slot of the leaf that owns it whenever that is read, so it is never missed.
 * LIST   a double collect (Afek et al. 1993): put the VMA together from its pieces, mixing into a sum, for each
 *        leaf looked at, the leaf and its word, and for each VMA its lock word and bits; do it again; equal sums:
 *        all of it stood so at any instant between the first and the second collect. A leaf's count never returns
 *        inside one RCU section, so equal words mean an untouched leaf. (Two different collects have equal sums
 *        once in 2^64.) Bits are changed in place, and lk of a held VMA may be the same word twice: so whoever stores
 *        bits publishes each leaf of the VMA after that (vtree_touch), and between two changes the word of each of
 *        them moves. Hence equal words and equal bits: no change in between.
 * Progress  lock-free: a retry means that somebody else has published. Nobody is waited for, nothing is written.
 */
#include "vmmap/vma/vtree_impl.h"

struct piece {
	struct vma *vma;
	struct lock_range r;
	uint64_t lk, bits, anon;
	int64_t delta;
	struct object *object;
};

/* Of the slots in mask the one that covers page or has the lowest start above; -1: none. */
static int first_at_or_above(const struct vtree_leaf *leaf, uint32_t mask, uint32_t page)
{
	uint32_t least = UINT32_MAX;
	int best = -1;

	for (; mask != 0; mask &= mask - 1) {
		int i = __builtin_ctz(mask);
		uint32_t first = simd_bias(atomic_load_acquire(&leaf->first[i]));        /* D -> F */
		uint32_t last = simd_bias(atomic_load_acquire(&leaf->last[i]));          /* D -> F */

		if (last >= page && (best < 0 || first < least)) {
			least = first;
			best = i;
		}
	}
	return best;
}

static struct lock_range leaf_span(const struct vtree_leaf *leaf, int i, uint64_t addr)
{
	return vtree_span(vtree_block(addr), simd_bias(atomic_load_acquire(&leaf->first[i])),   /* D -> F */
			  simd_bias(atomic_load_acquire(&leaf->last[i])));      /* D -> F */
}

/* The slot of this leaf at or above addr that begins below hi; seen->vma NULL: none. false: DEAD. What is above hi may
 * be another thread's: its VMA is not touched. */
static bool leaf_next(const struct vtree_leaf *leaf, uint64_t addr, uint64_t hi, struct vtree_seen *seen)
{
	uint64_t word = atomic_load_acquire(&leaf->word), now;                           /* W1 -> P */

	for (;; word = now) {
		int i;

		if (word & VTREE_DEAD)
			return false;
		i = first_at_or_above(leaf, (uint32_t)(word & VTREE_MASK), vtree_page(addr));
		seen->vma = NULL;
		if (i >= 0)
			seen->r = leaf_span(leaf, i, addr);
		if (i >= 0 && seen->r.lo < hi) {
			seen->vma = vtree_as_vma(atomic_load_acquire(&leaf->vma[i]));    /* D -> F */
			seen->lk = atomic_load_acquire(&seen->vma->slot.lk);    /* V0 -> R3, D1 */
		}
		now = atomic_load_acquire(&leaf->word);                                  /* W2 */
		if (vtree_same(word, now))
			return true;
	}
}

bool vtree_next(const struct vtree *t, uint64_t addr, uint64_t hi, struct vtree_seen *seen)
{
	hi = hi < ADDRESS_END ? hi : ADDRESS_END;
	while (addr < hi) {
		const struct vtree_leaf *leaf = vtree_leaf_of(t, addr);

		if (!leaf_next(leaf, addr, hi, seen))
			continue;
		if (seen->vma != NULL)
			return true;
		addr = vtree_addr(vtree_block(addr), (uint64_t)leaf->limit + 1);
	}
	return false;
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
	sum = (sum ^ value) * UINT64_C(0xbf58476d1ce4e5b9);
	return sum ^ (sum >> 31);
}

/* Live slots that are no dummies. */
static uint32_t vmas_only(const struct vtree_leaf *leaf, uint32_t live)
{
	uint32_t mask = live;

	if (BASE_MUTANT(vtree_list_dummies))
		return live;
	for (; live != 0; live &= live - 1) {
		unsigned i = (unsigned)__builtin_ctz(live);

		if (atomic_load_acquire(&leaf->vma[i]) & VTREE_DUMMY)                    /* D -> F */
			mask &= ~(UINT32_C(1) << i);
	}
	return mask;
}

static void read_piece(const struct vtree_leaf *leaf, int i, struct piece *p)
{
	p->vma = vtree_as_vma(atomic_load_acquire(&leaf->vma[i]));              /* D -> F */
	p->lk = atomic_load_acquire(&p->vma->slot.lk);                          /* V0 -> R3, D1 */
	p->bits = atomic_load_acquire(&p->vma->bits);                           /* B2 -> B1 */
	p->anon = vma_anon(p->vma);
	p->delta = atomic_load_acquire(&p->vma->delta);                         /* B2 -> B1 */
	p->object = atomic_load_acquire(&p->vma->object);                       /* B2 -> B1 */
}

/* Of this leaf the VMA (no dummy) at addr or above that begins below hi; p->vma NULL: none. false: DEAD. */
static bool leaf_piece(const struct vtree_leaf *leaf, uint64_t addr, uint64_t hi, struct piece *p, uint64_t *sum)
{
	uint64_t word = atomic_load_acquire(&leaf->word), now;                           /* W1 -> P */

	for (;; word = now) {
		int i;

		if (word & VTREE_DEAD)
			return false;
		i = first_at_or_above(leaf, vmas_only(leaf, (uint32_t)(word & VTREE_MASK)), vtree_page(addr));
		p->vma = NULL;
		if (i >= 0)
			p->r = leaf_span(leaf, i, addr);
		if (i >= 0 && p->r.lo < hi)
			read_piece(leaf, i, p);
		now = atomic_load_acquire(&leaf->word);                                  /* W2 */
		if (vtree_same(word, now))
			break;
	}
	*sum = mix(mix(*sum, (uint64_t)(uintptr_t)leaf), word & ~VTREE_WRITER);
	if (p->vma != NULL)
		*sum = mix(mix(*sum, p->lk), p->bits);
	return true;
}

static bool piece_next(const struct vtree *t, uint64_t addr, uint64_t hi, struct piece *p, uint64_t *sum)
{
	hi = hi < ADDRESS_END ? hi : ADDRESS_END;
	while (addr < hi) {
		const struct vtree_leaf *leaf = vtree_leaf_of(t, addr);

		if (!leaf_piece(leaf, addr, hi, p, sum))
			continue;
		if (p->vma != NULL)
			return true;
		addr = vtree_addr(vtree_block(addr), (uint64_t)leaf->limit + 1);
	}
	return false;
}

static bool piece_at(const struct vtree *t, uint64_t addr, struct piece *p, uint64_t *sum)
{
	return piece_next(t, addr, addr + PAGE_BYTES, p, sum);
}

/* Is `next`, a neighbour, of the same VMA as `whole`, for whoever looks from outside? */
static bool belongs(const struct piece *whole, const struct piece *next)
{
	if (BASE_MUTANT(vtree_list_apart) && whole->vma != next->vma)
		return false;
	return whole->bits == next->bits && whole->delta == next->delta && whole->object == next->object &&
	       (whole->anon == next->anon || whole->anon == 0 || next->anon == 0);
}

static bool collect(const struct vtree *t, uint64_t addr, uint64_t hi, struct piece *whole, uint64_t *sum)
{
	struct piece next;

	*sum = 0;
	BASE_POINT(vtree_list_collect);
	if (!piece_next(t, addr, hi, whole, sum))
		return false;
	BASE_POINT(vtree_list_first_piece);
	while (whole->r.lo > 0 && piece_at(t, whole->r.lo - PAGE_BYTES, &next, sum) && belongs(whole, &next)) {
		whole->r.lo = next.r.lo;
		whole->anon |= next.anon;
	}
	while (piece_at(t, whole->r.hi, &next, sum) && belongs(whole, &next)) {
		whole->r.hi = next.r.hi;
		whole->anon |= next.anon;
	}
	return true;
}

static struct vtree_listed piece_listed(const struct piece *p)
{
	return (struct vtree_listed){ .r = p->r, .bits = p->bits, .lk = p->lk, .delta = p->delta, .object = p->object,
				      .anon = p->anon };
}

bool vtree_list(const struct vtree *t, uint64_t addr, uint64_t hi, struct vtree_listed *out)
{
	struct piece a, b;
	uint64_t sum_a, sum_b;
	bool found_b, found_a = collect(t, addr, hi, &a, &sum_a);

	for (;; found_a = found_b, sum_a = sum_b, a = b) {
		found_b = collect(t, addr, hi, &b, &sum_b);
		if ((found_a == found_b && sum_a == sum_b) || BASE_MUTANT(vtree_list_single_collect))
			break;
	}
	if (!found_a)
		return false;
	*out = piece_listed(&a);
	return true;
}

bool vtree_above(const struct vtree *t, uint64_t addr, uint64_t hi, struct vtree_listed *out)
{
	struct piece p;
	uint64_t sum = 0;

	if (!piece_next(t, addr, hi, &p, &sum))
		return false;
	*out = piece_listed(&p);
	return true;
}
