/* SPDX-License-Identifier: MIT */
/* physseg_audit.c - the invariants of a table of segments. Quiescent only. */
#include <inttypes.h>

#include "vmmap/phys/physseg_impl.h"

static uint64_t violation(FILE *report, uint32_t at, const char *what)
{
	if (report != NULL)
		fprintf(report, "segment at frame %" PRIu32 " of its table: %s\n", at, what);
	return 1;
}

static uint64_t check_one(const struct physseg *seg, uint32_t key, uint32_t after, FILE *report)
{
	uint64_t run = atomic_load_relaxed(&seg->run), avail = atomic_load_relaxed(&seg->avail), bad = 0;

	if (!(atomic_load_relaxed(&seg->generation) & 1))
		bad += violation(report, key, "in the index, but not plugged");
	if (key != run_start(run))
		bad += violation(report, key, "not where the index has it");
	if (run_end(run) <= run_start(run))
		bad += violation(report, key, "empty");
	if (run_start(run) < after)
		bad += violation(report, key, "begins inside the one below");
	if (run_start(avail) < run_start(run) || run_end(avail) < run_start(avail) || run_end(run) < run_end(avail))
		bad += violation(report, key, "its available part is not inside");
	if (atomic_load_relaxed(&seg->hint) > run_pages(run))
		bad += violation(report, key, "its start hint is not inside");
	return bad;
}

static bool next_starts_at(struct physseg_table *t, uint32_t at)
{
	uint32_t key;

	return t->index->ceil(t, at, &key) != NULL && key == at;
}

/* Each frame of the segment has its record; the frame behind it has one if it is in the segment behind it. */
static uint64_t check_frames(struct physseg_table *t, uint64_t run, bool touched, FILE *report)
{
	uint64_t end = t->base + run_end(run), bad = 0;

	for (uint64_t pfn = t->base + run_start(run); pfn < end; pfn++)
		if (physseg_frame_to_phys(t, physseg_phys_to_frame(t, pfn << PAGE_SHIFT)) != pfn << PAGE_SHIFT)
			bad += violation(report, (uint32_t)(pfn - t->base), "no frame of that address");
	if (!touched && physseg_phys_to_frame(t, end << PAGE_SHIFT) != NULL)
		bad += violation(report, run_end(run), "a frame in no segment");
	return bad;
}

/* Slots that are plugged. */
static uint64_t plugged(struct physseg_table *t)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < t->nslots; i++)
		n += atomic_load_relaxed(&physseg_slot_at(t, i)->generation) & 1;
	return n;
}

uint64_t physseg_audit(struct physseg_table *t, FILE *report)
{
	uint64_t count = 0, pages = 0, bad = 0;
	uint32_t key = 0, after = 0;
	struct physseg *seg;

	while ((seg = t->index->ceil(t, after, &key)) != NULL) {
		uint64_t run = atomic_load_relaxed(&seg->run);

		bad += check_one(seg, key, after, report);
		if (!t->bare)
			bad += check_frames(t, run, next_starts_at(t, run_end(run)), report);
		count++;
		pages += run_pages(run);
		if (run_end(run) <= after)
			break;                   /* it is broken anyway                                             */
		after = run_end(run);
	}
	if (count != physseg_count(t) || count != plugged(t))
		bad += violation(report, after, "segments, slots and their count differ");
	if (pages != physseg_pages(t))
		bad += violation(report, after, "frames and their count differ");
	return bad;
}
