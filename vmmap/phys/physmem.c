/* SPDX-License-Identifier: MIT */
/*
 * physmem.c - an instance: segments, metadata, the public calls.
 *
 * Everything per frame lies in arrays over the span from the first frame that there may be to the last, reserved and
 * lazily backed: an index is a subtraction whatever the number of segments (reference: Linux's vmemmap), and a
 * machine of 1 TiB costs memory only for the frames that are used, and a word for each 2 MiB. A hole's words stay
 * FRESH, so that freeing one is an error.
 *
 * Written once before the instance is known to others [const]: base, span, arrays.
 * SIZES  batch, defer_batch, spare_max, depot_max: set by each plug, and by an unplug before its drains, by how much
 *        there is then (physmem_set_sizes). The inlined paths go by the slot's copy of the first two, which its
 *        thread makes anew each time that it comes the slow way: when a batch is full, or empty, or caches are closed.
 *        Who reads one may have an older one, and chains that were made by older ones stay as they are: each says
 *        itself how long it is (frame_batch.count), and all comparisons are for at least, or less. So a chain of
 *        another length is one that moves more, or fewer, frames at a time. What a slot or the depot keeps beyond a
 *        new bound goes to the depot, and to rows, by the drains of that unplug (frame_isolate.c), of idle slots as
 *        well; who comes the slow way from then on has seen the new sizes (I1 -> I2).
 * USAGE  cached = loaded + spare, deferred = open + closed + late, free = frames - taken: sums over slots, exact when
 *        no call runs. Shared counters are those that seldom change: `frames` (physmem_plug.c), `poisoned`, and the
 *        balloon's.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/point.h"
#include "vmmap/phys/frame_depot.h"
#include "vmmap/phys/physmem_balloon.h"
#include "vmmap/phys/physmem_report.h"
#include "vmmap/phys/physmem_slots.h"
#include "vmmap/phys/physseg.h"
#include "vmmap/physmem_host.h"

#define PHYSMEM_DEFAULT_PAGES (UINT64_C(1) << 18)

/* ---- life ---- */

/* Segments that follow each other in [base, limit). */
static bool segments_fit(const struct physmem_range *segment, unsigned n, uint64_t base, uint64_t limit)
{
	uint64_t end = base;

	for (unsigned i = 0; i < n; i++) {
		if (!segment[i].pages || segment[i].pfn < end || segment[i].pfn >= limit ||
		    segment[i].pages > limit - segment[i].pfn)
			return false;
		end = segment[i].pfn + segment[i].pages;
	}
	return n != 0;
}

static void physmem_free(struct physmem *pm)
{
	uint64_t span = pm->span;

	physmem_report_fini(pm);
	physmem_balloon_fini(pm);
	thread_local_free(&pm->slots, NULL, NULL);
	physseg_destroy(pm->segments);
	frame_bits_fini(&pm->bits);
	mem_unreserve(MEM_FRAME, pm->bytes, span << PAGE_SHIFT);
	mem_unreserve(MEM_FRAME, pm->record, span * sizeof(*pm->record));
	mem_unreserve(MEM_FRAME, pm->batch_of, span * sizeof(*pm->batch_of));
	mem_unreserve(MEM_FRAME, pm->word, span * sizeof(*pm->word));
	mem_free(MEM_FRAME, pm, sizeof(*pm));
}

/* At most that many, and a power of two; 1 at least. */
static uint32_t at_most(uint32_t n, uint64_t most)
{
	while (n > 1 && n > most)
		n /= 2;
	return n;
}

/* Small instances move frames in small batches, so that a few caches do not swallow all of them. Else what a thread
 * gives back stays near it, up to half of all there is: the next one would fetch each frame's word and record. */
void physmem_set_sizes(struct physmem *pm)
{
	uint64_t frames = atomic_load_relaxed(&pm->frames) - pm->leaving;
	uint32_t batch = at_most(FRAME_BATCH, frames / 64);
	uint32_t spare = batch < FRAME_BATCH ? 1 : at_most(FRAME_SPARE_MAX, frames / FRAME_BATCH / 2);

	atomic_store_relaxed(&pm->batch, batch);
	atomic_store_relaxed(&pm->defer_batch, batch * (FRAME_DEFER_BATCH / FRAME_BATCH));
	atomic_store_relaxed(&pm->spare_max, spare);
	atomic_store_relaxed(&pm->depot_max, at_most(FRAME_DEPOT_MAX, frames / batch / 8));
}

void physmem_leaving(struct physmem *pm, uint64_t frames)
{
	park_lock(&pm->plug_lock);
	pm->leaving += frames;
	if (!BASE_MUTANT(unplug_keeps_sizes))
		physmem_set_sizes(pm);
	park_unlock(&pm->plug_lock);
}

static int arrays_reserve(struct physmem *pm, bool bytes)
{
	pm->word = mem_reserve(MEM_FRAME, pm->span * sizeof(*pm->word));
	pm->batch_of = mem_reserve(MEM_FRAME, pm->span * sizeof(*pm->batch_of));
	pm->record = mem_reserve(MEM_FRAME, pm->span * sizeof(*pm->record));
	if (bytes)
		pm->bytes = mem_reserve(MEM_FRAME, pm->span << PAGE_SHIFT);
	return pm->word && pm->batch_of && pm->record && (pm->bytes || !bytes) ? 0 : -ENOMEM;
}

static int parts_init(struct physmem *pm, bool bytes)
{
	int err;

	if (thread_local_init(&pm->slots, sizeof(struct frame_slot)))
		return -ENOMEM;
	err = arrays_reserve(pm, bytes);
	if (err == 0)
		err = frame_bits_init(&pm->bits, pm->span, PLANE_FLAT);
	if (err == 0)
		err = physseg_create_bare(&pm->segments, pm->base, pm->base + pm->span);
	return err;
}

static int physmem_fill(struct physmem *pm, const struct physmem_config *config, const struct physmem_range *segment,
			unsigned n)
{
	int err = parts_init(pm, config->bytes);

	for (unsigned i = 0; i < n && err == 0; i++)
		err = physmem_plug(pm, segment[i].pfn, segment[i].pages, 0);
	return err;
}

/* Where segments may be: what the config says, or what its segments need. */
static void set_span(struct physmem_config *config, const struct physmem_range *segment, unsigned n)
{
	if (config->limit == 0) {
		config->base = segment[0].pfn;
		config->limit = segment[n - 1].pfn + segment[n - 1].pages;
	}
}

API int physmem_create(struct physmem **out, const struct physmem_config *config)
{
	struct physmem_config c = config ? *config : (struct physmem_config)PHYSMEM_CONFIG;
	struct physmem_range all = { c.base, c.pages ? c.pages : PHYSMEM_DEFAULT_PAGES };
	const struct physmem_range *segment = c.segments ? c.segments : &all;
	unsigned n = c.segments ? c.nsegments : 1;
	struct physmem *pm;
	int err;

	if (!out || c.size != sizeof(c) || n == 0)
		return -EINVAL;
	set_span(&c, segment, n);
	c.base -= c.base % FRAME_BLOCK_FRAMES;
	if (c.limit > FRAME_PFN_MAX || !segments_fit(segment, n, c.base, c.limit) || c.limit - c.base > FRAME_SPAN_MAX)
		return -EINVAL;
	pm = mem_alloc(MEM_FRAME, sizeof(*pm), CACHE_PAIR);
	if (!pm)
		return -ENOMEM;
	pm->base = c.base;
	pm->span = c.limit - c.base;
	err = physmem_fill(pm, &c, segment, n);
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
	physmem_balloon_stop(pm);
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
	return frame_take(pm, thread_self(), FRAME_OWNER_CALLER);
}

API void physmem_get_usage(struct physmem *pm, struct physmem_usage *out)
{
	uint64_t taken = atomic_load_relaxed(&pm->stray_taken), late = atomic_load_relaxed(&pm->stray_late);

	memset(out, 0, sizeof(*out));
	out->frames = atomic_load_relaxed(&pm->frames);
	for (uint32_t i = 0, n = thread_count(); i < n; i++) {
		struct frame_slot *slot = thread_local_at(&pm->slots, i);

		if (!slot)
			continue;
		taken += atomic_load_relaxed(&slot->taken);
		late += atomic_load_relaxed(&slot->late);
		for (enum frame_kind kind = 0; kind < FRAME_KINDS; kind++)
			out->cached += atomic_load_relaxed(&slot->cache[kind].loaded_n) +
				       frame_shelf_count(pm, atomic_load_relaxed(&slot->cache[kind].spare));
		out->deferred += atomic_load_relaxed(&slot->open_n) +
				 frame_shelf_count(pm, atomic_load_relaxed(&slot->closed));
	}
	out->free = out->frames - taken;
	out->deferred += late;
	out->balloon = physmem_balloon_size(pm);
	out->poisoned = atomic_load_relaxed(&pm->poisoned);
	out->isolated = atomic_load_relaxed(&pm->isolated);
	out->owned = out->frames - out->free - out->cached - out->deferred - out->balloon - out->poisoned -
		     out->isolated;
}
