/* SPDX-License-Identifier: MIT */
/*
 * advise.c - madvise. DONTNEED, FREE, WILLNEED, POPULATE change no VMA: they follow the fault's protocol entry by
 * entry and take no write lock. The flag advices split and merge VMAs as mprotect does. A hole is -ENOMEM at the end;
 * everything mapped is done (Linux).
 */
#include <sys/mman.h>

#include "vmmap/space/space.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#define ADVISE_ENTRIES 512                       /* entries per visit: bounds the RCU section                      */

enum advise_step { ADVISE_ON, ADVISE_AGAIN };

/* Drops the page of one entry, as a fault would install one. */
static enum advise_step advise_drop(struct vmmap *map, struct lock_visit *v, uint64_t addr, atomic_u64 *entry)
{
	uint64_t seen;

	BASE_POINT(advise_before_entry);
	seen = atomic_load_seqcst(entry);                                       /* S2 -> S1 */
	if (!(seen & (PT_PRESENT | PT_LOCKED)))
		return ADVISE_ON;
	if (seen & PT_LOCKED || !pt_lock(entry, seen))
		return ADVISE_AGAIN;
	if (!map->policy->visit_valid(map->lock_state, v) && !BASE_MUTANT(advise_drops_unchecked)) {
		pt_store(entry, seen);
		return ADVISE_AGAIN;
	}
	space_touch(map, v->self, (struct lock_range){ addr, addr + PAGE_BYTES }, LOCK_TOUCH_ENTRY, false);
	pt_store(entry, 0);
	space_retire_entry(map, v->self, seen);
	return ADVISE_ON;
}

static bool advise_spares(const struct vma *vma, bool free_only)
{
	uint64_t bits = atomic_load_acquire(&vma->bits);                        /* B2 -> B1 */

	return bits & VMA_LOCKED || (free_only && (vma_object(vma) || bits & VMA_SHARED));
}

/* In a visit from *at on. 0, or -ENOMEM at a hole (then *at is past it), -EINVAL; -ERESTART: again from *at. */
static int advise_visited(struct vmmap *map, struct lock_visit *v, uint64_t *at, bool free_only)
{
	uint64_t entry_at = *at;
	atomic_u64 *entry = NULL;

	BASE_POINT(advise_after_begin);
	if (!v->slot || advise_spares(space_vma(v->slot), free_only)) {
		if (!map->policy->visit_valid(map->lock_state, v) && !BASE_MUTANT(advise_denies_unchecked))
			return -ERESTART;
		*at = v->slot ? *at : v->r.hi;
		return v->slot ? -EINVAL : -ENOMEM;
	}
	for (unsigned n = 0; n < ADVISE_ENTRIES && (entry = pt_next(&map->pt, &entry_at, v->r.hi)); n++) {
		if (advise_drop(map, v, entry_at, entry) == ADVISE_AGAIN) {
			*at = entry_at;
			return -ERESTART;
		}
		entry_at += PAGE_BYTES;
	}
	/* Absent tables were skipped on seq_cst loads; no edit covered them, or it zaps them itself. */
	*at = entry && entry_at < v->r.hi ? entry_at : v->r.hi;
	return 0;
}

/* The entries of a VMA, or of its part in one leaf, that e holds. */
static int advise_drop_vma(struct vmmap *map, struct lock_edit *e, const struct vtree_seen *seen, bool free_only)
{
	if (advise_spares(seen->vma, free_only))
		return -EINVAL;
	map->policy->edit_shut(map->lock_state, e, &seen->vma->slot);
	space_touch(map, e->self, seen->r, LOCK_TOUCH_ENTRY, true);
	space_zap(map, e->self, seen->r, false);
	return 0;
}

/* With a deadline all or nothing is dropped: as an edit. Its visits could be stopped half way. */
static int advise_drop_held(struct vmmap *map, struct thread_slot *self, struct lock_range r, bool free_only)
{
	struct vtree_seen seen;
	struct lock_edit e;
	int err = space_edit_begin(map, &e, self, r);

	if (err)
		return err;
	for (uint64_t at = r.lo; at < r.hi && err != -EINVAL; at = seen.r.hi) {
		bool found, gap;

		rcu_enter(self);
		found = vtree_next(&map->tree, at, r.hi, &seen);
		rcu_leave(self);
		gap = found && vma_gap(seen.vma);
		if (!found || gap || seen.r.lo > at)
			err = -ENOMEM;
		if (!found)
			break;
		if (!gap)
			err = advise_drop_vma(map, &e, &seen, free_only) ? -EINVAL : err;
	}
	space_merge(map, &e, r);
	space_edit_end(map, &e);
	return err;
}

static int advise_dontneed(struct vmmap *map, struct thread_slot *self, struct lock_range r, bool free_only)
{
	struct lock_visit v = { .self = self };          /* v.own lives on: a visit that begins again grows old    */
	struct park_spin spin = PARK_SPIN;
	int result = 0, err;

	if (space_may_give_up(self))
		return advise_drop_held(map, self, r, free_only);
	while (r.lo < r.hi) {
		v.r = r;
		err = map->policy->visit_begin(map->lock_state, &v, self->deadline_ns);
		if (err)
			return err;
		err = advise_visited(map, &v, &r.lo, free_only);
		map->policy->visit_end(map->lock_state, &v);
		frame_tidy(map->physmem, self);
		if (err == -ERESTART)
			park_spin(&spin);
		if (err != -ERESTART || BASE_MUTANT(advise_stays_young))
			v = (struct lock_visit){ .self = self };
		if (err == -ENOMEM)
			result = err;
		else if (err && err != -ERESTART)
			return err;
	}
	return result;
}

/* WILLNEED reads nothing ahead; only holes are told. */
static int advise_willneed(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	struct vtree_seen seen;
	uint64_t at = r.lo;

	rcu_enter(self);
	while (vtree_next(&map->tree, at, r.hi, &seen) && seen.r.lo <= at &&
	       (!vma_gap(seen.vma) || BASE_MUTANT(willneed_believes_dummies)))
		at = seen.r.hi;
	rcu_leave(self);
	return at < r.hi ? -ENOMEM : 0;
}

/* POPULATE_READ wants the right to read; a plain load is content with any (x86). -EINVAL at the first VMA without. */
static int advise_populate_read(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	struct lock_range readable = r;
	struct vtree_listed v;
	int err;

	rcu_enter(self);
	for (uint64_t at = r.lo; vtree_list(&map->tree, at, readable.hi, &v); at = v.r.hi)
		if (!(v.bits & VMA_READ))
			readable.hi = v.r.lo > r.lo ? v.r.lo : r.lo;
	rcu_leave(self);
	err = space_populate(map, self, readable, VMA_READ);
	return err || readable.hi == r.hi ? err : -EINVAL;
}

static uint64_t advise_bits(const struct vma *vma, uint64_t bits, uint64_t advice)
{
	(void)vma;
	switch ((int)advice) {
	case MADV_NORMAL:      return bits & ~(uint64_t)(VMA_RANDOM | VMA_SEQUENTIAL);
	case MADV_RANDOM:      return (bits & ~(uint64_t)VMA_SEQUENTIAL) | VMA_RANDOM;
	case MADV_SEQUENTIAL:  return (bits & ~(uint64_t)VMA_RANDOM) | VMA_SEQUENTIAL;
	case MADV_DONTFORK:    return bits | VMA_DONTFORK;
	case MADV_DOFORK:      return bits & ~(uint64_t)VMA_DONTFORK;
	case MADV_DONTDUMP:    return bits | VMA_DONTDUMP;
	case MADV_DODUMP:      return bits & ~(uint64_t)VMA_DONTDUMP;
	case MADV_WIPEONFORK:  return bits | VMA_WIPEONFORK;
	case MADV_KEEPONFORK:  return bits & ~(uint64_t)VMA_WIPEONFORK;
	case MADV_HUGEPAGE:    return (bits & ~(uint64_t)VMA_NOHUGE) | VMA_HUGE;
	case MADV_NOHUGEPAGE:  return (bits & ~(uint64_t)VMA_HUGE) | VMA_NOHUGE;
	case MADV_MERGEABLE:   return bits & VMA_SHARED ? bits : bits | VMA_MERGEABLE;
	case MADV_UNMERGEABLE: return bits & ~(uint64_t)VMA_MERGEABLE;
	}
	return bits;
}

/* WIPEONFORK is for private anonymous memory: -EINVAL at the first other VMA, after the parts before it (Linux). */
static int advise_wipe(struct vmmap *map, struct thread_slot *self, struct lock_range *r)
{
	struct vtree_listed v;
	int err = 0;

	rcu_enter(self);
	for (uint64_t at = r->lo; vtree_list(&map->tree, at, r->hi, &v); at = v.r.hi)
		if (v.object || v.bits & VMA_SHARED) {
			r->hi = v.r.lo > r->lo ? v.r.lo : r->lo;
			err = -EINVAL;
		}
	rcu_leave(self);
	return err;
}

static int advise_flags(struct vmmap *map, struct thread_slot *self, struct lock_range r, int advice)
{
	struct space_rebits rb = { .fn = advise_bits, .arg = (uint64_t)advice, .advice = true };
	int err = advice == MADV_WIPEONFORK ? advise_wipe(map, self, &r) : 0, done = 0;

	if (r.lo < r.hi)
		done = space_edit_bits(map, self, r, &rb, true);
	return err ? err : done;
}

int space_madvise(struct vmmap *map, struct thread_slot *self, struct lock_range r, int advice)
{
	int err;

	switch (advice) {
	case MADV_DONTNEED:       err = advise_dontneed(map, self, r, false); break;
	case MADV_FREE:           err = advise_dontneed(map, self, r, true); break;
	case MADV_WILLNEED:       err = advise_willneed(map, self, r); break;
	case MADV_POPULATE_READ:  err = advise_populate_read(map, self, r); break;
	case MADV_POPULATE_WRITE: err = space_populate(map, self, r, VMA_WRITE); break;
	default:                  err = advise_flags(map, self, r, advice); break;
	}
	if (!err)
		space_count(map, self, SPACE_MADVISE, 1);
	return err;
}
