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
#include "base/site.h"
#include "base/thread.h"
#include "locks/range.h"
#include "vmmap/vma/vma.h"

#ifndef VTREE_SLOTS                              /* the models have smaller nodes                                  */
#define VTREE_SLOTS 28                           /* of which one always stays free between sections                */
#endif
#define VTREE_ROOM  (VTREE_SLOTS - 1)

struct vtree_leaf;
struct vtree_inner;
struct vtree;                                    /* layout in vtree_node.h, for this directory and inline lookups  */

struct vtree_seen {
	struct vma *vma;                         /* NULL: a gap                                                    */
	uint64_t lk;                             /* vma->slot.lk, read while the VMA was there                     */
	struct lock_range r;                     /* bounds of the slot, or of the gap, cut to its leaf             */
};

/* Make an empty tree. -ENOMEM. Allocates about 10 KiB. */
int  vtree_init(struct vtree *t);
/* Free all nodes at once: no reader or writer may be inside. Never waits: what was retired before and is still on its
 * way through RCU keeps its memory until then. The VMAs are the caller's. */
void vtree_fini(struct vtree *t);

/* ---- readers: inside an RCU read section; lock-free, no stores ---- */

/* Find what is at addr (below 2^47): the VMA or dummy, its lock word as it was while it was there, its slot's bounds;
 * or the gap (vma NULL, lk 0), cut to its leaf. Never waits, also not for a writer that was stopped inside a section;
 * looks again only after another publication in the same leaf. Cost: 3 to 6 nodes. In vtree_node.h. */
static inline void vtree_find(const struct vtree *t, uint64_t addr, struct vtree_seen *seen);
/* The same for who does not work at addr, but looks across a border: never counts as a collision. In vtree_node.h. */
static inline void vtree_peek(const struct vtree *t, uint64_t addr, struct vtree_seen *seen);
/* vtree_find, but only which VMA or dummy (NULL: a gap): does not touch it. In vtree_node.h. */
static inline struct vma *vtree_lookup(const struct vtree *t, uint64_t addr);
/* Find the slot (VMA or dummy) that covers addr, else the first one above that begins below hi. false: none. Each leaf
 * is read as of one instant; what is mapped throughout is never missed. Cost: one node more per empty leaf in between.
 * No leaf above hi is looked at: who asks for no more than it needs leaves other threads' lines alone. */
bool vtree_next(const struct vtree *t, uint64_t addr, uint64_t hi, struct vtree_seen *seen);

/* One whole VMA as it was at one instant, for listings: the slots of one VMA across leaves put together, mergeable
 * neighbours (pieces of a lock split, pending merges) put together, dummies left out. Covering addr, else the first
 * above that begins below hi. false: none. lk: of the piece met first. Retries while it is overtaken by writers; writes
 * nothing. */
struct vtree_listed { struct lock_range r; uint64_t bits, lk; int64_t delta; struct object *object; uint64_t anon; };
bool vtree_list(const struct vtree *t, uint64_t addr, uint64_t hi, struct vtree_listed *out);
/* The same of one leaf, as of one instant: what covers addr, else the first above, below hi; its bounds cut to that
 * leaf. Leaves in between are read one after the other; inside a section of this thread too. Never looks twice at a
 * quiet leaf. */
bool vtree_above(const struct vtree *t, uint64_t addr, uint64_t hi, struct vtree_listed *out);

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
	struct vtree_inner *parent;              /* where the leaf hung at enter (NULL: root), as which child      */
	unsigned index;
};

/* Enter the leaf that owns addr. Spins only while another section of the same leaf, or a split or join that replaces
 * the leaf, is under way. Starts an RCU section. Readers are not disturbed. A leaf whose sections keep colliding is
 * split on the way between the colliders, if there is memory for it: so s->r may be smaller than it was last time. */
void vtree_enter(struct vtree *t, struct thread_slot *self, uint64_t addr, struct vtree_section *s);
/* The same for who works elsewhere, goes along a VMA that other leaves show too, or looks across a border: for that a
 * leaf is parted only where nothing is mapped. */
void vtree_pass(struct vtree *t, struct thread_slot *self, uint64_t addr, struct vtree_section *s);
/* vtree_enter, with room for `need` <= 8 more slots: splits the leaf first if it must. 0; -ENOMEM: not entered, nothing
 * has changed, no RCU section. Memory is allocated while nothing is held. */
int  vtree_enter_room(struct vtree *t, struct thread_slot *self, uint64_t addr, unsigned need,
		      struct vtree_section *s) MUST_CHECK;
#define vtree_enter_room(t, self, addr, need, s) \
	BASE_SITE(SITE_NEED, (vtree_enter_room)(t, self, addr, need, s), -ENOMEM)
/* Which of the kept slots (published and not dropped, or added) meet [lo, hi); what sticks out of s->r is ignored. */
uint32_t vtree_meets(const struct vtree_section *s, uint64_t lo, uint64_t hi);
/* Slot i of such a mask. In vtree_node.h. */
static inline struct vtree_slot vtree_slot_at(const struct vtree_section *s, unsigned i);
/* Index of the kept slot that covers addr; of the one that ends, that starts exactly there. -1: none in this leaf. */
int  vtree_slot_over(const struct vtree_section *s, uint64_t addr);
int  vtree_slot_ending(const struct vtree_section *s, uint64_t addr);
int  vtree_slot_starting(const struct vtree_section *s, uint64_t addr);
/* Of the slots in mask (not 0), the one with the lowest start. */
unsigned vtree_lowest(const struct vtree_section *s, uint32_t mask);
/* How many slots can be added now. At least 1 once a published slot was dropped, however full the leaf is; but dropping
 * k slots does not make room for k: readers look at dropped slots until the section is left. */
unsigned vtree_room(const struct vtree_section *s);
/* Take slot i out, to be seen at vtree_leave. The VMA may be given back after that. */
void vtree_drop(struct vtree_section *s, unsigned i);
/* Put vma at [lo, hi): inside s->r, free, and there is room. Whether it is a dummy (VMA_GAP) is looked up now and must
 * not change while the slot lives. */
void vtree_add(struct vtree_section *s, uint64_t lo, uint64_t hi, struct vma *vma);
/* Tell listings that a VMA of this leaf has other bits than before: a publication, also where no slot has changed. */
static inline void vtree_touch(struct vtree_section *s);
/* Publish all of it by one store, if anything changed; open the leaf; raise bounds of free space if pages became free
 * and the bounds were lower; end the RCU section. Cannot fail, never waits. */
void vtree_leave(struct vtree_section *s);

/* ---- structure ---- */

/* Make addr a leaf border that no join removes. 0, -ENOMEM. Spins as vtree_enter. Call it outside sections. */
int  vtree_separate(struct vtree *t, struct thread_slot *self, uint64_t addr) MUST_CHECK;
#define vtree_separate(t, self, addr) BASE_SITE(SITE_NEED, (vtree_separate)(t, self, addr), -ENOMEM)
/* Join sparse leaves that meet r with a neighbour. Best effort: never waits, gives up if anything is taken, for want of
 * memory, or where colliders were parted not long ago. Cheap (one descent per leaf) where there is nothing to do.
 * Needed now and then after slots were dropped: vtree_next and vtree_gap walk over empty leaves one by one. */
void vtree_join(struct vtree *t, struct thread_slot *self, struct lock_range r);
/* The same where this thread has not worked for a while, and now works elsewhere: colliders that were parted there are
 * not expected back, but for a leaf that owns `now` as well (ADDRESS_END: none does). */
void vtree_join_idle(struct vtree *t, struct thread_slot *self, struct lock_range r, uint64_t now);
/* Is vtree_join of s->r worth a call, after the section that dropped something was left? Says so for one in 8
 * publications of a sparse leaf: one that is emptied slot by slot is always met, steady churn in a small one rarely. */
static inline bool vtree_sparse(const struct vtree_section *s);

/* ---- gaps ---- */

/* within, len: bytes, page aligned, len > 0. align: 0 or a power of two; the place is phase modulo align. */
struct vtree_want { struct lock_range within; uint64_t len, align, phase; };
/* Find the highest place in `within` that fits and ends at or below `below`; dummies counted as free or as occupied. 0,
 * -ENOENT. Exact while no writer is at work, else a proposal: the section that takes it checks again. Waits for nobody;
 * writes only bounds that misled it. Cost: O(log n) unless an alignment rules out many gaps that are large enough. */
int  vtree_gap(struct vtree *t, struct thread_slot *self, const struct vtree_want *want, uint64_t below,
	       bool dummies_free, struct lock_range *fit);
/* The same without bounds: reads every leaf of `within`, twice before it says no: true at one instant, unless it was
 * overtaken 64 times. The last word before ENOMEM. */
int  vtree_gap_scan(struct vtree *t, const struct vtree_want *want, bool dummies_free, struct lock_range *fit);

/* ---- looking after ---- */

/* slots: live ones (a VMA has one per leaf that it lies in). splits, joins: of leaves. collisions: enters that found
 * the leaf taken. bytes: all slabs of nodes, unused and retired nodes included. A walk of the whole tree, in RCU. */
struct vtree_stats { uint64_t leaves, inners, slots, splits, joins, collisions, bytes; };
void vtree_get_stats(struct vtree *t, struct vtree_stats *out);
/* Check every rule, while nobody is at work; each violation is a line in report (may be NULL). Their number. */
uint64_t vtree_audit(struct vtree *t, FILE *report);

#include "vmmap/vma/vtree_node.h"

#endif
