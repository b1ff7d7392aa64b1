/* SPDX-License-Identifier: MIT */
/*
 * physseg_frame.c - byte address to frame, and back.
 *
 * WORD      of each frame that may ever be: 0, it is not there; else its byte address and PRESENT. So a lookup is a
 *           comparison, a load that the caller needs anyway, and no search; what was never plugged reads as 0 whether
 *           it lies between segments, beside them, or in memory that nobody has backed.
 * STATES    0 -> address | PRESENT: plug, before the segment can be found. Back: unplug and unload, after it cannot.
 *           Both under the table's lock; readers ask no lock. A word says what it says by itself: relaxed. Who has
 *           found a segment (G2 in physseg_find.c) sees its words: they were stored before G1.
 * FAST      most tables keep words from pfn 0 on, so that no base has to be taken off: eight instructions with the
 *           return (bench/physmem_count.c counts them). Tables in sections, and those above 16 TiB, take the long way.
 * NOT HERE  what a frame is used for: that is its allocator's.
 * SOURCE    vmemmap and SPARSEMEM of Linux (memory-model.rst); PHYS_TO_VM_PAGE of the BSDs.
 */
#include "vmmap/phys/physseg_impl.h"

#define PRESENT UINT64_C(1)

int physseg_frames_init(struct physseg_table *t)
{
	uint64_t limit = t->base + t->span;
	int err;

	t->frame_base = limit <= PHYSSEG_SPAN_MAX ? 0 : t->base;
	err = physseg_plane_init(&t->frame, limit - t->frame_base, t->sectioned);
	t->fast = t->frame.flat;
	t->fast_limit = t->fast != NULL && t->frame_base == 0 ? limit << PAGE_SHIFT : 0;
	return err;
}

int physseg_frames_cover(struct physseg_table *t, uint32_t lo, uint32_t hi)
{
	uint64_t first = t->base - t->frame_base;

	return physseg_plane_cover(&t->frame, first + lo, first + hi - 1);
}

static void set_words(struct physseg_table *t, uint32_t lo, uint32_t hi, uint64_t present)
{
	for (uint64_t pfn = t->base + lo; pfn < t->base + hi; pfn++)
		atomic_store_relaxed(physseg_plane_word(&t->frame, pfn - t->frame_base),
				     present ? pfn << PAGE_SHIFT | present : 0);
}

void physseg_frames_come(struct physseg_table *t, uint32_t lo, uint32_t hi) { set_words(t, lo, hi, PRESENT); }
void physseg_frames_go(struct physseg_table *t, uint32_t lo, uint32_t hi) { set_words(t, lo, hi, 0); }

static struct physseg_frame *frame_at(struct physseg_table *t, uint64_t pfn)
{
	atomic_u64 *word = pfn - t->base < t->span ? physseg_plane_word(&t->frame, pfn - t->frame_base) : NULL;

	return word != NULL && atomic_load_relaxed(word) != 0 ? (struct physseg_frame *)word : NULL;
}

static NOINLINE struct physseg_frame *long_way(struct physseg_table *t, uint64_t phys)
{
	return frame_at(t, phys >> PAGE_SHIFT);
}

API struct physseg_frame *physseg_phys_to_frame(struct physseg_table *t, uint64_t phys)
{
	if (likely(phys < t->fast_limit)) {
		atomic_u64 *word = &t->fast[phys >> PAGE_SHIFT];

		return atomic_load_relaxed(word) != 0 ? (struct physseg_frame *)word : NULL;
	}
	return long_way(t, phys);
}

API uint64_t physseg_frame_to_phys(const struct physseg_frame *frame)
{
	uint64_t word = frame != NULL ? atomic_load_relaxed((const atomic_u64 *)frame) : 0;

	return word != 0 ? word & ~PRESENT : PHYSSEG_NONE;
}

API struct physseg_frame *physseg_frame(struct physseg_table *t, struct physseg_handle h, uint64_t offset)
{
	uint64_t start, end;

	if (!physseg_bounds(t, h, &start, &end) || offset >= end - start)
		return NULL;
	return frame_at(t, start + offset);
}
