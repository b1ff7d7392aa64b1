/* SPDX-License-Identifier: MIT */
/*
 * mlock.c - mlock and munlock: a flag of VMAs (split and merged as by mprotect), a limit, and faults.
 *
 * Nothing is ever swapped out here, so locked memory differs in three ways: it counts against limit_locked, it is
 * faulted in at once (but with MLOCK_ONFAULT), and DONTNEED and FREE refuse it.
 */
#include "vmmap/space/space.h"

static uint64_t mlock_bits(const struct vma *vma, uint64_t bits, uint64_t locked)
{
	(void)vma;
	return (bits & ~(uint64_t)(VMA_LOCKED | VMA_LOCKONFAULT)) | locked;
}

/* The VMA at or above *at, below hi; *at moves up to it. */
static bool mlock_next(struct vmmap *map, struct thread_slot *self, uint64_t *at, uint64_t hi, struct vtree_listed *v)
{
	bool found;

	rcu_enter(self);
	found = vtree_list(&map->tree, *at, hi, v);
	rcu_leave(self);
	if (found && v->r.lo > *at)
		*at = v->r.lo;
	return found;
}

/* A page could not be faulted in. With a deadline: what is locked stays so, the page comes with its first access. */
static int mlock_error(const struct thread_slot *self, int err)
{
	if (space_may_give_up(self) && (err == -EAGAIN || err == -ETIMEDOUT) && !BASE_MUTANT(mlock_tells_late))
		return 0;
	return err == -ENOMEM ? -EAGAIN : err;
}

int space_populate_locked(struct vmmap *map, struct thread_slot *self, struct lock_range r, bool private_only)
{
	struct vmmap_fault_info info;
	struct vtree_listed v;

	for (uint64_t at = r.lo; mlock_next(map, self, &at, r.hi, &v);) {
		uint64_t hi = v.r.hi < r.hi ? v.r.hi : r.hi;
		/* As if written, where a copy would be due: but a shared page is not made dirty for nothing. */
		bool write = (v.bits & (VMA_WRITE | VMA_SHARED)) == VMA_WRITE;
		int err = 0;

		if (!(v.bits & VMA_LOCKED) || v.bits & VMA_LOCKONFAULT || (private_only && !write)) {
			at = hi;
			continue;
		}
		if (!(v.bits & VMA_PROT))
			return -ENOMEM;
		for (; at < hi && !err; at += err ? 0 : PAGE_BYTES)
			err = space_fault(map, self, at, write ? VMA_WRITE : VMA_READ, false, &info);
		if (err == -EFAULT && info.code == VMMAP_BUS)
			return -ENOMEM;
		if (err && err != -EFAULT)
			return mlock_error(self, err);
		/* -EFAULT: somebody has changed the VMA meanwhile. Look again. */
	}
	return 0;
}

/* addr is a page; bytes, rounded up, may lead out of the space or wrap. */
int space_mlock(struct vmmap *map, struct thread_slot *self, uint64_t addr, uint64_t bytes, uint64_t locked)
{
	struct space_rebits rb = { .fn = mlock_bits, .arg = locked,
				   .lock_pages = locked ? bytes >> PAGE_SHIFT : 0 };
	struct lock_range r = { addr, addr + bytes };
	int err;

	if (!bytes)
		return 0;
	if (rb.lock_pages && map->limits.set >> LIMIT_LOCKED & 1 && r.hi <= addr &&
	    (int64_t)rb.lock_pages > map->limits.most.of[LIMIT_LOCKED])
		return -ENOMEM;                          /* the limit comes before the wrap                        */
	if (r.hi <= addr)
		return -EINVAL;
	if (addr >= ADDRESS_END)
		return -ENOMEM;
	r.hi = r.hi < ADDRESS_END ? r.hi : ADDRESS_END;
	if (locked)
		atomic_store_relaxed(&map->ever_locked, 1);
	err = space_edit_bits(map, self, r, &rb, false);
	if (!err && addr + bytes > ADDRESS_END)
		err = -ENOMEM;
	BASE_POINT(mlock_before_populate);
	if (!err && locked)
		err = space_populate_locked(map, self, r, false);
	if (!err)
		space_count(map, self, locked ? SPACE_MLOCK : SPACE_MUNLOCK, 1);
	return err;
}
