/* SPDX-License-Identifier: MIT */
/*
 * physseg_boot.c - before the allocator is up: loading segments, stealing frames; and fields that their owner sets.
 *
 * A steal never splits a segment, and what was reserved stays so: NetBSD's forced unload of a frame in the middle made
 * two segments and then gave up (uvm_physseg.c 1.9).
 */
#include <errno.h>

#include "vmmap/phys/physseg_impl.h"

static bool running(const struct physseg_table *t) { return atomic_load_relaxed(&t->running); }

/* avail as a run inside [lo, hi), all absolute; false: it is not. */
static bool part_fits(const struct physseg_table *t, uint64_t lo, uint64_t hi, uint64_t from, uint64_t to,
		      uint64_t *avail)
{
	if (from < lo || to < from || hi < to)
		return false;
	*avail = run_of(from - t->base, to - t->base);
	return true;
}

API int physseg_load(struct physseg_table *t, const struct physseg_boot *what, struct physseg_handle *out)
{
	struct physseg_fields f = { .free_list = what->free_list };

	if (running(t))
		return -EBUSY;
	if (what->start < t->base || what->end <= what->start || what->end - t->base > t->span ||
	    what->free_list >= PHYSSEG_FREE_LISTS ||
	    !part_fits(t, what->start, what->end, what->avail_start, what->avail_end, &f.avail))
		return -EINVAL;
	f.run = run_of(what->start - t->base, what->end - t->base);
	return physseg_plug_fields(t, &f, out);
}

/* ---- stealing ---- */

/* Takes one frame off an end of the segment, which goes if it was its only one. */
static void take_end(struct physseg_table *t, struct physseg *seg, bool front)
{
	uint64_t run = atomic_load_relaxed(&seg->run);
	uint32_t at = front ? run_start(run) : run_end(run) - 1;

	if (run_pages(run) == 1) {
		physseg_drop(t, seg);
		physseg_count_add(t, -1, 0);
	} else if (front) {
		physseg_cut_front(t, seg, run_start(run) + 1);
	} else {
		physseg_cut_back(t, seg, run_end(run) - 1);
	}
	t->index->commit(t);
	physseg_frames_go(t, at, at + 1);
	physseg_count_add(t, 0, -1);
}

static int steal_end(struct physseg_table *t, struct physseg *seg, uint64_t *pfn)
{
	uint64_t run = atomic_load_relaxed(&seg->run), avail = atomic_load_relaxed(&seg->avail);
	bool front = run_start(avail) == run_start(run), back = run_end(avail) == run_end(run);

	if (run_pages(avail) == 0 || !(front || back))
		return -ENXIO;
	if (physseg_pages(t) == 1)
		return -ENOMEM;
	*pfn = t->base + (front ? run_start(run) : run_end(run) - 1);
	take_end(t, seg, front);
	return 0;
}

static int steal_any(struct physseg_table *t, struct physseg *seg, uint64_t *pfn)
{
	uint64_t run = atomic_load_relaxed(&seg->run), avail = atomic_load_relaxed(&seg->avail);

	if (run_pages(avail) == 0)
		return -ENXIO;
	if (run_start(avail) == run_start(run))
		return steal_end(t, seg, pfn);
	*pfn = t->base + run_start(avail);
	atomic_store_release(&seg->avail, run_of((uint64_t)run_start(avail) + 1, run_end(avail)));       /* S1 */
	return 0;
}

/* free_list: NULL, any. */
static int steal(struct physseg_table *t, struct physseg_handle h, const unsigned *free_list, uint64_t *pfn)
{
	struct physseg *seg;
	int err;

	if (running(t))
		return -EBUSY;
	err = physseg_change_begin(t, 0);
	if (err != 0)
		return err;
	seg = physseg_resolve(t, h);
	if (!seg || (free_list && atomic_load_relaxed(&seg->free_list) != *free_list))
		err = -EINVAL;
	else
		err = free_list ? steal_end(t, seg, pfn) : steal_any(t, seg, pfn);
	physseg_change_end(t);
	return err;
}

API int physseg_unload(struct physseg_table *t, struct physseg_handle h, unsigned free_list, uint64_t *pfn)
{
	return steal(t, h, &free_list, pfn);
}

API int physseg_unload_force(struct physseg_table *t, struct physseg_handle h, uint64_t *pfn)
{
	return steal(t, h, NULL, pfn);
}

/* ---- fields ---- */

API int physseg_set_avail(struct physseg_table *t, struct physseg_handle h, uint64_t avail_start, uint64_t avail_end)
{
	struct physseg *seg;
	uint64_t avail, run;
	int err = physseg_change_begin(t, 0);

	if (err != 0)
		return err;
	err = -EINVAL;
	seg = physseg_resolve(t, h);
	run = seg ? atomic_load_relaxed(&seg->run) : 0;
	if (seg && part_fits(t, t->base + run_start(run), t->base + run_end(run), avail_start, avail_end, &avail)) {
		atomic_store_release(&seg->avail, avail);                        /* S1 */
		err = 0;
	}
	physseg_change_end(t);
	return err;
}

API int physseg_set_start_hint(struct physseg_table *t, struct physseg_handle h, uint64_t offset)
{
	struct physseg *seg;
	int err = physseg_change_begin(t, 0);

	if (err != 0)
		return err;
	err = -EINVAL;
	seg = physseg_resolve(t, h);
	if (seg && offset <= run_pages(atomic_load_relaxed(&seg->run))) {
		atomic_store_release(&seg->hint, offset);                        /* S1 */
		err = 0;
	}
	physseg_change_end(t);
	return err;
}

API int physseg_set_md(struct physseg_table *t, struct physseg_handle h, void *md)
{
	struct physseg *seg;
	int err = physseg_change_begin(t, 0);

	if (err != 0)
		return err;
	seg = physseg_resolve(t, h);
	if (seg)
		atomic_store_release(&seg->md, md);                              /* S1 */
	physseg_change_end(t);
	return seg ? 0 : -EINVAL;
}
