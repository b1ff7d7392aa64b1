/* SPDX-License-Identifier: MIT */
/*
 * pt_table.c - the life of a table: per-slot caches of empty ones, retirement, init and fini.
 *
 * STATES      empty in a cache -> private to its maker -> linked (CAS in pt.c) -> unlinked (swap in pt.c) -> with RCU
 *             -> empty in the cache of the slot that unlinked it, or freed.
 * CHAINS      tables that one call unlinks go to RCU, and come back, as one: linked by `next`, the first has the others
 *             in `rest`; it counts for as many. RCU's thread has no business with their lines: who takes them next
 *             finds them in its own cache. Tables of entries are empty. Below an upper table a late fault may have
 *             hung another one: that is looked for by who takes it, and wrote most of its words itself; `level` of a
 *             table in the cache says that nobody has looked yet. Where tables are locked they come back one by one,
 *             and RCU's thread looks.
 * EDGES       T1 unlink (seq_cst swap) -> grace period -> T2 callback: no read section that found the table is open,
 *             so nobody works on its words any more; a late fault that hung a table below did so before T2, and who
 *             looks, in T2 or behind T4, finds it.
 *             T3 callback pushes on `returned` (acq_rel CAS) -> T4 the owner's swap (acq_rel).
 *             T5 `reclaimed` (acq_rel, last access of a callback to the map) -> T6 pt_fini's load (acquire).
 * ABA         none: `returned` is emptied as a whole.
 * BOUND       a slot keeps at most PT_SLOT_KEEPS tables (32 MiB: what one thread's faults take
 *             while a round of RCU is under way), and never more than the map once had in use (0.2 %
 *             of what was mapped); more go to the allocator, also when one slot only makes and another only unlinks.
 *             They stay with the block of a thread that exits: its next owner uses them. Measured: an empty table
 *             from the cache costs 15 ns, from glibc's allocator 250-450 ns, from jemalloc's 1-2 us (one alone,
 *             zeroed; page faults).
 * ORDER       no lock. pt_table_take calls base/mem, inside RCU, holding nothing; retire and drop allocate nothing.
 * INVARIANT   a table that is taken has 512 EMPTY words. pt_fini waits (rcu_drain) for tables that are still with RCU.
 * SOURCE      RCU-freed page tables: Linux mm/mmu_gather.c (tlb_remove_table), Documentation/mm/process_addrs.rst.
 */
#include "vmmap/pt/pt_table.h"

#include <errno.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/point.h"

_Static_assert(sizeof(struct pt_table) == PT_WORDS * sizeof(uint64_t) + CACHE_LINE, "a head of one line");

static struct pt_table *table_new(void)
{
	return mem_alloc(MEM_TABLE, sizeof(struct pt_table), CACHE_LINE);
}

static void table_delete(struct pt_table *table)
{
	mem_free(MEM_TABLE, table, sizeof(*table));
}

/* How many tables the slot has. */
static uint32_t tables_kept(struct pt_slot *slot)
{
	return atomic_load_relaxed(&slot->brought) - atomic_load_relaxed(&slot->taken);
}

/* What late faults hung below an upper table of the calling thread's slot is one more chain each. */
static NOINLINE void look_below(struct pt_slot *slot, struct pt_table *table)
{
	for (unsigned i = 0; i < PT_WORDS; i++) {
		uint64_t word = atomic_load_acquire(&table->word[i]);           /* A2 -> A1: a late fault's table */
		struct pt_table *below = (struct pt_table *)(uintptr_t)word;

		if (likely(!word))
			continue;
		atomic_store_relaxed(&table->word[i], 0);
		below->rest = NULL;
		below->next = slot->chains;
		slot->chains = below;
		atomic_bump(&slot->taken, UINT32_MAX);
	}
}

/* The first of the next chain. */
static struct pt_table *take_chain(struct pt_slot *slot)
{
	struct pt_table *first;

	if (!slot->chains && atomic_load_relaxed(&slot->returned)) {
		uint64_t all = atomic_swap_acqrel(&slot->returned, 0);                   /* T4 */

		slot->chains = (struct pt_table *)(uintptr_t)all;
	}
	first = slot->chains;
	if (!first)
		return NULL;
	first->home = NULL;      /* a store first: the line was RCU's, it will be written, and so it comes once       */
	slot->chains = first->next;
	slot->cached = BASE_MUTANT(chain_loses_rest) ? NULL : first->rest;
	return first;
}

/* The next cached table; NULL: there is none. */
static struct pt_table *take_cached(struct pt_slot *slot)
{
	struct pt_table *table = slot->cached;

	if (table)
		slot->cached = table->next;
	else
		table = take_chain(slot);
	if (!table)
		return NULL;
	atomic_bump(&slot->taken, 1);
	if (table->level && !BASE_MUTANT(table_taken_unlooked))
		look_below(slot, table);
	return table;
}

struct pt_table *pt_table_take(struct pt *pt, struct thread_slot *self)
{
	struct pt_slot *slot = thread_local_mine(&pt->slots, self);
	struct pt_table *table = slot ? take_cached(slot) : NULL;

	if (!table)
		table = table_new();
	if (table)
		table->pt = pt;
	return table;
}

void pt_table_drop(struct pt *pt, struct thread_slot *self, struct pt_table *table)
{
	struct pt_slot *slot = thread_local_at(&pt->slots, self->number);

	if (!slot || tables_kept(slot) >= PT_SLOT_KEEPS) {
		table_delete(table);
		return;
	}
	atomic_bump(&slot->taken, UINT32_MAX);
	table->level = 0;
	table->next = slot->cached;
	slot->cached = table;
}

/* ---- retirement: in RCU's thread ---- */

/* One that came back from RCU: an upper table may have something below. */
static void table_give_up(struct pt_table *table)
{
	if (table->level)
		pt_table_free_all(table);
	else
		table_delete(table);
}

/* As many as the slot may keep; the others are freed. */
static void chain_recycle(struct pt_chain chain, struct pt_slot *home)
{
	struct pt_table *first = chain.first;
	uint32_t kept = home ? tables_kept(home) : PT_SLOT_KEEPS;
	uint32_t room = kept < PT_SLOT_KEEPS ? PT_SLOT_KEEPS - kept : 0;
	uint64_t head;

	for (; chain.n > room; chain.n--) {
		struct pt_table *rest = first->rest;

		if (rest)
			rest->rest = rest->next;
		table_give_up(first);
		first = rest;
	}
	if (!chain.n)
		return;
	(void)atomic_add_relaxed(&home->brought, chain.n);
	head = atomic_load_relaxed(&home->returned);
	do
		first->next = (struct pt_table *)(uintptr_t)head;
	while (!atomic_cas_acqrel(&home->returned, &head, (uint64_t)(uintptr_t)first));                  /* T3 */
}

static void table_recycle(struct pt_table *table, struct pt_slot *home)
{
	table->rest = NULL;
	chain_recycle((struct pt_chain){ table, 1 }, home);
}

/* For asserts. A table of entries was zapped before it was unlinked, and a late fault that locked one of them has put
 * EMPTY back inside its read section: there is nothing to clear, and no line of it needs to come here to see so. */
static UNUSED bool table_empty(struct pt_table *table)
{
	for (unsigned i = 0; i < PT_WORDS; i++)
		if (atomic_load_acquire(&table->word[i]))                       /* S2 -> S1: a grace period ago */
			return false;
	return true;
}

/* Empties a table: what hangs below goes with it. Depth: the levels. */
static void table_reclaim(struct pt_table *table, struct pt_slot *home)
{
	if (!table->level)
		ASSERT(table_empty(table));
	for (unsigned i = 0; table->level && i < PT_WORDS; i++) {
		uint64_t word = atomic_load_acquire(&table->word[i]);           /* A2 -> A1: a late fault's table */

		if (!word)
			continue;
		table_reclaim((struct pt_table *)(uintptr_t)word, home);
		atomic_store_relaxed(&table->word[i], 0);
	}
	atomic_store_relaxed(&table->lock.word, 0);      /* was a stray (T2: nobody has it in hand any more)       */
	table->level = 0;
	table_recycle(table, home);
}

static void table_retired(struct rcu_item *item)
{
	struct pt_table *table = container_of(item, struct pt_table, item);
	struct pt_slot *home = table->home;
	struct pt *pt = table->pt;

	table_reclaim(table, home);                                              /* T2 -> T1 */
	(void)atomic_add_acqrel(home ? &home->reclaimed : &pt->stray_reclaimed, 1);                      /* T5 */
}

/* What a reader of a table freed too early may find there: a frame that does not exist. */
#define POISON pt_entry(PT_PFN_MASK, PT_PRESENT | PT_ACCESS, 0)

static void table_poison(struct pt_table *table, uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < PT_WORDS; i++) {
		struct pt_table *below = table->level ? pt_below(&table->word[i]) : NULL;

		if (below)
			table_poison(below, from, to);
		else if (!table->level)
			(void)atomic_cas_relaxed(&table->word[i], &(uint64_t){ from }, to);
	}
}

static void table_retired_poisoned(struct rcu_item *item)
{
	table_poison(container_of(item, struct pt_table, item), POISON, 0);
	table_retired(item);
}

void pt_table_retire(struct pt *pt, struct thread_slot *self, struct pt_table *table)
{
	struct pt_slot *home = thread_local_at(&pt->slots, self->number);        /* none: to the allocator */

	table->home = home;
	if (home)
		atomic_bump(&home->retired, 1);
	else
		(void)atomic_add_relaxed(&pt->stray_retired, 1);
	if (BASE_MUTANT(tables_freed_at_once)) {
		table_poison(table, 0, POISON);
		rcu_retire(self, &table->item, table_retired_poisoned);
		return;
	}
	rcu_retire(self, &table->item, table_retired);           /* T1 -> T2 */
}

/* ---- chains ---- */

bool pt_table_chains(struct pt *pt, struct thread_slot *self)
{
	return !pt->locked && thread_local_at(&pt->slots, self->number) &&
	       !BASE_MUTANT(tables_freed_at_once);
}

void pt_table_chain(struct pt_chain *chain, struct pt_table *table)
{
	if (chain->first)
		chain->first->next = chain->first->rest;
	table->rest = chain->first;
	chain->first = table;
	chain->n++;
}

/* The map may end behind this. */
static void chain_count(struct pt_slot *home, uint32_t n)
{
	(void)atomic_add_acqrel(&home->reclaimed, n);                            /* T5 */
}

static void chain_retired(struct rcu_item *item)
{
	struct pt_table *first = container_of(item, struct pt_table, item);
	struct pt_slot *home = first->home;
	struct pt_chain chain = { first, first->chained };
	bool early = BASE_MUTANT(chain_counts_early);

	ASSERT(first->level || table_empty(first));
	if (early)
		chain_count(home, chain.n);
	BASE_POINT(chain_before_recycle);
	chain_recycle(chain, home);                                              /* T2 -> T1 */
	if (!early)
		chain_count(home, chain.n);
}

void pt_table_retire_chain(struct pt *pt, struct thread_slot *self, const struct pt_chain *chain)
{
	struct pt_slot *home;

	if (!chain->first)
		return;
	home = thread_local_at(&pt->slots, self->number);
	chain->first->home = home;
	chain->first->chained = chain->n;
	atomic_bump(&home->retired, chain->n);
	if (BASE_MUTANT(chain_freed_at_once)) {
		chain_retired(&chain->first->item);
		return;
	}
	rcu_retire_many(self, &chain->first->item, chain_retired, chain->n);     /* T1 -> T2 */
}

/* ---- init, fini ---- */

int pt_init(struct pt *pt)
{
	*pt = (struct pt){ 0 };
	if (thread_local_init(&pt->slots, sizeof(struct pt_slot)))
		return -ENOMEM;
	pt->root = table_new();
	if (!pt->root) {
		thread_local_free(&pt->slots, NULL, NULL);
		return -ENOMEM;
	}
	pt->root->pt = pt;
	pt->root->level = PT_ROOT_LEVEL;
	pt_table_born(pt->root, NULL, NULL);
	return 0;
}

void pt_table_free_all(struct pt_table *table)
{
	for (unsigned i = 0; i < PT_WORDS; i++) {
		uint64_t word = atomic_load_acquire(&table->word[i]);           /* A2 -> A1; S2 -> S1: quiescent */

		if (!word)
			continue;
		if (table->level)
			pt_table_free_all((struct pt_table *)(uintptr_t)word);
		else
			ASSERT(!"an entry was left in the page table");
	}
	table_delete(table);
}

static void list_delete(struct pt_table *list)
{
	while (list) {
		struct pt_table *table = list;

		list = table->next;
		table_give_up(table);
	}
}

static void chains_delete(struct pt_table *chains)
{
	while (chains) {
		struct pt_table *first = chains;

		chains = first->next;
		list_delete(first->rest);
		table_give_up(first);
	}
}

static void slot_fini(void *block, void *arg)
{
	struct pt_slot *slot = block;
	uint64_t returned = atomic_load_acquire(&slot->returned);               /* T4 -> T3: quiescent */

	(void)arg;
	list_delete(slot->cached);
	chains_delete(slot->chains);
	chains_delete((struct pt_table *)(uintptr_t)returned);
}

static bool tables_with_rcu(struct pt *pt)
{
	uint64_t retired = atomic_load_relaxed(&pt->stray_retired);
	uint64_t reclaimed = atomic_load_acquire(&pt->stray_reclaimed);         /* T6 -> T5 */

	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct pt_slot *slot = thread_local_at(&pt->slots, i);

		if (!slot)
			continue;
		retired += atomic_load_relaxed(&slot->retired);
		reclaimed += atomic_load_acquire(&slot->reclaimed);              /* T6 */
	}
	return retired != reclaimed;
}

void pt_fini(struct pt *pt)
{
	if (tables_with_rcu(pt))
		rcu_drain();
	pt_table_free_all(pt->root);
	thread_local_free(&pt->slots, slot_fini, NULL);
	pt->root = NULL;
}

uint64_t pt_table_cached(struct pt *pt)
{
	uint64_t sum = 0;

	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct pt_slot *slot = thread_local_at(&pt->slots, i);

		if (slot)
			sum += tables_kept(slot);
	}
	return sum;
}
