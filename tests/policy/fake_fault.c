/* SPDX-License-Identifier: MIT */
/* fake_fault.c - a fault of the fake map: visit, lock the entry, validate, store. */
#include "tests/policy/fake_view.h"

#include <errno.h>

#include "base/park.h"
#include "base/point.h"

/* One attempt. 1: not valid, again. */
static int fault_once(struct fake_map *map, struct lock_visit *v, unsigned page, uint64_t deadline_ns, uint64_t *gen)
{
	const struct lock_policy *pol = map->policy;
	atomic_u64 *entry = &map->page[page].entry;
	uint64_t seen;
	bool locked, valid;
	int err;

	v->r = fake_range(page, page + 1);
	err = pol->visit_begin(map->state, v, deadline_ns);
	if (err)
		return err;
	*gen = v->slot ? atomic_load_acquire(&fake_of(v->slot)->gen) : 0;
	seen = atomic_load_acquire(entry);
	locked = v->slot && !(seen & FAKE_LOCKED) && atomic_cas_seqcst(entry, &seen, seen | FAKE_LOCKED);
	BASE_POINT(fake_entry_locked);
	valid = (locked || !v->slot) && pol->visit_valid(map->state, v);
	if (locked)
		atomic_store_release(entry, valid ? *gen : seen);
	err = !valid ? 1 : v->slot ? 0 : -EFAULT;
	pol->visit_end(map->state, v);
	return err;
}

int fake_fault(struct fake_map *map, unsigned page, uint64_t deadline_ns, uint64_t *gen)
{
	struct lock_visit v = { .self = thread_self() };
	struct park_spin spin = PARK_SPIN;
	int err;

	while ((err = fault_once(map, &v, page, deadline_ns, gen)) == 1)
		park_spin(&spin);
	return err;
}
