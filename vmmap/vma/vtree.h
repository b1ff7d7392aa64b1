/* SPDX-License-Identifier: MIT */
/*
 * vtree.h - the VMA tree: which VMA, dummy or gap is at an address. Knows bounds; attributes are the VMA's.
 *
 * Readers (inside RCU) never wait and never write. Writers work on one leaf at a time, in a *leaf section*: enter,
 * drop and add slots, leave; all changes of a section become visible at one instant. A VMA that spans a leaf border
 * has a slot on each side, with the same pointer. Addresses are bytes, page aligned, below 2^47.
 */
#ifndef VMMAP_VMA_VTREE_H
#define VMMAP_VMA_VTREE_H

#include <stdio.h>

#include "base/rcu.h"
#include "base/thread.h"
#include "locks/range.h"
#include "vmmap/vma/vma.h"

#define VTREE_SLOTS 28                           /* of which one always stays free between sections                */
#define VTREE_ROOM  (VTREE_SLOTS - 1)

struct vtree_leaf;
struct vtree_inner;
struct vtree;                                    /* layout in vtree_node.h, for this directory and inline lookups  */

struct vtree_seen {
	struct vma *vma;                         /* NULL: a gap                                                    */
	uint64_t lk;                             /* vma->slot.lk, read while the VMA was there                     */
	struct lock_range r;                     /* bounds of the slot, or of the gap, cut to its leaf             */
};

int  vtree_init(struct vtree *t);
void vtree_fini(struct vtree *t);                /* frees the nodes at once: no reader may be inside               */

/* ---- readers: inside an RCU read section; lock-free ---- */
static inline void vtree_find(const struct vtree *t, uint64_t addr, struct vtree_seen *seen);  /* vtree_node.h      */
/* Covering addr, else the first slot above. false: none. */
bool vtree_next(const struct vtree *t, uint64_t addr, struct vtree_seen *seen);

/* One whole VMA as it was at one instant, for listings: the slots of one VMA across leaves put together, mergeable
 * neighbours (pieces of a lock split, pending merges) put together, dummies left out. Covering addr, else the first
 * above. false: none. Retries while it is overtaken by writers; writes nothing. */
struct vtree_listed { struct lock_range r; uint64_t bits; int64_t delta; struct object *object; };
bool vtree_list(const struct vtree *t, uint64_t addr, struct vtree_listed *out);

/* ---- one leaf section ---- */
struct vtree_slot { struct vma *vma; struct lock_range r; };

struct vtree_section {
	struct vtree *tree;
	struct thread_slot *self;
	struct vtree_leaf *leaf;
	struct lock_range r;                     /* what the leaf owns                                             */
	uint32_t live;                           /* mask of slots as published at enter                            */
	uint32_t kept;                           /* ... as it will be published                                    */
	uint64_t word;
	struct lock_range freed;                 /* hull of what was dropped: gap bounds to raise at leave         */
	struct vtree_inner *parent;              /* where the leaf hung at enter (NULL: the root), and as which child */
	unsigned index;
};

/* Enters the leaf that owns addr; waits (spins) only for another section of the same leaf. Starts an RCU section. A leaf
 * whose sections keep colliding is split on the way, if there is memory for it. */
void vtree_enter(struct vtree *t, struct thread_slot *self, uint64_t addr, struct vtree_section *s);
/* The same, with room for `need` <= 8 more slots: splits the leaf first if it must. -ENOMEM: not entered. */
int  vtree_enter_room(struct vtree *t, struct thread_slot *self, uint64_t addr, unsigned need, struct vtree_section *s) MUST_CHECK;
/* Live (kept) slots that meet [lo, hi), as a mask; and one slot by index. */
uint32_t vtree_meets(const struct vtree_section *s, uint64_t lo, uint64_t hi);
struct vtree_slot vtree_slot_at(const struct vtree_section *s, unsigned i);
/* Index of the kept slot that covers addr, ends at addr / starts at addr (neighbours); -1: none in this leaf. */
int  vtree_slot_over(const struct vtree_section *s, uint64_t addr);
int  vtree_slot_ending(const struct vtree_section *s, uint64_t addr);
/* Of the slots in mask, the one with the lowest start. */
unsigned vtree_lowest(const struct vtree_section *s, uint32_t mask);
unsigned vtree_room(const struct vtree_section *s);              /* slots that can be added now                    */
void vtree_drop(struct vtree_section *s, unsigned i);
void vtree_add(struct vtree_section *s, uint64_t lo, uint64_t hi, struct vma *vma);     /* inside s->r, free, room   */
/* Publishes (one store) if anything changed, opens the leaf, raises gap bounds, ends the RCU section. */
void vtree_leave(struct vtree_section *s);

/* ---- structure ---- */
/* Makes addr a leaf border that no join removes. -ENOMEM */
int  vtree_separate(struct vtree *t, struct thread_slot *self, uint64_t addr) MUST_CHECK;
/* Joins leaves inside r that have become (nearly) empty. Best effort, never waits. */
void vtree_join(struct vtree *t, struct thread_slot *self, struct lock_range r);

/* ---- gaps ---- */
struct vtree_want { struct lock_range within; uint64_t len, align, phase; };
/* The highest place in `within` that fits below or at `below` (end of the place <= below), dummies counted as free or
 * as occupied. Inside an RCU section or not. 0, -ENOENT. *fit is a proposal: the section that takes it checks again. */
int  vtree_gap(struct vtree *t, struct thread_slot *self, const struct vtree_want *want, uint64_t below, bool dummies_free, struct lock_range *fit);
/* Without bounds: reads every leaf of `within`. The last word before ENOMEM. */
int  vtree_gap_scan(struct vtree *t, const struct vtree_want *want, bool dummies_free, struct lock_range *fit);

/* ---- looking after ---- */
struct vtree_stats { uint64_t leaves, inners, slots, splits, joins, collisions, bytes; };
void vtree_get_stats(struct vtree *t, struct vtree_stats *out);
uint64_t vtree_audit(struct vtree *t, FILE *report);             /* quiescent; number of violations                */

#include "vmmap/vma/vtree_node.h"

#endif
