/* SPDX-License-Identifier: MIT */
/*
 * physseg_frame.c - byte address to frame, and back.
 *
 * STATE     a byte for each frame that may ever be, the first field of its record: 0, it is not there, or PRESENT. The
 *           fields of a record stand in arrays of their own, so that a lookup touches only this one: 64 frames a line.
 *           What was never plugged reads as 0 whether it lies between segments, beside them, or in memory that nobody
 *           has backed. So a lookup is a comparison and a load, without a search.
 * CHANGES   0 -> PRESENT: plug, before the segment can be found. Back: unplug and unload, after it cannot. Both under
 *           the table's lock; readers ask no lock. A byte says what it says by itself: relaxed. Who has found a
 *           segment (G2 in physseg_find.c) sees its frames: they were stored before G1. F1 release store -> F2 acquire
 *           load, by a lookup of the segment: it sees the turn of who stored that (T1 in physseg.c).
 * FAST      the states stand behind the table itself, and most tables have them from pfn 0 on, so that neither their
 *           place is loaded nor a base taken off: eight instructions with the return (`vmmap-bench physmem` counts
 *           them). Tables in sections, those above 16 TiB, and frames that are not there take the long way.
 * BARE      tables have none: the frames' own layer knows its frames (physmem.c), and a plug costs no byte for each.
 * NOT HERE  what a frame is used for: that is its allocator's.
 * SOURCE    vmemmap and SPARSEMEM of Linux (memory-model.rst); PHYS_TO_VM_PAGE of the BSDs.
 */
#include "base/mem.h"
#include "vmmap/phys/physseg_impl.h"

#define PRESENT 1u

/* The table with all states behind it; NULL: not so much address space. */
static struct physseg_table *flat_table(uint64_t frame_base, uint64_t limit)
{
	uint64_t bytes = sizeof(struct physseg_table) + limit - frame_base;
	struct physseg_table *t = mem_reserve(MEM_FRAME, bytes);

	if (t == NULL)
		return NULL;
	t->reserved = bytes;
	t->frame.flat = (char *)t->state;
	t->fast_limit = frame_base == 0 ? limit : 0;
	return t;
}

static struct physseg_table *sectioned_table(uint64_t frame_base, uint64_t limit)
{
	struct physseg_table *t = mem_alloc(MEM_FRAME, sizeof(*t), CACHE_PAIR);

	if (t == NULL || physseg_plane_init(&t->frame, limit - frame_base, sizeof(t->state[0]), PLANE_SECTIONS) == 0)
		return t;
	mem_free(MEM_FRAME, t, sizeof(*t));
	return NULL;
}

static struct physseg_table *bare_table(void)
{
	struct physseg_table *t = mem_alloc(MEM_FRAME, sizeof(*t), CACHE_PAIR);

	if (t != NULL)
		t->bare = true;
	return t;
}

struct physseg_table *physseg_frames_table(uint64_t base, uint64_t limit, enum physseg_states states)
{
	uint64_t frame_base = limit <= PHYSSEG_SPAN_MAX ? 0 : base;
	struct physseg_table *t = states == PHYSSEG_FLAT ? flat_table(frame_base, limit) : NULL;

	if (t == NULL)
		t = states == PHYSSEG_BARE ? bare_table() : sectioned_table(frame_base, limit);
	if (t == NULL)
		return NULL;
	t->base = base;
	t->span = (uint32_t)(limit - base);
	t->frame_base = frame_base;
	return t;
}

void physseg_frames_end(struct physseg_table *t)
{
	if (t->reserved != 0) {
		mem_unreserve(MEM_FRAME, t, t->reserved);
		return;
	}
	physseg_plane_fini(&t->frame);
	mem_free(MEM_FRAME, t, sizeof(*t));
}

int physseg_frames_cover(struct physseg_table *t, uint32_t lo, uint32_t hi)
{
	uint64_t first = t->base - t->frame_base;

	if (t->bare)
		return 0;
	return physseg_plane_cover(&t->frame, first + lo, first + hi - 1);
}

static void set_states(struct physseg_table *t, uint32_t lo, uint32_t hi, uint8_t state)
{
	uint64_t first = t->base - t->frame_base;

	for (uint64_t i = first + lo; i < first + hi && !t->bare; i++)
		atomic_store_release(physseg_plane_byte(&t->frame, i), state);   /* F1 */
}

uint8_t physseg_frame_state(const struct physseg_table *t, uint32_t at)
{
	atomic_u8 *state = physseg_plane_byte(&t->frame, t->base - t->frame_base + at);

	return state != NULL ? atomic_load_acquire(state) : 0;                   /* F2 -> F1 */
}

void physseg_frames_come(struct physseg_table *t, uint32_t lo, uint32_t hi) { set_states(t, lo, hi, PRESENT); }
void physseg_frames_go(struct physseg_table *t, uint32_t lo, uint32_t hi) { set_states(t, lo, hi, 0); }

static struct physseg_frame *frame_at(struct physseg_table *t, uint64_t pfn)
{
	bool inside = pfn - t->base < t->span && !t->bare;
	atomic_u8 *state = inside ? physseg_plane_byte(&t->frame, pfn - t->frame_base) : NULL;

	return state != NULL && atomic_load_relaxed(state) != 0 ? (struct physseg_frame *)state : NULL;
}

static NOINLINE struct physseg_frame *long_way(struct physseg_table *t, uint64_t pfn)
{
	return frame_at(t, pfn);
}

API struct physseg_frame *physseg_phys_to_frame(struct physseg_table *t, uint64_t phys)
{
	uint64_t pfn = phys >> PAGE_SHIFT;

	if (unlikely(pfn >= t->fast_limit || atomic_load_relaxed(&t->state[pfn]) == 0))
		return long_way(t, pfn);
	return (struct physseg_frame *)&t->state[pfn];
}

API uint64_t physseg_frame_to_phys(struct physseg_table *t, const struct physseg_frame *frame)
{
	if (frame == NULL || atomic_load_relaxed((const atomic_u8 *)frame) == 0)
		return PHYSSEG_NONE;
	return (t->frame_base + physseg_plane_number(&t->frame, frame)) << PAGE_SHIFT;
}

API struct physseg_frame *physseg_frame(struct physseg_table *t, struct physseg_handle h, uint64_t offset)
{
	uint64_t start, end;

	if (!physseg_bounds(t, h, &start, &end) || offset >= end - start)
		return NULL;
	return frame_at(t, start + offset);
}
