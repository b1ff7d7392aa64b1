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
#include "base/mem.h"
#include "base/point.h"
#include "locks/policy/policy.h"
#include "vmmap/phys/frame.h"
#include "vmmap/pt/pt.h"
#include "vmmap/vma/vtree.h"
#include "vmmap/vmmap.h"

enum space_event {
	SPACE_MMAP, SPACE_MUNMAP, SPACE_MPROTECT, SPACE_MREMAP, SPACE_MADVISE, SPACE_BRK,
	SPACE_FAULT, SPACE_FAULT_HIT, SPACE_FAULT_RETRY, SPACE_ACCESS,
	SPACE_BRIEF, SPACE_GENERAL, SPACE_MERGE, SPACE_SPLIT, SPACE_FRAME_DIRECT, SPACE_FRAME_DEFERRED, SPACE_EVENTS,
};

struct space_last { struct lock_slot *slot; uint64_t lk; struct lock_range r; };  /* lock_view.c, LOOK; r empty: none */

/* What a slot keeps of a map: written by its thread only, summed by readers. */
struct space_local {
	struct space_last last;                  /* what the thread's last visit met                               */
	atomic_u64 event[SPACE_EVENTS];
	bool arena_ready;                        /* this slot's arena has its own leaves                           */
	uint64_t arena_top;                      /* where this slot's next place ends, if it is free; 0: no idea   */
};

struct vmmap {                                   /* = struct lock_space of the policies                            */
	const struct lock_policy *policy;
	void *lock_state;
	uint64_t lo, hi, mmap_base;              /* usable addresses                                     [const]   */
	enum vmmap_placement placement;
	struct physmem *physmem;
	bool own_physmem;
	struct thread_local_table locals;        /* struct space_local                                             */

	uint64_t brk_start;                      /* 0: no brk area                                       [const]   */
	atomic_u64 brk;                          /* changed under brk_lock                                         */
	atomic_u32 brk_lock;

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

struct space_local *space_local_make(struct vmmap *map, struct thread_slot *self);
/* NULL (no memory): the event goes uncounted. */
static inline void space_count(struct vmmap *map, struct thread_slot *self, enum space_event event, uint64_t n)
{
	struct space_local *local = thread_local_mine(&map->locals, self);

	if (likely(local != NULL))
		atomic_bump(&local->event[event], n);
}

/* ---- frames of zapped entries (retire.c) ---- */
struct space_retire { struct pt_batch batch; struct vmmap *map; struct thread_slot *self; };
void space_retire_init(struct space_retire *r, struct vmmap *map, struct thread_slot *self);
void space_retire_entry(struct vmmap *map, struct thread_slot *self, uint64_t entry);

/* ---- attributes ---- */
/* The bits of a VMA after an operation; `bits` are its present ones. */
struct space_rebits {
	uint64_t (*fn)(const struct vma *vma, uint64_t bits, uint64_t arg);
	uint64_t arg;
	bool prot;                               /* permissions change: entries have to follow                     */
};

struct space_new {                               /* a VMA to be made                                               */
	uint64_t bits;
	int64_t delta;
	struct object *object;                   /* its reference is taken over when the VMA is published          */
	uint64_t anon;
};

/* Attributes of a VMA that is not published yet. Its memory may still be read by who found it in an earlier life. */
static inline void space_vma_fill(struct thread_slot *self, struct vma *vma, const struct space_new *attr)
{
	atomic_store_relaxed(&vma->bits, attr->bits);
	atomic_store_relaxed(&vma->delta, attr->delta);
	atomic_store_release(&vma->object, attr->object);       /* an optimistic fault may follow it already */
	atomic_store_relaxed(&vma->anon, attr->anon ? attr->anon : thread_next_number(self));
}

/* What a VMA is like, each field loaded once. Optimistic callers believe it only after lk has been looked at again. */
static inline struct space_new space_vma_attr(const struct vma *vma)
{
	return (struct space_new){ .bits = atomic_load_acquire(&vma->bits),
				   .delta = atomic_load_acquire(&vma->delta),
				   .object = atomic_load_acquire(&vma->object),
				   .anon = vma_anon(vma) };
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
	bool taken_object;                       /* out: fresh->object's reference was consumed                    */
};
#define SPACE_BRIEF_PAGES 64                     /* entries that one leaf section may touch                        */
#define CARVE_GENERAL 1                          /* not done: take the general form                                */
/* 0, or CARVE_GENERAL, -ENOMEM (for CARVE_BITS also: a hole; what lies before it is done), -EEXIST. */
int space_carve(struct vmmap *map, struct lock_edit *e, struct carve *c);

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
void space_prepare_undo(struct vmmap *map, struct lock_edit *e, struct vma *vma);
/* Shuts every VMA in r, zaps r, frees tables, and puts `vma` (NULL: nothing, the gap stays held) in its place. */
void space_replace(struct vmmap *map, struct lock_edit *e, struct lock_range r, struct vma *vma);
/* The same for the tree alone: the caller has shut and zapped r. */
void space_replace_slots(struct vmmap *map, struct lock_edit *e, struct lock_range r, struct vma *vma);
/* Its two halves: the VMAs that went, dead; and later, when no entry shows their objects' frames, what they hold. */
struct vma *space_unlink(struct vmmap *map, struct lock_edit *e, struct lock_range r, struct vma *vma) MUST_CHECK;
void        space_bury(struct vmmap *map, struct thread_slot *self, struct vma *dead);
/* Applies rebits to each VMA from r.lo to the first hole (`every`: past holes too); true: r had no hole. */
bool space_change(struct vmmap *map, struct lock_edit *e, struct lock_range r, const struct space_rebits *rebits,
		  bool every);
/* No VMA in r (dummies do not count). */
bool space_empty(struct vmmap *map, struct thread_slot *self, struct lock_range r);
void space_shut(struct vmmap *map, struct lock_edit *e, struct lock_range r);
void space_zap(struct vmmap *map, struct thread_slot *self, struct lock_range r, bool tables);

/* ---- merging (merge.c) ---- */
/* Joins mergeable neighbours at every border in [r.lo, r.hi], those of r with outside VMAs included (try only). */
void space_merge(struct vmmap *map, struct lock_edit *e, struct lock_range r);
/* After the release of e: retries the merges that others noted with us. */
void space_heal_notes(struct vmmap *map, const struct lock_edit *e);
/* As a fresh acquisition: joins what meets at addr, if mergeable. */
void space_heal(struct vmmap *map, struct thread_slot *self, uint64_t addr);
/* ---- the tree with VMAs that span leaves (span.c) ---- */
/* Full extent of the VMA over addr; the caller knows it to be stable (held), or checks later. Inside RCU. */
struct lock_range space_extent(struct vmmap *map, const struct vma *vma, uint64_t addr);
/* Inside a section: does the VMA of this slot go on in a neighbour leaf? */
bool space_spans(struct vmmap *map, const struct vtree_section *s, const struct vtree_slot *slot);
/* Adds a slot; one of the same VMA beside it in this leaf (a join may have brought both here) becomes part of it. */
void space_put(struct vtree_section *s, uint64_t lo, uint64_t hi, struct vma *vma);
/* The slots of `vma` from addr upwards get `right` instead. vma is held by the caller (or nobody else edits). -ENOMEM:
 * nothing changed. */
int  space_cut_held(struct vmmap *map, struct thread_slot *self, struct vma *vma, uint64_t addr, struct vma *right);
/* `right` takes on what vma is, except bounds and lock word. Takes a reference on the object. */
void space_vma_copy(struct thread_slot *self, struct vma *right, const struct vma *vma);

/* ---- placement (place.c) ---- */
struct space_want { struct vtree_want want; bool topdown_thp; bool arena; };
/* Proposes a place: 0 and *fit; -ENOMEM; -EAGAIN with *locked = an address in a locked gap that would fit. */
int space_place(struct vmmap *map, struct thread_slot *self, const struct space_want *w, struct lock_range *fit,
		uint64_t *locked);
/* r was unmapped by this thread: its next unaddressed mmap may go there, where tables and lines are warm. */
void space_place_again(struct vmmap *map, struct thread_slot *self, struct lock_range r);
void space_want_anywhere(struct vmmap *map, struct thread_slot *self, uint64_t len, bool anonymous,
			 struct space_want *w);

/* ---- memory objects (object.c) ---- */
struct object {
	atomic_u64 refs;
	uint64_t size;                           /* bytes                                                [const]   */
	uint64_t number;
	struct physmem *physmem;
	struct pt pages;                         /* the page cache: a page table keyed by page number              */
	struct rcu_item rcu;
	bool shared_anon;
	char name[40];
};
struct vmmap_object { struct object object; };
int  object_make(struct object **out, struct physmem *pm, const char *name, uint64_t size, bool shared_anon);
void object_get(struct object *object);          /* the caller knows that somebody holds a reference         */
bool object_get_live(struct object *object);     /* inside RCU; false: the last reference was dropped         */
void object_put(struct object *object);
/* The frame of a page, made zeroed if absent. PHYSMEM_NONE: no memory. Inside RCU. */
uint64_t object_page(struct object *object, struct thread_slot *self, uint64_t page);

/* ---- operations (one file each); arguments checked by vmmap.c ---- */
struct space_mmap {
	uint64_t addr, len;
	int prot, flags;
	struct object *object;                   /* NULL: anonymous private                                        */
	uint64_t offset;
	const struct space_want *want;           /* NULL: fixed at addr                                            */
	bool noreplace;
};
int64_t space_mmap(struct vmmap *map, struct thread_slot *self, const struct space_mmap *m);
int     space_munmap(struct vmmap *map, struct thread_slot *self, struct lock_range r);
int     space_mprotect(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t prot);
int space_edit_bits(struct vmmap *map, struct thread_slot *self, struct lock_range r, const struct space_rebits *rb,
		    bool every);
int space_fault(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t access,
		struct vmmap_fault_info *info);
struct space_mremap { uint64_t old, old_len, new_len, to; int flags; };
int64_t space_mremap(struct vmmap *map, struct thread_slot *self, const struct space_mremap *r);
int     space_madvise(struct vmmap *map, struct thread_slot *self, struct lock_range r, int advice);
int64_t space_brk(struct vmmap *map, struct thread_slot *self, uint64_t addr);
int     space_populate(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t access);
ssize_t space_copy(struct vmmap *map, struct thread_slot *self, uint64_t addr, void *bytes, size_t len, bool write);
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

/* `checked` wants to know what is touched. */
static inline void space_touch(struct vmmap *map, struct thread_slot *self, struct lock_range r, enum lock_touch what,
			       bool exclusive)
{
	if (unlikely(map->policy->touch != NULL))
		map->policy->touch(map->lock_state, self, r, what, exclusive);
}

#endif
