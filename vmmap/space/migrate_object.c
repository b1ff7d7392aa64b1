/* SPDX-License-Identifier: MIT */
/*
 * migrate_object.c - a page of an object goes to another frame. Words and edges of pages: object.h; else: migrate.c.
 *
 * STEPS   1 the object's reference, by the frame's name; its resize lock, tried: no size changes, no page is cut
 *         2 no entry of it is being moved by mremap (V); the page PRESENT -> MOVING, by CAS (X1). No fault stores an
 *           entry of it from here on that was not LOCKED before; who wants the page, or its dirty mark, waits
 *         3 rmap_seek: all entries that show it. One LOCKED: of a fault that may have looked before 2, so BUSY
 *         4 each LOCKED; no mremap since 2 (else one may have been carried past 3: BUSY); no reference but the page's
 *           own (else PINNED): none can come, since who pins has an entry LOCKED (pin.c)
 *         5 copy, name, entries (migrate_over); page -> PRESENT with the new frame, dirty as it was; waiters wake
 *         on failure: entries as they were, page as it was; waiters wake
 * ENTRIES of an object's page are not counted, so 3 has to be complete: an entry was stored under a hint that had been
 *         in the ring (rmap.c), and is at that place unless mremap moves it (2, 4). What munmap under a policy that
 *         downgrades has left for later stands under a hint as well (unmap.c). A map whose gate is closed is not looked
 *         at: a child that is made has no entries of objects, in a map that is destroyed nobody loads any more.
 * EDGES   X1 -> X2, V2 -> V1, B1 -> B2: object.h. S1, S2 of pt.c, an entry LOCKED, or taken out, after its pin: that is
 *         counted. K2 -> K1 of frame_record.h: what was done through one that has gone.
 * ORDER   object.resize_lock (tried) -> object.lock -> entries (tried). Nothing is waited for.
 * PROGRESS of one call: bounded; a page in use all the time by faults that hold its entry may be BUSY each time.
 * NOT PROMISED  that a resize by who holds a range (vmmap_hold) is not told -EDEADLK because a page moves just then.
 * SOURCE  migrate_folio and the locked folio of Linux's page cache (mm/migrate.c).
 */
#include "vmmap/space/migrate.h"

static struct object *page_object(const struct migrate *m)
{
	return (struct object *)(uintptr_t)m->seek.name.where;
}

static atomic_u64 *page_word(const struct migrate *m)
{
	return pt_find(&page_object(m)->pages, m->seek.name.page << PAGE_SHIFT);
}

/* 2: *was: the word before. */
static bool page_begin(const struct migrate *m, uint64_t *was)
{
	atomic_u64 *word = page_word(m);
	uint64_t seen = word ? atomic_load_seqcst(word) : 0;                     /* Z7 -> Z5 */

	*was = seen;
	if (!(seen & PT_PRESENT) || seen & OBJECT_WRITEBACK || pt_pfn(seen) != m->seek.pfn)
		return false;
	return BASE_MUTANT(migrate_page_unmarked) ||
	       atomic_cas_seqcst(word, &seen, pt_entry(m->seek.pfn, OBJECT_BUSY | OBJECT_MOVING |      /* X1 -> X2 */
							       (seen & PT_DIRTY), 0));
}

static void page_end(const struct migrate *m, uint64_t now)
{
	atomic_store_seqcst(page_word(m), now);                                  /* B1 -> B2; Z7 */
	object_woken(page_object(m));
}

/* 4. */
static enum frame_moved page_whole(const struct migrate *m, uint64_t moves)
{
	if (atomic_load_seqcst(&page_object(m)->moves) != moves && !BASE_MUTANT(migrate_page_one_look))  /* V2 -> V1 */
		return FRAME_BUSY;
	return frame_counts(m->seek.physmem, m->seek.pfn).refs == 1 ||                   /* K2 -> K1 */
			       BASE_MUTANT(migrate_page_takes_pinned)
		       ? FRAME_MOVED
		       : FRAME_PINNED;
}

/* 4 and 5, of what was found. */
static enum frame_moved page_found(struct migrate *m, uint64_t moves)
{
	enum frame_moved is;

	m->more = m->seek.n == m->seek.most;
	if (m->more || (m->seek.locked && !BASE_MUTANT(migrate_page_trusts_locked)))
		return FRAME_BUSY;
	BASE_POINT(migrate_page_before_lock);
	if (!migrate_lock(m))
		return FRAME_BUSY;
	is = page_whole(m, moves);
	if (is != FRAME_MOVED) {
		migrate_undo(m, m->seek.n);
		return is;
	}
	BASE_POINT(migrate_page_locked);
	migrate_over(m);
	return FRAME_MOVED;
}

/* 2 to 5, with the resize lock. */
static enum frame_moved page_go(struct migrate *m)
{
	uint64_t was, moves = atomic_load_seqcst(&page_object(m)->moves);        /* V2 -> V1 */
	enum frame_moved is;

	if ((uint32_t)moves || !page_begin(m, &was))
		return FRAME_BUSY;
	BASE_POINT(migrate_page_marked);
	rmap_seek(&m->seek);
	is = page_found(m, moves);
	page_end(m, is == FRAME_MOVED ? pt_entry(m->fresh, was & PT_BITS, 0) : was);
	rmap_seek_end(&m->seek);
	return is;
}

enum frame_moved migrate_page(struct migrate *m)
{
	struct object *object = page_object(m);
	enum frame_moved is;

	m->more = false;
	if (!object_get_live(object))
		return FRAME_GONE;
	m->object = object;
	if (BASE_MUTANT(migrate_page_any_size))
		return page_go(m);
	if (!park_trylock(&object->resize_lock))
		return FRAME_BUSY;
	is = page_go(m);
	park_unlock(&object->resize_lock);
	return is;
}
