/* SPDX-License-Identifier: MIT */
/*
 * physseg_slot.c - memory of segments: slots that are never given back while the table lives.
 *
 * A handle is a slot and its generation, so asking whether it is valid reads memory that is still a slot, whatever has
 * become of the segment. The first slots are part of the table: nothing has to be allocated before there are frames.
 * GENERATION  even: free, odd: plugged; one more at each plug and unplug. A slot whose generation would come back to an
 *             old value is not used again.
 */
#include <errno.h>

#include "base/mem.h"
#include "vmmap/phys/physseg_impl.h"

#define LAST_GENERATION (UINT32_MAX - 1)

static size_t chunk_bytes(unsigned chunk) { return ((size_t)PHYSSEG_BOOT_SLOTS << chunk) * sizeof(struct physseg); }

struct physseg *physseg_slot_at(struct physseg_table *t, uint32_t number)
{
	uint64_t at = (uint64_t)number + PHYSSEG_BOOT_SLOTS;
	unsigned top = 63 - (unsigned)__builtin_clzll(at), chunk = top - (unsigned)__builtin_ctz(PHYSSEG_BOOT_SLOTS);
	struct physseg *first = chunk < PHYSSEG_CHUNKS ? atomic_load_acquire(&t->chunk[chunk]) : NULL;   /* C2 -> C1 */

	return first ? &first[at - (UINT64_C(1) << top)] : NULL;
}

static void free_push(struct physseg_table *t, struct physseg *seg)
{
	seg->next_free = t->free;
	t->free = seg->number + 1;
	t->nfree++;
}

/* The chunk's slots, so that the lowest number is taken first. */
static void chunk_free(struct physseg_table *t, unsigned chunk)
{
	uint32_t n = PHYSSEG_BOOT_SLOTS << chunk;

	for (uint32_t i = n; i-- > 0;)
		free_push(t, &atomic_load_relaxed(&t->chunk[chunk])[i]);
	t->nslots += n;
}

static void chunk_number(struct physseg *first, unsigned chunk)
{
	uint32_t n = PHYSSEG_BOOT_SLOTS << chunk;

	for (uint32_t i = 0; i < n; i++)
		first[i].number = n - PHYSSEG_BOOT_SLOTS + i;
}

void physseg_slots_init(struct physseg_table *t)
{
	chunk_number(t->boot, 0);
	atomic_store_relaxed(&t->chunk[0], t->boot);
	chunk_free(t, 0);
}

void physseg_slots_fini(struct physseg_table *t)
{
	for (unsigned i = 1; i < PHYSSEG_CHUNKS; i++)
		mem_free(MEM_FRAME, atomic_load_relaxed(&t->chunk[i]), chunk_bytes(i));
}

int physseg_slots_add(struct physseg_table *t)
{
	struct physseg *first;
	unsigned chunk = 0;

	while (chunk < PHYSSEG_CHUNKS && atomic_load_acquire(&t->chunk[chunk]) != NULL)                  /* C2 -> C1 */
		chunk++;
	if (chunk == PHYSSEG_CHUNKS)
		return -ENOSPC;
	first = mem_alloc(MEM_FRAME, chunk_bytes(chunk), CACHE_LINE);
	if (first == NULL)
		return -ENOMEM;
	chunk_number(first, chunk);
	spin_lock(&t->lock);
	if (atomic_load_relaxed(&t->chunk[chunk]) == NULL) {
		atomic_store_release(&t->chunk[chunk], first);                   /* C1 */
		chunk_free(t, chunk);
		first = NULL;
	}
	spin_unlock(&t->lock);
	mem_free(MEM_FRAME, first, chunk_bytes(chunk));                  /* somebody else was faster                */
	return 0;
}

struct physseg *physseg_slot_take(struct physseg_table *t)
{
	struct physseg *seg = physseg_slot_at(t, t->free - 1);

	ASSERT(t->nfree > 0);
	t->free = seg->next_free;
	t->nfree--;
	return seg;
}

void physseg_slot_give(struct physseg_table *t, struct physseg *seg)
{
	if (atomic_load_relaxed(&seg->generation) < LAST_GENERATION)
		free_push(t, seg);
}
