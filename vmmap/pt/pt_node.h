/* SPDX-License-Identifier: MIT */
/*
 * pt_node.h - layout of the page table and the walk that every fault makes. Included by pt.h only.
 *
 * TABLE  512 words, then its head, in one allocation of 65 cache lines. Word of an upper table: address of the table
 *        below, 0 = absent. Word of a table of level 0: an entry (pt.h). The head stands behind the words, not in them:
 *        a late fault may still work on the words of an unlinked table. 65 lines and not 64 make the same index of
 *        different tables fall into different cache sets; page alignment would buy nothing here, no hardware walks it.
 *        The head has one line: a table's lock (policy pt-lock) is in there, and touched by nobody else.
 * LEVEL  3 (root, one per map: 512 GiB per word), 2 (1 GiB), 1 (2 MiB), 0 (4 KiB).
 */
#ifndef VMMAP_PT_PT_NODE_H
#define VMMAP_PT_PT_NODE_H

#include "base/compiler.h"
#include "locks/table_lock.h"

#ifndef PT_TABLE_SHIFT                           /* the models have smaller tables                                 */
#define PT_TABLE_SHIFT 9
#endif
#define PT_WORDS       (1u << PT_TABLE_SHIFT)
#define PT_ROOT_LEVEL  3

struct pt_slot;

struct pt_table {
	atomic_u64 word[PT_WORDS];
	union {
		struct rcu_item item;    /* once unlinked: of the first of a chain                                 */
		struct pt_table *next;   /* of the others; in a slot's cache                                       */
	};
	union {
		struct pt *pt;           /* while it is linked                                           [const]   */
		struct pt_table *rest;   /* of the first of a chain: the others                                    */
	};
	struct pt_slot *home;            /* slot block that gets the memory back; NULL: the allocator              */
	struct table_lock lock;          /* where tables are locked (pt.locked): pt_table_lock.c                   */
	uint32_t level;                  /* written by its maker; not 0 in a cache: not looked into (pt_table.c)   */
	uint32_t chained;                /* of the first of a chain: how many they are                             */
} LINE_ALIGNED;

struct pt_slot {
	struct pt_table *cached;         /* owner only: empty tables, ready for use                                */
	struct pt_table *chains;         /* owner only: chains of more                                             */
	atomic_u64 retired;              /* owner writes: tables handed to RCU                                     */
	atomic_u32 taken;                /* owner writes: out of the three, less what it put there                 */
	/* A line that RCU's thread writes.                                                                        */
	LINE_ALIGNED atomic_u64 returned;        /* stack of chains, emptied by the owner                          */
	atomic_u32 brought;              /* by RCU's thread: into `returned`; so many less `taken` are in the cache */
	atomic_u64 reclaimed;            /* by RCU's thread: those of `retired` that came back                     */
};

struct pt {
	struct pt_table *root;           /* [const]                                                                */
	bool locked;                     /* the policy's locks are in the tables                         [const]   */
	struct thread_local_table slots; /* of struct pt_slot                                                      */
	atomic_u64 stray_retired, stray_reclaimed;       /* of threads without a slot block                        */
};

/* Bytes that one word of a table of this level covers, as a shift. */
static inline unsigned pt_level_shift(unsigned level) { return PAGE_SHIFT + PT_TABLE_SHIFT * level; }

static ALWAYS_INLINE unsigned pt_index(uint64_t addr, unsigned level)
{
	return (unsigned)(addr >> pt_level_shift(level)) & (PT_WORDS - 1);
}

/* The table below a word of an upper table: seq_cst, so that a writer may skip what is absent (pt.c, edge A1). */
static ALWAYS_INLINE struct pt_table *pt_below(atomic_u64 *word)
{
	return (struct pt_table *)(uintptr_t)atomic_load_seqcst(word);          /* A2 -> A1 */
}

static ALWAYS_INLINE atomic_u64 *pt_find(struct pt *pt, uint64_t addr)
{
	struct pt_table *table = pt_below(&pt->root->word[pt_index(addr, 3)]);

	/* Written out: the compiler would keep the loop, and shift by a variable at each level. */
	_Static_assert(PT_ROOT_LEVEL == 3, "as many steps as levels");
	if (unlikely(!table))
		return NULL;
	table = pt_below(&table->word[pt_index(addr, 2)]);
	if (unlikely(!table))
		return NULL;
	table = pt_below(&table->word[pt_index(addr, 1)]);
	if (unlikely(!table))
		return NULL;
	return &table->word[pt_index(addr, 0)];
}

/* The slow half of pt_make (pt.c): some table was absent. */
atomic_u64 *pt_make_tables(struct pt *pt, struct thread_slot *self, uint64_t addr);

static inline atomic_u64 *(pt_make)(struct pt *pt, struct thread_slot *self, uint64_t addr)
{
	atomic_u64 *entry = pt_find(pt, addr);

	return likely(entry != NULL) ? entry : pt_make_tables(pt, self, addr);
}

/* The same as a site, where a table is absent. */
#define pt_make(in, self, where) __extension__ ({ \
	struct pt *pt_ = (in); \
	uint64_t addr_ = (where); \
	atomic_u64 *entry_ = pt_find(pt_, addr_); \
	likely(entry_ != NULL) ? entry_ : BASE_SITE(SITE_NEED, pt_make_tables(pt_, self, addr_), NULL); })

#endif
