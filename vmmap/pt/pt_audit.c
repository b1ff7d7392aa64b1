/* SPDX-License-Identifier: MIT */
/*
 * pt_audit.c - looking at the whole table: statistics, walk, audit.
 *
 * pt_get_stats may run beside operations (it counts what it meets; exact when quiescent) and leaves RCU between the
 * subtrees of 1 GiB, so that no grace period waits long for it. pt_walk and pt_audit want a quiescent map.
 */
#include "base/assert.h"
#include "vmmap/pt/pt_table.h"

/* ---- statistics ---- */

static void stats_below(struct pt_table *table, struct pt_stats *out)
{
	bool empty = true;

	out->tables++;
	for (unsigned i = 0; i < PT_WORDS; i++) {
		uint64_t word = atomic_load_seqcst(&table->word[i]);            /* A2 -> A1 */

		if (!word)
			continue;
		empty = false;
		if (!table->level)
			break;
		stats_below((struct pt_table *)(uintptr_t)word, out);
	}
	out->empty_tables += empty;
}

/* The subtree of one word of a table of level 2, in a read section of its own. */
static void stats_gib(struct pt *pt, struct thread_slot *self, uint64_t addr, struct pt_stats *out)
{
	struct pt_table *table;

	rcu_enter(self);
	table = pt_below(&pt->root->word[pt_index(addr, 3)]);
	table = table ? pt_below(&table->word[pt_index(addr, 2)]) : NULL;
	if (table)
		stats_below(table, out);
	rcu_leave(self);
}

void pt_get_stats(struct pt *pt, struct pt_stats *out)
{
	struct thread_slot *self = thread_self();

	*out = (struct pt_stats){ .tables = 1 };
	for (uint64_t top = 0; top < ADDRESS_END; top += UINT64_C(1) << pt_level_shift(3)) {
		uint64_t before = out->tables;

		if (!pt_below(&pt->root->word[pt_index(top, 3)]))
			continue;
		for (uint64_t i = 0; i < PT_WORDS; i++)
			stats_gib(pt, self, top + (i << pt_level_shift(2)), out);
		out->empty_tables += out->tables == before;
		out->tables++;
	}
	out->bytes = (out->tables + pt_table_cached(pt)) * sizeof(struct pt_table);
}

/* ---- walk ---- */

void pt_walk(struct pt *pt, struct lock_range r, void (*fn)(uint64_t addr, uint64_t entry, void *arg), void *arg)
{
	struct thread_slot *self = thread_self();
	uint64_t addr = r.lo;
	atomic_u64 *entry;

	rcu_enter(self);
	while ((entry = pt_next(pt, &addr, r.hi))) {
		uint64_t value = atomic_load_acquire(entry);                    /* S2 -> S1: quiescent */

		if (value)
			fn(addr, value, arg);
		addr += PAGE_BYTES;
	}
	rcu_leave(self);
}

/* ---- audit ---- */

struct audit {
	struct pt *pt;
	FILE *report;
	uint64_t bad;
};

static void violation(struct audit *a, const char *what, uint64_t addr, uint64_t word)
{
	a->bad++;
	if (a->report)
		fprintf(a->report, "pt: %s (addr %#llx word %#llx)\n", what, (unsigned long long)addr,
			(unsigned long long)word);
}

static void audit_entry(struct audit *a, uint64_t addr, uint64_t entry)
{
	if (entry & PT_LOCKED)
		violation(a, "entry left LOCKED", addr, entry);
	if (!(entry & PT_PRESENT))
		violation(a, "entry neither EMPTY nor present", addr, entry);
	if (entry & (UINT64_C(1) << 11))
		violation(a, "reserved bits", addr, entry);
	if ((entry & PT_ZERO) && (pt_pfn(entry) || (entry & (PT_WRITE | PT_OBJECT))))
		violation(a, "zero page with a frame, writable, or of an object", addr, entry);
	if (entry & PT_SHARED && entry & (PT_WRITE | PT_ZERO | PT_OBJECT))
		violation(a, "shared frame writable, the zero page, or of an object", addr, entry);
	if (entry & PT_PINNED && entry & (PT_SHARED | PT_ZERO | PT_OBJECT))
		violation(a, "pinned frame shared, the zero page, or of an object", addr, entry);
	if (pt_toucher(entry) > THREAD_MAX)
		violation(a, "toucher is no slot", addr, entry);
}

static void audit_below(struct audit *a, struct pt_table *table, uint64_t lo)
{
	for (uint64_t i = 0; i < PT_WORDS; i++) {
		uint64_t word = atomic_load_acquire(&table->word[i]);           /* A2 -> A1; S2 -> S1: quiescent */
		uint64_t addr = lo + (i << pt_level_shift(table->level));
		struct pt_table *below = (struct pt_table *)(uintptr_t)word;

		if (!word)
			continue;
		if (addr >= ADDRESS_END)
			violation(a, "something beyond the last address", addr, word);
		else if (!table->level)
			audit_entry(a, addr, word);
		else if (word % CACHE_LINE || below->pt != a->pt || below->level != table->level - 1)
			violation(a, "table of another map or level", addr, word);
		else
			audit_below(a, below, addr);
	}
}

uint64_t pt_audit(struct pt *pt, FILE *report)
{
	struct audit a = { .pt = pt, .report = report };

	audit_below(&a, pt->root, 0);
	return a.bad;
}
