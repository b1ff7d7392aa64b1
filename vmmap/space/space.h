/* SPDX-License-Identifier: MIT */
/*
 * space.h - the address space: the conductor that knows tree, page table, frames and the lock policy.
 *
 * Every mutating operation has three visible phases: prepare (may fail; allocates all it needs), commit (cannot fail),
 * retire. One file per operation; what they share is here: the brief form (carve.c), the general form's commit
 * (commit.c), merging (merge.c), placement (place.c).
 */
#ifndef VMMAP_SPACE_SPACE_H
#define VMMAP_SPACE_SPACE_H

#include <errno.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/point.h"
#include "locks/policy/policy.h"
#include "vmmap/phys/frame_mover.h"
#include "vmmap/phys/frame_record.h"
#include "vmmap/pt/pt.h"
#include "vmmap/space/limit.h"
#include "vmmap/space/object.h"
#include "vmmap/vma/vtree.h"
#include "vmmap/vmmap.h"

enum space_event {
	SPACE_MMAP, SPACE_MUNMAP, SPACE_MPROTECT, SPACE_MREMAP, SPACE_MADVISE, SPACE_BRK, SPACE_MLOCK, SPACE_MUNLOCK,
	SPACE_FAULT, SPACE_FAULT_HIT, SPACE_FAULT_RETRY, SPACE_ACCESS,
	SPACE_BRIEF, SPACE_GENERAL, SPACE_MERGE, SPACE_SPLIT, SPACE_FRAME_DIRECT, SPACE_FRAME_DEFERRED, SPACE_FORK,
	SPACE_EVENTS,
};

struct space_last { struct lock_slot *slot; uint64_t lk; struct lock_range r; };  /* lock_view.c, LOOK; r empty: none */

#define SCAVENGE_SETS   32               /* notes of spans, in sets of a line each (scavenge.c)                    */
#define SCAVENGE_WAYS   8
#define SCAVENGE_PLACES (SCAVENGE_SETS * SCAVENGE_WAYS)

/* What a slot keeps of a map: written by its thread only, summed by readers. */
struct space_local {
	struct space_last last;                  /* what the thread's last visit met                               */
	atomic_u64 event[SPACE_EVENTS];
	bool arena_ready;                        /* this slot's arena has its own leaves                           */
	uint64_t arena_top;                      /* where this slot's next place ends, if it is free; 0: no idea   */
	uint64_t left[SCAVENGE_SETS][SCAVENGE_WAYS] LINE_ALIGNED;        /* spans that it unmapped something of    */
	struct limit_local limit;
	atomic_u64 shared_pages;                 /* that count as committed: what came here less what went          */
	atomic_u32 moved_lock LINE_ALIGNED;      /* of the next                                                    */
	struct rmap moved;                       /* head of a ring: anonymous memory that it moved (rmap.c); of zeros:
	                                            nothing yet                                                    */
};

/* A physmem that came with a map: the last of the maps that were forked from it takes it along. */
struct space_family { atomic_u64 maps; };

struct vmmap {                                   /* = struct lock_space of the policies                            */
	const struct lock_policy *policy;
	void *lock_state;
	uint64_t lo, hi, mmap_base;              /* usable addresses                                     [const]   */
	enum vmmap_placement placement;
	atomic_u32 stacks;                       /* 1: there is, or was, a GROWSDOWN VMA (grow.c)                  */
	struct physmem *physmem;
	struct thread_local_table locals;        /* struct space_local                                             */
	struct rmap_gate *gate;                  /* for who walks the mappings of an object              [const]   */

	uint64_t brk_start;                      /* 0: no brk area                                       [const]   */
	atomic_u32 ever_locked;                  /* VMA_LOCKED was asked for once                                  */
	struct space_family *family;             /* NULL: the physmem is the caller's                    [const]   */
	struct vmmap_config config;              /* as it was asked for: a fork's child is like it       [const]   */

	atomic_u64 brk PAIR_ALIGNED;             /* changed under brk_lock; what stands above, nearly never        */
	atomic_u32 brk_lock;
	struct limits limits PAIR_ALIGNED;

	struct vma_pool vmas PAIR_ALIGNED;
	struct vtree tree PAIR_ALIGNED;
	struct pt pt PAIR_ALIGNED;
};

static inline struct vma *space_vma(struct lock_slot *slot) { return container_of(slot, struct vma, slot); }
static inline struct lock_space *space_lock(struct vmmap *map) { return (struct lock_space *)map; }
static inline struct vmmap *space_of(struct lock_space *space) { return (struct vmmap *)space; }
static inline uint64_t space_up(uint64_t bytes) { return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1); }
static inline bool space_aligned(uint64_t addr) { return !(addr & (PAGE_BYTES - 1)); }
extern const struct lock_view space_lock_view;                           /* lock_view.c                            */
/* An empty map as `map` was made, with its physmem, that nobody can come into by an object (create.c). 0 -ENOMEM */
int space_create_like(struct vmmap **out, struct vmmap *map) MUST_CHECK;
#define space_create_like(out, map) BASE_SITE(SITE_NEED, (space_create_like)(out, map), -ENOMEM)
/* Edits exclude each other whatever their ranges: each has all of the map (merge.c, ONE LOCK). */
static inline bool space_one_lock(const struct vmmap *map)
{
	return !(map->policy->caps & LOCK_CAP_DISJOINT_EDITS);
}

/* ---- deadlines: a call waits until self->deadline_ns, which its _until form has set ---- */
/* It may have to give up: what it does in several steps, it holds as a whole first. */
static inline bool space_may_give_up(const struct thread_slot *self)
{
	return self->deadline_ns != LOCK_FOREVER;
}
#define SPACE_ROUNDS 64                          /* looks again, before one asks for the time                      */
/* Before the call looks again, since another thread's step came between. 0 -EAGAIN -ETIMEDOUT */
static inline int space_again(const struct thread_slot *self, struct park_spin *spin)
{
	if (space_may_give_up(self) && spin->rounds >= SPACE_ROUNDS) {
		if (self->deadline_ns == LOCK_TRY)
			return -EAGAIN;
		if (clock_ns() >= self->deadline_ns)
			return -ETIMEDOUT;
	}
	park_spin(spin);
	return 0;
}

struct space_local *space_local_make(struct vmmap *map, struct thread_slot *self);
/* NULL (no memory): the event goes uncounted. */
static inline void space_count(struct vmmap *map, struct thread_slot *self, enum space_event event, uint64_t n)
{
	struct space_local *local = thread_local_mine(&map->locals, self);

	if (likely(local != NULL))
		atomic_bump(&local->event[event], n);
}

/* Is anything limited? VMAs? */
static inline bool limit_on(const struct vmmap *map)     { return unlikely(map->limits.set); }
static inline bool limit_counts(const struct vmmap *map) { return map->limits.set >> LIMIT_VMAS & 1; }
/* In a window: n pages of a VMA of these bits came (negative: went). */
static inline void limit_pages(struct vmmap *map, struct thread_slot *self, uint64_t bits, int64_t n)
{
	limit_add(map, self, LIMIT_AS, n);
	limit_add(map, self, LIMIT_COMMIT, bits & VMA_ACCOUNT ? n : 0);
	limit_add(map, self, LIMIT_LOCKED, bits & VMA_LOCKED ? n : 0);
}

/* The same for the part of a VMA over r that lies in `within`; sign: 1 came, -1 went. */
static inline void limit_part(struct vmmap *map, struct thread_slot *self, uint64_t bits, struct lock_range r,
			      struct lock_range within, int64_t sign)
{
	uint64_t lo = r.lo < within.lo ? within.lo : r.lo, hi = r.hi > within.hi ? within.hi : r.hi;

	if (lo < hi)
		limit_pages(map, self, bits, sign * (int64_t)((hi - lo) >> PAGE_SHIFT));
}

/* ---- frames that move (migrate.c) ---- */
extern const struct frame_mover space_mover;     /* of each instance that a map or an object is made on            */

/* ---- frames of zapped entries (retire.c) ---- */
struct space_retire { struct pt_batch batch; struct vmmap *map; struct thread_slot *self; };
void space_retire_init(struct space_retire *r, struct vmmap *map, struct thread_slot *self);
void space_retire_entry(struct vmmap *map, struct thread_slot *self, uint64_t entry);

/* ---- attributes ---- */
/* The bits of a VMA after an operation; `bits` are its present ones. */
struct space_rebits {
	uint64_t (*fn)(const struct vma *vma, uint64_t bits, uint64_t arg);
	uint64_t arg;
	uint64_t lock_pages;                     /* so many are to be locked, those in holes included              */
	bool prot;                               /* permissions, arg, change: entries have to follow; with WRITE VMAs
	                                            may come to count as committed                                 */
	bool advice;                             /* Linux says -EAGAIN, not -ENOMEM, when there may be no more VMAs */
};

struct space_new {                               /* a VMA to be made                                               */
	uint64_t bits;
	int64_t delta;
	struct object *object;
	struct rmap *rmap;                       /* where it is mapped; its reference is taken over when the VMA is
	                                            published. NULL: anonymous, delta 0                            */
	uint64_t anon;
};

/* Attributes of a VMA that is not published yet. Its memory may still be read by who found it in an earlier life: each
 * store is release (B1), so that who sees one of them finds another lk at its next look (B2: acquire, then lk). */
static inline void space_vma_fill(struct thread_slot *self, struct vma *vma, const struct space_new *attr)
{
	atomic_store_release(&vma->bits, attr->bits);                            /* B1 -> B2 */
	atomic_store_release(&vma->delta, attr->delta);                          /* B1 */
	atomic_store_relaxed(&vma->rmap, attr->rmap);                            /* its holder's */
	atomic_store_release(&vma->object, attr->object);       /* B1; an optimistic fault may follow it already */
	atomic_store_release(&vma->anon, attr->anon ? attr->anon : thread_next_number(self));            /* B1 */
}

/* What a VMA is like, each field loaded once. Optimistic callers believe it only after lk has been looked at again. */
static inline struct space_new space_vma_attr(const struct vma *vma)
{
	return (struct space_new){ .bits = atomic_load_acquire(&vma->bits),              /* B2 -> B1 */
				   .delta = atomic_load_acquire(&vma->delta),            /* B2 */
				   .object = atomic_load_acquire(&vma->object),          /* B2 */
				   .rmap = atomic_load_relaxed(&vma->rmap),
				   .anon = vma_anon(vma) };
}

/* The reference on what it maps that a VMA holds, one more and one less. */
static inline void space_backing_get(const struct space_new *is)
{
	if (unlikely(is->rmap != NULL))
		rmap_get(is->rmap);
}
static inline void space_backing_put(struct rmap *rmap)
{
	if (unlikely(rmap != NULL))
		rmap_put(rmap);
}

/* ---- the brief form (carve.c): one change in one leaf section ---- */
enum carve_kind { CARVE_UNMAP, CARVE_BITS, CARVE_MAP };
struct carve {
	enum carve_kind kind;
	struct lock_range r;
	const struct space_rebits *rebits;       /* CARVE_BITS                                                     */
	bool every;                              /* CARVE_BITS: past holes too (then not in this form)             */
	const struct space_new *fresh;           /* CARVE_MAP                                                      */
	bool only_free;                          /* CARVE_MAP: -EEXIST unless [r) is a gap                         */
	bool unguarded;                          /* ... and below the guard gap of a stack                         */
	bool pays;                               /* CARVE_MAP: the object is new, and counts as committed now      */
	bool limited;                            /* carve.c's own: a window is open                                */
	bool taken_object;                       /* out: fresh->object's reference was consumed                    */
};
#define SPACE_BRIEF_PAGES 64                     /* entries that one leaf section may touch                        */
#define CARVE_GENERAL 1                          /* not done: take the general form                                */
/* 0, or CARVE_GENERAL, -ENOMEM (for CARVE_BITS also: a hole; what lies before it is done), -EEXIST. */
int space_carve(struct vmmap *map, struct lock_edit *e, struct carve *c);
/* A brief edit of c->r that is nothing but c. Also as brief_begin; CARVE_GENERAL if the policy has no such form. */
int space_brief(struct vmmap *map, struct thread_slot *self, struct carve *c);

/* ---- the general form (commit.c): e holds e->r or more, no VMA crosses the borders of r ---- */
/* edit_begin with our range; undoes cuts when it fails. edit_end, then the merges that others noted with us. */
int  space_edit_begin(struct vmmap *map, struct lock_edit *e, struct thread_slot *self, struct lock_range r);
void space_edit_end(struct vmmap *map, struct lock_edit *e);
int  space_brief_begin(struct vmmap *map, struct lock_edit *e, struct thread_slot *self, struct lock_range r);
void space_brief_end(struct vmmap *map, struct lock_edit *e);
/* Prepares space_replace(r, vma): a VMA object of these attributes, born in e, and room in every leaf. It takes over
 * fresh->object's reference. -ENOMEM: nothing changed. */
int space_prepare(struct vmmap *map, struct lock_edit *e, struct lock_range r, const struct space_new *fresh,
		  struct vma **vma) MUST_CHECK;
#define space_prepare(map, e, r, fresh, vma) \
	BASE_SITE(SITE_NEED, (space_prepare)(map, e, r, fresh, vma), -ENOMEM)
/* Shuts every VMA in r, zaps r, frees tables, and puts `vma` (NULL: nothing, the gap stays held) in its place. */
void space_replace(struct vmmap *map, struct lock_edit *e, struct lock_range r, struct vma *vma);
/* Room for one more slot in every leaf of r; under a lock that keeps it (no dummies). -ENOMEM. */
int  space_room(struct vmmap *map, struct thread_slot *self, struct lock_range r) MUST_CHECK;
#define space_room(map, self, r) BASE_SITE(SITE_NEED, (space_room)(map, self, r), -ENOMEM)
/* The same for the tree alone: the caller has shut and zapped r. */
void space_replace_slots(struct vmmap *map, struct lock_edit *e, struct lock_range r, struct vma *vma);
/* Its two steps: the VMAs that went, and giving them back with what they hold. */
struct vma *space_unlink(struct vmmap *map, struct lock_edit *e, struct lock_range r, struct vma *vma) MUST_CHECK;
void space_bury(struct vmmap *map, struct thread_slot *self, struct vma *dead);
/* Applies rebits to each VMA from r.lo to the first hole (`every`: past holes too); true: r had no hole. */
bool space_change(struct vmmap *map, struct lock_edit *e, struct lock_range r, const struct space_rebits *rebits,
		  bool every);
/* The bits of VMAs in r have been stored: listings have to notice. */
void space_tell(struct vmmap *map, struct thread_slot *self, struct lock_range r);
/* No VMA in r (dummies do not count). */
bool space_empty(struct vmmap *map, struct thread_slot *self, struct lock_range r);
void space_shut(struct vmmap *map, struct lock_edit *e, struct lock_range r);
void space_zap(struct vmmap *map, struct thread_slot *self, struct lock_range r, bool tables);

/* r was unmapped, or moved away, by this thread, which holds nothing: tables and leaves of what it left long ago go
 * (scavenge.c). Waits for nothing, cannot fail. */
void space_left(struct vmmap *map, struct thread_slot *self, struct lock_range r);
/* Multiplicative: spans at any even distance are spread over the sets. */
static inline unsigned scavenge_set(uint64_t addr)
{
	return (unsigned)((addr >> pt_level_shift(1)) * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SCAVENGE_SETS;
}

/* ---- merging (merge.c) ---- */
/* Joins mergeable neighbours at every border in [r.lo, r.hi], those of r with outside VMAs included (try only). */
void space_merge(struct vmmap *map, struct lock_edit *e, struct lock_range r);
/* After the release of e: retries the merges that others noted with us. */
void space_heal_notes(struct vmmap *map, const struct lock_edit *e);
/* Joins what meets at addr, if mergeable, or leaves that to whoever holds one of the two. Waits for no range. */
void space_heal(struct vmmap *map, struct thread_slot *self, uint64_t addr);
static inline bool space_merges_due(const struct lock_edit *e) { return e->merges || e->merge_in.hi; }
/* Under a policy with one lock, which the caller has: the merges noted in e; what meets at addr. */
void space_heal_held(struct vmmap *map, struct lock_edit *e);
void space_join(struct vmmap *map, struct thread_slot *self, uint64_t addr);
/* ---- the tree with VMAs that span leaves (span.c) ---- */
/* Extent of the VMA over addr; the caller knows it to be stable (held), or checks later. An end that lies outside of
 * `within` is only known to lie there: leaves beyond are other threads'. Inside RCU. */
struct lock_range space_extent(struct vmmap *map, const struct vma *vma, uint64_t addr, struct lock_range within);
/* Inside a section: in which neighbour leaves does the VMA of this slot go on? */
enum { SPACE_BELOW = 1, SPACE_ABOVE = 2 };
unsigned space_spans(struct vmmap *map, const struct vtree_section *s, const struct vtree_slot *slot);
/* Adds a slot; one of the same VMA beside it in this leaf (a join may have brought both here) becomes part of it. */
void space_put(struct vtree_section *s, uint64_t lo, uint64_t hi, struct vma *vma);
/* The slots of `vma` from addr upwards get `right` instead. vma is held by the caller (or nobody else edits). -ENOMEM:
 * nothing changed. */
int  space_cut_held(struct vmmap *map, struct thread_slot *self, struct vma *vma, uint64_t addr, struct vma *right);
/* Cuts what crosses addr, if anything, inside what e holds, a dummy, too; both pieces stay held. -ENOMEM: nothing
 * changed. */
int  space_cut(struct vmmap *map, struct lock_edit *e, uint64_t addr) MUST_CHECK;
#define space_cut(map, e, addr) BASE_SITE(SITE_NEED, (space_cut)(map, e, addr), -ENOMEM)
/* `right` takes on what vma is, except bounds and lock word. Takes a reference on the object. */
void space_vma_copy(struct thread_slot *self, struct vma *right, const struct vma *vma);

/* ---- placement (place.c) ---- */
struct space_want { struct vtree_want want; bool topdown_thp; bool arena; };
/* Proposes a place: 0 and *fit; -ENOMEM; -ERESTART with *locked = an address in a locked gap that would
 * fit. */
int space_place(struct vmmap *map, struct thread_slot *self, const struct space_want *w, struct lock_range *fit,
		uint64_t *locked);
/* Waits, holding nothing, for the holder of that gap. -ERESTART: look again; -ENOMEM: the caller; -EAGAIN -ETIMEDOUT */
int space_place_wait(struct vmmap *map, struct thread_slot *self, uint64_t locked);
/* r was unmapped by this thread: its next unaddressed mmap may go there, where tables and lines are warm. */
void space_place_again(struct vmmap *map, struct thread_slot *self, struct lock_range r);
void space_want_anywhere(struct vmmap *map, struct thread_slot *self, uint64_t len, bool anonymous,
			 struct space_want *w);

/* ---- stacks (grow.c) ---- */
#define SPACE_GUARD (256 * PAGE_BYTES)           /* Linux's stack_guard_gap                                        */
bool space_guard_meets(struct vmmap *map, struct thread_slot *self, uint64_t end, uint64_t *from);
/* Does the guard gap of the stack next above `end` begin below `end`? Then *from (may be NULL) is where. */
static inline bool space_guarded(struct vmmap *map, struct thread_slot *self, uint64_t end, uint64_t *from)
{
	return unlikely(atomic_load_acquire(&map->stacks) != 0) &&               /* K2 -> K1 */
	       space_guard_meets(map, self, end, from);
}
/* May a stack grow over a hole at page? 0: perhaps, and the page has its table; -ENOMEM; -EFAULT: certainly not, at
 * this instant. Waits as a visit. */
int  space_may_grow(struct vmmap *map, struct thread_slot *self, uint64_t page);
/* Holding nothing: extends the stack next above down to page. 0: fault again (*grew = 1: it was extended), -EFAULT: it
 * may not, or there is none; -ENOMEM: nothing changed. */
int  space_grow(struct vmmap *map, struct thread_slot *self, uint64_t page, unsigned *grew);

/* ---- operations (one file each); arguments checked by vmmap.c ---- */
struct space_mmap {
	uint64_t addr, len;
	int prot, flags;
	struct object *object;                   /* NULL: anonymous private                                        */
	uint64_t offset;
	const struct space_want *want;           /* NULL: fixed at addr                                            */
	bool noreplace;
	struct rmap *rmap;                       /* space_mmap's own: where the object is going to be              */
	bool unguarded;                          /* fixed at addr by a hint: not in the guard gap of a stack       */
	bool pays;                               /* the object is new, and counts as committed from then on        */
	bool onfault;                            /* MAP_LOCKED: as mlock2 with MLOCK_ONFAULT                       */
};
int64_t space_mmap(struct vmmap *map, struct thread_slot *self, struct space_mmap *m);
int     space_munmap(struct vmmap *map, struct thread_slot *self, struct lock_range r);
int     space_mprotect(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t prot);
/* PROT_GROWSDOWN: from the start of the stack that is the first VMA in r. -EINVAL: it is none; -ENOMEM: a hole. */
int     space_mprotect_down(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t prot);
int space_edit_bits(struct vmmap *map, struct thread_slot *self, struct lock_range r, const struct space_rebits *rb,
		    bool every);
/* grows: a stack above may be extended to addr. */
int space_fault(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t access, bool grows,
		struct vmmap_fault_info *info);
struct space_mremap { uint64_t old, old_len, new_len, to; int flags; };
int64_t space_mremap(struct vmmap *map, struct thread_slot *self, const struct space_mremap *r);
int     space_madvise(struct vmmap *map, struct thread_slot *self, struct lock_range r, int advice);
int     space_msync(struct vmmap *map, struct thread_slot *self, struct lock_range r, int flags);
int64_t space_brk(struct vmmap *map, struct thread_slot *self, uint64_t addr);
/* Keeps the break, and the VMAs below it, as they are to each other (brk.c). 0 -EDEADLK -EAGAIN -ETIMEDOUT */
int     space_brk_enter(struct vmmap *map, struct thread_slot *self) MUST_CHECK;
void    space_brk_leave(struct vmmap *map);
int     space_mlock(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t len, uint64_t bits);
/* Faults in what is locked (not on fault) in r, holes passed over: 0, -ENOMEM (no access, BUS), -EAGAIN (no frames).
 * private_only: only where a write would be a copy. */
int space_populate_locked(struct vmmap *map, struct thread_slot *self, struct lock_range r, bool private_only);
int     space_populate(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t access);
ssize_t space_copy(struct vmmap *map, struct thread_slot *self, uint64_t addr, void *bytes, size_t len, bool write);
/* pfn[pages of r]: all or nothing. And n of them go; 0, or the first error, with all others gone (pin.c). */
int     space_pin(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t *pfn) MUST_CHECK;
int     space_unpin(struct vmmap *map, struct thread_slot *self, const uint64_t *pfn, uint64_t n);
/* A VMA of these attributes may be read, written, executed? (x86: any permission makes it readable) */
static inline bool space_allows(uint64_t bits, uint64_t access)
{
	return access == VMA_READ ? (bits & VMA_PROT) != 0 : (bits & access) == access;
}
/* Entry permission bits of VMA bits. */
static inline uint64_t space_pt_access(uint64_t bits)
{
	_Static_assert(PT_READ == VMA_READ << 2 && PT_WRITE == VMA_WRITE << 2 && PT_EXEC == VMA_EXEC << 2, "a shift");
	return (bits & VMA_PROT) << 2 | ((bits & VMA_PROT) ? PT_READ : 0);
}

/* May an edit of permissions give WRITE to entries that show the object's pages? Not where a fault has to mark them. */
static inline bool space_object_write(uint64_t bits, const struct object *object)
{
	return bits & VMA_SHARED && !(object && object_paged(object) && !BASE_MUTANT(protect_gives_write));
}

/* `checked` wants to know what is touched. */
static inline void space_touch(struct vmmap *map, struct thread_slot *self, struct lock_range r, enum lock_touch what,
			       bool exclusive)
{
	if (unlikely(map->policy->touch != NULL))
		map->policy->touch(map->lock_state, self, r, what, exclusive);
}

#endif
