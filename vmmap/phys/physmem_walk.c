/* SPDX-License-Identifier: MIT */
/*
 * physmem_walk.c - what each frame is, for a picture.
 *
 * A block that is absent or all free answers for its frames by its word. Else the row says whether a frame is free, the
 * table of segments whether it is there, if its block is not whole, and its word whose it is; the first frame of a run
 * answers for all of it (frame_run.c). Looks promise nothing: each is of its own time.
 */
#include "vmmap/phys/frame_depot.h"
#include "vmmap/phys/frame_head.h"
#include "vmmap/phys/physseg.h"

struct walk {
	struct physmem *pm;
	int (*fn)(void *arg, const struct physmem_stretch *stretch);
	void *arg;
	struct physmem_stretch last;     /* pages 0: none yet                                                      */
};

static enum physmem_state state_of_owner(enum frame_owner owner)
{
	static const enum physmem_state state[] = {
		[FRAME_OWNER_NONE] = PHYSMEM_CACHED,         [FRAME_OWNER_CALLER] = PHYSMEM_UNMOVABLE,
		[FRAME_OWNER_MAP] = PHYSMEM_MOVABLE,         [FRAME_OWNER_OBJECT] = PHYSMEM_MOVABLE,
		[FRAME_OWNER_BALLOON] = PHYSMEM_BALLOON,     [FRAME_OWNER_POISON] = PHYSMEM_POISONED,
		[FRAME_OWNER_GOING] = PHYSMEM_POISONED,
	};

	return (unsigned)owner < sizeof(state) / sizeof(state[0]) ? state[owner] : PHYSMEM_UNMOVABLE;
}

static enum physmem_state state_of_free(uint64_t word)
{
	if (word & FRAME_BLOCK_ISOLATED)
		return PHYSMEM_ISOLATED;
	return word & FRAME_BLOCK_REPORTED ? PHYSMEM_REPORTED : PHYSMEM_FREE;
}

/* Of a frame that is not free in its row: alone, or of a run that begins before it. *n: how many are the same. */
static enum physmem_state state_of_taken(struct physmem *pm, uint64_t index, uint64_t *n)
{
	uint64_t word, head = frame_head(pm, index, &word);

	*n = word ? head + (UINT64_C(1) << frame_order(word)) - index : 1;
	return word ? state_of_owner(frame_owner(word)) : PHYSMEM_CACHED;
}

static bool is_there(struct physmem *pm, uint64_t index)
{
	return physseg_valid(pm->segments, physseg_find(pm->segments, pm->base + index, NULL));
}

static enum physmem_state state_at(struct physmem *pm, uint64_t index, uint64_t *n)
{
	uint64_t word = frame_bits_word(&pm->bits, index >> FRAME_BLOCK_ORDER);
	uint64_t rest = FRAME_BLOCK_FRAMES - index % FRAME_BLOCK_FRAMES;

	*n = rest;
	if (frame_block_present(word) == 0)
		return PHYSMEM_ABSENT;
	if (frame_block_all_free(word))
		return state_of_free(word);
	*n = 1;
	if (frame_block_present(word) < FRAME_BLOCK_FRAMES && !is_there(pm, index))
		return PHYSMEM_ABSENT;
	if (!frame_bits_is_taken(&pm->bits, index))
		return state_of_free(word);
	return state_of_taken(pm, index, n);
}

static int flush(struct walk *w)
{
	return w->last.pages != 0 ? w->fn(w->arg, &w->last) : 0;
}

/* Of the same state as the one before: one stretch. */
static int add(struct walk *w, uint64_t pfn, uint64_t pages, enum physmem_state state)
{
	int stop;

	if (w->last.pages != 0 && w->last.state == state) {
		w->last.pages += pages;
		return 0;
	}
	stop = flush(w);
	w->last = (struct physmem_stretch){ pfn, pages, state };
	return stop;
}

API int physmem_walk(struct physmem *pm, uint64_t pfn, uint64_t pages,
		     int (*fn)(void *arg, const struct physmem_stretch *stretch), void *arg)
{
	struct walk w = { .pm = pm, .fn = fn, .arg = arg };
	uint64_t end = pages < UINT64_MAX - pfn ? pfn + pages : UINT64_MAX, limit = pm->base + pm->span;
	int stop = 0;

	if (pfn < pm->base)
		pfn = pm->base;
	if (end > limit)
		end = limit;
	while (pfn < end && stop == 0) {
		uint64_t n;
		enum physmem_state state = state_at(pm, pfn - pm->base, &n);

		if (n > end - pfn)
			n = end - pfn;
		stop = add(&w, pfn, n, state);
		pfn += n;
	}
	return stop != 0 ? stop : flush(&w);
}
