/* SPDX-License-Identifier: MIT */
/*
 * physseg_find.c - lookups of segments. The protocol, its edges G, S and K, is at the head of physseg.c.
 *
 * Nothing here waits for a change under way: an index either can be read beside it, or has readers take the table's
 * lock for a moment (`locked`).
 */
#include <errno.h>

#include "base/point.h"
#include "vmmap/phys/physseg_impl.h"

/* What a segment showed at one time of the call. */
struct seen { struct physseg *seg; uint32_t generation; uint64_t run; };

static void read_begin(struct physseg_table *t)
{
	if (t->index->locked)
		spin_lock(&t->lock);
}

static void read_end(struct physseg_table *t)
{
	if (t->index->locked)
		spin_unlock(&t->lock);
}

/* ---- handles ---- */

struct physseg_handle physseg_handle_of(struct physseg_table *t, struct physseg *seg, uint32_t generation)
{
	if (t->index->handle != NULL)
		return t->index->handle(t, seg);
	return (struct physseg_handle){ seg->number, generation };
}

struct physseg *physseg_resolve(struct physseg_table *t, struct physseg_handle h)
{
	struct physseg *seg;

	if (t->index->resolve != NULL)
		return t->index->resolve(t, h);
	seg = h.generation & 1 ? physseg_slot_at(t, h.slot) : NULL;
	return seg && atomic_load_acquire(&seg->generation) == h.generation ? seg : NULL;               /* G2 -> G1 */
}

/* The run of a plugged segment, and when. false: it is not plugged, or was not all the time. */
static bool look(struct physseg *seg, struct seen *seen)
{
	seen->seg = seg;
	seen->generation = atomic_load_acquire(&seg->generation);                /* G2 -> G1 */
	BASE_POINT(physseg_looking);
	seen->run = atomic_load_acquire(&seg->run);                              /* S2 -> S1 */
	return (seen->generation & 1) &&
	       (atomic_load_relaxed(&seg->generation) == seen->generation || BASE_MUTANT(physseg_look_once));
}

/*
 * ---- in order of address ----
 *
 * What a key led to may by now be another segment, with another start, or the same one with its front cut. One that
 * starts elsewhere has its own key there, or is just getting it.
 */

/* With the highest start <= at. */
static bool floor_seen(struct physseg_table *t, uint32_t at, struct seen *seen)
{
	uint32_t key, from = at;

	for (;;) {
		struct physseg *seg = t->index->floor(t, from, &key);

		if (seg == NULL)
			return false;
		BASE_POINT(physseg_floored);
		if (look(seg, seen) && ((run_start(seen->run) >= key && run_start(seen->run) <= at) ||
					BASE_MUTANT(physseg_floor_any)))
			return true;
		if (key == 0)
			return false;
		from = key - 1;
	}
}

/* With the lowest start >= at. One whose start is above its key is the answer if none turns up in between. */
static bool ceil_seen(struct physseg_table *t, uint32_t at, struct seen *best)
{
	bool found = false;
	struct seen seen;
	uint32_t key;

	for (;;) {
		struct physseg *seg = t->index->ceil(t, at, &key);

		if (seg == NULL || (found && key >= run_start(best->run)))
			return found;
		BASE_POINT(physseg_ceiled);
		if (look(seg, &seen) && (run_start(seen.run) >= key || BASE_MUTANT(physseg_ceil_any))) {
			if (!found || run_start(seen.run) < run_start(best->run))
				*best = seen;
			found = true;
			if (run_start(seen.run) == key || BASE_MUTANT(physseg_ceil_any))
				return true;
		}
		if (key == UINT32_MAX)
			return found;
		at = key + 1;
	}
}

API struct physseg_handle physseg_find(struct physseg_table *t, uint64_t pfn, uint64_t *offset)
{
	struct physseg_handle h = PHYSSEG_INVALID;
	uint32_t at = (uint32_t)(pfn - t->base);
	struct seen seen;
	bool found, again;
	uint64_t changes;

	if (pfn - t->base >= t->span || (t->index->quick != NULL && t->index->quick(t, at, &h, offset)))
		return h;
	read_begin(t);
	do {
		changes = atomic_load_acquire(&t->changes);                      /* K2 -> K1 */
		found = floor_seen(t, at, &seen) && run_has(seen.run, at);
		again = atomic_load_acquire(&t->changes) != changes;             /* K2 -> K1 */
	} while (!found && again && !BASE_MUTANT(physseg_find_once));
	if (found) {
		h = physseg_handle_of(t, seen.seg, seen.generation);
		if (offset != NULL)
			*offset = at - run_start(seen.run);
	}
	read_end(t);
	return h;
}

/* The handle of the segment seen, or what stands for none. */
static struct physseg_handle answer(struct physseg_table *t, bool found, const struct seen *seen,
				    struct physseg_handle none)
{
	struct physseg_handle h = found ? physseg_handle_of(t, seen->seg, seen->generation) : none;

	read_end(t);
	return h;
}

API struct physseg_handle physseg_first(struct physseg_table *t)
{
	struct seen seen;

	read_begin(t);
	return answer(t, ceil_seen(t, 0, &seen), &seen, PHYSSEG_EMPTY);
}

API struct physseg_handle physseg_last(struct physseg_table *t)
{
	struct seen seen;

	read_begin(t);
	return answer(t, floor_seen(t, UINT32_MAX, &seen), &seen, PHYSSEG_EMPTY);
}

/* The segment of that handle, in that life and no later one: its slot may be used again at once, anywhere. */
static bool look_at(struct physseg_table *t, struct physseg_handle h, struct seen *seen)
{
	struct physseg *seg = physseg_resolve(t, h);

	BASE_POINT(physseg_resolved);
	return seg != NULL && look(seg, seen) &&
	       (t->index->resolve != NULL || seen->generation == h.generation || BASE_MUTANT(physseg_next_any));
}

API struct physseg_handle physseg_next(struct physseg_table *t, struct physseg_handle h)
{
	struct seen seen;

	read_begin(t);
	if (!look_at(t, h, &seen))
		return answer(t, false, NULL, PHYSSEG_INVALID);
	return answer(t, ceil_seen(t, run_end(seen.run), &seen), &seen, PHYSSEG_OVERFLOW);
}

API struct physseg_handle physseg_prev(struct physseg_table *t, struct physseg_handle h)
{
	struct seen seen;
	bool found;

	read_begin(t);
	if (!look_at(t, h, &seen))
		return answer(t, false, NULL, PHYSSEG_INVALID);
	found = run_start(seen.run) > 0 && floor_seen(t, run_start(seen.run) - 1, &seen);
	return answer(t, found, &seen, PHYSSEG_EMPTY);
}

API uint64_t physseg_highest_frame(struct physseg_table *t)
{
	struct seen seen;
	bool found;

	read_begin(t);
	found = floor_seen(t, UINT32_MAX, &seen);
	read_end(t);
	return found ? t->base + run_end(seen.run) - 1 : PHYSSEG_NONE;
}

/* ---- fields ---- */

enum field { FIELD_RUN, FIELD_AVAIL, FIELD_HINT, FIELD_MD, FIELD_FREE_LIST };

/* A field of a segment that was plugged all the time of the look. */
static bool field(struct physseg_table *t, struct physseg_handle h, enum field which, uint64_t *value)
{
	struct physseg *seg;
	bool good = false;
	struct seen seen;

	read_begin(t);
	seg = physseg_resolve(t, h);
	BASE_POINT(physseg_field_resolved);
	if (seg != NULL) {
		switch (which) {
		case FIELD_RUN: *value = atomic_load_acquire(&seg->run); break;                  /* S2 -> S1 */
		case FIELD_AVAIL: *value = atomic_load_acquire(&seg->avail); break;              /* S2 -> S1 */
		case FIELD_HINT: *value = atomic_load_acquire(&seg->hint); break;                /* S2 -> S1 */
		case FIELD_MD: *value = (uintptr_t)atomic_load_acquire(&seg->md); break;         /* S2 -> S1 */
		case FIELD_FREE_LIST: *value = atomic_load_acquire(&seg->free_list); break;      /* S2 -> S1 */
		}
		good = BASE_MUTANT(physseg_field_once) ||
		       (look(seg, &seen) && (t->index->resolve != NULL || seen.generation == h.generation));
	}
	read_end(t);
	return good;
}

bool physseg_bounds(struct physseg_table *t, struct physseg_handle h, uint64_t *start, uint64_t *end)
{
	uint64_t run;

	if (!field(t, h, FIELD_RUN, &run))
		return false;
	*start = t->base + run_start(run);
	*end = t->base + run_end(run);
	return true;
}

API int physseg_valid(struct physseg_table *t, struct physseg_handle h)
{
	uint64_t run;

	return field(t, h, FIELD_RUN, &run);
}

API uint64_t physseg_start(struct physseg_table *t, struct physseg_handle h)
{
	uint64_t run;

	return field(t, h, FIELD_RUN, &run) ? t->base + run_start(run) : PHYSSEG_NONE;
}

API uint64_t physseg_end(struct physseg_table *t, struct physseg_handle h)
{
	uint64_t run;

	return field(t, h, FIELD_RUN, &run) ? t->base + run_end(run) : PHYSSEG_NONE;
}

API uint64_t physseg_avail_start(struct physseg_table *t, struct physseg_handle h)
{
	uint64_t avail;

	return field(t, h, FIELD_AVAIL, &avail) ? t->base + run_start(avail) : PHYSSEG_NONE;
}

API uint64_t physseg_avail_end(struct physseg_table *t, struct physseg_handle h)
{
	uint64_t avail;

	return field(t, h, FIELD_AVAIL, &avail) ? t->base + run_end(avail) : PHYSSEG_NONE;
}

API uint64_t physseg_start_hint(struct physseg_table *t, struct physseg_handle h)
{
	uint64_t hint;

	return field(t, h, FIELD_HINT, &hint) ? hint : PHYSSEG_NONE;
}

API int physseg_free_list(struct physseg_table *t, struct physseg_handle h)
{
	uint64_t list;

	return field(t, h, FIELD_FREE_LIST, &list) ? (int)list : -1;
}

API void *physseg_md(struct physseg_table *t, struct physseg_handle h)
{
	uint64_t md;

	return field(t, h, FIELD_MD, &md) ? (void *)(uintptr_t)md : NULL;
}

API uint64_t physseg_count(struct physseg_table *t) { return atomic_load_relaxed(&t->count); }
API uint64_t physseg_pages(struct physseg_table *t) { return atomic_load_relaxed(&t->pages); }
