/* SPDX-License-Identifier: MIT */
/*
 * reference.h - what the tests of the tree share: edits of whole ranges through leaf sections, a pool of VMAs to
 * put in, and a reference: one entry per page of a window.
 */
#ifndef TESTS_VMA_REFERENCE_H
#define TESTS_VMA_REFERENCE_H

#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "base/prng.h"
#include "vmmap/vma/vtree.h"

/* An object that carries its own number; free (lk even) unless a test says otherwise. */
static inline struct vma *ref_vma(struct vma_pool *pool, uint64_t number, uint64_t bits)
{
	struct thread_slot *self = thread_self();
	struct vma *vma;

	CHECK(vma_reserve(pool, self, 1) == 0);
	vma = vma_take(pool, self);
	CHECK(vma != NULL);
	atomic_store_release(&vma->bits, bits);
	atomic_store_release(&vma->delta, (int64_t)number);
	atomic_store_release(&vma->object, NULL);
	atomic_store_release(&vma->anon, 0);
	atomic_store_seqcst(&vma->slot.lk, number << 1);
	return vma;
}

/* Inside one section: [lo, hi) becomes vma (NULL: a gap); what sticks out on either side stays. Needs room 3. */
static inline void ref_replace(struct vtree_section *s, uint64_t lo, uint64_t hi, struct vma *vma)
{
	uint32_t mask = vtree_meets(s, lo, hi);

	for (; mask != 0; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctz(mask);
		struct vtree_slot slot = vtree_slot_at(s, i);

		vtree_drop(s, i);
		if (slot.r.lo < lo)
			vtree_add(s, slot.r.lo, lo, slot.vma);
		if (slot.r.hi > hi)
			vtree_add(s, hi, slot.r.hi, slot.vma);
	}
	if (vma != NULL)
		vtree_add(s, lo, hi, vma);
}

/* [lo, hi) becomes vma, leaf by leaf. */
static inline void ref_set(struct vtree *t, uint64_t lo, uint64_t hi, struct vma *vma)
{
	struct thread_slot *self = thread_self();

	while (lo < hi) {
		struct vtree_section s;
		uint64_t to;

		CHECK(vtree_enter_room(t, self, lo, 3, &s) == 0);
		to = hi < s.r.hi ? hi : s.r.hi;
		ref_replace(&s, lo, to, vma);
		vtree_leave(&s);
		lo = to;
	}
}

struct ref {
	uint64_t base;                           /* address of the window                                          */
	size_t pages;
	struct vma **at;
};

static inline struct ref ref_make(uint64_t base, size_t pages)
{
	return (struct ref){ base, pages, calloc(pages, sizeof(struct vma *)) };
}

static inline void ref_note(struct ref *ref, uint64_t lo, uint64_t hi, struct vma *vma)
{
	for (uint64_t p = (lo - ref->base) / PAGE_BYTES; p < (hi - ref->base) / PAGE_BYTES; p++)
		ref->at[p] = vma;
}

/* Pages of the window at which tree and reference differ, also about how far what is there reaches. */
static inline size_t ref_differences(const struct ref *ref, const struct vtree *t)
{
	struct thread_slot *self = thread_self();
	size_t wrong = 0;

	rcu_enter(self);
	for (size_t p = 0; p < ref->pages; p++) {
		uint64_t addr = ref->base + p * PAGE_BYTES;
		struct vtree_seen seen;
		bool ok;

		vtree_find(t, addr, &seen);
		ok = seen.vma == ref->at[p] && vtree_lookup(t, addr) == seen.vma && lock_range_holds(seen.r, addr);
		for (uint64_t a = seen.r.lo; ok && a < seen.r.hi; a += PAGE_BYTES)
			if (a >= ref->base && a < ref->base + ref->pages * PAGE_BYTES)
				ok = ref->at[(a - ref->base) / PAGE_BYTES] == seen.vma;
			else
				break;
		wrong += !ok;
	}
	rcu_leave(self);
	return wrong;
}

/* The highest fit in the window by trying every page from above. */
static inline int ref_gap(const struct ref *ref, const struct vtree_want *want, uint64_t below, bool dummies_free,
			  struct lock_range *fit)
{
	uint64_t hi = below < want->within.hi ? below : want->within.hi, align = want->align ? want->align : 1;
	uint64_t run = 0;

	for (uint64_t p = ref->pages; p-- > 0;) {
		uint64_t addr = ref->base + p * PAGE_BYTES;
		struct vma *vma = ref->at[p];

		if (addr >= hi || addr < want->within.lo)
			continue;
		if (vma != NULL && !(dummies_free && (atomic_load_acquire(&vma->bits) & VMA_GAP)))
			run = 0;
		else
			run += PAGE_BYTES;
		if (run >= want->len && ((addr - want->phase) & (align - 1)) == 0) {
			*fit = (struct lock_range){ addr, addr + want->len };
			return 0;
		}
	}
	return -1;
}

#endif
