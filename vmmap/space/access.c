/* SPDX-License-Identifier: MIT */
/*
 * access.c - loads and stores: what the hardware does on a TLB hit, and a fault when it misses.
 *
 * HIT     An access whose entry is present and permits it asks no policy, as a TLB hit asks no lock. It runs inside
 *         RCU; frames that other threads touched are deferred past it (retire.c), so it never reads a reused frame.
 * STORE   holds the entry LOCKED while it copies within one page: once munmap, mprotect or a copy-on-write has visited
 *         the entry, no earlier store is in flight, and none is lost.
 * LOAD    holds nothing: what it copied was there at some instant between its first and last word. Before the first
 *         word it makes sure that the entry does not claim another thread as the only toucher.
 * SHARED  a frame that a fork has shared may become another map's alone, and be stored to there, as soon as this map's
 *         entry is gone. So who loads through a shared entry looks at it again behind the last word. The same entry:
 *         it was there all the time, since only a fork brings back a frame that was given up, to a child. Another:
 *         begin again.
 *         The bytes it has read carry the order: the store of each is release, after the take-over, after the share
 *         was given up, after the entry went; its load is acquire, and the second look comes behind (frame_bytes.c).
 * WORDS   bytes move as atomic words (frame_read, frame_write): a racing pair is defined, and may interleave.
 */
#include <string.h>

#include "vmmap/space/space.h"

/* The entry now says that this thread, too, may be reading the frame. false: it changed meanwhile. */
static bool access_touch(struct thread_slot *self, atomic_u64 *entry, uint64_t *seen)
{
	uint64_t next = *seen & ~(UINT64_C(0xfff) << PT_TOUCHER_SHIFT);

	if (pt_toucher(*seen) == 0 || pt_toucher(*seen) == self->number + 1 || BASE_MUTANT(access_keeps_toucher))
		return true;
	if (*seen & PT_LOCKED || !atomic_cas_seqcst(entry, seen, next))         /* S1 -> S2; S2 -> S1 */
		return false;
	*seen = next;
	return true;
}

static bool access_load(struct vmmap *map, struct thread_slot *self, atomic_u64 *entry, uint64_t addr, void *bytes,
			size_t len)
{
	uint64_t seen = entry ? atomic_load_acquire(entry) : 0;                 /* S2 -> S1 */

	if ((seen & (PT_PRESENT | PT_READ)) != (PT_PRESENT | PT_READ) || !access_touch(self, entry, &seen))
		return false;
	BASE_POINT(access_before_load);
	if (seen & PT_ZERO)
		memset(bytes, 0, len);
	else
		frame_read(map->physmem, pt_pfn(seen), addr & (PAGE_BYTES - 1), bytes, len);
	BASE_POINT(access_after_load);
	return likely(!(seen & PT_SHARED)) || BASE_MUTANT(load_looks_once) ||
	       ((atomic_load_acquire(entry) ^ seen) & ~(uint64_t)PT_LOCKED) == 0;      /* S2 -> S1 */
}

static bool access_store(struct vmmap *map, struct thread_slot *self, atomic_u64 *entry, uint64_t addr,
			 const void *bytes, size_t len)
{
	uint64_t seen = entry ? atomic_load_acquire(entry) : 0;                 /* S2 -> S1 */
	uint32_t toucher = pt_toucher(seen) == self->number + 1 ? self->number + 1 : 0;

	if ((seen & (PT_PRESENT | PT_WRITE | PT_LOCKED)) != (PT_PRESENT | PT_WRITE) || !pt_lock(entry, seen))
		return false;
	BASE_POINT(access_before_store);
	frame_write(map->physmem, pt_pfn(seen), addr & (PAGE_BYTES - 1), bytes, len);
	pt_store(entry, pt_entry(pt_pfn(seen), (seen & ((1u << PT_PFN_SHIFT) - 1)) | PT_DIRTY | PT_YOUNG, toucher));
	return true;
}

/* One page. 0, or what the fault said. */
static int access_page(struct vmmap *map, struct thread_slot *self, uint64_t addr, void *bytes, size_t len, bool write)
{
	struct park_spin spin = PARK_SPIN;

	for (;;) {
		atomic_u64 *entry;
		bool done;
		int err;

		rcu_enter(self);
		entry = pt_find(&map->pt, addr);
		done = write ? access_store(map, self, entry, addr, bytes, len)
			     : access_load(map, self, entry, addr, bytes, len);
		rcu_leave(self);
		if (done)
			return 0;
		err = space_fault(map, self, addr, write ? VMA_WRITE : VMA_READ, true, NULL);
		if (!err)
			err = space_again(self, &spin);
		if (err)
			return err;
	}
}

ssize_t space_copy(struct vmmap *map, struct thread_slot *self, uint64_t addr, void *bytes, size_t len, bool write)
{
	size_t done = 0;

	while (done < len) {
		size_t part = PAGE_BYTES - ((addr + done) & (PAGE_BYTES - 1));
		int err;

		if (part > len - done)
			part = len - done;
		err = access_page(map, self, addr + done, (char *)bytes + done, part, write);
		if (err)
			return done ? (ssize_t)done : err;
		done += part;
	}
	space_count(map, self, SPACE_ACCESS, 1);
	return (ssize_t)done;
}
