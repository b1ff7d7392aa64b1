/* SPDX-License-Identifier: MIT */
/*
 * fork.c - a second address space of one instant of the first. Design: docs/adr/0014-fork.md.
 *
 * STEPS   1 the break's word, if the map has one, then an edit of all usable addresses: [waits], nothing is done yet
 *         2 VMA by VMA, low to high: shut it; one like it goes into the child; its private frames become shared, and
 *           their entries go into the child's page table (pt_share); what is pinned is copied at once (pin.c)
 *           What has been done is let go on the way, where the policy can (edit_part): after some work, at a border of
 *           VMAs. What the fork has in hand for the child is put there before: a pointer to an object is good as long
 *           as the VMA that has a reference is held.
 *         3 what the child's VMAs count for
 *         4 the edit ends; the child's gate opens; what its objects have lost meanwhile goes
 * CHILD   nobody else knows it before 4: its tree and its table are written without its locks, and no order is asked of
 *         these stores. 4 shows it to who walks the mappings of its objects, the caller's return to all.
 * SIZES   A resize that walks its object's mappings while the child is made finds its gate closed, or does not find its
 *         hint, and passes it by. It has stored the size before. So the fork looks at the sizes after it has opened the
 *         gate (rmap.c, G3): either the walk came in, or the fork sees the size. Only private copies can be there to be
 *         cut: entries that show an object's page are not handed on.
 * JOINED  Neighbours that are alike once the child's rules are applied are one VMA there: what the parent has not
 *         merged yet (merge.c, notes), or what only mlock kept apart.
 * FAILS   for want of memory: the edit ends, the child is destroyed as it is. Entries that were made shared find
 *         themselves alone at the next store.
 * CONTENT of a page in the child: as it was at one instant between the call's begin and its end, between two stores of
 *         vmmap_write. Of two pages, perhaps of two: stores through present entries wait for nobody (ADR 0005).
 * SOURCE  dup_mmap, copy_page_range of Linux (mm/mmap.c, mm/memory.c).
 */
#include "vmmap/space/space.h"

struct space_fork {
	struct vmmap *map, *child;
	struct thread_slot *self;
	struct lock_edit e;
	struct lock_range r;                     /* the child's VMA that is being put together; empty: none        */
	struct space_new is;
	const struct rmap *from;                 /* hint of the parent whose mapping comes last ...                */
	struct rmap *rmap;                       /* ... and the child's for it, with a reference of ours           */
	uint64_t work;                           /* since something was let go                                     */
	const struct space_new *of;              /* the VMA whose entries are gone through                         */
	uint64_t spare;                          /* a frame for the copy of a page that is pinned; PHYSMEM_NONE    */
};

/* ---- the child's VMAs ---- */

/* Its slots. A VMA may lie in several leaves. */
static int fork_publish(struct space_fork *f, struct vma *vma)
{
	struct vtree_section s;

	for (uint64_t at = f->r.lo; at < f->r.hi; at = s.r.hi) {
		int err = vtree_enter_room(&f->child->tree, f->self, at, 1, &s);

		if (err)
			return err;
		space_put(&s, at, f->r.hi < s.r.hi ? f->r.hi : s.r.hi, vma);
		if (at == f->r.lo)
			space_backing_get(&f->is);       /* it is in the tree: who destroys the child puts it      */
		vtree_leave(&s);
	}
	return 0;
}

static int fork_put(struct space_fork *f)
{
	struct vma *vma;
	int err;

	if (f->r.lo == f->r.hi)
		return 0;
	if (vma_reserve(&f->child->vmas, f->self, 1))
		return -ENOMEM;
	vma = vma_take(&f->child->vmas, f->self);
	space_vma_fill(f->self, vma, &f->is);
	atomic_store_release(&vma->slot.lk, thread_next_number(f->self));        /* R3 -> V0: born */
	err = fork_publish(f, vma);
	f->r.lo = f->r.hi;
	return err;
}

static void fork_forget_hint(struct space_fork *f)
{
	if (f->rmap)
		rmap_put(f->rmap);
	f->rmap = NULL;
	f->from = NULL;
}

/* Where the child maps the object, or has what moved: one hint for what one hint of the parent is for. */
static int fork_backing(struct space_fork *f, struct space_new *is, struct lock_range r)
{
	if (!is->rmap)
		return 0;
	if (is->object && is->object->shared_anon)
		object_hand_on(is->object);
	if (f->from != is->rmap) {
		fork_forget_hint(f);
		if (rmap_make(&f->rmap, is->object, f->child->gate))
			return -ENOMEM;
		f->from = is->rmap;
		rmap_place(f->rmap, is->delta, r);
	} else {
		rmap_extend(f->rmap, r);
	}
	is->rmap = f->rmap;
	return 0;
}

static bool fork_goes_on(const struct space_fork *f, const struct space_new *is, struct lock_range r)
{
	return f->r.lo < f->r.hi && f->r.hi == r.lo && f->is.bits == is->bits && f->is.delta == is->delta &&
	       f->is.object == is->object && (f->is.anon == is->anon || !f->is.anon || !is->anon);
}

#define FORK_PART 1024                           /* entries, after which what is done is let go ...                */
#define FORK_VMA  16                             /* ... a VMA is as much work as so many                           */

/* Below `border`, where a VMA begins, all is done, and published. */
static void fork_let_go(struct space_fork *f, uint64_t border)
{
	if (f->work < FORK_PART || !f->map->policy->edit_part)
		return;
	f->work = 0;
	f->map->policy->edit_part(f->map->lock_state, &f->e, border);
	BASE_POINT(fork_let_go);
}

/* What lies over r in the parent is `is` in the child. */
static int fork_vma(struct space_fork *f, struct space_new *is, struct lock_range r)
{
	int err;

	if (fork_goes_on(f, is, r)) {
		f->r.hi = r.hi;
		f->is.anon = f->is.anon ? f->is.anon : is->anon;
		if (f->is.rmap)
			rmap_extend(f->is.rmap, r);
		return 0;
	}
	err = fork_put(f);
	if (err)
		return err;
	fork_let_go(f, r.lo);
	err = fork_backing(f, is, r);
	if (!err) {
		f->r = r;
		f->is = *is;
	}
	return err;
}

/* ---- contents ---- */

static void fork_share(uint64_t pfn, void *arg)
{
	struct space_fork *f = arg;

	frame_share(f->map->physmem, pfn, 1, 1);
	f->work++;
}

static bool fork_spare(void *arg)
{
	return ((struct space_fork *)arg)->spare != PHYSMEM_NONE;
}

/* The entry is LOCKED: no pin can come. One that goes now is copied for all the same. */
static bool fork_copy(uint64_t pfn, uint64_t addr, uint64_t *fresh, void *arg)
{
	struct space_fork *f = arg;
	struct frame_counts counts = frame_counts(f->map->physmem, pfn);        /* K2 -> K1 */
	const struct space_new *is = f->of;

	if (counts.refs == counts.maps || BASE_MUTANT(fork_shares_pinned))
		return false;
	frame_copy(f->map->physmem, f->spare, pfn);
	frame_set_where(f->map->physmem, f->spare,
			is->object ? rmap_name_copy(is->object) : rmap_name(f->child->gate),
			(addr >> PAGE_SHIFT) + (uint64_t)is->delta);
	*fresh = f->spare;
	f->spare = PHYSMEM_NONE;
	f->work++;
	return true;
}

/* Outside of the read section, where one may wait for frames that are only deferred. */
static int fork_make_spare(struct space_fork *f)
{
	int err = frame_refill(f->map->physmem, f->self);

	if (err)
		return -ENOMEM;
	rcu_enter(f->self);
	f->spare = frame_alloc_named(f->map->physmem, f->self, FRAME_OWNER_MAP, rmap_name(f->child->gate), 0);
	rcu_leave(f->self);
	return f->spare == PHYSMEM_NONE ? -ENOMEM : 0;
}

/* Only a VMA with a group has frames of its own: a first write makes it before its entry. */
static int fork_entries(struct space_fork *f, const struct space_new *is, struct lock_range r)
{
	const struct pt_share share = { fork_share, fork_spare, fork_copy, f };
	int err;

	if (is->bits & VMA_SHARED || !is->anon)
		return 0;
	f->of = is;
	space_touch(f->map, f->self, r, LOCK_TOUCH_ENTRY, true);
	do {
		rcu_enter(f->self);
		err = pt_share(&f->map->pt, &f->child->pt, f->self, &r, &share);
		rcu_leave(f->self);
	} while (err == -EAGAIN && (err = fork_make_spare(f)) == 0);
	return err;
}

/* ---- the whole ---- */

/* A VMA, or its part in one leaf. */
static int fork_one(struct space_fork *f, const struct vtree_seen *seen)
{
	struct space_new is;
	int err;

	f->work += FORK_VMA;
	space_touch(f->map, f->self, seen->r, LOCK_TOUCH_VMA, true);
	if (!BASE_MUTANT(fork_no_shut))
		f->map->policy->edit_shut(f->map->lock_state, &f->e, &seen->vma->slot);
	is = space_vma_attr(seen->vma);
	if (is.bits & VMA_DONTFORK)
		return 0;
	is.bits &= ~(uint64_t)(VMA_LOCKED | VMA_LOCKONFAULT);
	if (is.bits & VMA_WIPEONFORK)
		is.anon = 0;
	err = fork_vma(f, &is, seen->r);
	return err ? err : fork_entries(f, &is, seen->r);
}

static int fork_all(struct space_fork *f)
{
	struct vtree_seen seen;
	bool found;
	int err = 0;

	atomic_store_relaxed(&f->child->stacks, atomic_load_acquire(&f->map->stacks));   /* K2 -> K1 */
	atomic_store_relaxed(&f->child->brk, atomic_load_relaxed(&f->map->brk));
	for (uint64_t at = f->e.r.lo; !err; at = seen.r.hi) {
		rcu_enter(f->self);
		found = vtree_next(&f->map->tree, at, f->e.r.hi, &seen);
		rcu_leave(f->self);
		if (!found)
			return fork_put(f);
		BASE_POINT(fork_before_vma);
		err = vma_gap(seen.vma) ? 0 : fork_one(f, &seen);
	}
	return err;
}

/* Each slot of the child once. */
static void fork_walk(struct space_fork *f, void (*fn)(struct space_fork *f, const struct vtree_seen *seen))
{
	struct vtree_seen seen;
	bool found;

	for (uint64_t at = 0;; at = seen.r.hi) {
		rcu_enter(f->self);
		found = vtree_next(&f->child->tree, at, ADDRESS_END, &seen);
		rcu_leave(f->self);
		if (!found)
			return;
		fn(f, &seen);
	}
}

static void fork_pay(struct space_fork *f, const struct vtree_seen *seen)
{
	limit_pages(f->child, f->self, atomic_load_acquire(&seen->vma->bits),    /* B2 -> B1: nobody else's */
		    (int64_t)((seen->r.hi - seen->r.lo) >> PAGE_SHIFT));
}

/* It is never more than what the parent counts for, whose limits these are. */
static void fork_limits(struct space_fork *f)
{
	if (!limit_on(f->child))
		return;
	limit_enter(f->child, f->self);
	fork_walk(f, fork_pay);
	limit_recount(f->child, f->self, (struct lock_range){ f->child->lo, f->child->hi });
	limit_leave(f->child, f->self);
}

static void fork_cut(struct space_fork *f, const struct vtree_seen *seen)
{
	struct rmap *rmap = vma_rmap(seen->vma);

	if (rmap && rmap->object)
		rmap_cut(rmap, f->self);
}

/* 1. */
static int fork_begin(struct space_fork *f)
{
	int err = f->map->brk_start ? space_brk_enter(f->map, f->self) : 0;

	if (err)
		return err;
	err = space_edit_begin(f->map, &f->e, f->self, (struct lock_range){ f->map->lo, f->map->hi });
	if (err && f->map->brk_start)
		space_brk_leave(f->map);
	return err;
}

static void fork_end(struct space_fork *f)
{
	if (f->spare != PHYSMEM_NONE)
		frame_give(f->map->physmem, f->self, f->spare, FRAME_OWNER_MAP);
	fork_forget_hint(f);
	space_edit_end(f->map, &f->e);
	if (f->map->brk_start)
		space_brk_leave(f->map);
}

int vmmap_fork(struct vmmap **out, struct vmmap *map)
{
	struct space_fork f = { .map = map, .self = thread_self(), .spare = PHYSMEM_NONE };
	int err = out ? space_create_like(&f.child, map) : -EINVAL;

	if (err)
		return err;
	err = fork_begin(&f);
	if (!err) {
		err = fork_all(&f);
		if (!err)
			fork_limits(&f);
		fork_end(&f);
	}
	if (err) {
		vmmap_destroy(f.child);
		return err;
	}
	BASE_POINT(fork_before_gate);
	rmap_gate_open(f.child->gate);
	fork_walk(&f, fork_cut);
	space_count(map, f.self, SPACE_FORK, 1);
	*out = f.child;
	return 0;
}
