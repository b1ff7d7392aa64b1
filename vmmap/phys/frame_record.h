/* SPDX-License-Identifier: MIT */
/*
 * frame_record.h - beside a frame's word: how many have it, and where it is mapped. Includes frame.h.
 *
 * WHOSE     a frame's owner class and order stand in its word while it is OWNED (frame_inline.h): told when it is
 *           taken, asked when it is given back; written by nobody in between.
 * COUNTS    references | maps << 32. References: everybody who may keep the frame from being freed. Maps: those of them
 *           that are entries of a page table; of an object's frame the entry in the object's own, its page (entries of
 *           maps that show it are no references). 0: nobody has counted yet, the frame has one reference, its owner's;
 *           that is an entry if the owner is a map or an object, else it is none. So who is alone writes nothing, and a
 *           map that never shares a frame never touches the record.
 *           share: by who has a reference, keeps it through the call, and says nothing for others (an entry: LOCKED).
 *           A reference of such a frame that is no entry is a pin (vmmap/space/pin.c); unpin says so if there is none.
 *           drop: everybody once for each reference. Of all drops one is told that it was the last: the record is 0
 *           again, and the frame is the caller's to free or defer.
 * WHERE     the reverse map: the name of a map or of an object, and the page in it (vmmap/space/rmap_frame.c says of
 *           what kind). 0: not told. Written before the frame is OWNED; another name, or page, by who has the only
 *           reference, while nobody can find the frame by an entry. It stays when the frame is freed: of a frame that
 *           is not OWNED, or not by a map or an object, nobody believes it. Not told any more: a frame that may go on
 *           as a pin's only, before its last entry is counted out: what it names may be freed before the frame is.
 *           Who comes from the frame reads its word, then the name, then the word again (frame_name): the same life,
 *           so the name is of that life, and what it points to was there when the second look was made.
 * EDGES     K1 a drop, after the last access by that reference (release; and the acquire of what it continues) -> K2
 *           the drop that is the last, or a look that finds one reference (acquire): all other accesses are over.
 *           W1 store-release of `page`, then of `where` -> W2 acquire loads: the page, what `where` points to, and that
 *           the life before has ended: who has read either of a later life finds another word behind it.
 *           N1 the name is stored, then the word, OWNED (frame_pop: release) -> N2 a load of the word: no name of an
 *           earlier life.
 * PROGRESS  lock-free.
 * INVARIANT the counts of a frame that is not OWNED are 0 (physmem_audit). maps <= references.
 * NOT HERE  that a name in `where` still has an object: its life is its owner's (grace periods). Who may map what.
 * SOURCE    _refcount and _mapcount of Linux's struct page, in one word, so that both are of one instant.
 */
#ifndef VMMAP_PHYS_FRAME_RECORD_H
#define VMMAP_PHYS_FRAME_RECORD_H

#include "base/point.h"
#include "vmmap/phys/frame.h"

struct frame_counts { uint32_t refs, maps; };

static inline struct frame_record *frame_record_of(struct physmem *pm, uint64_t pfn)
{
	ASSERT(pfn - pm->base < pm->span);
	return &pm->record[pfn - pm->base];
}

/* The owner class of a frame that is OWNED, and stays so. */
static inline enum frame_owner frame_owner_of(struct physmem *pm, uint64_t pfn)
{
	return frame_owner(atomic_load_relaxed(&pm->word[pfn - pm->base]));
}

static inline uint64_t frame_counts_word(uint32_t refs, uint32_t maps) { return refs | (uint64_t)maps << 32; }

/* Its one reference is an entry. */
static inline bool frame_owner_shows(enum frame_owner owner)
{
	return owner == FRAME_OWNER_MAP || owner == FRAME_OWNER_OBJECT;
}

/* What 0 stands for. */
static inline uint64_t frame_counts_told(struct physmem *pm, uint64_t pfn, uint64_t counts)
{
	return counts != 0 ? counts : frame_counts_word(1, frame_owner_shows(frame_owner_of(pm, pfn)));
}

/* Both at one instant. By who has a reference; else it may be a later life's. One reference: the caller's own, and
 * nobody but the caller can make it more. */
static inline struct frame_counts frame_counts(struct physmem *pm, uint64_t pfn)
{
	uint64_t counts = atomic_load_acquire(&frame_record_of(pm, pfn)->counts);        /* K2 -> K1 */

	counts = frame_counts_told(pm, pfn, counts);
	return (struct frame_counts){ (uint32_t)counts, (uint32_t)(counts >> 32) };
}

/* A pin goes. false: there is none. *last: it was the last reference, the record is 0, the frame the caller's alone. */
static inline bool frame_unpin(struct physmem *pm, uint64_t pfn, bool *last)
{
	atomic_u64 *counts = &frame_record_of(pm, pfn)->counts;
	uint64_t old = atomic_load_acquire(counts);                              /* K2 -> K1 */

	do {
		if ((uint32_t)old <= old >> 32)          /* 0: nobody has counted, so nobody has pinned            */
			return false;
		*last = old == frame_counts_word(1, 0);
	} while (!atomic_cas_acqrel(counts, &old, *last ? 0 : old - frame_counts_word(1, 0)));   /* K1, K2 */
	return true;
}

/* So many references more, so many of them maps. By who has one. Never fails: fewer than 2^32. */
static inline void frame_share(struct physmem *pm, uint64_t pfn, uint32_t refs, uint32_t maps)
{
	atomic_u64 *counts = &frame_record_of(pm, pfn)->counts;
	uint64_t old = atomic_load_relaxed(counts);

	ASSERT(maps <= refs);
	do
		CHECK((uint32_t)old <= UINT32_MAX - refs);
	while (!atomic_cas_relaxed(counts, &old,
				   frame_counts_told(pm, pfn, old) + frame_counts_word(refs, maps)));
}

static inline bool frame_counts_cas(atomic_u64 *counts, uint64_t *old, uint64_t now)
{
	if (!BASE_MUTANT(frame_drop_stores))
		return atomic_cas_acqrel(counts, old, now);                      /* K1, K2 */
	atomic_store_release(counts, now);                                       /* K1 */
	return true;
}

/* A reference goes; map: it was an entry. True: it was the last, the record is 0, the frame the caller's alone. */
static inline bool frame_drop(struct physmem *pm, uint64_t pfn, bool map)
{
	struct frame_record *r = frame_record_of(pm, pfn);
	uint64_t old = atomic_load_acquire(&r->counts), told;                    /* K2 -> K1 */

	do {
		told = frame_counts_told(pm, pfn, old);
		if ((uint32_t)told == 1) {
			CHECK(told >> 32 == map);
			if (old != 0)
				atomic_store_relaxed(&r->counts, 0);
			return true;
		}
		CHECK(told >> 32 >= map && (uint32_t)told != 0);
		BASE_POINT(frame_drop_seen);
	} while (!frame_counts_cas(&r->counts, &old, told - frame_counts_word(1, map)));
	return false;
}

/* Is the caller's the only reference, an entry? Then the record says so by 0 again, as if it had never been shared, so
 * that the frame may be freed without a drop. */
static inline bool frame_alone(struct physmem *pm, uint64_t pfn)
{
	atomic_u64 *counts = &frame_record_of(pm, pfn)->counts;
	uint64_t seen = atomic_load_acquire(counts);                             /* K2 -> K1 */

	if (seen != 0 && seen != frame_counts_word(1, 1))
		return false;
	BASE_POINT(frame_alone_seen);
	if (BASE_MUTANT(frame_alone_stores))
		atomic_store_relaxed(counts, 0);
	return !seen || BASE_MUTANT(frame_alone_stores) || atomic_cas_acqrel(counts, &seen, 0); /* K2 -> K1 */
}

/* where is not 0. By who has the only reference. */
static inline void frame_set_where(struct physmem *pm, uint64_t pfn, uint64_t where, uint64_t page)
{
	struct frame_record *r = frame_record_of(pm, pfn);

	atomic_store_release(&r->page, page);                                    /* W1 */
	atomic_store_release(&r->where, where);                                  /* W1 */
}

/* By who gives the only entry up, before that. */
static inline void frame_unname(struct physmem *pm, uint64_t pfn)
{
	atomic_store_relaxed(&frame_record_of(pm, pfn)->where, 0);
}

/* 0: not told. */
static inline uint64_t frame_where(struct physmem *pm, uint64_t pfn, uint64_t *page)
{
	struct frame_record *r = frame_record_of(pm, pfn);
	uint64_t where = atomic_load_acquire(&r->where);                         /* W2 -> W1 */

	*page = atomic_load_acquire(&r->page);                                   /* W2 -> W1 */
	return where;
}

/* By who has all references: the frame is about to be freed, and nobody counts any more. */
static inline void frame_forget(struct physmem *pm, uint64_t pfn)
{
	struct frame_record *r = frame_record_of(pm, pfn);

	if (atomic_load_relaxed(&r->counts) != 0)
		atomic_store_relaxed(&r->counts, 0);
}

/* Is it out, alone? Its word: owner class and life. */
static inline bool frame_out(struct physmem *pm, uint64_t pfn, uint64_t *word)
{
	*word = atomic_load_acquire(&pm->word[pfn - pm->base]);                  /* N2 -> N1 */
	return frame_state(*word) == FRAME_OWNED && frame_order(*word) == 0;
}

/* Is it the same life still? Then what was read since is of that life. */
static inline bool frame_still(struct physmem *pm, uint64_t pfn, uint64_t word)
{
	return atomic_load_acquire(&pm->word[pfn - pm->base]) == word ||         /* N2 */
	       BASE_MUTANT(frame_name_one_look);
}

/* A map or an object has it, and somebody a reference that is no entry: at a look, by who has none. */
static inline bool frame_is_pinned(struct physmem *pm, uint64_t pfn)
{
	struct frame_counts counts;
	uint64_t word;

	if (!frame_out(pm, pfn, &word) || !frame_owner_shows(frame_owner(word)))
		return false;
	counts = frame_counts(pm, pfn);
	return frame_still(pm, pfn, word) && counts.refs > counts.maps;
}

struct frame_name { uint64_t word, where, page; };       /* word: owner class and life                             */

/* Of this instant: owner class, life and name of a frame that is out, alone. false: it is not, or has no name. What the
 * name points to is there as long as the caller's read section, if it is freed by a grace period after the frame. */
static inline bool frame_name(struct physmem *pm, uint64_t pfn, struct frame_name *out)
{
	if (!frame_out(pm, pfn, &out->word))
		return false;
	out->where = frame_where(pm, pfn, &out->page);
	BASE_POINT(frame_name_read);
	return out->where != 0 && frame_still(pm, pfn, out->word);
}

#endif
