/* SPDX-License-Identifier: MIT */
/* fake_view.c - the map of a few pages; fake_view.h says what it promises. */
#include "tests/policy/fake_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/park.h"
#include "base/point.h"
#include "base/rcu.h"

static struct fake_map *map_of(struct lock_space *space) { return (struct fake_map *)space; }
static unsigned page_of(uint64_t addr) { return (unsigned)(addr >> PAGE_SHIFT); }
void fake_lock(struct fake_map *map)   { pthread_mutex_lock(&map->leaf); }
void fake_unlock(struct fake_map *map) { pthread_mutex_unlock(&map->leaf); }
static void step_lock(struct fake_map *map)   { pthread_mutex_lock(&map->step); }
static void step_unlock(struct fake_map *map) { pthread_mutex_unlock(&map->step); }
/* One change, seen whole. */
static void change_lock(struct fake_map *map)   { fake_lock(map); step_lock(map); }
static void change_unlock(struct fake_map *map) { step_unlock(map); fake_unlock(map); }

/* ---- under the mutexes ---- */

static struct fake_vma *object_take(struct fake_map *map)
{
	struct fake_vma *vma = map->free;

	CHECK(vma);
	map->free = vma->next_free;
	return vma;
}

static void object_give(struct fake_map *map, struct fake_vma *vma)
{
	vma->next_free = map->free;
	map->free = vma;
}

static void pages_set(struct fake_map *map, unsigned lo, unsigned hi, struct fake_vma *vma)
{
	for (unsigned i = lo; i < hi; i++)
		map->page[i].vma = vma;
}

/* The run of pages around i that show the same. */
static void extent(struct fake_map *map, unsigned i, unsigned *lo, unsigned *hi)
{
	const struct fake_vma *vma = map->page[i].vma;

	for (*lo = i; *lo > 0 && map->page[*lo - 1].vma == vma; (*lo)--)
		;
	for (*hi = i + 1; *hi < FAKE_PAGES && map->page[*hi].vma == vma; (*hi)++)
		;
}

static struct fake_vma *piece(struct fake_map *map, struct fake_vma *of, uint64_t lk)
{
	struct fake_vma *vma = object_take(map);

	atomic_store_relaxed(&vma->dummy, 0);
	atomic_store_relaxed(&vma->gen, atomic_load_relaxed(&of->gen));
	atomic_store_release(&vma->slot.lk, lk);
	return vma;
}

static bool fails_now(struct fake_map *map)
{
	return map->fail_claims && --map->fail_claims == 0;
}

static void seen_fill(struct fake_map *map, unsigned i, struct lock_seen *seen)
{
	unsigned leaf = i / FAKE_LEAF * FAKE_LEAF, lo, hi;
	struct fake_vma *vma = map->page[i].vma;

	extent(map, i, &lo, &hi);
	lo = lo < leaf ? leaf : lo;
	hi = hi > leaf + FAKE_LEAF ? leaf + FAKE_LEAF : hi;
	*seen = (struct lock_seen){ .r = fake_range(lo, hi) };
	if (vma) {
		seen->slot = &vma->slot;
		seen->lk = atomic_load_acquire(&vma->slot.lk);
		seen->dummy = atomic_load_relaxed(&vma->dummy);
	}
}

/* ---- the view ---- */

static void view_find(struct lock_space *space, uint64_t addr, struct lock_seen *seen)
{
	struct fake_map *map = map_of(space);

	step_lock(map);
	*seen = (struct lock_seen){ .r = { (uint64_t)FAKE_PAGES << PAGE_SHIFT, ADDRESS_END } };
	if (page_of(addr) < FAKE_PAGES)
		seen_fill(map, page_of(addr), seen);
	step_unlock(map);
}

static uint64_t view_look(struct lock_space *space, struct thread_slot *self, struct lock_range *r,
			  struct lock_slot **slot)
{
	struct lock_seen seen;

	(void)self;
	view_find(space, r->lo, &seen);
	*slot = seen.slot;
	r->hi = seen.r.hi < r->hi ? seen.r.hi : r->hi;
	return seen.lk;
}

static void view_next(struct lock_space *space, uint64_t addr, struct lock_seen *seen)
{
	struct fake_map *map = map_of(space);
	unsigned i = page_of(addr);

	*seen = (struct lock_seen){ 0 };
	step_lock(map);
	while (i < FAKE_PAGES && !map->page[i].vma)
		i++;
	if (i < FAKE_PAGES)
		seen_fill(map, i, seen);
	step_unlock(map);
}

/* Takes the free VMA over page i, cut to [lo, hi) in pages. Returns where what was taken ends; 0: the word was lost. */
static unsigned claim_vma(struct fake_map *map, struct lock_claim *c, unsigned i, unsigned lo, unsigned hi)
{
	struct fake_vma *vma = map->page[i].vma;
	uint64_t lk = atomic_load_seqcst(&vma->slot.lk);
	unsigned has_lo, has_hi;

	extent(map, i, &has_lo, &has_hi);
	if (!lock_word_free(lk) || !atomic_cas_seqcst(&vma->slot.lk, &lk, has_lo < lo ? LOCK_BRIEF : c->mine.lk))
		return 0;
	if ((has_lo < lo || has_hi > hi) && atomic_load_seqcst(&vma->slot.pins)) {
		atomic_store_release(&vma->slot.lk, lk);
		return 0;
	}
	if (has_hi > hi)
		pages_set(map, hi, has_hi, piece(map, vma, thread_next_number(thread_self())));
	if (has_lo < lo) {
		pages_set(map, lo, has_hi < hi ? has_hi : hi, piece(map, vma, c->mine.lk));
		atomic_store_release(&vma->slot.lk, thread_next_number(thread_self()));
	}
	return has_hi < hi ? has_hi : hi;
}

static int view_claim(struct lock_space *space, struct lock_claim *c)
{
	struct fake_map *map = map_of(space);
	unsigned lo = page_of(c->r.lo), hi = page_of(c->r.hi), i = lo, end = (lo / FAKE_LEAF + 1) * FAKE_LEAF;
	int err = 0;

	change_lock(map);
	if (fails_now(map))
		err = -ENOMEM;
	while (!err && i < hi && i < end && ((uint64_t)i << PAGE_SHIFT) < c->stop) {
		struct fake_vma *vma = map->page[i].vma;
		unsigned next;

		if (!vma) {
			map->page[i++].vma = fake_of(c->mine.dummy);
			continue;
		}
		next = claim_vma(map, c, i, i > lo ? i : lo, hi);
		if (next) {
			i = next;
			continue;
		}
		seen_fill(map, i, &c->held);
		if (lock_word_held(c->held.lk) && i == lo)
			err = -EBUSY;
		break;
	}
	change_unlock(map);
	if (!err)
		c->r.lo = (uint64_t)i << PAGE_SHIFT;
	return err;
}

static int view_cut(struct lock_space *space, uint64_t addr)
{
	struct fake_map *map = map_of(space);
	unsigned i = page_of(addr), lo, hi;
	int err = 0;

	if (i == 0 || i >= FAKE_PAGES)
		return 0;
	change_lock(map);
	extent(map, i, &lo, &hi);
	if (map->page[i].vma && lo < i) {
		if (fails_now(map))
			err = -ENOMEM;
		else
			pages_set(map, i, hi, piece(map, map->page[i].vma, thread_next_number(thread_self())));
	}
	change_unlock(map);
	return err;
}

/* The piece above addr becomes part of the one below, if they are parts of what one edit made. */
static void view_join(struct lock_space *space, uint64_t addr)
{
	struct fake_map *map = map_of(space);
	unsigned i = page_of(addr), lo, hi;
	struct fake_vma *left, *right;

	if (i == 0 || i >= FAKE_PAGES)
		return;
	change_lock(map);
	left = map->page[i - 1].vma;
	right = map->page[i].vma;
	if (left && right && left != right && atomic_load_relaxed(&left->gen) == atomic_load_relaxed(&right->gen)) {
		extent(map, i, &lo, &hi);
		pages_set(map, i, hi, left);
		atomic_store_release(&right->slot.lk, LOCK_DEAD);
		object_give(map, right);
	}
	change_unlock(map);
}

static void view_pass(struct lock_space *space, struct lock_range r, const struct lock_holder *from,
		      const struct lock_holder *to)
{
	struct fake_map *map = map_of(space);
	unsigned hi = page_of(r.hi), next;

	for (unsigned i = page_of(r.lo); i < hi; i = next) {
		unsigned has_lo, has_hi;
		struct fake_vma *vma;

		change_lock(map);
		vma = map->page[i].vma;
		extent(map, i, &has_lo, &has_hi);
		next = has_hi < hi ? has_hi : hi;
		if (vma && &vma->slot == from->dummy) {
			pages_set(map, i, next, to->dummy ? fake_of(to->dummy) : NULL);
		} else if (vma && atomic_load_acquire(&vma->slot.lk) == from->lk) {
			bool whole = has_lo >= page_of(r.lo) && has_hi <= hi;

			atomic_store_release(&vma->slot.lk, whole || lock_word_free(to->lk) ? to->lk :
					     thread_next_number(thread_self()));
		}
		change_unlock(map);
		BASE_POINT(fake_pass_step);
	}
}

static void view_dummy_init(struct lock_space *space, void *buffer, struct lock_slot **slot)
{
	struct fake_vma *vma = buffer;

	(void)space;
	atomic_store_relaxed(&vma->dummy, 1);
	*slot = &vma->slot;
}

const struct lock_view fake_view = {
	.find = view_find, .look = view_look, .next = view_next, .claim = view_claim, .cut = view_cut,
	.join = view_join, .pass = view_pass, .table_over = fake_table_over, .table_below = fake_table_below,
	.table_make = fake_table_make, .dummy_init = view_dummy_init,
};

/* ---- set-up ---- */

_Static_assert(sizeof(struct fake_vma) == LOCK_DUMMY_BYTES, "a dummy fits into the lock object");

struct fake_map *fake_new(const struct lock_policy *policy)
{
	struct fake_map *map = aligned_alloc(CACHE_PAIR, sizeof(*map));
	size_t bytes = (policy->state_bytes + CACHE_PAIR) / CACHE_PAIR * CACHE_PAIR;

	CHECK(map);
	memset(map, 0, sizeof(*map));
	pthread_mutex_init(&map->leaf, NULL);
	pthread_mutex_init(&map->step, NULL);
	for (unsigned i = 0; i < FAKE_OBJECTS; i++)
		object_give(map, &map->objects[i]);
	fake_tables_init(map);
	map->policy = policy;
	map->state = aligned_alloc(CACHE_PAIR, bytes);
	CHECK(map->state);
	memset(map->state, 0, bytes);
	CHECK(policy->init(map->state, fake_space(map), &fake_view) == 0);
	return map;
}

void fake_free(struct fake_map *map)
{
	map->policy->fini(map->state);
	free(map->state);
	pthread_mutex_destroy(&map->leaf);
	pthread_mutex_destroy(&map->step);
	free(map);
}

uint64_t fake_place(struct fake_map *map, unsigned lo, unsigned hi)
{
	uint64_t gen = (atomic_add_relaxed(&map->gens, 1) + 1) << 1;
	struct fake_vma *vma;

	change_lock(map);
	vma = object_take(map);
	atomic_store_relaxed(&vma->gen, gen);
	atomic_store_relaxed(&vma->dummy, 0);
	atomic_store_release(&vma->slot.lk, thread_next_number(thread_self()));
	pages_set(map, lo, hi, vma);
	change_unlock(map);
	return gen;
}

struct lock_slot *fake_slot(struct fake_map *map, unsigned page)
{
	struct lock_seen seen;

	view_find(fake_space(map), (uint64_t)page << PAGE_SHIFT, &seen);
	return seen.slot;
}

uint64_t fake_lk(struct fake_map *map, unsigned page)
{
	struct lock_seen seen;

	view_find(fake_space(map), (uint64_t)page << PAGE_SHIFT, &seen);
	return seen.lk;
}

static unsigned count(struct fake_map *map, bool dummies)
{
	unsigned n = 0;

	fake_lock(map);
	for (unsigned i = 0; i < FAKE_PAGES; i++) {
		struct fake_vma *vma = map->page[i].vma;

		if (vma && (i == 0 || map->page[i - 1].vma != vma) && !!atomic_load_relaxed(&vma->dummy) == dummies)
			n++;
	}
	fake_unlock(map);
	return n;
}

unsigned fake_vmas(struct fake_map *map)    { return count(map, false); }
unsigned fake_dummies(struct fake_map *map) { return count(map, true); }

/* ---- the small conductor ---- */

/* Empties an entry, waiting for a visit that is in the middle of it. */
static void entry_clear(struct fake_map *map, unsigned page)
{
	uint64_t seen = atomic_load_seqcst(&map->page[page].entry);
	struct park_spin spin = PARK_SPIN;

	while (seen & FAKE_LOCKED || !atomic_cas_seqcst(&map->page[page].entry, &seen, 0)) {
		if (seen & FAKE_LOCKED)
			park_spin(&spin);
		seen = atomic_load_seqcst(&map->page[page].entry);
	}
}

void fake_clear(struct fake_map *map, struct lock_edit *e)
{
	struct lock_slot *last = NULL;

	for (unsigned i = page_of(e->r.lo); i < page_of(e->r.hi); i++) {
		struct lock_slot *slot = fake_slot(map, i);

		if (slot && slot != last && !atomic_load_relaxed(&fake_of(slot)->dummy))
			map->policy->edit_shut(map->state, e, slot);
		last = slot;
		BASE_POINT(fake_after_shut);
		entry_clear(map, i);
	}
}

void fake_replace(struct fake_map *map, struct lock_edit *e, bool mapped)
{
	unsigned lo = page_of(e->r.lo), hi = page_of(e->r.hi);
	struct fake_vma *vma = NULL, *dead[FAKE_PAGES];
	unsigned n = 0;

	change_lock(map);
	if (mapped) {
		vma = object_take(map);
		atomic_store_relaxed(&vma->dummy, 0);
		atomic_store_relaxed(&vma->gen, (atomic_add_relaxed(&map->gens, 1) + 1) << 1);
		map->policy->edit_born(map->state, e, &vma->slot);
	}
	for (unsigned i = lo; i < hi; i++) {
		struct fake_vma *old = map->page[i].vma;

		if (old && !atomic_load_relaxed(&old->dummy) && (n == 0 || dead[n - 1] != old))
			dead[n++] = old;
		map->page[i].vma = vma ? vma : e->mine.dummy ? fake_of(e->mine.dummy) : NULL;
	}
	while (n--) {
		map->policy->edit_dead(map->state, e, &dead[n]->slot);
		object_give(map, dead[n]);
	}
	change_unlock(map);
}

void fake_restamp(struct fake_map *map, struct lock_edit *e)
{
	uint64_t gen = (atomic_add_relaxed(&map->gens, 1) + 1) << 1;

	for (unsigned i = page_of(e->r.lo); i < page_of(e->r.hi); i++) {
		struct lock_slot *slot = fake_slot(map, i);

		if (slot && !atomic_load_relaxed(&fake_of(slot)->dummy))
			atomic_store_release(&fake_of(slot)->gen, gen);
	}
}

struct lock_edit fake_begin(struct fake_map *map, unsigned lo, unsigned hi, uint64_t deadline_ns, int *err)
{
	struct lock_edit e = { .self = thread_self(), .r = fake_range(lo, hi) };

	*err = map->policy->edit_begin(map->state, &e, deadline_ns);
	return e;
}

void fake_end(struct fake_map *map, struct lock_edit *e)
{
	map->policy->edit_end(map->state, e);
}

int fake_edit(struct fake_map *map, unsigned lo, unsigned hi, enum fake_change change, uint64_t deadline_ns)
{
	int err;
	struct lock_edit e = fake_begin(map, lo, hi, deadline_ns, &err);

	if (err)
		return err;
	fake_clear(map, &e);
	if (change == FAKE_STAMP)
		fake_restamp(map, &e);
	else
		fake_replace(map, &e, change == FAKE_MAP);
	fake_end(map, &e);
	return 0;
}

int fake_brief(struct fake_map *map, unsigned page)
{
	struct lock_edit e = { .self = thread_self(), .r = fake_range(page, page + 1) };
	const struct lock_policy *pol = map->policy;
	struct fake_vma *vma;
	unsigned lo, hi;
	int err;

	if (!pol->brief_begin)
		return -ENOENT;
	err = pol->brief_begin(map->state, &e, LOCK_FOREVER);
	if (err)
		return err;
	fake_lock(map);
	vma = map->page[page].vma;
	err = -ENOENT;
	if (vma && !atomic_load_relaxed(&vma->dummy) && pol->edit_take(map->state, &e, &vma->slot, 0)) {
		extent(map, page, &lo, &hi);
		for (unsigned i = lo; i < hi; i++)
			entry_clear(map, i);
		atomic_store_release(&vma->gen, (atomic_add_relaxed(&map->gens, 1) + 1) << 1);
		pol->edit_drop(map->state, &e, &vma->slot);
		err = 0;
	}
	fake_unlock(map);
	pol->brief_end(map->state, &e);
	return err;
}

unsigned fake_ghosts(struct fake_map *map)
{
	unsigned n = 0;

	fake_lock(map);
	for (unsigned i = 0; i < FAKE_PAGES; i++) {
		uint64_t entry = atomic_load_acquire(&map->page[i].entry);
		struct fake_vma *vma = map->page[i].vma;

		n += entry && (!vma || entry != atomic_load_relaxed(&vma->gen));
	}
	fake_unlock(map);
	return n;
}
