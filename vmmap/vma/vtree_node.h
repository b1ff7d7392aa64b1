/* SPDX-License-Identifier: MIT */
/*
 * vtree_node.h - layout of the VMA tree's nodes, and the lookup. Included by vtree.h only.
 *
 * SHAPE   Eight blocks of 16 TiB, a tree each; inside a block a page number has 32 bits. A leaf owns pages base..limit
 *         (inclusive: the block's end would not fit) and says for each of them which VMA or dummy is there, or none.
 *         Keys of leaves and inner nodes are stored biased (base/simd.h).
 * WORD    of a leaf: bits 0..27 live slots | WRITER | DEAD | count of publications (bits 32..63). DEAD is final. Only
 *         the holder of WRITER changes the word; publications that free something are seq_cst, the others release.
 * SLOT    not live -> filled, by the holder of WRITER -> live (publication n) -> not live (publication m > n). It is
 *         filled again only in a section after m: never while the published mask still shows it.
 *         vma[i] carries VTREE_DUMMY in bit 0 when its VMA is a dummy, so that nobody reads the VMA to know.
 *
 * READERS (a seqlock without fences) load the word (W1), then keys, vma[] and the VMA's lk, then the word again (W2);
 * mask and count unchanged: done. WRITER does not matter to them. Why no fence is needed:
 *   W1   acquire -> P, the publication that it reads: what had been filled by then is seen.
 *   D    each load of slot data is acquire -> F, the release store that filled the slot. Suppose D sees a value of a
 *        later life of its slot. That was stored in a section after the publication that dropped the slot, hence that
 *        publication happens before F (same thread, or word's release -> the next section's acquire CAS), F
 *        synchronizes with D, D is sequenced before W2: so W2 cannot read a word older than that publication, its
 *        count differs, and the reader looks again.
 *   lk   loaded between W1 and W2 of a slot that is live in both: it is the lk of the VMA that was in the tree then.
 *        Memory of VMAs is type-stable, so loading it from a pointer that W2 will reject is harmless.
 * A leaf that was replaced (split, join) is DEAD before any of its successors can be changed, so a reader that finds
 * an unchanged, living word has read the map as it was between W1 and W2; who finds DEAD starts again from the root.
 * Readers look again only if another publication of the same leaf has happened: lock-free.
 *
 * INNER   last[] (last page of each child) is constant; child[] is replaced by single stores, under the node's
 *         lock; what changes the number of children replaces the node.
 * LINES   of it: keys and children, which every search reads, are written only where the tree grows or shrinks; the
 *         lock has a line of its own, so that who replaces a child does not disturb who passes by; and so have the
 *         bounds of each child, so that threads in different leaves do not meet when they free or search.
 * PARENTS hold tagged pointers: bit 0 = a leaf. Published by seq_cst store, read by acquire load (C2 -> C1).
 */
#ifndef VMMAP_VMA_VTREE_NODE_H
#define VMMAP_VMA_VTREE_NODE_H

#include "base/assert.h"
#include "base/point.h"
#include "base/simd.h"

#define VTREE_BLOCKS      8
#define VTREE_BLOCK_SHIFT 44
#define VTREE_MASK        UINT64_C(0x0fffffff)
#define VTREE_WRITER      (UINT64_C(1) << 28)
#define VTREE_DEAD        (UINT64_C(1) << 29)
#define VTREE_COUNT_ONE   (UINT64_C(1) << 32)
#define VTREE_DUMMY       UINT64_C(1)            /* in vma[]                                                       */
#define VTREE_LEAF        ((uintptr_t)1)         /* in a tagged pointer                                            */
#define VTREE_MET_ONE     (UINT64_C(1) << 42)    /* in contended: collisions, 10 bits of slot number, page         */
#define VTREE_MET_PASSED (UINT64_C(1) << 61)     /* ... of who only passed by                                      */
#define VTREE_SPARSE      8                      /* a leaf or inner node with so few entries may be joined         */

_Static_assert(THREAD_MAX <= 1024, "a slot number fits into contended");

struct vtree_nodes;                              /* vtree_node.c: slabs, depot, per-slot caches                    */

struct vtree_link {                              /* the part of a node that vtree_node.c uses                      */
	struct rcu_item rcu;
	struct node_cache *home;                 /* once retired: of the slot that did it                          */
};

struct vtree_leaf {
	atomic_u64 word;
	/* vtree_part.c: what each section reads, and who comes from elsewhere writes, on a line that it needs anyway */
	atomic_u64 contended;                    /* collisions, whose section last saw some, its page (vtree_met)  */
	atomic_u16 patience;                     /* visits of vtree_join that leave this leaf alone                */
	/* The holder's. Slots are told by their low bits.                                                         */
	uint16_t visitor;                        /* slot of the last section                                       */
	uint8_t low, high;                       /* the pair                                                       */
	uint16_t turns : 5;                      /* twice theirs, odd if `high` was last                           */
	uint16_t joined : 1;                     /* was made by a join                                             */
	uint16_t calm : 4, alone : 6;            /* sections without a collision; of one thread                    */
	uint32_t low_most, high_least;           /* of the pair                                                    */
	atomic_u32 first[VTREE_SLOTS];           /* biased                                                         */
	atomic_u32 last[VTREE_SLOTS];            /* biased, inclusive                                              */
	atomic_u64 vma[VTREE_SLOTS];             /* struct vma * | VTREE_DUMMY                                     */
	struct vtree_link link;
	uint32_t base, limit;                    /* pages, plain, inclusive                              [const]   */
} PAIR_ALIGNED;

struct vtree_bounds {                            /* of one child, upper, in pages, saturating                      */
	atomic_u32 best, head, tail;             /* largest free run; free pages at the low end, at the high end   */
} LINE_ALIGNED;

struct vtree_inner {
	uint32_t n, base;                        /* children; first page                                 [const]   */
	uint64_t spare1;
	atomic_u32 last[VTREE_SLOTS];            /* biased; unused: the highest page, never below anything [const] */
	_Atomic(uintptr_t) child[VTREE_SLOTS];
	uint64_t spare2[4];
	atomic_u64 word;                         /* WRITER | DEAD: who changes child[] or replaces the node        */
	atomic_u32 fixed;                        /* children whose first page is a permanent border: set under lock */
	struct vtree_link link;
	struct vtree_bounds bound[VTREE_SLOTS];
} PAIR_ALIGNED;

_Static_assert(sizeof(struct vtree_leaf) == 512 && sizeof(struct vtree_inner) == 2304, "whole line pairs");
_Static_assert(offsetof(struct vtree_leaf, first) == 32 && offsetof(struct vtree_leaf, last) == 144, "vector loads");
_Static_assert(offsetof(struct vtree_leaf, vma) == 256 && offsetof(struct vtree_inner, last) == 16, "vector loads");
_Static_assert(offsetof(struct vtree_inner, child) == 128 && offsetof(struct vtree_inner, word) == 384 &&
	       offsetof(struct vtree_inner, bound) == 448, "keys, children, lock and bounds share no line");

struct vtree {
	_Atomic(uintptr_t) root[VTREE_BLOCKS];   /* tagged                                                         */
	atomic_u32 root_lock[VTREE_BLOCKS];      /* who replaces a root                                            */
	struct vtree_nodes *nodes;
} PAIR_ALIGNED;

static ALWAYS_INLINE uint32_t vtree_page(uint64_t addr) { return (uint32_t)(addr >> PAGE_SHIFT); }
static ALWAYS_INLINE unsigned vtree_block(uint64_t addr) { return (unsigned)(addr >> VTREE_BLOCK_SHIFT); }

static ALWAYS_INLINE uint64_t vtree_addr(unsigned block, uint64_t page)
{
	return ((uint64_t)block << VTREE_BLOCK_SHIFT) + (page << PAGE_SHIFT);
}

static ALWAYS_INLINE struct lock_range vtree_span(unsigned block, uint32_t first, uint32_t last)
{
	return (struct lock_range){ vtree_addr(block, first), vtree_addr(block, (uint64_t)last + 1) };
}

static ALWAYS_INLINE struct vtree_leaf *vtree_as_leaf(uintptr_t node)
{
	return (struct vtree_leaf *)(node - VTREE_LEAF);
}

static ALWAYS_INLINE struct vma *vtree_as_vma(uint64_t v) { return (struct vma *)(uintptr_t)(v & ~VTREE_DUMMY); }

/* Of inner's children the one that owns page: the first whose last page is not below it. Keys ascend, so the mask is a
 * run of ones from bit 0 on (and needs no population count, which baseline x86-64 lacks). */
static ALWAYS_INLINE unsigned vtree_child_of(const struct vtree_inner *inner, uint32_t page)
{
	return (unsigned)__builtin_ctz(~simd_below(inner->last, page));
}

/* The lines of a node that a search reads second: pointers. Its keys are read at once and need no announcement. */
static ALWAYS_INLINE void vtree_prefetch(uintptr_t node)
{
	bool leaf = node & VTREE_LEAF;
	const char *p = (const char *)(node & ~VTREE_LEAF) + (leaf ? offsetof(struct vtree_leaf, vma) : 2 * CACHE_LINE);

	for (unsigned line = 0; line < 4; line++)
		__builtin_prefetch(p + line * CACHE_LINE, 0, 3);
}

static ALWAYS_INLINE struct vtree_leaf *vtree_leaf_of(const struct vtree *t, uint64_t addr)
{
	uintptr_t node = atomic_load_acquire(&t->root[vtree_block(addr)]);               /* C2 -> C1 */

	while (!(node & VTREE_LEAF)) {
		const struct vtree_inner *inner = (const struct vtree_inner *)node;

		node = atomic_load_acquire(&inner->child[vtree_child_of(inner, vtree_page(addr))]);      /* C2 -> C1 */
		vtree_prefetch(node);
	}
	return vtree_as_leaf(node);
}

/* Did anything that a reader of `before` may rely on change? */
static ALWAYS_INLINE bool vtree_same(uint64_t before, uint64_t now)
{
	return ((before ^ now) & ~VTREE_WRITER) == 0;
}

/* The gap of the leaf around page, cut to the leaf; the caller validates. */
static NOINLINE UNUSED void vtree_gap_around(const struct vtree_leaf *leaf, uint64_t word, uint64_t addr,
					     struct lock_range *r)
{
	uint32_t page = vtree_page(addr), lo = leaf->base, hi = leaf->limit;

	for (uint32_t live = (uint32_t)(word & VTREE_MASK); live != 0; live &= live - 1) {
		unsigned i = (unsigned)__builtin_ctz(live);
		uint32_t first = simd_bias(atomic_load_acquire(&leaf->first[i]));        /* D -> F */
		uint32_t last = simd_bias(atomic_load_acquire(&leaf->last[i]));          /* D -> F */

		if (last < page && last >= lo)
			lo = last + 1;
		if (first > page && first <= hi)
			hi = first - 1;
	}
	*r = vtree_span(vtree_block(addr), lo, hi);
}

/* So many collisions; the last was seen by this thread, at this page. */
static inline uint64_t vtree_met(uint64_t collisions, const struct thread_slot *self, uint32_t page)
{
	return collisions * VTREE_MET_ONE | (uint64_t)self->number << 32 | page;
}

/* A reader has to look again because of a writer elsewhere in the leaf: that is a collision, too, and parts them. */
static NOINLINE UNUSED void vtree_met_writer(struct vtree_leaf *leaf, uint32_t page)
{
	uint64_t met = (atomic_load_relaxed(&leaf->contended) & ~VTREE_MET_PASSED) / VTREE_MET_ONE + 1;

	atomic_store_relaxed(&leaf->contended, vtree_met(met, thread_self(), page));
}

/* The slot of leaf that covers addr, in *seen. false: the leaf is DEAD. with_lk: load lk inside the validation. works:
 * to look again because of a writer is a collision. */
static ALWAYS_INLINE bool vtree_leaf_find(const struct vtree_leaf *leaf, uint64_t addr, struct vtree_seen *seen,
					  bool with_lk, bool works)
{
	uint64_t word = atomic_load_acquire(&leaf->word), now;                           /* W1 -> P */
	uint32_t page = vtree_page(addr);

	for (;; word = now) {
		uint32_t hit = simd_meets(leaf->first, leaf->last, page, page) & (uint32_t)word;

		if (unlikely(word & VTREE_DEAD))
			return false;
		seen->lk = 0;
		if (likely(hit != 0)) {
			unsigned i = (unsigned)__builtin_ctz(hit);

			BASE_POINT(vtree_find_hit);
			seen->vma = vtree_as_vma(atomic_load_acquire(&leaf->vma[i]));    /* D -> F */
			seen->r = vtree_span(vtree_block(addr),
					     simd_bias(atomic_load_acquire(&leaf->first[i])),   /* D -> F */
					     simd_bias(atomic_load_acquire(&leaf->last[i])));   /* D -> F */
			if (with_lk && !BASE_MUTANT(vtree_lk_after_validation))
				seen->lk = atomic_load_acquire(&seen->vma->slot.lk);    /* V0 -> R3, D1 */
		} else {
			struct lock_range gap;           /* so that *seen can live in registers                  */

			seen->vma = NULL;
			vtree_gap_around(leaf, word, addr, &gap);
			seen->r = gap;
		}
		now = atomic_load_acquire(&leaf->word);                                  /* W2 */
		if (likely(vtree_same(word, now)) || BASE_MUTANT(vtree_reader_no_recheck))
			break;
		if (works)
			vtree_met_writer((struct vtree_leaf *)(uintptr_t)leaf, page);
	}
	BASE_POINT(vtree_find_validated);
	if (BASE_MUTANT(vtree_lk_after_validation) && with_lk && seen->vma != NULL)
		seen->lk = atomic_load_acquire(&seen->vma->slot.lk);            /* V0 -> R3, D1 */
	return true;
}

static ALWAYS_INLINE void vtree_find(const struct vtree *t, uint64_t addr, struct vtree_seen *seen)
{
	ASSERT(addr < ADDRESS_END);
	while (unlikely(!vtree_leaf_find(vtree_leaf_of(t, addr), addr, seen, true, true)))
		;
}

static ALWAYS_INLINE void vtree_peek(const struct vtree *t, uint64_t addr, struct vtree_seen *seen)
{
	ASSERT(addr < ADDRESS_END);
	while (unlikely(!vtree_leaf_find(vtree_leaf_of(t, addr), addr, seen, true, false)))
		;
}

/* The VMA or dummy at addr, or NULL; does not read it. For who asks only "which": the field users want vtree_find. */
static inline struct vma *vtree_lookup(const struct vtree *t, uint64_t addr)
{
	struct vtree_seen seen;

	while (unlikely(!vtree_leaf_find(vtree_leaf_of(t, addr), addr, &seen, false, true)))
		;
	return seen.vma;
}

static inline struct vtree_slot vtree_slot_at(const struct vtree_section *s, unsigned i)
{
	const struct vtree_leaf *leaf = s->leaf;

	ASSERT(i < VTREE_SLOTS);
	return (struct vtree_slot){
		.vma = vtree_as_vma(atomic_load_relaxed(&leaf->vma[i])),
		.r = vtree_span(vtree_block(s->r.lo), simd_bias(atomic_load_relaxed(&leaf->first[i])),
				simd_bias(atomic_load_relaxed(&leaf->last[i]))),
	};
}

static inline void vtree_touch(struct vtree_section *s)
{
	if (!BASE_MUTANT(vtree_bits_untold))
		s->word += VTREE_COUNT_ONE;
}

static inline bool vtree_sparse(const struct vtree_section *s)
{
	return s->word / VTREE_COUNT_ONE % VTREE_SPARSE == 0 && simd_count(s->kept) <= VTREE_SPARSE;
}

#endif
