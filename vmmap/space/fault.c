/* SPDX-License-Identifier: MIT */
/*
 * fault.c - one page fault: visit, look, prepare, lock the entry, validate, store.
 *
 * STEPS   1 visit_begin: inside RCU, the VMA over the page, its lock word free (or we waited)
 *         2 bits -> may the access be resolved?  A negative answer is validated like a positive one.
 *         3 prepare: the frame and the tables, before the entry is touched; the anonymous group of a first write
 *         4 CAS entry seen -> LOCKED (seq_cst)                        D1: fault's store, partner D2 in the writer
 *         5 visit_valid: the lock word again (seq_cst)                 D2': fault's load, partner the writer's lk RMW
 *         6 store the value, or what was there before, and begin again
 * DEKKER  The writer sets lk (RMW), then loads every entry (pt_zap, pt_protect wait for LOCKED). All four are seq_cst:
 *         either the fault sees the new lk and undoes, or the writer sees LOCKED or the value. Tables obey the same
 *         order: pt_make installs by seq_cst CAS before 5, a writer skips an absent table on a seq_cst load after lk.
 * FIELDS  of the VMA are loaded once, inside the visit. Any object so found was referenced by a VMA at some instant of
 *         this read section, and the last put of an object waits for it: its memory is there even if the VMA is long
 *         another.
 * WAITING between 4 and 6 nothing is allocated, slept on, or called: a LOCKED entry is held for a few instructions.
 */
#include "vmmap/space/space.h"

struct fault {
	struct vmmap *map;
	struct thread_slot *self;
	uint64_t page, access;
	uint64_t frame;                          /* prepared, not yet used; PHYSMEM_NONE                           */
	bool refilled;
	struct vmmap_fault_info info;
};

enum fault_step { FAULT_DONE, FAULT_AGAIN, FAULT_FAIL, FAULT_NOMEM };

static ALWAYS_INLINE bool fault_prepare_frame(struct fault *f)
{
	if (f->frame == PHYSMEM_NONE)
		f->frame = frame_alloc(f->map->physmem, f->self);
	return f->frame != PHYSMEM_NONE;
}

/* A private VMA's first write: its group, by CAS; a writer reads it only after it set lk. The visit was still valid
 * after the load, so what was loaded is of this life, and in another life the CAS fails. */
static NOINLINE void fault_make_group(struct fault *f, struct lock_visit *v, struct vma *vma)
{
	uint64_t none = atomic_load_acquire(&vma->anon);

	if (!(none & 1) && f->map->policy->visit_valid(f->map->lock_state, v)) {
		BASE_POINT(fault_before_group);
		if (BASE_MUTANT(fault_group_any_life))
			none = atomic_load_acquire(&vma->anon);
		atomic_cas_seqcst(&vma->anon, &none, thread_next_number(f->self) | 1);
	}
}

static ALWAYS_INLINE void fault_group(struct fault *f, struct lock_visit *v, struct vma *vma)
{
	if (unlikely(!(atomic_load_acquire(&vma->anon) & 1)))
		fault_make_group(f, v, vma);
}

/* What was loaded at the check, not what the VMA shows now: by here it may live another life. */
static struct object *fault_checked(const struct vma *vma, const struct space_new *is)
{
	BASE_POINT(fault_before_object);
	return BASE_MUTANT(fault_object_twice) ? atomic_load_acquire(&vma->object) : is->object;
}

/* The page of the object under this address; FAULT_FAIL beyond its end. */
static enum fault_step fault_object(struct fault *f, const struct vma *vma, const struct space_new *is, uint64_t *pfn)
{
	uint64_t page = (uint64_t)((int64_t)(f->page >> PAGE_SHIFT) + is->delta);
	struct object *object = fault_checked(vma, is);

	if (page >= space_up(object->size) >> PAGE_SHIFT) {
		f->info.code = VMMAP_BUS;
		return FAULT_FAIL;
	}
	*pfn = object_page(object, f->self, page);
	return *pfn == PHYSMEM_NONE ? FAULT_NOMEM : FAULT_DONE;
}

/* Who touched this frame: still one thread, or several. */
static uint32_t fault_toucher(const struct fault *f, uint64_t seen)
{
	return pt_toucher(seen) == f->self->number + 1 ? f->self->number + 1 : 0;
}

/* A private page of its own: zeroed, or a copy of pfn. */
static ALWAYS_INLINE enum fault_step fault_own_page(struct fault *f, struct lock_visit *v, struct vma *vma,
						    uint64_t bits, uint64_t pfn, uint64_t *value)
{
	struct physmem *pm = f->map->physmem;

	if (unlikely(!fault_prepare_frame(f)))
		return FAULT_NOMEM;
	if (unlikely(pfn != PHYSMEM_NONE))
		frame_copy(pm, f->frame, pfn);
	else if (frame_has_bytes(pm))
		frame_zero(pm, f->frame);
	f->info.pfn = f->frame;
	*value = pt_entry(f->frame, PT_PRESENT | PT_YOUNG | PT_DIRTY | space_pt_access(bits), f->self->number + 1);
	fault_group(f, v, vma);
	return FAULT_DONE;
}

/* The new value of an entry that was `seen`, for this access. Off the way of a first write to anonymous memory. */
static NOINLINE enum fault_step fault_value(struct fault *f, struct lock_visit *v, struct vma *vma,
					    const struct space_new *is, uint64_t seen, uint64_t *value)
{
	uint64_t allow = space_pt_access(is->bits), pfn;
	bool write = f->access == VMA_WRITE, shared = is->bits & VMA_SHARED;
	enum fault_step step;

	if (seen & PT_PRESENT && (!write || (!(seen & PT_ZERO) && (shared || !(seen & PT_OBJECT))))) {
		/* Present, and good enough once the permissions are: a spurious fault, or one after mprotect. */
		f->info.how = seen & PT_ZERO ? VMMAP_ZERO : VMMAP_PRESENT;
		f->info.pfn = seen & PT_ZERO ? PHYSMEM_NONE : pt_pfn(seen);
		*value = seen | (allow & (write ? PT_ACCESS : (uint64_t)(PT_READ | PT_EXEC))) | (write ? PT_DIRTY : 0);
		if (!(seen & PT_ZERO))
			*value = pt_entry(pt_pfn(*value), *value & ((1u << PT_PFN_SHIFT) - 1), fault_toucher(f, seen));
		return FAULT_DONE;
	}
	if (is->object && (shared || !write)) {
		step = fault_object(f, vma, is, &pfn);
		if (step != FAULT_DONE)
			return step;
		f->info.how = VMMAP_OBJECT;
		f->info.pfn = pfn;
		*value = pt_entry(pfn, PT_PRESENT | PT_OBJECT | PT_YOUNG | (write ? PT_DIRTY : 0) |
				  (allow & (write ? PT_ACCESS : (uint64_t)(PT_READ | PT_EXEC))), 0);
		return FAULT_DONE;
	}
	if (!write) {
		f->info.how = VMMAP_ZERO;
		f->info.pfn = PHYSMEM_NONE;
		*value = PT_PRESENT | PT_ZERO | PT_YOUNG | (allow & (PT_READ | PT_EXEC));
		return FAULT_DONE;
	}
	if (is->object && !(seen & PT_PRESENT)) {
		step = fault_object(f, vma, is, &pfn);
		if (step != FAULT_DONE)
			return step;
	} else {
		pfn = seen & PT_OBJECT ? pt_pfn(seen) : PHYSMEM_NONE;
	}
	f->info.how = seen & PT_PRESENT || is->object ? VMMAP_COW : VMMAP_ANON;
	return fault_own_page(f, v, vma, is->bits, pfn, value);
}

/* Steps 2 to 6 of one visit. */
static ALWAYS_INLINE enum fault_step fault_visit(struct fault *f, struct lock_visit *v)
{
	const struct lock_policy *pol = f->map->policy;
	enum fault_step step;
	struct vma *vma = v->slot ? space_vma(v->slot) : NULL;
	uint64_t bits = likely(vma != NULL) ? atomic_load_acquire(&vma->bits) : 0, seen, value;
	struct object *object;
	atomic_u64 *entry;

	if (unlikely(!space_allows(bits, f->access))) {
		f->info.code = vma ? VMMAP_ACCERR : VMMAP_MAPERR;
		return pol->visit_valid(f->map->lock_state, v) || BASE_MUTANT(fault_denies_unchecked) ? FAULT_FAIL :
													FAULT_AGAIN;
	}
	space_touch(f->map, f->self, (struct lock_range){ f->page, f->page + PAGE_BYTES }, LOCK_TOUCH_VMA, false);
	BASE_POINT(fault_before_walk);
	entry = pt_make(&f->map->pt, f->self, f->page);
	if (unlikely(!entry))
		return FAULT_NOMEM;
	seen = atomic_load_acquire(entry);
	if (unlikely(seen & PT_LOCKED))
		return FAULT_AGAIN;
	object = atomic_load_acquire(&vma->object);
	if (likely(!seen && !object && f->access == VMA_WRITE)) {
		f->info.how = VMMAP_ANON;
		step = fault_own_page(f, v, vma, bits, PHYSMEM_NONE, &value);
	} else {
		struct space_new is = { .bits = bits, .object = object, .delta = atomic_load_acquire(&vma->delta) };

		step = fault_value(f, v, vma, &is, seen, &value);
	}
	if (unlikely(step != FAULT_DONE))
		return step == FAULT_NOMEM || pol->visit_valid(f->map->lock_state, v) ? step : FAULT_AGAIN;
	if (value == seen)
		return pol->visit_valid(f->map->lock_state, v) ? FAULT_DONE : FAULT_AGAIN;
	space_touch(f->map, f->self, (struct lock_range){ f->page, f->page + PAGE_BYTES }, LOCK_TOUCH_ENTRY, false);
	BASE_POINT(fault_before_cas);
	if (unlikely(!pt_lock(entry, seen)))                     /* D1 */
		return FAULT_AGAIN;
	BASE_POINT(fault_before_valid);
	if (unlikely(!pol->visit_valid(f->map->lock_state, v))) {        /* D2' */
		pt_store(entry, seen);
		return FAULT_AGAIN;
	}
	BASE_POINT(fault_before_store);
	pt_store(entry, value);
	if (f->frame != PHYSMEM_NONE && f->info.pfn == f->frame)
		f->frame = PHYSMEM_NONE;
	return FAULT_DONE;
}

/* Outside of the read section an allocation may wait for frames that are only deferred. Once per fault. */
static NOINLINE bool fault_refill(struct fault *f)
{
	uint64_t frame;

	if (f->refilled)
		return false;
	f->refilled = true;
	frame = frame_alloc(f->map->physmem, f->self);
	if (frame == PHYSMEM_NONE)
		return false;
	frame_free(f->map->physmem, f->self, frame);     /* into this slot's cache, for whoever asks next in there */
	return true;
}

int space_fault(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t access,
		struct vmmap_fault_info *info)
{
	struct fault f = {
		.map = map, .self = self, .page = addr & ~(PAGE_BYTES - 1), .access = access, .frame = PHYSMEM_NONE
	};
	struct lock_visit v = { .self = self };          /* v.own lives on: a visit that begins again grows old    */
	struct park_spin spin = PARK_SPIN;
	enum fault_step step;
	int err;

	for (;;) {
		v.r = (struct lock_range){ f.page, f.page + PAGE_BYTES };
		err = map->policy->visit_begin(map->lock_state, &v, LOCK_FOREVER);
		if (unlikely(err))
			break;
		BASE_POINT(fault_after_begin);
		step = fault_visit(&f, &v);
		map->policy->visit_end(map->lock_state, &v);
		BASE_POINT(fault_after_end);
		if (unlikely(step == FAULT_NOMEM) && fault_refill(&f))
			step = FAULT_AGAIN;
		if (likely(step != FAULT_AGAIN)) {
			err = step == FAULT_DONE ? 0 : step == FAULT_FAIL ? -EFAULT : -ENOMEM;
			break;
		}
		space_count(map, self, SPACE_FAULT_RETRY, 1);
		park_spin(&spin);
	}
	if (unlikely(f.frame != PHYSMEM_NONE))
		frame_free(map->physmem, self, f.frame);
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
		err = space_fault(map, self, at, access, &info);
		if (err == -EFAULT)
			return info.code == VMMAP_MAPERR ? -ENOMEM : info.code == VMMAP_BUS ? -EFAULT : -EINVAL;
		if (err)
			return err;
	}
	return 0;
}
