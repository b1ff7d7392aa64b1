/* SPDX-License-Identifier: MIT */
/*
 * physseg.c - segments: plug, unplug, and lookups beside them.
 *
 * WORDS     run: start | end << 32 of a segment, one word, so that both ends are of one time. generation: odd while
 *           it is plugged. changes: counts what may hide a frame from a lookup under way.
 * LOOKUP    physseg_find.c: floor key in the index, then the slot: generation, run, generation. A slot that is not
 *           plugged is passed over: the one below may still have the frame. Found: the run was that generation's. Not
 *           found: true if no change began meanwhile, else again. While nobody changes anything (turn is even, and the
 *           same at the end) an index may know a shorter way.
 * PLUG      fields, run -> index -> generation odd (G1). It is there from the last step on.
 * UNPLUG    changes -> generation even (G1), or a smaller run (S1) -> index. Middle: what is above is plugged first,
 *           then the run is cut, so that no frame that stays is ever missing; between the two, both segments show the
 *           upper part, and lookups prefer the new one.
 * EDGES     G1 store-release of generation -> G2 its acquire load: an odd one shows run and fields. K1 add of changes,
 *           then S1 store-release of run or generation -> S2 acquire load, then K2 load of changes: who has seen the
 *           smaller run sees the count. S1 of a later life -> S2: who reads a run of a later life sees, in its second
 *           look, a later generation. C1 -> C2: chunks of slots. T1 turn odd, then release stores of what the shorter
 *           way reads, then turn even by release -> T2 turn, then acquire loads of it, then turn: who reads anything of
 *           a change sees that there is one.
 * FRAMES    physseg_frame.c: their states come before their segment, and go after it: who finds a segment finds its
 *           frames.
 * LOCK      table's, spinning, a leaf; memory is allocated outside it. Readers take it with indexes that say `locked`.
 * INVARIANTS physseg_audit.
 * PROGRESS  changes wait for each other; lookups repeat only if a change has begun.
 * NOT HERE  whether a frame is in use: who unplugs has made sure, or asks for it (frames are another layer's).
 * SOURCE    uvm_hotplug(9); memblock of Linux for the matrix of ranges.
 */
#include <errno.h>
#include <string.h>

#include "base/point.h"
#include "vmmap/phys/physseg_impl.h"

/* ---- life ---- */

#define DEFAULT_SPAN (UINT64_C(1) << 28)         /* pages: 1 TiB                                                   */

static const struct physseg_index *const indexes[] = {
	&physseg_bitmap, &physseg_cow_array, &physseg_rbtree, &physseg_sorted_array,
};

static const struct physseg_index *index_named(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(indexes); i++)
		if (name == NULL || strcmp(name, indexes[i]->name) == 0)
			return indexes[i];
	return NULL;
}

static int create(struct physseg_table **out, const struct physseg_index *index, uint64_t base, uint64_t limit,
		  enum physseg_states states)
{
	struct physseg_table *t;
	int err;

	if (out == NULL || limit <= base || limit > PHYSSEG_PFN_MAX || limit - base > PHYSSEG_SPAN_MAX)
		return -EINVAL;
	t = physseg_frames_table(base, limit, states);
	if (t == NULL)
		return -ENOMEM;
	t->index = index;
	physseg_slots_init(t);
	err = t->index->init(t);
	if (err == 0)
		*out = t;
	else
		physseg_frames_end(t);
	return err;
}

int physseg_create_bare(struct physseg_table **out, uint64_t base, uint64_t limit)
{
	return create(out, &physseg_bitmap, base, limit, PHYSSEG_BARE);
}

API int physseg_create(struct physseg_table **out, const struct physseg_config *config)
{
	const struct physseg_config c = config ? *config : (struct physseg_config)PHYSSEG_CONFIG;
	const struct physseg_index *index = index_named(c.index);

	if (c.size != sizeof(c) || index == NULL)
		return -EINVAL;
	return create(out, index, c.base, c.limit ? c.limit : c.base + DEFAULT_SPAN,
		      c.sections ? PHYSSEG_SECTIONS : PHYSSEG_FLAT);
}

API void physseg_destroy(struct physseg_table *t)
{
	if (t == NULL)
		return;
	t->index->fini(t);
	physseg_slots_fini(t);
	physseg_frames_end(t);
}

API void physseg_boot_done(struct physseg_table *t)
{
	atomic_store_relaxed(&t->running, 1);
}

/* ---- changes ---- */

int physseg_change_begin(struct physseg_table *t, unsigned slots)
{
	for (;;) {
		bool room, ready;
		int err;

		spin_lock(&t->lock);
		room = t->nfree >= slots;
		ready = t->index->ready(t);
		if (room && ready) {
			atomic_store_relaxed(&t->turn, atomic_load_relaxed(&t->turn) + 1);       /* T1 */
			t->index->begin(t);
			return 0;
		}
		spin_unlock(&t->lock);
		err = room ? t->index->prepare(t) : physseg_slots_add(t);
		if (err != 0)
			return err;
	}
}

void physseg_change_end(struct physseg_table *t)
{
	atomic_store_release(&t->turn, atomic_load_relaxed(&t->turn) + 1);       /* T1 */
	spin_unlock(&t->lock);
}

static void set_generation(struct physseg *seg)
{
	atomic_store_release(&seg->generation, atomic_load_relaxed(&seg->generation) + 1);               /* G1, S1 */
}

void physseg_hide(struct physseg_table *t)
{
	atomic_store_release(&t->changes, atomic_load_relaxed(&t->changes) + 1);                         /* K1 */
}

void physseg_count_add(struct physseg_table *t, int64_t segments, int64_t pages)
{
	atomic_store_relaxed(&t->count, atomic_load_relaxed(&t->count) + (uint64_t)segments);
	atomic_store_relaxed(&t->pages, atomic_load_relaxed(&t->pages) + (uint64_t)pages);
}

struct physseg *physseg_add(struct physseg_table *t, const struct physseg_fields *f)
{
	struct physseg *seg = physseg_slot_take(t);

	atomic_store_release(&seg->run, f->run);                                 /* S1 */
	atomic_store_release(&seg->avail, f->avail);                            /* S1 */
	atomic_store_release(&seg->hint, f->hint);                              /* S1 */
	atomic_store_release(&seg->md, f->md);                                  /* S1 */
	atomic_store_release(&seg->free_list, f->free_list);                    /* S1 */
	t->index->insert(t, seg, run_start(f->run));
	t->index->commit(t);
	BASE_POINT(physseg_indexed);
	set_generation(seg);
	return seg;
}

/* What of avail lies in run; if nothing does, an empty part inside it. */
static uint64_t avail_within(uint64_t avail, uint64_t run)
{
	uint32_t start = run_start(avail), end = run_end(avail);

	start = start < run_start(run) ? run_start(run) : start > run_end(run) ? run_end(run) : start;
	end = end > run_end(run) ? run_end(run) : end < start ? start : end;
	return run_of(start, end);
}

/* The offset in a run that begins `front` later and has `pages`. */
static uint64_t hint_within(uint64_t hint, uint64_t front, uint64_t pages)
{
	hint = hint > front ? hint - front : 0;
	return hint < pages ? hint : pages;
}

static void set_run(struct physseg_table *t, struct physseg *seg, uint64_t run)
{
	uint32_t front = run_start(run) - run_start(atomic_load_relaxed(&seg->run));

	atomic_store_relaxed(&seg->avail, avail_within(atomic_load_relaxed(&seg->avail), run));
	atomic_store_relaxed(&seg->hint, hint_within(atomic_load_relaxed(&seg->hint), front, run_pages(run)));
	physseg_hide(t);
	atomic_store_release(&seg->run, run);                                    /* S1 */
}

void physseg_cut_front(struct physseg_table *t, struct physseg *seg, uint32_t to)
{
	uint64_t run = atomic_load_relaxed(&seg->run);

	set_run(t, seg, run_of(to, run_end(run)));
	BASE_POINT(physseg_cut);
	t->index->move(t, seg, run_start(run), to);
}

void physseg_cut_back(struct physseg_table *t, struct physseg *seg, uint32_t to)
{
	set_run(t, seg, run_of(run_start(atomic_load_relaxed(&seg->run)), to));
	if (t->index->cut != NULL)
		t->index->cut(t, seg);
}

void physseg_drop(struct physseg_table *t, struct physseg *seg)
{
	physseg_hide(t);
	set_generation(seg);
	BASE_POINT(physseg_dropped);
	t->index->remove(t, seg, run_start(atomic_load_relaxed(&seg->run)));
	physseg_slot_give(t, seg);
}

/* [lo, hi) out of the middle: what is above goes on as a segment of its own. */
static void split(struct physseg_table *t, struct physseg *seg, uint32_t lo, uint32_t hi)
{
	uint64_t run = atomic_load_relaxed(&seg->run), above = run_of(hi, run_end(run));
	struct physseg_fields f = {
		.run = above,
		.avail = avail_within(atomic_load_relaxed(&seg->avail), above),
		.hint = hint_within(atomic_load_relaxed(&seg->hint), hi - run_start(run), run_pages(above)),
		.md = atomic_load_relaxed(&seg->md),
		.free_list = atomic_load_relaxed(&seg->free_list),
	};

	physseg_add(t, &f);
	BASE_POINT(physseg_split);
	physseg_cut_back(t, seg, lo);
}

/* ---- plug ---- */

/* Relative; false: empty, or not inside the table's range. */
static bool relative(const struct physseg_table *t, uint64_t pfn, uint64_t pages, uint32_t *lo, uint32_t *hi)
{
	uint64_t from = pfn - t->base;

	if (pages == 0 || pfn < t->base || from >= t->span || pages > t->span - from)
		return false;
	*lo = (uint32_t)from;
	*hi = (uint32_t)(from + pages);
	return true;
}

/* Under the lock: the segment with the highest start <= at, or the lowest one >= at. */
static struct physseg *below(struct physseg_table *t, uint32_t at)
{
	uint32_t key;

	return t->index->floor(t, at, &key);
}

static struct physseg *above(struct physseg_table *t, uint32_t at)
{
	uint32_t key;

	return t->index->ceil(t, at, &key);
}

static bool taken(struct physseg_table *t, uint32_t lo, uint32_t hi)
{
	struct physseg *under = below(t, lo), *over = above(t, lo);

	return (under && run_end(atomic_load_relaxed(&under->run)) > lo) ||
	       (over && run_start(atomic_load_relaxed(&over->run)) < hi);
}

int physseg_plug_fields(struct physseg_table *t, const struct physseg_fields *f, struct physseg_handle *out)
{
	uint32_t lo = run_start(f->run), hi = run_end(f->run);
	struct physseg *seg;
	int err = physseg_frames_cover(t, lo, hi);

	if (err == 0 && t->index->cover != NULL)
		err = t->index->cover(t, lo, hi);
	if (err == 0)
		err = physseg_change_begin(t, 1);
	if (err != 0)
		return err;
	if (taken(t, lo, hi)) {
		physseg_change_end(t);
		return -EEXIST;
	}
	physseg_frames_come(t, lo, hi);
	BASE_POINT(physseg_frames_came);
	seg = physseg_add(t, f);
	physseg_count_add(t, 1, run_pages(f->run));
	if (out != NULL)
		*out = physseg_handle_of(t, seg, atomic_load_relaxed(&seg->generation));
	physseg_change_end(t);
	return 0;
}

API int physseg_plug(struct physseg_table *t, uint64_t pfn, uint64_t pages, struct physseg_handle *out)
{
	uint32_t lo, hi;

	if (!relative(t, pfn, pages, &lo, &hi))
		return -EINVAL;
	return physseg_plug_fields(t, &(struct physseg_fields){ .run = run_of(lo, hi), .avail = run_of(lo, hi) }, out);
}

/* ---- unplug ---- */

/* All of [lo, hi) is there, and something else, too. Under the lock. */
static int may_unplug(struct physseg_table *t, uint32_t lo, uint32_t hi)
{
	struct physseg *seg = below(t, lo);
	uint32_t at = lo;

	while (at < hi) {
		uint64_t run = seg ? atomic_load_relaxed(&seg->run) : 0;

		if (!run_has(run, at))
			return -ENXIO;
		at = run_end(run);
		seg = at < hi ? below(t, at) : NULL;
	}
	return atomic_load_relaxed(&t->pages) == hi - lo ? -ENOMEM : 0;
}

/* One segment's part of it. Returns the end of the segment as it was. */
static uint32_t unplug_part(struct physseg_table *t, struct physseg *seg, uint32_t lo, uint32_t hi)
{
	uint64_t run = atomic_load_relaxed(&seg->run);

	if (lo <= run_start(run) && hi >= run_end(run)) {
		physseg_drop(t, seg);
		physseg_count_add(t, -1, 0);
	} else if (lo <= run_start(run)) {
		physseg_cut_front(t, seg, hi);
	} else if (hi >= run_end(run)) {
		physseg_cut_back(t, seg, lo);
	} else {
		split(t, seg, lo, hi);
		physseg_count_add(t, 1, 0);
	}
	return run_end(run);
}

/* Locks the table; [lo, hi) can go, and if that takes a new segment, there is memory for it. */
static int unplug_begin(struct physseg_table *t, uint32_t lo, uint32_t hi)
{
	for (unsigned slots = 0;; slots = 1) {
		int err = physseg_change_begin(t, slots);
		uint64_t run;

		if (err != 0)
			return err;
		err = may_unplug(t, lo, hi);
		run = err == 0 ? atomic_load_relaxed(&below(t, lo)->run) : 0;
		if (err == 0 && (t->nfree > 0 || lo == run_start(run) || hi >= run_end(run)))
			return 0;
		physseg_change_end(t);
		if (err != 0)
			return err;
	}
}

API int physseg_unplug(struct physseg_table *t, uint64_t pfn, uint64_t pages)
{
	uint32_t lo, hi;
	int err;

	if (!relative(t, pfn, pages, &lo, &hi))
		return -EINVAL;
	err = unplug_begin(t, lo, hi);
	if (err != 0)
		return err;
	for (uint32_t at = lo; at < hi;)
		at = unplug_part(t, below(t, at), lo, hi);
	t->index->commit(t);
	physseg_frames_go(t, lo, hi);
	physseg_count_add(t, 0, -(int64_t)pages);
	physseg_change_end(t);
	return 0;
}
