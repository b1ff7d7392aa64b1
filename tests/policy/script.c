/* SPDX-License-Identifier: MIT */
/* script.c - the second threads of scripted tests. */
#include "tests/policy/script.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/point.h"

/* Static: a thread may still look at a gate after it was opened. */
struct gate hold, asleep, woken, second_hold, second_asleep, second_woken;

struct fake_map *script_start(const char *policy)
{
	gate_script();
	return fake_new(lock_policy_find(policy));
}

uint64_t in_ms(unsigned ms)
{
	return clock_ns() + ms * UINT64_C(1000000);
}

void must_end(struct actor *a)
{
	if (!actor_done(a, 8000)) {
		fprintf(stderr, "a thread hangs\n");
		_Exit(1);
	}
	actor_join(a);
}

void as_fault(struct actor *a)
{
	point_role("fault");
	actor_fault(a);
}

void as_edit(struct actor *a)
{
	point_role("edit");
	actor_edit(a);
}

void hold_edit(struct actor *a)
{
	point_role("edit");
	a->e = fake_begin(a->map, a->lo, a->hi, a->deadline_ns, &a->err);
	gate_pass(&hold);
	if (!a->err)
		fake_end(a->map, &a->e);
}

void shut_edit(struct actor *a)
{
	point_role("edit");
	a->e = fake_begin(a->map, a->lo, a->hi, LOCK_FOREVER, &a->err);
	a->map->policy->edit_shut(a->map->state, &a->e, fake_slot(a->map, a->lo));
	atomic_store_release(&a->done, 1);               /* past shut                                             */
	fake_end(a->map, &a->e);
}

struct lock_edit script_begin(struct fake_map *map, struct lock_range r)
{
	unsigned lo = (unsigned)(r.lo >> PAGE_SHIFT), hi = (unsigned)(r.hi >> PAGE_SHIFT);
	int err;
	struct lock_edit e = fake_begin(map, lo, hi, LOCK_FOREVER, &err);

	CHECK(!err);
	return e;
}

struct lock_visit script_visit(struct fake_map *map, unsigned page)
{
	struct lock_visit v = { .self = thread_self(), .r = fake_range(page, page + 1) };

	CHECK(map->policy->visit_begin(map->state, &v, LOCK_FOREVER) == 0);
	return v;
}

bool valid_under_cut(struct fake_map *map)
{
	struct lock_visit v = script_visit(map, 6);
	struct actor a;
	bool valid;

	gate_init(&hold);
	actor_start(&a, map, hold_edit, 6, 7, LOCK_FOREVER);
	CHECK(gate_wait(&hold, SOON_MS));
	valid = map->policy->visit_valid(map->state, &v);
	map->policy->visit_end(map->state, &v);
	gate_open(&hold);
	must_end(&a);
	return valid;
}

void start_waiter(struct fake_map *map, struct actor *a, void (*fn)(struct actor *), unsigned lo, unsigned hi)
{
	gate_at(&asleep, "edit", "waiter_before_sleep");
	actor_start(a, map, fn, lo, hi, LOCK_FOREVER);
	CHECK(gate_wait(&asleep, SOON_MS));
	gate_open(&asleep);
}

void second_edit(struct actor *a)
{
	point_role("second");
	a->e = fake_begin(a->map, a->lo, a->hi, LOCK_FOREVER, &a->err);
	gate_pass(&second_hold);
	if (!a->err)
		fake_end(a->map, &a->e);
}

void start_second(struct fake_map *map, struct actor *a, unsigned lo, unsigned hi)
{
	gate_at(&second_asleep, "second", "waiter_before_sleep");
	actor_start(a, map, second_edit, lo, hi, LOCK_FOREVER);
	CHECK(gate_wait(&second_asleep, SOON_MS));
	gate_open(&second_asleep);
}

void overtake(struct fake_map *map, struct lock_edit *e, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		gate_at(&woken, "edit", "waiter_woken");
		fake_end(map, e);
		CHECK(gate_wait(&woken, SOON_MS));
		*e = script_begin(map, e->r);
		gate_at(&asleep, "edit", "waiter_before_sleep");
		gate_open(&woken);
		CHECK(gate_wait(&asleep, SOON_MS));
		gate_open(&asleep);
	}
}

void both_lose(struct fake_map *map, struct lock_edit *e)
{
	gate_at(&woken, "edit", "waiter_woken");
	gate_at(&second_woken, "second", "waiter_woken");
	fake_end(map, e);
	CHECK(gate_wait(&woken, SOON_MS) && gate_wait(&second_woken, SOON_MS));
	*e = script_begin(map, e->r);
	gate_at(&second_asleep, "second", "waiter_before_sleep");
	gate_open(&second_woken);
	CHECK(gate_wait(&second_asleep, SOON_MS));
	gate_open(&second_asleep);
	gate_at(&asleep, "edit", "waiter_before_sleep");
	gate_open(&woken);
	CHECK(gate_wait(&asleep, SOON_MS));
	gate_open(&asleep);
}

static void take_neighbour(struct actor *a)
{
	struct lock_slot *slot;

	point_role("taker");
	a->e = fake_begin(a->map, a->lo, a->hi, LOCK_FOREVER, &a->err);
	fake_lock(a->map);
	slot = &a->map->page[a->hi].vma->slot;
	a->gen = a->map->policy->edit_take(a->map->state, &a->e, slot, fake_range(a->hi, a->hi).lo);
	fake_unlock(a->map);
	fake_end(a->map, &a->e);
}

bool note_after_close(const char *policy)
{
	struct fake_map *map = script_start(policy);
	struct gate before_store, before_sweep;
	struct actor holder, taker;

	fake_place(map, 3, 4);
	fake_place(map, 4, 5);
	gate_init(&hold);
	actor_start(&holder, map, hold_edit, 4, 5, LOCK_FOREVER);
	CHECK(gate_wait(&hold, SOON_MS));
	gate_at(&before_store, "taker", "note_before_store");
	gate_at(&before_sweep, "edit", "release_before_sweep");
	actor_start(&taker, map, take_neighbour, 3, 4, LOCK_FOREVER);
	CHECK(gate_wait(&before_store, SOON_MS));
	gate_open(&hold);
	CHECK(gate_wait(&before_sweep, SOON_MS));
	gate_open(&before_store);
	must_end(&taker);
	gate_open(&before_sweep);
	must_end(&holder);
	end_clean(map);
	return !taker.gen && holder.e.merges + taker.e.merges == 1;
}

void end_clean(struct fake_map *map)
{
	CHECK(map->policy->audit(map->state, stderr) == 0);
	CHECK(fake_dummies(map) == 0);
	fake_free(map);
}
