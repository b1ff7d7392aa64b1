/* SPDX-License-Identifier: MIT */
/* pt_table_lock.c - the tables as the policy pt-lock sees them: which covers a range, which lie below, strays. */
#include "base/assert.h"
#include "base/point.h"
#include "vmmap/pt/pt_table.h"

static struct pt_table *table_of(struct table_lock *lock)
{
	return container_of(lock, struct pt_table, lock);
}

void pt_table_born(struct pt_table *table, struct pt_table *above, struct thread_slot *self)
{
	bool held = above && table_lock_mine(&above->lock, self) && !BASE_MUTANT(table_born_free);

	table->lock.last = NULL;
	table->lock.shift = (uint8_t)pt_level_shift(table->level + 1);
	table->lock.step = table->level ? (uint8_t)pt_level_shift(table->level) : 0;
	atomic_store_relaxed(&table->lock.owner, held ? self->number + 1 : 0);
	atomic_store_relaxed(&table->lock.word, held ? TABLE_HELD : 0);
}

bool pt_table_ours(struct pt_table *above, struct pt_table *below, struct thread_slot *self)
{
	return table_lock_mine(&above->lock, self) && table_lock_mine(&below->lock, self);
}

void pt_table_stray(struct pt_table *table)
{
	for (unsigned i = 0; table->level && i < PT_WORDS; i++) {
		struct pt_table *below = pt_below(&table->word[i]);

		if (below)
			pt_table_stray(below);
	}
	BASE_POINT(table_before_stray);
	table_lock_stray(&table->lock);
}

struct table_lock *pt_lock_over(struct pt *pt, struct lock_range r, bool unlinks)
{
	struct pt_table *table = pt->root, *below;

	for (unsigned level = PT_ROOT_LEVEL; level > 0; level--) {
		if (pt_index(r.lo, level) != pt_index(r.hi - 1, level) ||
		    (unlinks && r.hi - r.lo == UINT64_C(1) << pt_level_shift(level)))
			break;
		below = pt_below(&table->word[pt_index(r.lo, level)]);
		if (!below)
			break;
		table = below;
	}
	return &table->lock;
}

struct table_lock *pt_lock_make(struct pt *pt, struct thread_slot *self, struct table_lock *lock, uint64_t addr)
{
	struct pt_table *table = table_of(lock), *below;

	below = pt_table_make(pt, self, table, &table->word[pt_index(addr, table->level)], table->level - 1);
	return below ? &below->lock : NULL;
}

struct table_lock *pt_lock_below(struct table_lock *lock, uint64_t addr)
{
	struct pt_table *table = table_of(lock);
	struct pt_table *below = table->level ? pt_below(&table->word[pt_index(addr, table->level)]) : NULL;

	return below ? &below->lock : NULL;
}
