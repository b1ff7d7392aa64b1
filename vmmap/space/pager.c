/* SPDX-License-Identifier: MIT */
/*
 * pager.c - pages that are read from a pager and written back to it. Words and edges: object.h.
 *
 * FILL       reference, frame, BUSY by CAS, read_page, then PRESENT, or 0 if it failed; then wake whoever waited. One
 *            asks, the others wait and look again from the address: where the first one failed, each asks for itself.
 *            A resize may take the BUSY mark away: what was read is dropped then, and the fault starts again.
 * SYNC       one page after the other: DIRTY becomes WRITEBACK, WRITE goes out of every entry that maps the page (no
 *            store is in flight then), its bytes are copied, write_page is given the copy. A page that is pinned stays
 *            dirty (Y4): each sync writes it, up to the first one after the last unpin. Who meets WRITEBACK waits: two
 *            writes of one page follow each other. Who meets MOVING waits, too: it may be dirty. Who holds a range
 *            (vmmap_hold) does not wait for WRITEBACK, since its owner may wait for that.
 * CALLBACKS  run with nothing held but the mark and a reference; they may sleep, and may call anything that does not
 *            wait for this very mark (a fault on that page, a sync of it, a resize that cuts it off while it is
 *            written).
 * NOT HERE   Reading ahead; writing back by itself: the last put of an object drops dirty pages with the others.
 */
#include <string.h>

#include "vmmap/space/space.h"

void object_woken(struct object *object)
{
	atomic_add_seqcst(&object->wake, 1);                                     /* B1 -> B2 */
	park_wake(&object->wake, INT32_MAX);
}

int object_wait(struct object *object, struct thread_slot *self, atomic_u64 *entry, uint64_t marked)
{
	uint32_t wake = atomic_load_seqcst(&object->wake);                       /* B2 -> B1: before the word */

	if (atomic_load_seqcst(entry) != marked)                                /* B2 -> B1 */
		return 0;
	if (self->deadline_ns == LOCK_TRY)
		return -EAGAIN;
	BASE_POINT(object_before_wait);
	if (BASE_MUTANT(wait_looks_late))
		wake = atomic_load_seqcst(&object->wake);                       /* B2 -> B1 */
	return park_wait(&object->wake, wake, self->deadline_ns);
}

/* Gives the frame that we fill to the page. false: the mark is gone. */
static bool fill_publish(atomic_u64 *entry, uint64_t frame, bool good)
{
	uint64_t seen = atomic_load_seqcst(entry), next;                        /* P1 -> P2 */

	do {
		if ((!(seen & OBJECT_BUSY) || pt_pfn(seen) != frame) && !(BASE_MUTANT(fill_ignores_cut) && !seen))
			return false;
		next = (good ? pt_entry(frame, PT_PRESENT, 0) : 0) | (seen & OBJECT_WRITEBACK);
	} while (!atomic_cas_seqcst(entry, &seen, next));                        /* P1 -> P2 */
	return good;
}

/* The callbacks are the user's: a deadline of the call that needs them is not theirs. */
static int call_read(struct object *object, struct thread_slot *self, uint64_t page, void *bytes)
{
	uint64_t deadline = BASE_MUTANT(pager_keeps_deadline) ? self->deadline_ns : thread_deadline(self, PARK_FOREVER);
	int err = object->pager.read_page(object->pager.self, page, bytes);

	thread_deadline(self, deadline);
	return err;
}

static int call_write(struct object *object, struct thread_slot *self, uint64_t page, const void *bytes)
{
	uint64_t deadline = thread_deadline(self, PARK_FOREVER);
	int err = object->pager.write_page(object->pager.self, page, bytes);

	thread_deadline(self, deadline);
	return err;
}

static int fill_read(struct object *object, struct thread_slot *self, uint64_t page, uint64_t frame)
{
	uint64_t filled = atomic_load_seqcst(&object->filled), at = page << PAGE_SHIFT;          /* P1, after BUSY */
	unsigned char bytes[PAGE_BYTES] = { 0 };

	if (at < filled && call_read(object, self, page, bytes))
		return -EIO;
	if (filled < at + PAGE_BYTES)
		memset(bytes + (filled > at ? filled - at : 0), 0, PAGE_BYTES - (filled > at ? filled - at : 0));
	frame_write(object->physmem, frame, 0, bytes, PAGE_BYTES);
	return 0;
}

int object_fill(struct object *object, struct thread_slot *self, uint64_t page)
{
	atomic_u64 *entry;
	uint64_t seen, frame;
	int err;

	rcu_enter(self);
	entry = pt_find(&object->pages, page << PAGE_SHIFT);     /* made by who found the page absent; it stays    */
	rcu_leave(self);
	seen = atomic_load_seqcst(entry);                                       /* B2 -> B1 */
	if (seen & OBJECT_BUSY)
		return object_wait(object, self, entry, seen);
	if (seen & (PT_PRESENT | OBJECT_NEW) || !object_paged(object))
		return 0;
	rcu_enter(self);
	/* Inside: does not wait; the fault does, by its deadline. */
	frame = frame_alloc_named(object->physmem, self, FRAME_OWNER_OBJECT, rmap_name(object), page);
	rcu_leave(self);
	if (frame == PHYSMEM_NONE)
		return -ENOMEM;
	if (!atomic_cas_seqcst(entry, &seen,                                    /* P1 -> P2 */
			       pt_entry(frame, OBJECT_BUSY | (seen & OBJECT_WRITEBACK), 0))) {
		frame_give(object->physmem, self, frame, FRAME_OWNER_OBJECT);
		return 0;
	}
	BASE_POINT(fill_busy);
	err = fill_read(object, self, page, frame);
	BASE_POINT(fill_before_publish);
	if (!fill_publish(entry, frame, !err && page < object_pages(object)))    /* Z5 -> Z6: after BUSY */
		frame_give(object->physmem, self, frame, FRAME_OWNER_OBJECT);    /* nobody but us has seen it  */
	object_woken(object);
	return err;
}

/* ---- sync ---- */

/* Takes the page's dirty mark for a write of our own. *taken 0: nothing is to be written. */
static int sync_take(struct object *object, struct thread_slot *self, atomic_u64 *entry, uint64_t *taken)
{
	uint64_t seen = atomic_load_seqcst(entry), next;                        /* Y1 -> Y2 */
	int err;

	*taken = 0;

	for (;;) {
		if (seen & OBJECT_WRITEBACK && !BASE_MUTANT(sync_no_wait)) {
			if (self->holds && self->deadline_ns != LOCK_TRY && !BASE_MUTANT(sync_waits_holding))
				return -EDEADLK;
			err = object_wait(object, self, entry, seen);
			if (err)
				return err;
			seen = atomic_load_seqcst(entry);                       /* Y1 -> Y2 */
			continue;
		}
		if (seen & OBJECT_MOVING && !BASE_MUTANT(sync_passes_moving)) {
			err = object_wait(object, self, entry, seen);
			if (err)
				return err;
			seen = atomic_load_seqcst(entry);                       /* Y1 -> Y2 */
			continue;
		}
		if ((seen & (PT_PRESENT | PT_DIRTY)) != (PT_PRESENT | PT_DIRTY))
			return 0;
		next = (seen & ~(uint64_t)PT_DIRTY) | OBJECT_WRITEBACK;
		if (BASE_MUTANT(sync_clears_late))
			next |= PT_DIRTY;
		if (atomic_cas_seqcst(entry, &seen, next)) {                     /* Y1 -> Y2 */
			*taken = next;
			return 0;
		}
	}
}

/* A copy of the page's bytes, zeros from the object's end on. false: it was cut off meanwhile. */
static bool sync_copy(struct object *object, struct thread_slot *self, uint64_t page, atomic_u64 *entry, uint64_t taken,
		      unsigned char *bytes)
{
	uint64_t now, size = atomic_load_seqcst(&object->size), at = page << PAGE_SHIFT;        /* Y3 -> Z6 */
	bool there;

	rcu_enter(self);                                 /* a frame that is cut off lives until we are out         */
	now = atomic_load_seqcst(entry);                                        /* Z4 -> Z3 */
	there = now & PT_PRESENT && pt_pfn(now) == pt_pfn(taken) && at < size;
	if (there)
		frame_read(object->physmem, pt_pfn(now), 0, bytes, PAGE_BYTES);
	rcu_leave(self);
	if (there && size - at < PAGE_BYTES)
		memset(bytes + (size - at), 0, PAGE_BYTES - (size - at));
	return there;
}

/* Who pinned the page may store into its frame past all entries: it has to stay dirty. Asked after the walk, before the
 * copy. Of a page that was cut off meanwhile the answer is nobody's. */
static bool sync_pinned(struct object *object, uint64_t taken)
{
	return frame_counts(object->physmem, pt_pfn(taken)).refs > 1 &&          /* Y4 -> Y5 */
	       !BASE_MUTANT(sync_forgets_pinned);
}

static void sync_done(struct object *object, atomic_u64 *entry, uint64_t taken, bool dirty)
{
	uint64_t seen = atomic_load_seqcst(entry), next;                        /* B1 -> B2 */

	do {
		next = seen & ~(uint64_t)OBJECT_WRITEBACK;
		if (dirty && seen & PT_PRESENT && pt_pfn(seen) == pt_pfn(taken))
			next |= PT_DIRTY;
		if (!dirty && BASE_MUTANT(sync_clears_late))
			next &= ~(uint64_t)PT_DIRTY;
	} while (!atomic_cas_seqcst(entry, &seen, next));                       /* B1 -> B2 */
	object_woken(object);
}

static int sync_page(struct object *object, struct thread_slot *self, uint64_t page, atomic_u64 *entry)
{
	struct rmap_walk w = { .object = object, .self = self, .lo = page, .hi = page + 1 };
	unsigned char bytes[PAGE_BYTES] = { 0 };
	uint64_t taken;
	bool pinned;
	int err = sync_take(object, self, entry, &taken);

	if (err || !taken)
		return err;
	BASE_POINT(sync_after_take);
	if (!BASE_MUTANT(sync_keeps_write))
		err = rmap_walk(&w);
	BASE_POINT(sync_after_walk);
	pinned = sync_pinned(object, taken);
	if (!err && sync_copy(object, self, page, entry, taken, bytes)) {
		BASE_POINT(sync_after_copy);
		if (call_write(object, self, page, bytes))
			err = -EIO;
	}
	BASE_POINT(sync_before_done);
	if (BASE_MUTANT(sync_looks_late))
		pinned = sync_pinned(object, taken);
	sync_done(object, entry, taken, pinned || (err != 0 && !BASE_MUTANT(sync_forgets_failure)));
	return err;
}

int object_sync(struct object *object, struct thread_slot *self, uint64_t lo, uint64_t hi)
{
	uint64_t at = lo << PAGE_SHIFT, pages = object_pages(object), end = (hi < pages ? hi : pages) << PAGE_SHIFT;
	int err = 0;

	while (object_paged(object) && at < end) {
		atomic_u64 *entry;
		int one;

		rcu_enter(self);
		entry = pt_next(&object->pages, &at, end);       /* its tables stay as long as the object */
		rcu_leave(self);
		if (!entry)
			break;
		one = sync_page(object, self, at >> PAGE_SHIFT, entry);
		if (one && one != -EIO)
			return one;
		err = one ? one : err;
		at += PAGE_BYTES;
	}
	return err;
}
