/* SPDX-License-Identifier: MIT */
/*
 * fault.c - one page fault: visit, look, prepare, lock the entry, validate, store.
 *
 * STEPS   1 visit_begin: inside RCU, the VMA over the page, its lock word free (or we waited)
 *         2 bits -> may the access be resolved?  A negative answer is validated like a positive one.
 *         3 prepare: the frame and the tables, before the entry is touched; the anonymous group of a first write
 *         4 CAS entry seen -> LOCKED (seq_cst)                        F1: fault's store, partner W2 in the writer
 *         5 visit_valid: the lock word again (seq_cst)                 F2: fault's load, partner D1, the lk RMW
 *         6 store the value, or what was there before, and begin again
 * DEKKER  The writer sets lk (RMW), then loads every entry (pt_zap, pt_protect wait for LOCKED). All four are seq_cst:
 *         either the fault sees the new lk and undoes, or the writer sees LOCKED or the value. Tables obey the same
 *         order: pt_make installs by seq_cst CAS before 5, a writer skips an absent table on a seq_cst load after lk.
 * FIELDS  of the VMA are loaded once, inside the visit. Any object so found was referenced by a VMA at some instant of
 *         this read section, and the last put of an object waits for it: its memory is there even if the VMA is long
 *         another.
 * SHARED  a write to a frame that a fork has shared takes it over if its count says that this entry is the last; else
 *         it gets a copy, and the old entry's share is given up after 6. The count is read before 4, and stays 0: only
 *         who holds an entry of the frame raises it, and a fork of this map would have changed lk (5).
 * STACKS  a hole is no answer yet in a map with stacks: holding nothing, the fault extends the one above if it may
 *         (grow.c), and begins again.
 * WAITING between 4 and 6 nothing is allocated, slept on, called: a LOCKED entry is held for a few instructions.
 * OBJECT  an entry that shows a page of an object, or a copy of one, is stored only if after 4 the page still is that
 *         frame, inside the object; and one that lets a program store into a page of a pager's object, only after the
 *         page's dirty mark (object.h, Z and Y). An absent page of such an object is read outside of the visit,
 *         holding nothing but a reference, and the fault starts again. If the pager failed, the fault says BUS, unless
 *         by then something else is mapped there or another thread has read the page.
 */
#include "vmmap/space/space.h"

struct fault {
	struct vmmap *map;
	struct thread_slot *self;
	uint64_t page, access;
	uint64_t frame;                          /* prepared, not yet used; PHYSMEM_NONE                           */
	uint8_t refills;                         /* how often it left the visit for a frame                        */
	bool unread;                             /* a pager has failed, for the page of the object of this number: */
	bool grows;
	struct vmmap_fault_info info;
	uint64_t unread_number, unread_page;
	/* Where the VMA maps an object, set in each visit: */
	struct object *object;                   /* whose page the entry is going to show or copy; NULL: none      */
	uint64_t object_page, object_pfn;
	bool dirties;                            /* the entry is going to let stores through to the object's page  */
};

enum fault_step { FAULT_DONE, FAULT_AGAIN, FAULT_FAIL, FAULT_NOMEM, FAULT_READ };

/* Apart: a fault that tells nobody does not put the range together. */
static NOINLINE void fault_tell_touch(struct fault *f, enum lock_touch what)
{
	space_touch(f->map, f->self, (struct lock_range){ f->page, f->page + PAGE_BYTES }, what, false);
}

static ALWAYS_INLINE void fault_touch(struct fault *f, struct vmmap *map, enum lock_touch what)
{
	if (unlikely(map->policy->touch != NULL))
		fault_tell_touch(f, what);
}

/* One that is left from a visit before may get another page in its name: nobody has it but us. */
static NOINLINE void fault_name_again(const struct fault *f, uint64_t page)
{
	frame_set_where(f->map->physmem, f->frame, rmap_name(f->map->gate), page);
}

/* pm: map's, which the caller has loaded: an ordered load between two plain ones makes two of them. */
static ALWAYS_INLINE bool fault_prepare(struct fault *f, struct vmmap *map, struct physmem *pm, const struct vma *vma)
{
	uint64_t page = (f->page >> PAGE_SHIFT) + (uint64_t)vma_delta(vma);

	if (unlikely(f->frame != PHYSMEM_NONE)) {
		fault_name_again(f, page);
		return true;
	}
	f->frame = frame_alloc_named(pm, f->self, FRAME_OWNER_MAP, rmap_name(map->gate), page);
	return f->frame != PHYSMEM_NONE;
}

/* A private VMA's first write: its group, by CAS; a writer reads it only after it set lk. The visit was still valid
 * after the load, so what was loaded is of this life, and in another life the CAS fails. */
static NOINLINE void fault_make_group(struct fault *f, struct lock_visit *v, struct vma *vma)
{
	uint64_t none = atomic_load_acquire(&vma->anon);                        /* B2 -> B1 */

	if (!(none & 1) && f->map->policy->visit_valid(f->map->lock_state, v)) {
		BASE_POINT(fault_before_group);
		if (BASE_MUTANT(fault_group_any_life))
			none = atomic_load_acquire(&vma->anon);                 /* B2 -> B1 */
		atomic_cas_seqcst(&vma->anon, &none, thread_next_number(f->self) | 1);  /* C1 -> C2 */
	}
}

static ALWAYS_INLINE void fault_group(struct fault *f, struct lock_visit *v, struct vma *vma)
{
	if (unlikely(!(atomic_load_acquire(&vma->anon) & 1)))                   /* B2 -> B1 */
		fault_make_group(f, v, vma);
}

/* What was loaded at the check, not what the VMA shows now: by here it may live another life. */
static struct object *fault_checked(const struct vma *vma, const struct space_new *is)
{
	BASE_POINT(fault_before_object);
	return BASE_MUTANT(fault_object_twice) ? atomic_load_acquire(&vma->object) : is->object;        /* B2 -> B1 */
}

/* The page of the object under this address; FAULT_FAIL beyond its end, or if the pager has just failed. */
static enum fault_step fault_object(struct fault *f, const struct vma *vma, const struct space_new *is, uint64_t *pfn)
{
	enum object_has has;
	bool unread;

	f->object = fault_checked(vma, is);
	f->object_page = (uint64_t)((int64_t)(f->page >> PAGE_SHIFT) + is->delta);
	has = object_page(f->object, f->self, f->object_page, pfn);
	f->object_pfn = *pfn;
	if (has == OBJECT_HAS)
		return FAULT_DONE;
	if (has == OBJECT_NOMEM)
		return FAULT_NOMEM;
	unread = f->unread && f->unread_number == f->object->number && f->unread_page == f->object_page;
	if (has == OBJECT_MOVES || (has == OBJECT_ABSENT && !unread))
		return FAULT_READ;
	f->info.code = VMMAP_BUS;
	return FAULT_FAIL;
}

/* A store through an entry that is there, but has shown the object's page to loads only. */
static enum fault_step fault_first_store(struct fault *f, const struct space_new *is, uint64_t seen)
{
	f->object = is->object;
	f->object_page = (uint64_t)((int64_t)(f->page >> PAGE_SHIFT) + is->delta);
	f->object_pfn = pt_pfn(seen);
	f->info.code = VMMAP_BUS;
	/* Else a resize is on its way here: nobody waits for it. */
	return f->object_page < object_pages(f->object) || BASE_MUTANT(fault_store_waits) ? FAULT_DONE : FAULT_FAIL;
}

/* After the entry was locked: may it show that page, and let stores through? */
static NOINLINE bool fault_object_holds(struct fault *f)
{
	if (!f->object)
		return true;
	if (f->dirties && !BASE_MUTANT(dirty_before_lock) && !BASE_MUTANT(dirty_after_store))
		return object_dirty(f->object, f->object_page, f->object_pfn);
	return object_still(f->object, f->object_page, f->object_pfn);
}

/* Who touched this frame: still one thread, or several. */
static uint32_t fault_toucher(const struct fault *f, uint64_t seen)
{
	return pt_toucher(seen) == f->self->number + 1 ? f->self->number + 1 : 0;
}

/* The entry of a private page of its own: zeroed, or a copy of pfn. 0: no memory. */
static ALWAYS_INLINE uint64_t fault_new_page(struct fault *f, struct vmmap *map, struct lock_visit *v, struct vma *vma,
					     uint64_t bits, uint64_t pfn)
{
	struct physmem *pm = map->physmem;

	if (unlikely(!fault_prepare(f, map, pm, vma)))
		return 0;
	if (unlikely(pfn != PHYSMEM_NONE))
		frame_copy(pm, f->frame, pfn);
	else if (frame_has_bytes(pm))
		frame_zero(pm, f->frame);
	f->info.pfn = f->frame;
	fault_group(f, v, vma);
	return pt_entry(f->frame, PT_PRESENT | PT_YOUNG | PT_DIRTY | space_pt_access(bits), f->self->number + 1);
}

static inline enum fault_step fault_own_page(struct fault *f, struct lock_visit *v, struct vma *vma, uint64_t bits,
					     uint64_t pfn, uint64_t *value)
{
	*value = fault_new_page(f, f->map, v, vma, bits, pfn);
	return *value ? FAULT_DONE : FAULT_NOMEM;
}

/* Present, and good enough once the permissions are: a spurious fault, or one after mprotect. */
static ALWAYS_INLINE uint64_t fault_present(struct fault *f, uint64_t allow, uint64_t seen)
{
	bool write = f->access == VMA_WRITE;
	uint64_t value = seen | (allow & (write ? PT_ACCESS : (uint64_t)(PT_READ | PT_EXEC))) | (write ? PT_DIRTY : 0);

	f->info.how = seen & PT_ZERO ? VMMAP_ZERO : VMMAP_PRESENT;
	f->info.pfn = seen & PT_ZERO ? PHYSMEM_NONE : pt_pfn(seen);
	if (!(seen & PT_ZERO))
		value = pt_entry(pt_pfn(value), value & ((1u << PT_PFN_SHIFT) - 1), fault_toucher(f, seen));
	return value;
}

/* A write through an entry whose frame is shared. */
static NOINLINE enum fault_step fault_shared(struct fault *f, struct lock_visit *v, struct vma *vma, uint64_t bits,
					     uint64_t seen, uint64_t *value)
{
	bool alone = frame_alone(f->map->physmem, pt_pfn(seen)) || BASE_MUTANT(fault_takes_over);

	BASE_POINT(fault_after_count);
	if (alone)
		*value = fault_present(f, space_pt_access(bits), (seen | PT_YOUNG) & ~(uint64_t)PT_SHARED);
	f->info.how = VMMAP_COW;
	return alone ? FAULT_DONE : fault_own_page(f, v, vma, bits, pt_pfn(seen), value);
}

/* The new value of an entry that was `seen`, for this access, in anonymous memory. */
static ALWAYS_INLINE enum fault_step fault_anonymous(struct fault *f, struct lock_visit *v, uint64_t bits,
						     uint64_t seen, uint64_t *value)
{
	uint64_t allow = space_pt_access(bits);

	if (likely(seen & PT_PRESENT && (f->access != VMA_WRITE || !(seen & (PT_ZERO | PT_SHARED))))) {
		*value = fault_present(f, allow, seen);
		return FAULT_DONE;
	}
	if (seen & PT_SHARED)
		return fault_shared(f, v, space_vma(v->slot), bits, seen, value);
	if (f->access != VMA_WRITE) {
		f->info.how = VMMAP_ZERO;
		f->info.pfn = PHYSMEM_NONE;
		*value = PT_PRESENT | PT_ZERO | PT_YOUNG | (allow & (PT_READ | PT_EXEC));
		return FAULT_DONE;
	}
	f->info.how = seen & PT_PRESENT ? VMMAP_COW : VMMAP_ANON;
	return fault_own_page(f, v, space_vma(v->slot), bits, PHYSMEM_NONE, value);
}

/* The same where an object is mapped. */
static enum fault_step fault_mapped(struct fault *f, struct lock_visit *v, const struct space_new *is, uint64_t seen,
				    uint64_t *value)
{
	struct vma *vma = space_vma(v->slot);
	uint64_t allow = space_pt_access(is->bits), pfn;
	bool write = f->access == VMA_WRITE, shared = is->bits & VMA_SHARED;
	enum fault_step step = FAULT_DONE;

	f->object = NULL;
	f->dirties = write && shared && object_paged(is->object) && !(seen & PT_WRITE);
	if (write && seen & PT_SHARED)
		return fault_shared(f, v, vma, is->bits, seen, value);
	if (seen & PT_PRESENT && (!write || shared || !(seen & PT_OBJECT))) {
		*value = fault_present(f, allow, seen);
		return f->dirties ? fault_first_store(f, is, seen) : FAULT_DONE;
	}
	if (seen & PT_PRESENT)
		pfn = pt_pfn(seen);
	else
		step = fault_object(f, vma, is, &pfn);
	if (step != FAULT_DONE)
		return step;
	if (write && !shared) {
		f->info.how = VMMAP_COW;
		return fault_own_page(f, v, vma, is->bits, pfn, value);
	}
	f->info.how = VMMAP_OBJECT;
	f->info.pfn = pfn;
	*value = pt_entry(pfn, PT_PRESENT | PT_OBJECT | PT_YOUNG | (write ? PT_DIRTY : 0) |
			  (allow & (write ? PT_ACCESS : (uint64_t)(PT_READ | PT_EXEC))), 0);
	return FAULT_DONE;
}

/* A private copy is found by the object, as its pages are. Only here is it sure that the VMA keeps that. */
static NOINLINE void fault_name_copy(const struct fault *f, const struct object *object)
{
	uint64_t page;

	(void)frame_where(f->map->physmem, f->frame, &page);
	frame_set_where(f->map->physmem, f->frame, rmap_name_copy(object), page);
}

struct fault_change { uint64_t seen, value; };

/* Steps 4 to 6. object: what the VMA maps. */
static ALWAYS_INLINE enum fault_step fault_commit(struct fault *f, struct vmmap *map, struct lock_visit *v,
						  atomic_u64 *entry, struct fault_change c, const struct object *object)
{
	const struct lock_policy *pol = map->policy;

	if (c.value == c.seen)
		return pol->visit_valid(map->lock_state, v) ? FAULT_DONE : FAULT_AGAIN;
	fault_touch(f, map, LOCK_TOUCH_ENTRY);
	if (BASE_MUTANT(dirty_before_lock) && object && f->object && f->dirties)
		object_dirty(f->object, f->object_page, f->object_pfn);
	BASE_POINT(fault_before_cas);
	if (unlikely(!pt_lock(entry, c.seen)))                     /* F1 -> W2 */
		return FAULT_AGAIN;
	BASE_POINT(fault_before_valid);
	if (unlikely(!pol->visit_valid(map->lock_state, v) ||            /* F2 -> D1, then Z2, Z4, Y2 */
		     (object && !fault_object_holds(f)))) {
		pt_store(entry, BASE_MUTANT(fault_undo_empties) ? 0 : c.seen);
		return FAULT_AGAIN;
	}
	BASE_POINT(fault_before_store);
	if (object && f->frame != PHYSMEM_NONE && f->info.pfn == f->frame)
		fault_name_copy(f, object);
	pt_store(entry, c.value);
	if (BASE_MUTANT(dirty_after_store) && object && f->object && f->dirties) {
		BASE_POINT(fault_after_store);
		object_dirty(f->object, f->object_page, f->object_pfn);
	}
	if (f->frame != PHYSMEM_NONE && f->info.pfn == f->frame)
		f->frame = PHYSMEM_NONE;
	return FAULT_DONE;
}

/* No value: is that so? What has to be read needs a reference, as long as the visit lasts. */
static enum fault_step fault_stop(struct fault *f, struct lock_visit *v, enum fault_step step)
{
	if (step == FAULT_NOMEM)
		return step;
	if (!f->map->policy->visit_valid(f->map->lock_state, v))
		return FAULT_AGAIN;
	return step == FAULT_READ && !object_get_live(f->object) ? FAULT_AGAIN : step;
}

/* The entry has got a value: what it showed before may have been shared. */
static enum fault_step fault_changed(struct fault *f, enum fault_step step, uint64_t seen)
{
	if (unlikely(step == FAULT_DONE && seen & PT_SHARED && f->access == VMA_WRITE && f->info.pfn != pt_pfn(seen))) {
		BASE_POINT(fault_before_unshare);
		space_retire_entry(f->map, f->self, seen);
	}
	return step;
}

/* What is not a first write to anonymous memory. */
static NOINLINE enum fault_step fault_other(struct fault *f, struct lock_visit *v, atomic_u64 *entry, uint64_t seen,
					    const struct space_new *is)
{
	uint64_t value = 0;
	enum fault_step step;

	if (likely(!is->object)) {
		step = fault_anonymous(f, v, is->bits, seen, &value);
		if (unlikely(step != FAULT_DONE))
			return step;
		step = fault_commit(f, f->map, v, entry, (struct fault_change){ seen, value }, NULL);
		return fault_changed(f, step, seen);
	}
	step = fault_mapped(f, v, is, seen, &value);
	if (step != FAULT_DONE)
		return fault_stop(f, v, step);
	step = fault_commit(f, f->map, v, entry, (struct fault_change){ seen, value }, is->object);
	return fault_changed(f, step, seen);
}

/* Steps 2 to 6 of one visit. */
static ALWAYS_INLINE enum fault_step fault_visit(struct fault *f, struct vmmap *map, struct lock_visit *v)
{
	struct vma *vma = v->slot ? space_vma(v->slot) : NULL;
	uint64_t bits = likely(vma != NULL) ? atomic_load_acquire(&vma->bits) : 0, seen, value = 0;     /* B2 -> B1 */
	struct object *object;
	atomic_u64 *entry;

	if (unlikely(!space_allows(bits, f->access))) {
		f->info.code = vma ? VMMAP_ACCERR : VMMAP_MAPERR;
		return map->policy->visit_valid(map->lock_state, v) || BASE_MUTANT(fault_denies_unchecked)
			       ? FAULT_FAIL
			       : FAULT_AGAIN;
	}
	fault_touch(f, map, LOCK_TOUCH_VMA);
	BASE_POINT(fault_before_walk);
	entry = pt_make(&map->pt, f->self, f->page);
	if (unlikely(!entry))
		return FAULT_NOMEM;
	seen = atomic_load_acquire(entry);                                       /* S2 -> S1 */
	if (unlikely(seen & PT_LOCKED))
		return FAULT_AGAIN;
	object = atomic_load_acquire(&vma->object);                             /* B2 -> B1 */
	if (likely(!seen && !object && f->access == VMA_WRITE)) {
		f->info.how = VMMAP_ANON;
		value = fault_new_page(f, map, v, vma, bits, PHYSMEM_NONE);
		if (unlikely(!value))
			return FAULT_NOMEM;
		return fault_commit(f, map, v, entry, (struct fault_change){ seen, value }, NULL);
	}
	return fault_other(f, v, entry, seen,
			   &(struct space_new){ .bits = bits, .object = object,
						.delta = atomic_load_acquire(&vma->delta) });   /* B2 -> B1 */
}

/* Outside of the read section one may wait for frames that are only deferred. A private copy of a page that its object
 * has not got yet takes two frames. (It may want for a table, not a frame: not for ever.) */
static NOINLINE int fault_refill(struct fault *f)
{
	if (f->refills == 2)
		return -ENOMEM;
	f->refills++;
	return frame_refill(f->map->physmem, f->self);   /* into this slot's cache, for whoever asks next in there */
}

/* The page is asked for, or has come, or a pager has failed: 0 to begin again. We hold a reference on the object. */
static int fault_read(struct fault *f)
{
	int err = object_fill(f->object, f->self, f->object_page);

	if (err == -EIO) {
		f->unread = true;
		f->unread_number = f->object->number;
		f->unread_page = f->object_page;
		err = 0;
		if (BASE_MUTANT(fault_trusts_failure)) {
			f->info.code = VMMAP_BUS;
			err = -EFAULT;
		}
	}
	object_put(f->object);
	return err == -ENOMEM ? fault_refill(f) : err;
}

/* A hole, in a map with stacks. What the page will need is asked for before one grows: without it all stays as is. */
static int fault_grow(struct fault *f)
{
	int err = space_may_grow(f->map, f->self, f->page);

	if (err)
		return err;
	if (f->access == VMA_WRITE && f->frame == PHYSMEM_NONE)
		err = frame_refill(f->map->physmem, f->self);
	return err ? err : space_grow(f->map, f->self, f->page, &f->info.grew);
}

/* The visit has refused: is that the end? */
static ALWAYS_INLINE bool fault_ends(const struct fault *f)
{
	return f->info.code != VMMAP_MAPERR || !f->grows || !atomic_load_acquire(&f->map->stacks);       /* K2 -> K1 */
}

/* After a step that did not end the fault: 0 to begin again. */
static NOINLINE int fault_again(struct fault *f, enum fault_step step, struct park_spin *spin)
{
	int err = 0;

	if (step == FAULT_FAIL)
		err = fault_grow(f);
	else if (step == FAULT_READ)
		err = fault_read(f);
	else if (step == FAULT_NOMEM)
		err = fault_refill(f);
	if (err)
		return err;
	space_count(f->map, f->self, SPACE_FAULT_RETRY, 1);
	return space_again(f->self, spin);
}

int space_fault(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t access, bool grows,
		struct vmmap_fault_info *info)
{
	struct fault f;                          /* what belongs to an object is set where it maps one             */
	struct lock_visit v = { .self = self };          /* v.own lives on: a visit that begins again grows old    */
	struct park_spin spin = PARK_SPIN;
	enum fault_step step;
	int err;

	f.map = map;
	f.self = self;
	f.page = addr & ~(PAGE_BYTES - 1);
	f.access = access;
	f.frame = PHYSMEM_NONE;
	f.grows = grows;
	f.refills = 0;
	f.unread = false;
	f.info = (struct vmmap_fault_info){ 0 };
	for (;;) {
		v.r = (struct lock_range){ f.page, f.page + PAGE_BYTES };
		err = map->policy->visit_begin(map->lock_state, &v, self->deadline_ns);
		if (unlikely(err))
			break;
		BASE_POINT(fault_after_begin);
		step = fault_visit(&f, map, &v);
		map->policy->visit_end(map->lock_state, &v);
		BASE_POINT(fault_after_end);
		if (likely(step == FAULT_DONE))
			break;
		err = step == FAULT_FAIL && fault_ends(&f) ? -EFAULT : fault_again(&f, step, &spin);
		if (err)
			break;
	}
	if (unlikely(f.frame != PHYSMEM_NONE))
		frame_give(map->physmem, self, f.frame, FRAME_OWNER_MAP);
	if (likely(!err))
		space_count(map, self, f.info.how == VMMAP_PRESENT ? SPACE_FAULT_HIT : SPACE_FAULT, 1);
	if (info)
		*info = f.info;
	return err;
}

int space_populate(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t access)
{
	struct vmmap_fault_info info;
	int err;

	for (uint64_t at = r.lo; at < r.hi; at += PAGE_BYTES) {
		err = space_fault(map, self, at, access, false, &info);
		if (err == -EFAULT)
			return info.code == VMMAP_MAPERR ? -ENOMEM : info.code == VMMAP_BUS ? -EFAULT : -EINVAL;
		if (err)
			return err;
	}
	return 0;
}
