/* SPDX-License-Identifier: MIT */
/*
 * physmem.c - an instance: segments, metadata, the public calls.
 *
 * Everything per frame lies in arrays over the span from the first frame to the end of the last segment, reserved and
 * lazily backed: an index is a subtraction whatever the number of segments (reference: Linux's vmemmap), and a
 * machine of 1 TiB costs memory only for the frames that are used. A hole's words stay FRESH, so that freeing one is
 * an error.
 *
 * Written once before the instance is known to others [const]: base, span, arrays, segments, batch sizes.
 * USAGE  cached = loaded + spare, deferred = open + closed + late, free = frames - taken: sums over slots, exact when
 *             no
 *        call runs. There is no shared counter.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "vmmap/phys/frame_depot.h"
#include "vmmap/phys/physmem_slots.h"

#define PHYSMEM_DEFAULT_PAGES (UINT64_C(1) << 18)

/* ---- life ---- */

static bool segments_fit(const struct physmem_range *segment, unsigned n)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!segment[i].pages || segment[i].pfn >= FRAME_PFN_MAX || segment[i].pfn < end ||
		    segment[i].pages > FRAME_PFN_MAX - segment[i].pfn)
			return false;
		end = segment[i].pfn + segment[i].pages;
	}
	return n && end - segment[0].pfn <= FRAME_SPAN_MAX;
}

static void physmem_free(struct physmem *pm)
{
	uint64_t span = pm->span;

	thread_local_free(&pm->slots, NULL, NULL);
	mem_unreserve(MEM_FRAME, pm->bytes, span << PAGE_SHIFT);
	mem_unreserve(MEM_FRAME, pm->record, span * sizeof(*pm->record));
	mem_unreserve(MEM_FRAME, pm->batch_of, span * sizeof(*pm->batch_of));
	mem_unreserve(MEM_FRAME, pm->word, span * sizeof(*pm->word));
	mem_free(MEM_FRAME, pm->segment, pm->nsegments * sizeof(*pm->segment));
	mem_free(MEM_FRAME, pm, sizeof(*pm));
}

/* Small instances move frames in small batches, so that a few caches do not swallow all of them. */
static void set_batches(struct physmem *pm)
{
	pm->batch = FRAME_BATCH;
	while (pm->batch > 1 && pm->batch > pm->frames / 64)
		pm->batch /= 2;
	pm->defer_batch = pm->batch * (FRAME_DEFER_BATCH / FRAME_BATCH);
	pm->spare_max = FRAME_SPARE_MAX;
	while (pm->spare_max > 1 && pm->spare_max > pm->frames / pm->batch / 64)
		pm->spare_max /= 2;
}

static int physmem_fill(struct physmem *pm, const struct physmem_range *segment, unsigned n, bool bytes)
{
	const struct physmem_range *last = &segment[n - 1];

	pm->base = segment[0].pfn;
	pm->span = last->pfn + last->pages - pm->base;
	pm->nsegments = n;
	for (unsigned i = 0; i < n; i++)
		pm->frames += segment[i].pages;
	set_batches(pm);
	if (thread_local_init(&pm->slots, sizeof(struct frame_slot)))
		return -ENOMEM;
	pm->segment = mem_alloc(MEM_FRAME, n * sizeof(*segment), CACHE_LINE);
	pm->word = mem_reserve(MEM_FRAME, pm->span * sizeof(*pm->word));
	pm->batch_of = mem_reserve(MEM_FRAME, pm->span * sizeof(*pm->batch_of));
	pm->record = mem_reserve(MEM_FRAME, pm->span * sizeof(*pm->record));
	if (bytes)
		pm->bytes = mem_reserve(MEM_FRAME, pm->span << PAGE_SHIFT);
	if (!pm->segment || !pm->word || !pm->batch_of || !pm->record || (bytes && !pm->bytes))
		return -ENOMEM;
	memcpy(pm->segment, segment, n * sizeof(*segment));
	return 0;
}

API int physmem_create(struct physmem **out, const struct physmem_config *config)
{
	struct physmem_range all = { 0, PHYSMEM_DEFAULT_PAGES };
	const struct physmem_range *segment = &all;
	unsigned n = 1;
	struct physmem *pm;
	int err;

	if (!out || (config && config->size != sizeof(*config)))
		return -EINVAL;
	if (config && config->pages)
		all.pages = config->pages;
	if (config && config->segments) {
		segment = config->segments;
		n = config->nsegments;
	}
	if (!segments_fit(segment, n))
		return -EINVAL;
	pm = mem_alloc(MEM_FRAME, sizeof(*pm), CACHE_PAIR);
	if (!pm)
		return -ENOMEM;
	err = physmem_fill(pm, segment, n, config && config->bytes);
	if (err) {
		physmem_free(pm);
		return err;
	}
	pm->hook.fn = frame_slot_exit;
	thread_exit_hook_add(&pm->hook);
	*out = pm;
	return 0;
}

API void physmem_destroy(struct physmem *pm)
{
	struct physmem_usage usage;

	if (!pm)
		return;
	thread_exit_hook_remove(&pm->hook);
	rcu_drain(); /* objects put last, after vmmap_destroy, give their frames back late */
	frame_settle(pm);
	physmem_get_usage(pm, &usage);
	ASSERT(usage.owned == 0);
	physmem_free(pm);
}

/* ---- frames, from outside the engine ---- */

API uint64_t physmem_frame_alloc(struct physmem *pm)
{
	return frame_alloc_for(pm, thread_self(), FRAME_OWNER_CALLER);
}

/* Unlike the engine's frame_free this decides a race between two frees of one frame: by CAS. */
API int physmem_frame_free(struct physmem *pm, uint64_t pfn)
{
	uint64_t index = pfn - pm->base, old;

	if (index >= pm->span)
		return -EINVAL;
	old = atomic_load_relaxed(&pm->word[index]);
	if ((uint32_t)old != frame_owned(FRAME_OWNER_CALLER, 0) ||
	    !atomic_cas_relaxed(&pm->word[index], &old, frame_word(old, FRAME_FREE, 0)))
		return -EINVAL;
	frame_free_slow(pm, thread_self(), (uint32_t)index);
	return 0;
}

API void physmem_get_usage(struct physmem *pm, struct physmem_usage *out)
{
	uint64_t taken = atomic_load_relaxed(&pm->stray_taken), late = atomic_load_relaxed(&pm->stray_late);

	memset(out, 0, sizeof(*out));
	out->frames = pm->frames;
	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct frame_slot *slot = thread_local_at(&pm->slots, i);

		if (!slot)
			continue;
		taken += atomic_load_relaxed(&slot->taken);
		late += atomic_load_relaxed(&slot->late);
		out->cached += atomic_load_relaxed(&slot->loaded_n) +
			       frame_shelf_count(pm, atomic_load_relaxed(&slot->spare));
		out->deferred += atomic_load_relaxed(&slot->open_n) +
				 frame_shelf_count(pm, atomic_load_relaxed(&slot->closed));
	}
	out->free = pm->frames - taken;
	out->deferred += late;
	out->owned = pm->frames - out->free - out->cached - out->deferred;
}
