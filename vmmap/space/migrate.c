/* SPDX-License-Identifier: MIT */
/*
 * migrate.c - the contents of one frame go to another one, under those who have it mapped.
 *
 * STEPS   1 whose it is (frame_name), how many entries show it (its count); a frame for the copy
 *         2 rmap_seek: so many entries; fewer: FRAME_BUSY, one is in a mover's or a fork's hands
 *         3 each by CAS, as it was -> LOCKED. One that has changed, or is LOCKED: all get back what they were, BUSY
 *         4 the count again: exactly these entries, and no reference beside them (else BUSY, PINNED). From here to 5
 *           all references are ours: no other can be made, since who raises the count has an entry LOCKED (pt_share,
 *           pin.c), and none can go
 *         5 copy; the new frame's name and count; each entry <- the new frame, all its bits kept; the old one's count 0
 *         6 the old frame is deferred past the readers
 * OTHERS  Nobody asks the policy: neither the VMA nor what an entry allows changes, and every writer of entries either
 *         waits for LOCKED or fails its CAS (pt.c, WHO WRITES). A fault that has prepared a copy of the old frame, or
 *         found it alone, sees at its own CAS that the entry has changed.
 * READERS A load holds nothing: it may go on in the old frame after 5, and then shows what was there at 5, between its
 *         first word and its last, as it promises (access.c). The next load finds the new frame. Stores hold the entry.
 * TOUCHED The entry keeps its toucher: nobody but that thread has loaded through it, and of the new frame we know
 *         nothing any more once the entry is stored.
 * EDGES   F1, S1 of pt.c: our CAS and store of an entry are a fault's -> W2, S2: theirs.
 *         K2 the count, all entries LOCKED -> K1 of frame_record.h: who dropped a share before is done with the frame.
 * ORDER   entries, several at a time: nothing is waited for, allocated or called while one is LOCKED; each is tried.
 *         So no edge is added to the order of locks.
 * PROGRESS of one call: bounded. BUSY says: again, later.
 * NOT HERE pages of objects, whose entries are not counted: migrate_object.c.
 * SOURCE  migrate_pages of Linux (mm/migrate.c), with LOCKED for its migration entries; its freeze of the references.
 */
#include "vmmap/phys/frame_isolate.h"
#include "vmmap/space/migrate.h"

#define MIGRATE_FEW 32                           /* entries that need no memory of their own                       */

static atomic_u64 *migrate_entry(const struct rmap_found *found)
{
	return pt_find(&found->gate->map->pt, found->addr);
}

/* 3: of one. Its table stays as long as the read section. */
static bool migrate_lock_one(const struct migrate *m, struct rmap_found *found)
{
	atomic_u64 *entry = migrate_entry(found);
	uint64_t now;

	found->seen = entry ? atomic_load_acquire(entry) : 0;                    /* S2 -> S1 */
	BASE_POINT(migrate_looked);
	now = BASE_MUTANT(migrate_old_bits) && entry ? atomic_load_acquire(entry) : found->seen; /* S2 -> S1 */
	return pt_has_frame(found->seen) && pt_pfn(found->seen) == m->seek.pfn && !(found->seen & PT_LOCKED) &&
	       pt_lock(entry, now);                                              /* F1 -> W2 */
}

void migrate_undo(const struct migrate *m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pt_store(migrate_entry(&m->seek.found[i]), m->seek.found[i].seen);
}

bool migrate_lock(const struct migrate *m)
{
	for (unsigned i = 0; i < m->seek.n; i++) {
		if (!migrate_lock_one(m, &m->seek.found[i])) {
			migrate_undo(m, BASE_MUTANT(migrate_undoes_nothing) ? 0 : i);
			return false;
		}
		BASE_POINT(migrate_one_locked);
	}
	return true;
}

/* 4. */
static enum frame_moved migrate_whole(const struct migrate *m)
{
	struct frame_counts counts = frame_counts(m->seek.physmem, m->seek.pfn);         /* K2 -> K1 */

	if (BASE_MUTANT(migrate_takes_pinned))
		counts.refs = counts.maps;
	if (BASE_MUTANT(migrate_uncounted) || (counts.refs == m->seek.n && counts.maps == m->seek.n))
		return FRAME_MOVED;
	return counts.refs > counts.maps ? FRAME_PINNED : FRAME_BUSY;
}

/* 5. */
void migrate_over(const struct migrate *m)
{
	struct physmem *pm = m->seek.physmem;
	uint64_t page, where = frame_where(pm, m->seek.pfn, &page);
	const unsigned n = m->seek.n;

	if (!BASE_MUTANT(migrate_copies_early))
		frame_copy(pm, m->fresh, m->seek.pfn);
	frame_set_where(pm, m->fresh, where, page);
	if (n > 1 && !m->object)                         /* entries of an object's page do not count               */
		frame_share(pm, m->fresh, n - 1, n - 1);
	for (unsigned i = 0; i < n; i++) {
		uint64_t seen = m->seek.found[i].seen;

		pt_store(migrate_entry(&m->seek.found[i]),
			 pt_entry(m->fresh, seen & PT_BITS, pt_toucher(seen)));  /* S1 -> S2 */
		BASE_POINT(migrate_one_stored);
	}
	frame_forget(pm, m->seek.pfn);
}

static enum frame_moved migrate_found(struct migrate *m)
{
	enum frame_moved is;

	if (m->seek.n < m->seek.most)
		return FRAME_BUSY;
	if (BASE_MUTANT(migrate_copies_early))
		frame_copy(m->seek.physmem, m->fresh, m->seek.pfn);
	BASE_POINT(migrate_before_lock);
	if (!migrate_lock(m))
		return FRAME_BUSY;
	is = migrate_whole(m);
	if (is != FRAME_MOVED) {
		migrate_undo(m, m->seek.n);
		return is;
	}
	BASE_POINT(migrate_locked);
	migrate_over(m);
	return FRAME_MOVED;
}

/* 2 to 5. */
static enum frame_moved migrate_mapped(struct migrate *m)
{
	enum frame_moved is;

	rmap_seek(&m->seek);
	is = migrate_found(m);
	rmap_seek_end(&m->seek);
	return is;
}

/* 2 to 6, inside RCU: of the owner class that the new frame has. */
static enum frame_moved migrate_inside(struct migrate *m, enum frame_owner owner)
{
	enum frame_moved is;

	if (!frame_name(m->seek.physmem, m->seek.pfn, &m->seek.name) || frame_owner(m->seek.name.word) != owner)
		return FRAME_GONE;
	is = owner == FRAME_OWNER_OBJECT ? migrate_page(m) : migrate_mapped(m);
	if (is != FRAME_MOVED)
		return is;
	if (BASE_MUTANT(migrate_frees_at_once))
		frame_free_by(m->seek.physmem, m->self, m->seek.pfn, owner);
	else if (m->left)
		frame_left_put(m->seek.physmem, m->self, m->left, m->seek.pfn, owner);
	else
		frame_defer_by(m->seek.physmem, m->self, m->seek.pfn, owner);
	return is;
}

static uint64_t migrate_alloc(const struct migrate *m, enum frame_owner owner)
{
	return m->unmovable ? frame_alloc_unmovable(m->seek.physmem, m->self, owner)
			    : frame_alloc_named(m->seek.physmem, m->self, owner, 0, 0);
}

static int migrate_refill(const struct migrate *m)
{
	return m->unmovable ? frame_refill_unmovable(m->seek.physmem, m->self)
			    : frame_refill(m->seek.physmem, m->self);
}

/* Nobody else has seen it. */
static void migrate_give_back(const struct migrate *m, enum frame_owner owner)
{
	if (m->unmovable)
		frame_free_unmovable(m->seek.physmem, m->self, m->fresh, owner);
	else
		frame_free_by(m->seek.physmem, m->self, m->fresh, owner);
}

/* With a frame for the copy, which leads nowhere before it is stored. Inside RCU. */
static enum frame_moved migrate_to_fresh(struct migrate *m, enum frame_owner owner)
{
	enum frame_moved is;

	m->fresh = migrate_alloc(m, owner);
	if (m->fresh == PHYSMEM_NONE)
		return FRAME_NO_MEMORY;
	is = migrate_inside(m, owner);
	if (is != FRAME_MOVED)
		migrate_give_back(m, owner);
	return is;
}

static enum frame_moved migrate_once(struct migrate *m, enum frame_owner owner)
{
	enum frame_moved is;

	rcu_enter(m->self);
	is = migrate_to_fresh(m, owner);
	rcu_leave(m->self);
	if (m->object)
		object_put(m->object);                   /* the last one may open a window of a map's limits       */
	m->object = NULL;
	return is;
}

/* Outside of the section one may wait for frames that are only deferred. */
static enum frame_moved migrate_try(struct migrate *m, enum frame_owner owner)
{
	enum frame_moved is = migrate_once(m, owner);

	if (is == FRAME_NO_MEMORY && !migrate_refill(m))
		is = migrate_once(m, owner);
	frame_tidy(m->seek.physmem, m->self);
	return is;
}

/* With memory for so many entries. */
static enum frame_moved migrate_with(struct migrate *m, enum frame_owner owner, uint32_t most)
{
	size_t bytes = most * sizeof *m->seek.found;
	enum frame_moved is;

	m->seek.found = mem_alloc(MEM_OTHER, bytes, CACHE_LINE);
	if (!m->seek.found)
		return FRAME_NO_MEMORY;
	m->seek.most = most;
	is = migrate_try(m, owner);
	mem_free(MEM_OTHER, m->seek.found, bytes);
	return is;
}

/* The entries of an object's page are not counted: as many as there is room for, then more room. */
static enum frame_moved migrate_move_page(struct migrate *m)
{
	enum frame_moved is = migrate_try(m, FRAME_OWNER_OBJECT);

	for (uint32_t most = 8 * MIGRATE_FEW; is == FRAME_BUSY && m->more; most *= 8)
		is = migrate_with(m, FRAME_OWNER_OBJECT, most);
	return is;
}

static enum frame_moved migrate_owned(struct migrate *m, enum frame_owner owner, struct frame_counts counts)
{
	if (owner == FRAME_OWNER_OBJECT)
		return migrate_move_page(m);
	if (counts.maps > MIGRATE_FEW)
		return migrate_with(m, FRAME_OWNER_MAP, counts.maps);
	m->seek.most = counts.maps;
	return migrate_try(m, FRAME_OWNER_MAP);
}

/* 1. The counts are of the life that the name is of, or nothing is said of them: a frame that was freed meanwhile seems
 * to have one reference that is no entry. */
static enum frame_moved migrate_any(struct physmem *pm, struct thread_slot *self, uint64_t pfn,
				    struct frame_left *left, bool unmovable)
{
	struct rmap_found few[MIGRATE_FEW];
	struct migrate m = { .seek = { .physmem = pm, .pfn = pfn, .most = MIGRATE_FEW, .found = few }, .self = self,
			     .left = left, .unmovable = unmovable };
	struct frame_counts counts;
	enum frame_owner owner;
	uint64_t word;

	if (!frame_out(pm, pfn, &word))
		return FRAME_GONE;
	owner = frame_owner(word);
	counts = frame_counts(pm, pfn);
	if (!frame_still(pm, pfn, word) || (owner != FRAME_OWNER_MAP && owner != FRAME_OWNER_OBJECT))
		return FRAME_GONE;
	if (counts.refs > counts.maps && !BASE_MUTANT(migrate_takes_pinned))
		return FRAME_PINNED;
	return migrate_owned(&m, owner, counts);
}

static enum frame_moved migrate_move(struct physmem *pm, struct thread_slot *self, uint64_t pfn,
				     struct frame_left *left)
{
	return migrate_any(pm, self, pfn, left, false);
}

enum frame_moved migrate_out(struct physmem *pm, struct thread_slot *self, uint64_t pfn)
{
	return migrate_any(pm, self, pfn, NULL, true);
}

const struct frame_mover space_mover = { migrate_move };
