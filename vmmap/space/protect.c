/* SPDX-License-Identifier: MIT */
/*
 * protect.c - mprotect, and what it shares with the flag advices: new bits for a range of VMAs.
 *
 * VM_ACCOUNT follows Linux (mm/mprotect.c): charged when a private VMA becomes writable without NORESERVE; given back
 * when an anonymous VMA that was never written becomes read-only.
 *
 * PROT_GROWSDOWN: where the stack begins is looked up, held from there, and looked up again: a stack that has grown
 * since is a longer one. While it is held from its start it cannot grow (grow.c holds it to its end).
 */
#include "vmmap/space/space.h"

/* A change that changes nothing holds nothing. True: every VMA of r has its bits already; *whole: r has no hole. */
static bool bits_settled(struct vmmap *map, struct thread_slot *self, struct lock_range r,
			 const struct space_rebits *rb, bool every, bool *whole)
{
	struct vtree_seen seen;
	bool settled = true;

	*whole = true;
	rcu_enter(self);
	for (uint64_t at = r.lo; at < r.hi && settled; at = seen.r.hi) {
		bool found = vtree_next(&map->tree, at, r.hi, &seen);

		if (!found || seen.r.lo > at) {
			*whole = false;
			if (!found || !every)
				break;
		}
		uint64_t bits = atomic_load_acquire(&seen.vma->bits);           /* B2 -> B1 */

		settled = !(bits & VMA_GAP) && !lock_word_held(seen.lk) && rb->fn(seen.vma, bits, rb->arg) == bits &&
			  atomic_load_seqcst(&seen.vma->slot.lk) == seen.lk;    /* V1 -> D1, T1 */
	}
	rcu_leave(self);
	return settled;
}

static NOINLINE int bits_limited(struct vmmap *map, struct lock_edit *e, struct lock_range r,
				 const struct space_rebits *rb, bool every)
{
	int err = limit_bits(map, e->self, r, rb, every);

	if (err)
		return err;
	err = space_change(map, e, r, rb, every) ? 0 : -ENOMEM;
	limit_recount(map, e->self, r);
	limit_end(map, e->self);
	return err;
}

/* e holds r. */
static inline int bits_held(struct vmmap *map, struct lock_edit *e, struct lock_range r, const struct space_rebits *rb,
			    bool every)
{
	if (limit_on(map))
		return bits_limited(map, e, r, rb, every);
	return space_change(map, e, r, rb, every) ? 0 : -ENOMEM;
}

int space_edit_bits(struct vmmap *map, struct thread_slot *self, struct lock_range r, const struct space_rebits *rb,
		    bool every)
{
	struct carve c = { .kind = CARVE_BITS, .r = r, .rebits = rb, .every = every };
	int err = space_brief(map, self, &c);
	struct lock_edit e;
	bool whole;

	if (err != CARVE_GENERAL)
		return err;
	if (map->policy->caps & LOCK_CAP_DISJOINT_EDITS && bits_settled(map, self, r, rb, every, &whole))
		return whole ? 0 : -ENOMEM;
	err = space_edit_begin(map, &e, self, r);
	if (err)
		return err;
	err = bits_held(map, &e, r, rb, every);
	space_merge(map, &e, r);
	space_edit_end(map, &e);
	return err;
}

static uint64_t protect_bits(const struct vma *vma, uint64_t bits, uint64_t prot)
{
	uint64_t next = (bits & ~(uint64_t)VMA_PROT) | prot;

	if (prot & VMA_WRITE) {
		if (!(bits & (VMA_ACCOUNT | VMA_WRITE | VMA_SHARED | VMA_NORESERVE)))
			next |= VMA_ACCOUNT;
	} else if (bits & VMA_ACCOUNT && !vma_object(vma) && !vma_anon(vma)) {
		next &= ~(uint64_t)VMA_ACCOUNT;
	}
	return next;
}

/* Linux: locked private memory is copied at once, where it may be written now. */
static void protect_locked(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t prot)
{
	if (unlikely(atomic_load_relaxed(&map->ever_locked)) && prot & VMA_WRITE)
		space_populate_locked(map, self, r, true);
}

static NOINLINE int protect_then_lock(struct vmmap *map, struct thread_slot *self, struct lock_range r,
				      const struct space_rebits *rb)
{
	int err = space_edit_bits(map, self, r, rb, false);

	protect_locked(map, self, r, rb->arg);
	return err;
}

int space_mprotect(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t prot)
{
	const struct space_rebits rb = { .fn = protect_bits, .arg = prot, .prot = true };
	int err = likely(!atomic_load_relaxed(&map->ever_locked)) ? space_edit_bits(map, self, r, &rb, false)
								   : protect_then_lock(map, self, r, &rb);

	if (!err)
		space_count(map, self, SPACE_MPROTECT, 1);
	return err;
}

/* -ERESTART: the first VMA in r begins elsewhere by now. r->lo: where what was changed begins. */
static int protect_down(struct vmmap *map, struct thread_slot *self, struct lock_range *r,
			const struct space_rebits *rb)
{
	struct vtree_listed v, again;
	struct lock_range hold = *r;
	struct lock_edit e;
	bool found;
	int err;

	rcu_enter(self);
	found = vtree_list(&map->tree, r->lo, r->hi, &v);
	rcu_leave(self);
	if (found && v.r.lo < r->lo)
		hold.lo = v.r.lo;
	BASE_POINT(protect_down_looked);
	err = space_edit_begin(map, &e, self, hold);
	if (err)
		return err;
	rcu_enter(self);
	found = vtree_list(&map->tree, r->lo, r->hi, &again);
	rcu_leave(self);
	if (!found)
		err = -ENOMEM;
	else if (!(again.bits & VMA_GROWSDOWN))
		err = -EINVAL;
	else if (again.r.lo < hold.lo && !BASE_MUTANT(protect_down_one_look))
		err = -ERESTART;
	if (!err) {
		r->lo = again.r.lo > hold.lo ? again.r.lo : hold.lo;
		err = bits_held(map, &e, *r, rb, false);
	}
	space_merge(map, &e, hold);
	space_edit_end(map, &e);
	return err;
}

int space_mprotect_down(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t prot)
{
	const struct space_rebits rb = { .fn = protect_bits, .arg = prot, .prot = true };
	struct park_spin spin = PARK_SPIN;
	int err;

	do
		err = protect_down(map, self, &r, &rb);
	while (err == -ERESTART && !(err = space_again(self, &spin)));
	protect_locked(map, self, r, prot);
	if (!err)
		space_count(map, self, SPACE_MPROTECT, 1);
	return err;
}
