/* SPDX-License-Identifier: MIT */
/* pt_table.h - where tables come from and go to. Private to vmmap/pt. */
#ifndef VMMAP_PT_PT_TABLE_H
#define VMMAP_PT_PT_TABLE_H

#include "vmmap/pt/pt.h"

#define PT_SLOT_KEEPS 8192u              /* empty tables in one slot's cache, at most: what a round brings back     */

/* An empty table of no level yet; NULL: no memory. */
struct pt_table *pt_table_take(struct pt *pt, struct thread_slot *self);
/* Links an empty table of this level below `above`, where word is absent; returns what is there then. NULL: no memory.
 * (pt.c) */
struct pt_table *pt_table_make(struct pt *pt, struct thread_slot *self, struct pt_table *above, atomic_u64 *word,
			       unsigned level);
/* Gives back one that was never linked. */
void pt_table_drop(struct pt *pt, struct thread_slot *self, struct pt_table *table);
/* Hands an unlinked table, and what hangs below it or will, to RCU. Allocates nothing, never waits. */
void pt_table_retire(struct pt *pt, struct thread_slot *self, struct pt_table *table);
/* Unlinked tables, of one slot. RCU's thread looks at the first of them only. */
struct pt_chain { struct pt_table *first; uint32_t n; };
void pt_table_chain(struct pt_chain *chain, struct pt_table *table);
/* Do its tables go as a chain? */
bool pt_table_chains(struct pt *pt, struct thread_slot *self);
void pt_table_retire_chain(struct pt *pt, struct thread_slot *self, const struct pt_chain *chain);
/* Frees a table and all below at once; quiescent. */
void pt_table_free_all(struct pt_table *table);
/* Tables in the slots' caches. */
uint64_t pt_table_cached(struct pt *pt);

/* Where tables are locked (pt_table_lock.c): `table` is going to be linked below `above` by self. */
void pt_table_born(struct pt_table *table, struct pt_table *above, struct thread_slot *self);
/* May self unlink `below` from `above`? It holds both, and then all that hangs below them. */
bool pt_table_ours(struct pt_table *above, struct pt_table *below, struct thread_slot *self);
/* `table` has been unlinked: it, and all below, are strays. */
void pt_table_stray(struct pt_table *table);

#endif
