/* SPDX-License-Identifier: MIT */
/*
 * vma.h - a VMA: attributes only. Its bounds live in the tree's leaves (vtree.h), nowhere else.
 *
 * So a split or a merge never changes an object: `delta` (page offset minus page number) is the same for every piece,
 * and "consecutive offsets" means equal delta. Changes of attributes replace or store `bits` (one word) under the
 * VMA's lock. Objects are type-stable: memory of a map's pool is VMAs until the map is destroyed, and is reused
 * without a grace period; a reader that loaded `lk` inside the leaf's validation notices reuse at its re-check.
 * For that reason a constant field is atomic too (B1 a release store, before the VMA is added or while its `lk` is
 * held; B2 an acquire load, then a look at `lk`): a reader of an earlier life may look at it while the next life fills
 * it in. Who holds the VMA, or is in a section that shows it, reads what B1 stored before that, and needs no second
 * look.
 * The group is the one field that a visit stores. C1 a write fault's CAS, then its entry, then `lk` (F2); C2 the
 * holder, after it took `lk` (D1, T1), loads the group; all seq_cst: he sees it, or the fault sees `lk` and begins
 * again.
 */
#ifndef VMMAP_VMA_VMA_H
#define VMMAP_VMA_VMA_H

#include "base/point.h"
#include "base/site.h"
#include "base/thread.h"
#include "locks/vma_word.h"

struct object;                                   /* memory object; opaque down here                                */
struct rmap;                                     /* where an object is mapped; opaque down here                    */

enum vma_bits {
	VMA_READ       = 1 << 0,                 /* PROT_READ, PROT_WRITE, PROT_EXEC: same values                  */
	VMA_WRITE      = 1 << 1,
	VMA_EXEC       = 1 << 2,
	VMA_PROT       = VMA_READ | VMA_WRITE | VMA_EXEC,
	VMA_SHARED     = 1 << 3,
	VMA_NORESERVE  = 1 << 4,
	VMA_ACCOUNT    = 1 << 5,                 /* VM_ACCOUNT: splits VMAs, invisible in listings                 */
	VMA_GROWSDOWN  = 1 << 6,
	VMA_DONTDUMP   = 1 << 7,                 /* flag advices                                                   */
	VMA_DONTFORK   = 1 << 8,
	VMA_WIPEONFORK = 1 << 9,
	VMA_SEQUENTIAL = 1 << 10,
	VMA_RANDOM     = 1 << 11,
	VMA_HUGE       = 1 << 12,
	VMA_NOHUGE     = 1 << 13,
	VMA_MERGEABLE  = 1 << 14,
	VMA_LOCKED     = 1 << 15,                /* mlock                                                          */
	VMA_LOCKONFAULT = 1 << 16,
	VMA_GAP        = 1 << 17,                /* a dummy: a locked gap, never mapped                            */
};

struct vma {
	struct lock_slot slot;
	atomic_u64 bits;                         /* read: RCU + lk re-check; write: under lk                       */
	_Atomic(int64_t) delta;                  /* page offset in the object - page number; anonymous: 0 until moved
	                                            after its first write fault                          [const]   */
	_Atomic(struct object *) object;         /* NULL: anonymous private                              [const]   */
	atomic_u64 anon;                         /* odd: the anonymous group. even: none until a write fault CASes it
	                                            in; another number in each life, for late faults               */
	_Atomic(struct vma *) next_free;         /* pool; in the tree: VMA_COUNTED, or not (vma_counted)           */
	_Atomic(struct rmap *) rmap;             /* holds one reference; NULL: no object, and delta 0.
	                                            Read only by who holds the VMA, or in a section that shows it. Of
	                                            the first VMA of a batch in the depot: the next batch          */
} LINE_ALIGNED;

_Static_assert(sizeof(struct vma) == 64, "one line");

/* A dummy? It says so all its life in the tree: whoever found it there may believe it. */
static inline bool vma_gap(const struct vma *vma)
{
	return atomic_load_acquire(&vma->bits) & VMA_GAP;                       /* B2 -> B1 */
}

/* What it maps, and with which offset: the same all its life in the tree. */
static inline struct object *vma_object(const struct vma *vma)
{
	return atomic_load_acquire(&vma->object);                                /* B2 -> B1 */
}
static inline int64_t vma_delta(const struct vma *vma)
{
	return atomic_load_acquire(&vma->delta);                                 /* B2 -> B1 */
}
/* For who holds the VMA, or has buried it, or is in a section that shows it. */
static inline struct rmap *vma_rmap(const struct vma *vma)
{
	return atomic_load_relaxed(&vma->rmap);
}

/* The anonymous group; 0: none yet. */
static inline uint64_t vma_anon(const struct vma *vma)
{
	uint64_t anon = atomic_load_seqcst(&vma->anon);                         /* C2 -> C1; B2 -> B1 */

	return anon & 1 ? anon : 0;
}

/* Makes it the group if there is none. true: it is the group now. The caller holds the VMA. */
static inline bool vma_anon_join(struct vma *vma, uint64_t group)
{
	uint64_t anon = atomic_load_acquire(&vma->anon);                        /* C2 -> C1: the CAS compares it */

	BASE_POINT(anon_before_join);
	while (!(anon & 1) && BASE_MUTANT(group_any_join))
		anon = atomic_swap_seqcst(&vma->anon, group) | 1;               /* C1 -> C2 */
	while (!(anon & 1))
		if (atomic_cas_seqcst(&vma->anon, &anon, group))                /* C1 -> C2 */
			return true;
	return anon == group;
}

/* Neighbours that could be one if it were not for their groups. */
static inline bool vma_alike(const struct vma *left, const struct vma *right)
{
	return atomic_load_acquire(&left->bits) == atomic_load_acquire(&right->bits) && /* B2 -> B1 */
	       atomic_load_acquire(&left->delta) == atomic_load_acquire(&right->delta) &&
	       atomic_load_acquire(&left->object) == atomic_load_acquire(&right->object);
}

/* Linux's rule for two neighbours (the left one's end is the right one's start): equal attributes, equal delta,
 * same object, and anonymous groups that are equal or one of them none yet. */
static inline bool vma_mergeable(const struct vma *left, const struct vma *right)
{
	uint64_t a = vma_anon(left), b = vma_anon(right);

	return vma_alike(left, right) && (a == b || !a || !b);
}

/* Is the start of this VMA counted? Not when it comes from the pool. Who may ask and say so: limit_count.c. */
#define VMA_COUNTED ((struct vma *)1)
static inline bool vma_counted(const struct vma *vma)
{
	return atomic_load_relaxed(&vma->next_free) == VMA_COUNTED;
}
static inline void vma_count(struct vma *vma, bool counted)
{
	atomic_store_relaxed(&vma->next_free, counted ? VMA_COUNTED : NULL);
}

/* ---- pool: per map, per-slot free lists over slabs, one depot that evens out ---- */
struct vma_pool {
	struct thread_local_table lists;
	size_t vma_bytes;                        /* 64, or 128 when the policy wants a line of its own             */
	atomic_u32 depot_lock;
	struct vma *depot;                       /* chains of VMA_BATCH                                            */
	void *slabs;
	atomic_u64 slab_bytes;
	atomic_u64 strays;                       /* minus the gives of threads that have no list                   */
};

/* Make an empty pool. slot_bytes: what a policy wants per VMA beyond struct lock_slot (a line of its own); 0: nothing.
 * 0, -EINVAL. Allocates nothing yet. */
int  vma_pool_init(struct vma_pool *pool, size_t slot_bytes);
/* Free all VMAs, handed out or not: no reader may be inside. */
void vma_pool_fini(struct vma_pool *pool);
/* After it returned 0 the next n vma_take of this thread cannot fail, whatever it gives in between. n <= 4096. A later
 * reserve replaces the promise. -ENOMEM. May allocate; takes the depot's lock only when it must fetch. */
int  vma_reserve(struct vma_pool *pool, struct thread_slot *self, unsigned n) MUST_CHECK;
#define vma_reserve(pool, self, n) BASE_SITE(SITE_NEED, (vma_reserve)(pool, self, n), -ENOMEM)
/* Take an object with lk == LOCK_DEAD, no pins but of late visitors, unspecified attributes. Never NULL after
 * vma_reserve. A few ns. */
struct vma *vma_take(struct vma_pool *pool, struct thread_slot *self);
/* Give back a VMA that is out of the tree (after the vtree_leave that dropped it); its lk becomes LOCK_DEAD. Reused at
 * once. Cannot fail. */
void vma_give(struct vma_pool *pool, struct thread_slot *self, struct vma *vma);
/* Count objects handed out, while nobody takes or gives. */
uint64_t vma_pool_live(struct vma_pool *pool);

#endif
