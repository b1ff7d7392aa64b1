/* SPDX-License-Identifier: MIT */
/*
 * view.h - the map as a lock sees it: a table of functions over addresses, filled in by vmmap/space/lock_view.c and
 * faked by tests/policy/fake_view.c. Locks know addresses and lock words; VMAs, bounds and leaves stay on the other
 * side.
 *
 * find, next, look and table_over are called inside an RCU read section; claim, cut and pass outside of one, since they
 * may wait for a leaf. None waits for a range.
 */
#ifndef LOCKS_VIEW_H
#define LOCKS_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "locks/range.h"
#include "locks/table_lock.h"
#include "locks/vma_word.h"

struct lock_space;                               /* the map; opaque down here                                      */
struct thread_slot;

struct lock_seen {                               /* what stood over an address at one instant                      */
	struct lock_slot *slot;                  /* a VMA's or a dummy's; NULL: a gap                              */
	uint64_t lk;                             /* its lock word at that instant; 0 for a gap                     */
	struct lock_range r;                     /* its bounds, cut to one leaf of the tree                        */
	bool dummy;
};

struct lock_holder {                             /* who holds: the word put into VMAs, the dummy put into gaps     */
	uint64_t lk;
	struct lock_slot *dummy;                 /* NULL with an even lk: free                                     */
};

struct lock_claim {
	struct lock_range r;                     /* in: still wanted. lo moves up over what has been taken         */
	struct lock_holder mine;
	uint64_t stop;                           /* nothing that begins there or above is taken                    */
	struct lock_seen held;                   /* out, with -EBUSY: what stands at r.lo, held by another         */
};

#define LOCK_DUMMY_BYTES 128

struct lock_view {
	/* What is over addr. With `next`: else the first VMA or dummy above it (slot NULL: none). */
	void (*find)(struct lock_space *, uint64_t addr, struct lock_seen *);
	void (*next)(struct lock_space *, uint64_t addr, struct lock_seen *);

	/* find for a visit of this thread: returns the lk of what is over r->lo, and its slot; cuts r->hi to it. May
	 * answer from memory: a version stands for one VMA whose bounds only grow; who shrinks it stores another. */
	uint64_t (*look)(struct lock_space *, struct thread_slot *self, struct lock_range *r, struct lock_slot **slot);

	/* In one leaf, from r.lo upwards: puts mine.lk (CAS from a free version, seq_cst) into VMAs wholly inside r,
	 * mine.dummy into gaps, cuts VMAs that cross r's borders (middle born with mine.lk, outer pieces free with
	 * `version`). A VMA that is being cut shows LOCK_BRIEF until it is; one whose slot counts pins is not cut. 0:
	 * r.lo has moved (done when it reaches r.hi), or a race was lost. -EBUSY -ENOMEM: not moved; -EBUSY also for
	 * what already shows mine (a hand-over gave it): the caller steps over it. */
	int (*claim)(struct lock_space *, struct lock_claim *);
	/* Cuts the VMA that crosses addr, if any; for policies under whose lock no slot is ever held. 0 -ENOMEM */
	int (*cut)(struct lock_space *, uint64_t addr);
	/* Undoes a cut at addr, under the same lock, when the edit fails. Cannot fail. */
	void (*join)(struct lock_space *, uint64_t addr);
	/* What `from` holds in r passes to `to`, low to high: the lk of VMAs, the dummies in gaps (removed if NULL).
	 * A VMA that r covers only in part goes free instead (with a new version), a dummy is trimmed: nobody gets
	 * more than r. What another holds stays. */
	void (*pass)(struct lock_space *, struct lock_range r, const struct lock_holder *from,
		     const struct lock_holder *to);
	/* For policies with LOCK_CAP_TABLES (under others who unlinks a table asks no lock of it): the lock of the
	 * lowest table of the page table over all of r; if r may be unlinked, of one that has more than r below it,
	 * since who unlinks a table holds the one above. And of the one below t, over addr; NULL: none. That is found
	 * inside RCU, too, or by who holds t. */
	struct table_lock *(*table_over)(struct lock_space *, struct lock_range r, bool unlinks);
	struct table_lock *(*table_below)(struct lock_space *, struct table_lock *, uint64_t addr);
	/* Makes the one below, by the holder of this one, who then holds both. NULL: no memory. */
	struct table_lock *(*table_make)(struct lock_space *, struct thread_slot *self, struct table_lock *,
					 uint64_t addr);
	/* Makes a dummy in the buffer (LOCK_DUMMY_BYTES, line aligned, zeroed) and tells its slot. Once per lock
	 * object, whose whole life it shares; the caller sets the slot's lk. */
	void (*dummy_init)(struct lock_space *, void *buffer, struct lock_slot **slot);
};

#endif
