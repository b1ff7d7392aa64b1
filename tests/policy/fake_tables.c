/* SPDX-License-Identifier: MIT */
/* fake_tables.c - the tables of the fake map: a lock in each, nothing else. */
#include "tests/policy/fake_view.h"

static struct fake_tables *tables_of(struct lock_space *space) { return &((struct fake_map *)space)->tables; }
static uint64_t page_of(uint64_t addr) { return addr >> PAGE_SHIFT; }

struct table_lock *fake_table_below(struct lock_space *space, struct table_lock *t, uint64_t addr)
{
	struct fake_tables *tables = tables_of(space);

	if (page_of(addr) >= FAKE_PAGES || table_lock_lowest(t))
		return NULL;
	return t == &tables->root ? &tables->middle[page_of(addr) / FAKE_LEAF] : &tables->page[page_of(addr)];
}

/* No table is ever unlinked. */
struct table_lock *fake_table_over(struct lock_space *space, struct lock_range r, bool unlinks)
{
	struct table_lock *t = &tables_of(space)->root, *below;

	(void)unlinks;
	while (!table_lock_lowest(t) && (r.lo ^ (r.hi - 1)) >> t->step == 0 &&
	       (below = fake_table_below(space, t, r.lo)))
		t = below;
	return t;
}

struct table_lock *fake_table_make(struct lock_space *space, struct thread_slot *self, struct table_lock *t,
				   uint64_t addr)
{
	(void)self;
	return fake_table_below(space, t, addr);         /* all are there                                          */
}

void fake_tables_init(struct fake_map *map)
{
	const unsigned leaf = PAGE_SHIFT + 3;

	_Static_assert(FAKE_LEAF == 1 << 3 && FAKE_PAGES == 1 << 6, "what the upper ones span");
	map->tables.root = (struct table_lock){ .shift = leaf + 3, .step = leaf };
	for (unsigned i = 0; i < FAKE_LEAVES; i++)
		map->tables.middle[i] = (struct table_lock){ .shift = leaf, .step = PAGE_SHIFT };
	for (unsigned i = 0; i < FAKE_PAGES; i++)
		map->tables.page[i] = (struct table_lock){ .shift = PAGE_SHIFT };
}
