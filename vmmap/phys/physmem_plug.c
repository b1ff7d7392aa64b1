/* SPDX-License-Identifier: MIT */
/*
 * physmem_plug.c - segments come to a machine that runs.
 *
 * ORDER     memory for the words of its blocks (may fail; nobody can tell); the table of segments decides whether there
 *           is room (may fail); then the blocks' words, by which its frames can be had at once, the sums, and how much
 *           caches keep (physmem.c). So a failure has changed nothing.
 * EDGES     P1 store-release of `blocks`, after the words -> P2 its acquire: a search sees the words of all blocks it
 *           goes through. Who searches beside the plug may find nothing of it, and answers for the time before.
 * LOCK      plug_lock: one change of the segments at a time, beside everything else; memory is allocated under it. No
 *           allocation or free of a frame takes it.
 */
#include <errno.h>

#include "vmmap/phys/frame.h"
#include "vmmap/phys/frame_bits.h"
#include "vmmap/phys/physmem_notify.h"
#include "vmmap/phys/physmem_slots.h"
#include "vmmap/phys/physseg.h"

static int plug(struct physmem *pm, uint64_t pfn, uint64_t pages, enum frame_class kind)
{
	uint64_t lo = pfn - pm->base, hi = lo + pages, blocks = (hi + FRAME_BLOCK_FRAMES - 1) >> FRAME_BLOCK_ORDER;
	int err = frame_bits_cover(&pm->bits, lo, hi, kind);

	if (err == 0)
		err = physseg_plug(pm->segments, pfn, pages, NULL);
	if (err != 0)
		return err;
	frame_bits_come(&pm->bits, lo, hi, kind);
	atomic_store_relaxed(&pm->frames, atomic_load_relaxed(&pm->frames) + pages);
	physmem_set_sizes(pm);
	if (blocks > atomic_load_relaxed(&pm->blocks))
		atomic_store_release(&pm->blocks, blocks);                       /* P1 */
	return 0;
}

API int physmem_plug(struct physmem *pm, uint64_t pfn, uint64_t pages, int movable)
{
	uint64_t told;
	int err;

	if (pages == 0 || pfn < pm->base || pfn - pm->base >= pm->span || pages > pm->span - (pfn - pm->base))
		return -EINVAL;
	err = physmem_notify_begin(pm, PHYSMEM_GOING_ONLINE, pfn, pages, &told);
	if (err != 0 && !BASE_MUTANT(plug_ignores_veto))
		return err;
	park_lock(&pm->plug_lock);
	err = plug(pm, pfn, pages, movable ? FRAME_CLASS_MOVABLE : FRAME_CLASS_NONE);
	park_unlock(&pm->plug_lock);
	physmem_notify_end(pm, err ? PHYSMEM_CANCEL_ONLINE : PHYSMEM_ONLINE, pfn, pages, told);
	return err;
}
