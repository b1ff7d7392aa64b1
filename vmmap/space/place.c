/* SPDX-License-Identifier: MIT */
/*
 * place.c - where an unaddressed mmap goes.
 *
 * ARENAS      each slot has a stretch of its own (its leaves are kept apart by permanent separators), searched first:
 *             two such mmaps touch no common leaf, and promise only *some* free address. Then anywhere.
 * TOPDOWN     Linux's choice (mm/mmap.c, arch_get_unmapped_area_topdown; THP alignment as in 6.18: an anonymous private
 *             mapping whose length is a multiple of 2 MiB and that brings no hint is placed 2 MiB aligned in the
 *             highest gap that has 2 MiB to spare).
 * GUARDS      a place that reaches into the guard gap of a stack is none: the search goes on below that gap (Linux,
 *             mm/vma.c, unmapped_area_topdown).
 * A proposal binds nobody: the leaf section that takes the place checks again that it is free, and not guarded.
 */
#include "vmmap/space/space.h"

#define ARENA_BYTES (UINT64_C(1) << 36)
#define HUGE_BYTES  (UINT64_C(1) << 21)
#define TABLE_BYTES (UINT64_C(1) << 30)          /* what a table of tables spans                                   */

/* The stretch of this slot: the upper half of the space is cut into THREAD_MAX arenas, smaller in small spaces. Large
 * ones begin where a table of tables does: neighbours then share none that their faults fill. */
static struct lock_range place_arena(struct vmmap *map, const struct thread_slot *self)
{
	uint64_t bytes = ARENA_BYTES, lo, top;

	while (bytes > HUGE_BYTES && (map->hi - map->lo) / 2 / THREAD_MAX < bytes)
		bytes >>= 1;
	top = map->hi & ~((bytes < TABLE_BYTES ? HUGE_BYTES : TABLE_BYTES) - 1);
	if (top < map->lo + bytes * (self->number + 1))
		return (struct lock_range){ map->lo, map->hi };
	lo = top - bytes * (self->number + 1);
	return (struct lock_range){ lo, lo + bytes };
}

/* Best effort: without separators an arena is slower, not wrong. */
static void place_separate(struct vmmap *map, struct thread_slot *self, struct lock_range arena)
{
	struct space_local *local = space_local_make(map, self);

	if (!local || local->arena_ready)
		return;
	local->arena_ready = true;
	if (vtree_separate(&map->tree, self, arena.lo) || vtree_separate(&map->tree, self, arena.hi))
		local->arena_ready = false;
}

void space_want_anywhere(struct vmmap *map, struct thread_slot *self, uint64_t len, bool anonymous,
			 struct space_want *w)
{
	*w = (struct space_want){ .want = { .within = { map->lo, map->hi }, .len = len, .align = PAGE_BYTES } };
	if (map->placement == VMMAP_TOPDOWN) {
		w->want.within.hi = map->mmap_base;
		w->topdown_thp = anonymous && len % HUGE_BYTES == 0;
		return;
	}
	w->arena = place_arena(map, self).hi - place_arena(map, self).lo >= len;
	if (w->arena)
		place_separate(map, self, place_arena(map, self));
}

/* vtree_gap, or vtree_gap_scan, but for places in guard gaps. left->within.hi is cut to below those that were met. */
static NOINLINE bool place_below_guard(struct vmmap *map, struct thread_slot *self, struct vtree_want *left,
				       bool dummies_free, bool scan, struct lock_range *fit)
{
	int err;

	do {
		rcu_enter(self);
		err = scan ? vtree_gap_scan(&map->tree, left, dummies_free, fit)
			   : vtree_gap(&map->tree, self, left, left->within.hi, dummies_free, fit);
		rcu_leave(self);
	} while (!err && space_guarded(map, self, fit->hi, &left->within.hi));
	return !err;
}

static bool place_gap(struct vmmap *map, struct thread_slot *self, const struct vtree_want *want, bool dummies_free,
		      struct lock_range *fit)
{
	struct vtree_want left;

	if (vtree_gap(&map->tree, self, want, want->within.hi, dummies_free, fit))
		return false;
	if (!space_guarded(map, self, fit->hi, NULL))
		return true;
	left = *want;
	return place_below_guard(map, self, &left, dummies_free, false, fit);
}

/* Linux asks for 2 MiB more than it needs and aligns inside what it got. */
static bool place_thp(struct vmmap *map, struct thread_slot *self, const struct vtree_want *want, bool dummies_free,
		      struct lock_range *fit)
{
	struct vtree_want padded = *want;
	uint64_t lo;

	padded.len += HUGE_BYTES;
	if (!place_gap(map, self, &padded, dummies_free, fit))
		return false;
	lo = (fit->lo + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	if (lo == fit->lo)
		lo += HUGE_BYTES;
	*fit = (struct lock_range){ lo, lo + want->len };
	return true;
}

/* Below what this slot took last, or where it unmapped last: one look at one leaf, and no bound of the tree, which is
 * on a line that other arenas' searches and unmaps write. */
static bool place_beside(struct vmmap *map, struct thread_slot *self, const struct vtree_want *want,
			 struct lock_range arena, struct lock_range *fit)
{
	struct space_local *local = thread_local_mine(&map->locals, self);
	struct vtree_seen seen;

	if (!local || want->align != PAGE_BYTES || local->arena_top < arena.lo + want->len ||
	    local->arena_top > arena.hi)
		return false;
	*fit = (struct lock_range){ local->arena_top - want->len, local->arena_top };
	rcu_enter(self);
	vtree_find(&map->tree, fit->lo, &seen);
	rcu_leave(self);
	return !seen.vma && seen.r.hi >= fit->hi && !space_guarded(map, self, fit->hi, NULL);
}

void space_place_again(struct vmmap *map, struct thread_slot *self, struct lock_range r)
{
	struct space_local *local = thread_local_mine(&map->locals, self);

	if (local && local->arena_ready)
		local->arena_top = r.hi;
}

/* Its last page stays free while there is room below: what ends at the border of two arenas is looked at from both, by
 * whoever may have to join it with what stands beyond. */
static bool place_in_arena(struct vmmap *map, struct thread_slot *self, const struct space_want *w, bool dummies_free,
			   struct lock_range *fit)
{
	struct vtree_want mine = w->want;
	struct space_local *local = thread_local_mine(&map->locals, self);

	mine.within = place_arena(map, self);
	mine.within.hi -= PAGE_BYTES;
	if (!place_beside(map, self, &mine, mine.within, fit) &&
	    !place_gap(map, self, &mine, dummies_free, fit))
		return false;
	if (local)
		local->arena_top = fit->lo;
	return true;
}

static bool place_try(struct vmmap *map, struct thread_slot *self, const struct space_want *w, bool dummies_free,
		      struct lock_range *fit)
{
	if (w->arena && place_in_arena(map, self, w, dummies_free, fit))
		return true;
	if (w->topdown_thp && place_thp(map, self, &w->want, dummies_free, fit))
		return true;
	return place_gap(map, self, &w->want, dummies_free, fit);
}

/* A dummy in r: somebody's address to wait for. */
static bool place_dummy(struct vmmap *map, struct thread_slot *self, struct lock_range r, uint64_t *addr)
{
	struct vtree_seen seen;
	bool found;

	rcu_enter(self);
	found = vtree_next(&map->tree, r.lo, r.hi, &seen);
	rcu_leave(self);
	*addr = found && seen.r.lo > r.lo ? seen.r.lo : r.lo;
	return found;
}

int space_place(struct vmmap *map, struct thread_slot *self, const struct space_want *w, struct lock_range *fit,
		uint64_t *locked)
{
	if (place_try(map, self, w, BASE_MUTANT(place_ignores_dummies), fit))
		return 0;
	if (map->placement == VMMAP_TOPDOWN) {           /* Linux then looks bottom-up through all of the space */
		struct vtree_want all = w->want;

		all.within = (struct lock_range){ map->lo, map->hi };
		if (w->want.within.hi == map->mmap_base && place_gap(map, self, &all, false, fit))
			return 0;
	}
	if (place_try(map, self, w, true, fit))
		return place_dummy(map, self, *fit, locked) ? -ERESTART : 0;
	/* The bounds may lag behind a concurrent unmap; before ENOMEM is said, every leaf is read. */
	struct vtree_want all = w->want;

	return place_below_guard(map, self, &all, false, true, fit) ? 0 : -ENOMEM;
}

int space_place_wait(struct vmmap *map, struct thread_slot *self, uint64_t locked)
{
	int err = map->policy->gap_wait ? map->policy->gap_wait(map->lock_state, self, locked, self->deadline_ns) : 0;

	return !err ? -ERESTART : err == -EDEADLK ? -ENOMEM : err;
}
