/* SPDX-License-Identifier: MIT */
/*
 * pt.h - the page table: four levels of 512 entries over 47 bits, tables installed by CAS, entries one word each.
 *
 * ENTRY   0 = EMPTY
 *         bit 0 LOCKED: someone works on it, bounded, never asleep; the other bits are kept beside it
 *         bit 1 PRESENT; 2..4 READ WRITE EXEC: what an access may do without a fault (never more than the VMA allows)
 *         5 DIRTY, 6 YOUNG, 7 ZERO: the shared zero page (no frame), 8 OBJECT: the frame is the page cache's
 *         9 SHARED: the frame may be in entries of other maps as well, which were forked; never with WRITE
 *         10 PINNED: the frame may have references that are no entries; never with SHARED, ZERO, OBJECT (whose frames
 *         the object frees, and asks)
 *         12..51 frame number; 52..63 toucher: slot number + 1 of the only thread that touched it, 0 = several
 * Policy-free: the fault's protocol (CAS to LOCKED, re-check, store) and the writer's (lk first, then load each entry,
 * waiting for LOCKED ones) are the caller's; all entry and table loads that a writer may skip on are seq_cst here.
 */
#ifndef VMMAP_PT_PT_H
#define VMMAP_PT_PT_H

#include <stdio.h>

#include "base/rcu.h"
#include "base/site.h"
#include "base/thread.h"
#include "locks/range.h"

enum pt_bits {
	PT_LOCKED = 1, PT_PRESENT = 2, PT_READ = 4, PT_WRITE = 8, PT_EXEC = 16,
	PT_ACCESS = PT_READ | PT_WRITE | PT_EXEC,
	PT_DIRTY = 32, PT_YOUNG = 64, PT_ZERO = 128, PT_OBJECT = 256, PT_SHARED = 512, PT_PINNED = 1024,
};
#define PT_PFN_SHIFT     12
#define PT_PFN_MASK      ((UINT64_C(1) << 40) - 1)
#define PT_TOUCHER_SHIFT 52
#define PT_BITS          ((UINT64_C(1) << PT_PFN_SHIFT) - 1)

static inline uint64_t pt_pfn(uint64_t entry)     { return entry >> PT_PFN_SHIFT & PT_PFN_MASK; }
static inline uint32_t pt_toucher(uint64_t entry) { return (uint32_t)(entry >> PT_TOUCHER_SHIFT); }
static inline bool     pt_has_frame(uint64_t entry) { return (entry & (PT_PRESENT | PT_ZERO)) == PT_PRESENT; }
static inline uint64_t pt_entry(uint64_t pfn, uint64_t bits, uint32_t toucher)
{
	return pfn << PT_PFN_SHIFT | bits | (uint64_t)toucher << PT_TOUCHER_SHIFT;
}

struct pt;                                       /* layout in pt_node.h                                            */

int  pt_init(struct pt *pt);
/* Frees all tables; every entry must be EMPTY (dev: checked). Waits (rcu_drain) while unlinked tables are with RCU. */
void pt_fini(struct pt *pt);

/* The entry of addr; NULL: some table is absent (decided by a seq_cst load). Inside RCU. Inline in pt_node.h. */
static inline atomic_u64 *pt_find(struct pt *pt, uint64_t addr);
/* The same, making the tables it needs. NULL: no memory. Inside RCU. Inline in pt_node.h. */
static inline atomic_u64 *pt_make(struct pt *pt, struct thread_slot *self, uint64_t addr);
/* The first entry at or after addr, below hi, whose tables are there; *addr moves to it. NULL: none. Inside RCU. */
atomic_u64 *pt_next(struct pt *pt, uint64_t *addr, uint64_t hi);

/* CAS seen -> seen | LOCKED, seq_cst: the fault's half of the Dekker pair. */
static inline bool pt_lock(atomic_u64 *entry, uint64_t seen)
{
	return atomic_cas_seqcst(entry, &seen, seen | PT_LOCKED);               /* F1 -> W2; S2 -> S1 */
}
static inline void pt_store(atomic_u64 *entry, uint64_t value)
{
	atomic_store_release(entry, value);                                      /* S1 -> S2 */
}
/* Spins until the entry is not LOCKED and returns it (seq_cst). */
uint64_t pt_settled(atomic_u64 *entry);

/* The writer's verbs. The caller holds the range (lk set before) or the VMA's brief lock; inside RCU. */
struct pt_batch {                                /* what a zap took out; flush is called when full, and by the caller */
	unsigned n;
	uint64_t entry[64];
	void (*flush)(struct pt_batch *b);
	void *arg;
};
void pt_zap(struct pt *pt, struct lock_range r, struct pt_batch *out);
/* Entries keep at most `allow` of ACCESS; WRITE is added back to frames of their own (not ZERO, not SHARED, not OBJECT
 * unless `object_write`) when allow has it; READ and EXEC are added back as allow says. Returns entries changed. */
uint64_t pt_protect(struct pt *pt, struct lock_range r, uint64_t allow, bool object_write);
/* Moves entries one by one to the same place in [to, to + len); tables there are made before anything moves. -ENOMEM:
 * nothing moved. Both ranges held. */
int  pt_move(struct pt *pt, struct thread_slot *self, struct lock_range from, uint64_t to) MUST_CHECK;
/* Private frames of r (not ZERO, not OBJECT) become shared: their entries lose WRITE, and stand, not young, in `child`
 * as well, which nobody else uses yet; `share` is told of each. -ENOMEM: of some. r is held. -EAGAIN: r->lo, which is
 * PINNED, is next, and there is no spare frame. */
struct pt_share {
	void (*share)(uint64_t pfn, void *arg);
	bool (*spare)(void *arg);                /* of a PINNED entry: is there a frame for a copy?                */
	/* ... it is LOCKED: the frame of its copy, for the child alone; or false: nobody pins it any more, share */
	bool (*copy)(uint64_t pfn, uint64_t addr, uint64_t *fresh, void *arg);
	void *arg;
};
int  pt_share(struct pt *pt, struct pt *child, struct thread_slot *self, struct lock_range *r,
	      const struct pt_share *s) MUST_CHECK;
/* Unlinks tables whose span lies wholly inside r (all their entries were zapped, r is held); freed by RCU with
 * whatever a late fault hangs below meanwhile. Returns tables unlinked. */
uint64_t pt_free_tables(struct pt *pt, struct thread_slot *self, struct lock_range r);

/* Where tables are locked: the lock of the lowest table there is over all of r; if r may be unlinked: of one that has
 * more than r below it. Inside RCU. And of the table below one, over addr; NULL: none. */
struct table_lock *pt_lock_over(struct pt *pt, struct lock_range r, bool unlinks);
struct table_lock *pt_lock_below(struct table_lock *lock, uint64_t addr);
/* Makes the one below, by who holds this one: it is held as well. NULL: no memory. */
struct table_lock *pt_lock_make(struct pt *pt, struct thread_slot *self, struct table_lock *lock, uint64_t addr);

struct pt_stats { uint64_t tables, empty_tables, bytes; };
void pt_get_stats(struct pt *pt, struct pt_stats *out);
/* Calls fn for each non-EMPTY entry in r, ascending. Quiescent. */
void pt_walk(struct pt *pt, struct lock_range r, void (*fn)(uint64_t addr, uint64_t entry, void *arg), void *arg);
uint64_t pt_audit(struct pt *pt, FILE *report);  /* no LOCKED entry, bits consistent                               */

#include "vmmap/pt/pt_node.h"


#endif
