/* SPDX-License-Identifier: MIT */
/*
 * limit.c - units and windows; the protocol is in limit.h.
 */
#include <limits.h>

#include "vmmap/space/space.h"

static bool limit_set(const struct limits *l, unsigned kind)
{
	return l->set >> kind & 1;
}

static void limit_init_one(struct limits *l, enum limit_kind kind, bool set, uint64_t most, int64_t batch_most)
{
	int64_t units = most > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)most, batch = units / 64;

	if (!set)
		return;
	l->set |= UINT32_C(1) << kind;
	l->most.of[kind] = l->pool.of[kind] = units;
	l->batch.of[kind] = batch < batch_most ? batch : batch_most;
}

void limit_init(struct limits *l, const struct vmmap_config *config)
{
	/* Linux's mmap may take the count one above max_map_count: it looks for "above", not for "at". */
	limit_init_one(l, LIMIT_VMAS, config->limit_vmas, config->limit_vmas + (config->limit_vmas < UINT64_MAX),
		       16L * LIMIT_VMA_MARGIN);
	limit_init_one(l, LIMIT_AS, config->limit_as, config->limit_as >> PAGE_SHIFT, 1 << 16);
	limit_init_one(l, LIMIT_COMMIT, config->limit_commit, config->limit_commit, 1 << 14);
	limit_init_one(l, LIMIT_LOCKED, config->limit_locked, config->limit_locked >> PAGE_SHIFT, 1 << 12);
	l->stack = config->limit_stack;
}

/* ---- windows ---- */

static bool limit_alone(const struct limits *l, const struct thread_slot *self)
{
	return atomic_load_relaxed(&l->owner) == self->number + 1;
}

static void limit_recall(struct limits *l, struct space_local *local)
{
	for (unsigned k = 0; local && k < LIMIT_KINDS; k++) {
		int64_t pool = l->pool.of[k];

		BASE_POINT(limit_in_recall);
		l->pool.of[k] = pool + local->limit.quota.of[k];
		local->limit.quota.of[k] = 0;
	}
}

/* Waits for its turn, then for the shared windows. self has none of its own. */
static NOINLINE void limit_enter_exact(struct vmmap *map, struct thread_slot *self)
{
	struct limits *l = &map->limits;
	uint32_t mine = atomic_add_seqcst(&l->next, 1), now;                     /* L2 */

	while ((now = atomic_load_seqcst(&l->serving)) != mine)                  /* L4 */
		park_wait(&l->serving, now, PARK_FOREVER);
	BASE_POINT(limit_before_others);
	for (uint32_t i = 0; i < thread_count(); i++) {
		struct space_local *local = thread_local_at(&map->locals, i);
		struct park_spin spin = PARK_SPIN;

		while (local && atomic_load_seqcst(&local->limit.inside) &&      /* L2 -> L1, L3 */
		       !BASE_MUTANT(limit_does_not_wait))
			park_spin(&spin);
		if (BASE_MUTANT(limit_recalls_early))
			limit_recall(l, local);
	}
	/* Only now: until the last window has closed, its owner moves units. */
	for (uint32_t i = 0; i < thread_count(); i++)
		limit_recall(l, thread_local_at(&map->locals, i));
	atomic_store_relaxed(&l->owner, self->number + 1);
	l->depth = 1;
	BASE_POINT(limit_alone);
}

static void limit_look_at_pool(struct limits *l)
{
	uint32_t scarce = 0;

	for (unsigned k = 0; k < LIMIT_KINDS; k++)
		if (limit_set(l, k) && l->pool.of[k] <= l->batch.of[k] * (int64_t)(thread_count() + 1))
			scarce |= UINT32_C(1) << k;
	if (atomic_load_relaxed(&l->scarce) != scarce)
		atomic_store_relaxed(&l->scarce, scarce);
}

static void limit_leave_exact(struct limits *l)
{
	uint32_t served;

	if (--l->depth)
		return;
	limit_look_at_pool(l);
	atomic_store_relaxed(&l->owner, 0);
	served = atomic_add_seqcst(&l->serving, 1) + 1;                          /* L4 */
	if (atomic_load_seqcst(&l->next) != served)                             /* L4 -> L2: who took one is woken */
		park_wake(&l->serving, INT_MAX);
}

void limit_enter(struct vmmap *map, struct thread_slot *self)
{
	struct limits *l = &map->limits;
	struct space_local *local = space_local_make(map, self);

	if (limit_alone(l, self)) {
		l->depth++;
		return;
	}
	if (unlikely(!local)) {                          /* no memory for a quota: always exact */
		limit_enter_exact(map, self);
		return;
	}
	if (local->limit.depth) {
		local->limit.depth++;
		return;
	}
	if (unlikely(!local->limit.known)) {             /* FIRST */
		limit_enter_exact(map, self);
		local->limit.known = true;
		return;
	}
	local->limit.depth = 1;
	atomic_store_seqcst(&local->limit.inside, 1);                            /* L1 -> L2 */
	BASE_POINT(limit_inside);
	if (likely(atomic_load_seqcst(&l->next) == atomic_load_seqcst(&l->serving)) ||   /* L1, L4 */
	    BASE_MUTANT(limit_ignores_ticket))
		return;
	local->limit.depth = 0;
	atomic_store_release(&local->limit.inside, 0);                           /* L3 */
	limit_enter_exact(map, self);
}

void limit_exact(struct vmmap *map, struct thread_slot *self)
{
	struct space_local *local;

	if (limit_alone(&map->limits, self))
		return;
	local = space_local_make(map, self);
	ASSERT(local->limit.depth == 1);
	local->limit.depth = 0;
	atomic_store_release(&local->limit.inside, 0);                           /* L3 */
	limit_enter_exact(map, self);
}

/* What a slot need not keep goes back to the pool. */
static void limit_tidy(struct limits *l, struct limit_local *local)
{
	uint32_t scarce = atomic_load_relaxed(&l->scarce), give = 0;

	for (unsigned k = 0; k < LIMIT_KINDS; k++) {
		local->quota.of[k] += local->reserved.of[k];
		if (!BASE_MUTANT(limit_gives_twice))
			local->reserved.of[k] = 0;
		if (local->quota.of[k] && (scarce >> k & 1 || local->quota.of[k] > 2 * l->batch.of[k]))
			give |= UINT32_C(1) << k;
	}
	if (likely(!give))
		return;
	park_lock(&l->lock);
	for (unsigned k = 0; k < LIMIT_KINDS; k++)
		if (give >> k & 1) {
			l->pool.of[k] += local->quota.of[k];
			local->quota.of[k] = 0;
		}
	limit_look_at_pool(l);
	park_unlock(&l->lock);
}

void limit_leave(struct vmmap *map, struct thread_slot *self)
{
	struct limits *l = &map->limits;
	struct space_local *local;

	if (limit_alone(l, self)) {
		limit_leave_exact(l);
		return;
	}
	local = space_local_make(map, self);
	if (local->limit.depth == 1) {
		limit_tidy(l, &local->limit);
		BASE_POINT(limit_before_outside);
		atomic_store_release(&local->limit.inside, 0);                   /* L3 -> L2 */
	}
	local->limit.depth--;
}

/* ---- units ---- */

/* Takes `short_of` units, and a batch where there is room, from the pool. */
static bool limit_fetch(struct limits *l, struct limit_local *local, unsigned kind, int64_t short_of)
{
	int64_t more = l->batch.of[kind], got = 0;
	bool ours = !BASE_MUTANT(limit_fetch_unlocked);

	if (ours)
		park_lock(&l->lock);
	if (l->pool.of[kind] >= short_of)
		got = short_of + (l->pool.of[kind] - short_of > more * (int64_t)(thread_count() + 1) ? more : 0);
	BASE_POINT(limit_in_fetch);
	l->pool.of[kind] -= got;
	if (ours) {
		limit_look_at_pool(l);
		park_unlock(&l->lock);
	}
	local->quota.of[kind] += got;
	return got != 0;
}

bool limit_reserve(struct vmmap *map, struct thread_slot *self, const struct limit_units *want)
{
	struct limits *l = &map->limits;
	struct limit_local *local;
	unsigned k;

	if (limit_alone(l, self))
		return false;
	local = &space_local_make(map, self)->limit;
	for (k = 0; k < LIMIT_KINDS; k++) {
		int64_t n = want->of[k];

		if (!limit_set(l, k) || n <= 0)
			continue;
		if (local->quota.of[k] < n && !limit_fetch(l, local, k, n - local->quota.of[k]))
			break;
		local->quota.of[k] -= n;
		local->reserved.of[k] += n;
	}
	if (likely(k == LIMIT_KINDS))
		return true;
	for (k = 0; k < LIMIT_KINDS; k++) {
		local->quota.of[k] += local->reserved.of[k];
		local->reserved.of[k] = 0;
	}
	return false;
}

void limit_add(struct vmmap *map, struct thread_slot *self, enum limit_kind kind, int64_t n)
{
	struct limits *l = &map->limits;

	if (!limit_set(l, kind) || !n)
		return;
	if (limit_alone(l, self))
		l->pool.of[kind] -= n;
	else
		space_local_make(map, self)->limit.reserved.of[kind] -= n;
}

int64_t limit_left(const struct vmmap *map, enum limit_kind kind)
{
	return limit_set(&map->limits, kind) ? map->limits.pool.of[kind] : INT64_MAX / 2;
}
