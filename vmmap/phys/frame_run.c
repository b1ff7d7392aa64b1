/* SPDX-License-Identifier: MIT */
/*
 * frame_run.c - runs of 2^order frames, for who calls from outside; and what is wrong with a free.
 *
 * A run comes from blocks and rows, past the caches, and goes back there. Its first frame's word stands for all of it:
 * OWNED, owner, order, generation. The words of the others are as they were; nobody has them in a chain.
 * SHORT     no run in the rows: then what the caller's own slot has free, the depot and the shelves of other slots go
 *           to their rows (frame_gather.c), and the search begins again; and once more when the host has nothing in its
 *           hands (frame_short.c). What is still out is in others' caches, or used.
 * MOVES     a search for a run is a move of its slot: the permits of one that was lost go back, and who looks for the
 *           last frame waits for that (frame_refill.c).
 * ONE       frame is taken and given back by way of the caller's cache, in brief sections (base/rcu.h): the caller's
 *           own chains and the frame's word are all that is touched. The CAS that claims it links it, too. While
 *           somebody isolates, and when the cache is full, the long way: frame_free_slow.
 * RACES     of two frees of a run the CAS of its first word decides: OWNED in that generation -> FREE. What comes after
 *           that is the winner's alone.
 * EDGES     those of frame_bits.c: the last accesses to the run, before it is had again.
 * NOT HERE  moving what is in the way of a run (compaction).
 */
#include <errno.h>

#include "base/spin.h"
#include "vmmap/phys/frame_gather.h"
#include "vmmap/phys/frame_isolate.h"
#include "vmmap/phys/frame_short.h"
#include "vmmap/phys/physseg.h"

/* ---- take ---- */

static bool from_rows(struct physmem *pm, struct frame_slot *slot, unsigned order, uint64_t *index)
{
	struct frame_search s = { 0, frame_blocks(pm), slot->run_cursor };
	bool tells = !BASE_MUTANT(frame_run_untold);
	int err;

	if (tells)
		frame_moves_step(slot);
	err = frame_bits_take(&pm->bits, &s, order, FRAME_CLASS_UNMOVABLE, index);
	if (tells)
		frame_moves_step(slot);
	if (err != 0)
		return false;
	slot->run_cursor = s.cursor;
	frame_taken_count(pm, slot, UINT64_C(1) << order);
	return true;
}

/* All that is free goes to the rows, and what the host has comes back, until there is a run. */
static int run_short(struct physmem *pm, struct thread_slot *self, struct frame_slot *slot, unsigned order,
		     uint64_t *index)
{
	struct frame_short s = { .drained = true };      /* who died has nothing that is missing here               */
	int err = 0;

	while (err == 0) {
		frame_gather(pm, self, slot);
		if (from_rows(pm, slot, order, index))
			break;
		err = frame_short_of(pm, self, &s, UINT64_C(1) << order);
	}
	frame_short_ends(pm, &s);
	return err;
}

static int run_take(struct physmem *pm, struct thread_slot *self, unsigned order, uint64_t *index)
{
	struct frame_slot *slot = thread_local_mine(&pm->slots, self);

	if (!slot)
		return -ENOMEM;
	if (from_rows(pm, slot, order, index))
		return 0;
	return run_short(pm, self, slot, order, index);
}

static uint32_t generation(uint64_t word) { return (uint32_t)(word >> FRAME_LIVES_SHIFT); }

API int physmem_run_alloc(struct physmem *pm, unsigned order, struct physmem_run *out)
{
	uint64_t index, old;
	int err;

	if (order > FRAME_BLOCK_ORDER)
		return -EINVAL;
	if (order == 0) {
		index = frame_take(pm, thread_self(), FRAME_OWNER_CALLER) - pm->base;
		err = index == PHYSMEM_NONE - pm->base ? -ENOMEM : 0;
	} else {
		err = run_take(pm, thread_self(), order, &index);
	}
	if (err != 0)
		return err;
	old = atomic_load_relaxed(&pm->word[index]);
	if (order != 0) {
		old = ((old & FRAME_LIVES_MASK) + FRAME_LIVES_ONE) | frame_owned(FRAME_OWNER_CALLER, order);
		atomic_store_relaxed(&pm->word[index], old);
	}
	*out = (struct physmem_run){ pm->base + index, generation(old), order };
	return 0;
}

/* ---- give ---- */

/* Why a word that does not say so is not the caller's to give. */
static int why_not(struct physmem *pm, uint64_t index, uint64_t word, unsigned order, const uint32_t *life)
{
	if (frame_state(word) == FRAME_OWNED && frame_owner(word) != FRAME_OWNER_CALLER)
		return -EPERM;
	if (frame_state(word) == FRAME_OWNED && life != NULL && generation(word) != *life)
		return -ESTALE;
	if (frame_state(word) == FRAME_OWNED && frame_order(word) != order)
		return -EINVAL;
	return physseg_valid(pm->segments, physseg_find(pm->segments, pm->base + index, NULL)) ? -EALREADY : -EINVAL;
}

static void give(struct physmem *pm, uint64_t index, unsigned order)
{
	struct thread_slot *self = thread_self();

	if (order == 0) {
		frame_free_slow(pm, self, (uint32_t)index, FRAME_UNMOVABLE);
		return;
	}
	frame_taken_count(pm, thread_local_at(&pm->slots, self->number), -(UINT64_C(1) << order));
	CHECK(frame_bits_give(&pm->bits, index, order) == 0);
}

static bool is_callers(uint64_t word, unsigned order, const uint32_t *life)
{
	return (uint32_t)word == frame_owned(FRAME_OWNER_CALLER, order) && (!life || generation(word) == *life);
}

/* Unlike the engine's frame_free this decides a race between two frees of one frame: by CAS. life: NULL, any. Its word
 * links to `link` then. False: *old is not the caller's. */
static ALWAYS_INLINE bool claim(struct physmem *pm, uint64_t index, unsigned order, const uint32_t *life, uint32_t link,
				uint64_t *old)
{
	uint64_t lives;

	*old = atomic_load_relaxed(&pm->word[index]);
	do {
		if (unlikely(!is_callers(*old, order, life)))
			return false;
		lives = *old - frame_owned(FRAME_OWNER_CALLER, order);
	} while (unlikely(!atomic_cas_relaxed(&pm->word[index], old, frame_word_bare(lives, FRAME_FREE, link))));
	return true;
}

/* The slot, if a frame may go straight into its cache: there is room, and nobody isolates. Else frame_free_slow looks
 * at the frame's block first. Inside a section. */
static ALWAYS_INLINE struct frame_cache *cache_with_room(struct physmem *pm, struct thread_slot *self, uint32_t *n)
{
	struct frame_slot *slot = thread_local_at(&pm->fast, self->number);

	if (unlikely(!slot) || (unlikely(frame_isolating(pm)) && !BASE_MUTANT(free_unjudged)))
		return NULL;
	*n = atomic_load_relaxed(&slot->cache[FRAME_UNMOVABLE].loaded_n);
	return likely(*n < slot->batch) ? &slot->cache[FRAME_UNMOVABLE] : NULL;
}

enum freed { FREED, NOT_CALLERS, NO_ROOM };

/* A frame of the caller's into its cache: claimed and linked by one CAS. */
static ALWAYS_INLINE enum freed free_to_cache(struct physmem *pm, uint64_t index, const uint32_t *life, uint64_t *old)
{
	struct thread_slot *self = thread_self();
	enum freed freed = NO_ROOM;
	struct frame_cache *cache;
	uint32_t n = 0;

	rcu_enter_brief(self);
	cache = cache_with_room(pm, self, &n);
	if (likely(cache != NULL)) {
		BASE_POINT(run_free_found);
		freed = claim(pm, index, 0, life, cache->loaded, old) ? FREED : NOT_CALLERS;
		if (likely(freed == FREED))
			frame_pushed(cache, index, n);
	}
	rcu_leave_brief(self);
	return freed;
}

static ALWAYS_INLINE int run_free(struct physmem *pm, uint64_t pfn, unsigned order, const uint32_t *life)
{
	uint64_t index = pfn - pm->base, old = 0;
	enum freed freed = NO_ROOM;

	if (unlikely(index >= pm->span || order > FRAME_BLOCK_ORDER))
		return -EINVAL;
	if (order == 0)
		freed = free_to_cache(pm, index, life, &old);
	if (likely(freed == FREED))
		return 0;
	if (freed == NOT_CALLERS || !claim(pm, index, order, life, 0, &old))
		return why_not(pm, index, old, order, life);
	give(pm, index, order);
	return 0;
}

API int physmem_run_free(struct physmem *pm, const struct physmem_run *run)
{
	return run_free(pm, run->pfn, run->order, &run->generation);
}

API int physmem_frame_free(struct physmem *pm, uint64_t pfn)
{
	return run_free(pm, pfn, 0, NULL);
}
