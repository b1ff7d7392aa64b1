/* SPDX-License-Identifier: MIT */
/*
 * resize.c - an object changes its size. Edges Z and P: object.h.
 *
 * SHRINK    1 the size goes down: from here on no fault maps a page beyond it (Z2, Z4)
 *           2 every entry that maps such a page is dropped, private copies too (Linux), one by one, by visits: waits
 *             for edits that hold the place, holding nothing but the resize lock
 *           3 `filled` goes down: what the pager has beyond is no longer read (P2)
 *           4 the pages go; their frames wait for a grace period, since an access may be copying; those that are
 *             pinned go with their last pin. BUSY marks go, the reader notices. A page that is being written goes as
 *             well, its mark is waited for: when resize returns, no callback for a page beyond the end is under way,
 *             but reads whose result is dropped
 *           5 the rest of the last page is zeroed
 * GROW      the size goes up. What is new reads zero: its pages were absent, and beyond `filled`. Bytes that a program
 *           stored in the last page, beyond the old end, show up, as in Linux (tmpfs).
 * MOVED     mremap moves entries while 2 runs: see remap_move.c, FOLLOW.
 * ORDER     resizes of one object exclude each other by a mutex: a raise comes after the pages of the cut are gone. Who
 *           holds a range (vmmap_hold) does not wait for it, since its owner may wait for that.
 */
#include "vmmap/space/space.h"

static void resize_give(struct object *object, struct thread_slot *self, uint64_t pfn)
{
	if (object_leaves(object, pfn))
		frame_give_later(object->physmem, self, pfn, FRAME_OWNER_OBJECT);
}

/* Takes one page out. Waits for a write of it. */
static void resize_drop(struct object *object, struct thread_slot *self, atomic_u64 *entry)
{
	uint64_t seen = atomic_load_seqcst(entry);                               /* Z6 -> Z5; P2 -> P1 */

	while (seen) {
		if (!(seen & (PT_PRESENT | OBJECT_NEW | OBJECT_BUSY))) {      /* the mark of a write, alone */
			if (BASE_MUTANT(cut_no_wait))
				return;
			if (object_wait(object, self, entry, seen))
				CHECK(!"a resize has no deadline");
			seen = atomic_load_seqcst(entry);                       /* Z6 -> Z5 */
			continue;
		}
		if (!atomic_cas_seqcst(entry, &seen, seen & OBJECT_WRITEBACK))           /* Z3 -> Z4 */
			continue;
		if (seen & (PT_PRESENT | OBJECT_NEW))
			resize_give(object, self, pt_pfn(seen));
		else
			object_woken(object);
		seen &= OBJECT_WRITEBACK;
	}
}

static void resize_cut(struct object *object, struct thread_slot *self, uint64_t from)
{
	uint64_t at = from << PAGE_SHIFT;
	atomic_u64 *entry;

	for (;; at += PAGE_BYTES) {
		rcu_enter(self);
		entry = pt_next(&object->pages, &at, ADDRESS_END);       /* its tables stay as long as the object */
		rcu_leave(self);
		if (!entry)
			break;
		if (atomic_load_seqcst(entry))                                  /* Z6 -> Z5; P2 -> P1 */
			resize_drop(object, self, entry);
	}
	frame_tidy(object->physmem, self);
}

/* The last page goes on to its border: zeros there, also in the pager's next copy. */
static void resize_tail(struct object *object, struct thread_slot *self, uint64_t size)
{
	static const unsigned char zeros[PAGE_BYTES];
	uint64_t used = size & (PAGE_BYTES - 1), seen;
	atomic_u64 *entry;

	if (!used)
		return;
	rcu_enter(self);
	entry = pt_find(&object->pages, size);
	rcu_leave(self);
	seen = entry ? atomic_load_seqcst(entry) : 0;                           /* P2 -> P1; Z6 -> Y3 */
	while (seen & OBJECT_BUSY)                       /* it may have read before `filled` went down: not good   */
		if (atomic_cas_seqcst(entry, &seen, seen & OBJECT_WRITEBACK)) { /* P2 -> P1 */
			object_woken(object);
			break;
		}
	if (seen & PT_PRESENT)
		frame_write(object->physmem, pt_pfn(seen), (unsigned)used, zeros, PAGE_BYTES - used);
	while (seen & PT_PRESENT && object_paged(object) && !(seen & PT_DIRTY))
		if (atomic_cas_seqcst(entry, &seen, seen | PT_DIRTY))           /* Y2 -> Y1: the zeros */
			break;
}

static int resize_shrink(struct object *object, struct thread_slot *self, uint64_t old, uint64_t size)
{
	uint64_t from = space_up(size) >> PAGE_SHIFT;
	struct rmap_walk w = { .object = object, .self = self, .lo = from, .hi = UINT64_MAX, .drop = true };
	int err;

	atomic_store_seqcst(&object->size, size);                                /* Z1 -> Z2; Z6 -> Z5 */
	BASE_POINT(resize_after_size);
	err = rmap_walk(&w);
	if (err) {
		atomic_store_seqcst(&object->size, old);                        /* Z1 -> Z2: taken back */
		return err;
	}
	if (size < atomic_load_relaxed(&object->filled))
		atomic_store_seqcst(&object->filled, size);                      /* P2 -> P1 */
	BASE_POINT(resize_before_cut);
	resize_cut(object, self, from);
	resize_tail(object, self, size);
	return 0;
}

int object_resize(struct object *object, struct thread_slot *self, uint64_t size)
{
	uint64_t old, deadline;
	int err = 0;

	if (!self->holds || BASE_MUTANT(resize_waits_holding))
		park_lock(&object->resize_lock);
	else if (!park_trylock(&object->resize_lock))
		return -EDEADLK;
	deadline = thread_deadline(self, PARK_FOREVER);          /* half of it cannot be taken back                */
	old = atomic_load_relaxed(&object->size);
	if (size < old)
		err = resize_shrink(object, self, old, size);
	else
		atomic_store_seqcst(&object->size, size);                       /* Z1 -> Z2; Z3 -> Z4: a raise */
	park_unlock(&object->resize_lock);
	thread_deadline(self, deadline);
	return err;
}
