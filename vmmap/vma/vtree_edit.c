/* SPDX-License-Identifier: MIT */
/*
 * vtree_edit.c - what a leaf section can see and do. Its protocol is at the head of vtree.c.
 *
 * The section holds the leaf: its own loads need no order. Its stores of slot data are release, F, for readers that
 * look at a slot of an older life (vtree_node.h). Slots that the published word shows are never written, also not
 * after they were dropped: readers may be looking at them until the next publication.
 */
#include "vmmap/vma/vtree_impl.h"

/* Slots that nobody looks at. */
static uint32_t fillable(const struct vtree_section *s)
{
	uint32_t taken = s->kept | (BASE_MUTANT(vtree_slot_refilled_early) ? 0 : s->live);

	return ~taken & SIMD_ALL;
}

uint32_t vtree_meets(const struct vtree_section *s, uint64_t lo, uint64_t hi)
{
	uint64_t from = lo > s->r.lo ? lo : s->r.lo, to = hi < s->r.hi ? hi : s->r.hi;

	if (from >= to)
		return 0;
	return simd_meets(s->leaf->first, s->leaf->last, vtree_page(from), vtree_page(to - 1)) & s->kept;
}

int vtree_slot_over(const struct vtree_section *s, uint64_t addr)
{
	uint32_t hit = vtree_meets(s, addr, addr + PAGE_BYTES);

	return hit ? __builtin_ctz(hit) : -1;
}

int vtree_slot_ending(const struct vtree_section *s, uint64_t addr)
{
	uint32_t hit;

	if (addr <= s->r.lo || addr > s->r.hi)
		return -1;
	hit = simd_equal(s->leaf->last, vtree_page(addr - PAGE_BYTES)) & s->kept;
	return hit ? __builtin_ctz(hit) : -1;
}

int vtree_slot_starting(const struct vtree_section *s, uint64_t addr)
{
	uint32_t hit;

	if (addr < s->r.lo || addr >= s->r.hi)
		return -1;
	hit = simd_equal(s->leaf->first, vtree_page(addr)) & s->kept;
	return hit ? __builtin_ctz(hit) : -1;
}

unsigned vtree_lowest(const struct vtree_section *s, uint32_t mask)
{
	unsigned best = (unsigned)__builtin_ctz(mask);
	uint32_t least = UINT32_MAX;

	ASSERT(mask != 0);
	for (; mask != 0; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctz(mask);
		uint32_t first = simd_bias(atomic_load_relaxed(&s->leaf->first[i]));

		if (first < least) {
			least = first;
			best = i;
		}
	}
	return best;
}

unsigned vtree_room(const struct vtree_section *s)
{
	unsigned below_limit = VTREE_ROOM - simd_count(s->kept), untouched;

	if (likely(s->kept == s->live))
		return below_limit;              /* VTREE_SLOTS - count are untouched: one more                      */
	untouched = simd_count(fillable(s));
	return untouched < below_limit ? untouched : below_limit;
}

void vtree_drop(struct vtree_section *s, unsigned i)
{
	struct vtree_slot slot = vtree_slot_at(s, i);
	uint32_t bit = UINT32_C(1) << i;

	ASSERT(s->kept & bit);
	s->kept &= ~bit;
	if (!(s->live & bit) || (atomic_load_relaxed(&s->leaf->vma[i]) & VTREE_DUMMY))
		return;                          /* was never seen, or counted as free all along                    */
	if (s->freed.hi == 0) {
		s->freed = slot.r;
		return;
	}
	if (slot.r.lo < s->freed.lo)
		s->freed.lo = slot.r.lo;
	if (slot.r.hi > s->freed.hi)
		s->freed.hi = slot.r.hi;
}

void vtree_add(struct vtree_section *s, uint64_t lo, uint64_t hi, struct vma *vma)
{
	struct vtree_leaf *leaf = s->leaf;
	uint32_t open = fillable(s);
	bool dummy = atomic_load_relaxed(&vma->bits) & VMA_GAP;
	unsigned i;

	ASSERT(lo < hi && lo >= s->r.lo && hi <= s->r.hi && ((lo | hi) & (PAGE_BYTES - 1)) == 0);
	ASSERT(vtree_meets(s, lo, hi) == 0);
	CHECK(open != 0);
	i = (unsigned)__builtin_ctz(open);
	atomic_store_release(&leaf->first[i], simd_bias(vtree_page(lo)));                /* F */
	atomic_store_release(&leaf->last[i], simd_bias(vtree_page(hi - 1)));             /* F */
	atomic_store_release(&leaf->vma[i], (uint64_t)(uintptr_t)vma | (dummy ? VTREE_DUMMY : 0));       /* F */
	s->kept |= UINT32_C(1) << i;
}
