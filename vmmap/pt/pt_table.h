/* SPDX-License-Identifier: MIT */
/* pt_table.h - where tables come from and go to. Private to vmmap/pt. */
#ifndef VMMAP_PT_PT_TABLE_H
#define VMMAP_PT_PT_TABLE_H

#include "vmmap/pt/pt.h"

#define PT_SLOT_KEEPS 1024u              /* empty tables in one slot's cache, at most                               */

/* An empty table of no level yet; NULL: no memory. */
struct pt_table *pt_table_take(struct pt *pt, struct thread_slot *self);
/* Gives back one that was never linked. */
void pt_table_drop(struct pt *pt, struct thread_slot *self, struct pt_table *table);
/* Hands an unlinked table, and what hangs below it or will, to RCU. Allocates nothing, never waits. */
void pt_table_retire(struct pt *pt, struct thread_slot *self, struct pt_table *table);
/* Frees a table and all below at once; quiescent. */
void pt_table_free_all(struct pt_table *table);
/* Tables in the slots' caches. */
uint64_t pt_table_cached(struct pt *pt);

#endif
