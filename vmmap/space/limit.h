/* SPDX-License-Identifier: MIT */
/*
 * limit.h - limits of a map: VMAs, address space, committed and locked memory. Exact, without a shared counter.
 *
 * UNITS       what a limit allows is cut into units: VMAs, else pages. A unit is in the pool (struct limits), in the
 *             quota of a slot, reserved by an operation under way, or used up by what is in the map. Used =
 *             most - pool - quotas - reserved. A limit that is not set has no units: nothing is counted.
 * WINDOW      every change of the tree's VMAs lies in a window of its thread: limit_enter .. limit_leave. Windows come
 *             in two kinds. Shared ones run beside each other: each reserves what it may need at most (limit_reserve),
 *             from its slot's quota or, under a short lock, from the pool; then changes the map; gives back the rest.
 *             When the reservation fails nothing has been decided: the window becomes exact (limit_exact), which is
 *             alone: all other windows have ended, all quotas are back in the pool, nothing is reserved. The map and
 *             the pool are what one thread alone would see, so Linux's own checks are made there, in Linux's order
 *             (limit_rules.c). One thread alone is exact for the same reason.
 * WORDS       limit_local.inside (a slot's own line): 1 in a shared window. limits.next, .serving: tickets of exact
 *             windows; equal: nobody wants one. owner: who is in the exact window (slot + 1).
 * STATES      a thread: outside -> (inside = 1, next == serving) shared -> outside; outside or shared -> ticket taken
 *             (next + 1) -> serving is mine -> every inside is 0 -> exact -> serving + 1 -> outside. Who finds a
 *             ticket out takes one itself: first come, first served, nobody starves.
 * FIRST       The first window of a slot in a map is exact. So whoever opens an exact one later finds the slot's block:
 *             L4 orders its making before.
 * EDGES       L1 store of inside, then load of next, serving -> L2 RMW of next, then loads of all inside: all seq_cst,
 *             so that a shared window is seen, or sees that it must wait. L3 inside = 0 (release) -> L2's load: what a
 *             window did to map and quota. L4 serving + 1 (seq_cst) -> L1's load, and the next ticket's: what the exact
 *             window did to the quotas of others. A quota is written by its slot in a shared window, by the owner of
 *             the exact one in that: never by two, never in transit.
 * ORDER       range (all ranges of the operation, the neighbours that it took) > window > leaf section > pool lock.
 *             In a window nobody waits for a range, a frame or a grace period; inside a leaf section nobody opens
 *             one. So windows end by themselves, and an exact one waits for them without a cycle.
 * COUNT       which VMAs are counted: limit_count.c.
 * INVARIANTS  (limit_audit, quiescent) no window, no ticket; for each limit: used = what a walk of the map says.
 * PROGRESS    shared: no wait but the pool's lock. Exact: as many windows as there are threads before it.
 * NOT PROMISED that operations on disjoint ranges run in parallel while what is left of a limit is less than their
 *             margin: at the edge they follow each other.
 * SOURCE      the rules: Linux 6.18 (mm/mmap.c, vma.c, mremap.c, mlock.c, mprotect.c); counters that are exact when it
 *             matters: as percpu_counter and sloppy counters there, with an exact mode instead of an error bound.
 */
#ifndef VMMAP_SPACE_LIMIT_H
#define VMMAP_SPACE_LIMIT_H

#include "base/park.h"
#include "base/thread.h"
#include "locks/range.h"
#include "vmmap/vma/vtree.h"

struct carve;
struct vmmap;
struct vmmap_config;
struct space_new;
struct space_rebits;

enum limit_kind { LIMIT_VMAS, LIMIT_AS, LIMIT_COMMIT, LIMIT_LOCKED, LIMIT_KINDS };
#define LIMIT_VMA_MARGIN 12                      /* VMAs: more than any check of Linux asks for at once            */

struct limit_units { int64_t of[LIMIT_KINDS]; };

struct limit_local {                             /* in struct space_local                                          */
	atomic_u32 inside;
	uint32_t depth;                          /* windows nest: the outermost counts                             */
	bool known;                              /* FIRST                                                          */
	struct limit_units quota, reserved;
};

struct limits {                                  /* in struct vmmap                                                */
	uint32_t set;                            /* bit per kind                                         [const]   */
	struct limit_units most, batch;          /*                                                      [const]   */
	uint64_t stack;                          /* bytes; 0: none                                       [const]   */
	atomic_u64 shared_pages;                 /* of shared anonymous objects: what slots without a block added  */
	atomic_u32 next PAIR_ALIGNED;
	atomic_u32 serving, owner;
	uint32_t depth;                          /* of the exact window                                            */
	struct park_mutex lock;
	struct limit_units pool;                 /* under lock, or in the exact window                             */
	atomic_u32 scarce;                       /* bit per kind: quotas are not kept                              */
};

void limit_init(struct limits *l, const struct vmmap_config *config);

/* ---- windows ---- */
void limit_enter(struct vmmap *map, struct thread_slot *self);
void limit_leave(struct vmmap *map, struct thread_slot *self);
/* Reserves for the caller's shared window. false: nothing reserved, or the window is exact: look at the rules. */
bool limit_reserve(struct vmmap *map, struct thread_slot *self, const struct limit_units *want) MUST_CHECK;
/* The caller's shared window, with nothing reserved, becomes exact; others may have come between. */
void limit_exact(struct vmmap *map, struct thread_slot *self);
/* In a window: n units more are used (negative: fewer). */
void limit_add(struct vmmap *map, struct thread_slot *self, enum limit_kind kind, int64_t n);
/* In an exact window: units that are left; a limit that is not set always has enough. */
int64_t limit_left(const struct vmmap *map, enum limit_kind kind);

/* ---- which VMAs are counted (limit_count.c). In a window ---- */
/* Looks at every border in [r.lo, r.hi] after VMAs there changed. */
void    limit_recount(struct vmmap *map, struct thread_slot *self, struct lock_range r);
/* In a leaf section, before a change of slots in r: VMAs that are counted of those that meet r or its borders. */
int64_t limit_counted(struct vmmap *map, const struct vtree_section *s, struct lock_range r);
/* After it: counts these anew, and leaves the section. r ends below the leaf's end, if VMAs are counted. */
void    limit_leave_section(struct vmmap *map, struct vtree_section *s, struct lock_range r, int64_t counted);

/* ---- the rules (limit_rules.c). Each opens a window unless it fails; limit_end closes it ---- */
/* What may come of a brief edit; false: no window, take the general form. */
bool limit_brief(struct vmmap *map, struct thread_slot *self, const struct carve *c);
/* The caller holds r; 0, or Linux's error. pays: a new object counts as committed. */
int  limit_map(struct vmmap *map, struct thread_slot *self, struct lock_range r, const struct space_new *fresh,
	       bool pays);
int  limit_unmap(struct vmmap *map, struct thread_slot *self, struct lock_range r);
int  limit_bits(struct vmmap *map, struct thread_slot *self, struct lock_range r, const struct space_rebits *rb,
		bool every);
/* `more` bytes for a VMA of these bits; stack: its size then, against the limit of stacks (0: it is none). */
int  limit_grow(struct vmmap *map, struct thread_slot *self, uint64_t bits, uint64_t more, uint64_t stack);
/* from, held, goes to `to`, held; keep: MREMAP_DONTUNMAP. */
struct limit_move { struct lock_range from, to; uint64_t bits; bool keep, fixed; };
int  limit_move(struct vmmap *map, struct thread_slot *self, const struct limit_move *m);
/* Checks alone, no window stays open: Linux makes these before it looks further. */
int  limit_mremap_first(struct vmmap *map, struct thread_slot *self, int64_t least);
int  limit_grow_first(struct vmmap *map, struct thread_slot *self, uint64_t bits, uint64_t more);
int  limit_mmap_first(struct vmmap *map, struct thread_slot *self, uint64_t len, bool locked, int err);
static inline void limit_end(struct vmmap *map, struct thread_slot *self) { limit_leave(map, self); }

#endif
