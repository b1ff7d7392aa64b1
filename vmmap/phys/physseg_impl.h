/* SPDX-License-Identifier: MIT */
/*
 * physseg_impl.h - a segment's slot, and what an index of them has to do. Private to vmmap/phys/physseg*.c.
 *
 * Inside, pfns are relative to the table's base, so that both ends of a run fit into one word.
 */
#ifndef VMMAP_PHYS_PHYSSEG_IMPL_H
#define VMMAP_PHYS_PHYSSEG_IMPL_H

#include <bsd/sys/tree.h>

#include "base/assert.h"
#include "base/rcu.h"
#include "base/spin.h"
#include "vmmap/phys/physseg.h"
#include "vmmap/phys/physseg_plane.h"

#define PHYSSEG_BOOT_SLOTS 64u                   /* in the table itself, for a time when nothing can be allocated  */
#define PHYSSEG_CHUNKS     20u                   /* each twice the one before it: 2^26 slots                       */
#define PHYSSEG_SPAN_MAX   UINT64_C(0xffffffff)
#define PHYSSEG_PFN_MAX    (UINT64_C(1) << 40)   /* what a page-table entry can hold                               */
#define PHYSSEG_LEVELS     6u                    /* of 64-ary bitmaps, over 2^32 pages                             */

struct physseg {
	atomic_u64 run;                          /* start | end << 32                                              */
	atomic_u32 generation;                   /* odd: plugged                                                   */
	uint32_t number;                         /* of the slot                                          [const]   */
	atomic_u64 avail;                        /* as run                                                         */
	atomic_u64 hint;
	_Atomic(void *) md;
	atomic_u32 free_list;
	uint32_t next_free;                      /* number + 1 of the next free slot; under the lock               */
	RB_ENTRY(physseg) by_start LINE_ALIGNED; /* index rbtree                                                   */
};
RB_HEAD(physseg_tree, physseg);

struct physseg_entry { uint32_t start; struct physseg *seg; };   /* of the sorted arrays                           */

struct physseg_array {
	struct rcu_item rcu;
	uint32_t n, room;
	struct physseg_entry at[];
};

/*
 * An index finds segments by their first frame. Its keys may lag behind a segment that is shrinking, and a segment may
 * be in it before it is plugged and after it was: who asks looks at the slot as well.
 */
struct physseg_index {
	const char *name;
	bool locked;                             /* readers need the table's lock                                  */
	int  (*init)(struct physseg_table *t);
	void (*fini)(struct physseg_table *t);
	/* Not under the lock: memory for keys in [lo, hi), kept from then on. NULL: needs none.                   */
	int  (*cover)(struct physseg_table *t, uint32_t lo, uint32_t hi);
	/* Under the lock: is there memory for one change? If not, the caller unlocks and calls `prepare`. */
	bool (*ready)(struct physseg_table *t);
	int  (*prepare)(struct physseg_table *t);
	/* Under the lock; cannot fail. A change is begin, any of the three, commit. */
	void (*begin)(struct physseg_table *t);
	void (*insert)(struct physseg_table *t, struct physseg *seg, uint32_t start);
	void (*move)(struct physseg_table *t, struct physseg *seg, uint32_t from, uint32_t to);
	void (*remove)(struct physseg_table *t, struct physseg *seg, uint32_t start);
	/* Also under the lock: the segment ends earlier now. NULL: the index does not know ends. */
	void (*cut)(struct physseg_table *t, struct physseg *seg);
	void (*commit)(struct physseg_table *t);
	/* What physseg_find would say, if that can be told from a few words while nobody changes the table; else false.
	 * NULL: there is no such way. */
	bool (*quick)(struct physseg_table *t, uint32_t at, struct physseg_handle *h, uint64_t *offset);
	/* The segment with the highest key <= at, the lowest key >= at; and the key. */
	struct physseg *(*floor)(struct physseg_table *t, uint32_t at, uint32_t *key);
	struct physseg *(*ceil)(struct physseg_table *t, uint32_t at, uint32_t *key);
	/* NULL: a handle is slot and generation. Else: as NetBSD's array, a place in the order. */
	struct physseg_handle (*handle)(struct physseg_table *t, struct physseg *seg);
	struct physseg *(*resolve)(struct physseg_table *t, struct physseg_handle h);
};

extern const struct physseg_index physseg_bitmap, physseg_cow_array, physseg_rbtree, physseg_sorted_array;

struct physseg_bits {                            /* of the index bitmap                                            */
	struct physseg_plane low, at;            /* a bit per frame; slots by first frame                          */
	struct physseg_plane near;               /* per 8 frames: a segment that begins there                       */
	atomic_u64 *level[PHYSSEG_LEVELS];       /* [0]: low                                               [const] */
};

struct physseg_sorted {                          /* of the arrays                                                  */
	_Atomic(struct physseg_array *) now;
	struct physseg_array *next;              /* prepared; under the lock                                       */
	bool changed;                            /* next is not now; under the lock                                */
};

struct physseg_table {
	uint64_t fast_limit;                     /* pfns below it: state[] goes by pfn                     [const] */
	uint64_t reserved;                       /* bytes of the table and state[]; 0: there is none       [const] */
	struct physseg_plane frame;              /* states of frames: state[], or sections                         */
	uint64_t frame_base;                     /* pfn of the first one: 0, or base                       [const] */
	const struct physseg_index *index;
	uint64_t base;                           /* first pfn                                              [const] */
	uint32_t span;                           /* pages                                                  [const] */
	bool bare;                               /* no states of frames                                    [const] */
	atomic_u32 running;                      /* boot is over                                                   */
	atomic_u64 turn;                         /* odd: a change is under way                                     */
	atomic_u64 changes;                      /* what may hide a frame from a lookup that began before          */
	atomic_u64 count, pages;                 /* segments, frames in them                                       */
	_Atomic(struct physseg *) chunk[PHYSSEG_CHUNKS];
	union {
		struct physseg_bits bitmap;
		struct physseg_tree tree;
		struct physseg_sorted array;
	};
	struct physseg boot[PHYSSEG_BOOT_SLOTS];
	PAIR_ALIGNED atomic_u32 lock;
	uint32_t free, nfree, nslots;            /* under the lock: chain of free slots, its length, slots made    */
	LINE_ALIGNED atomic_u8 state[];          /* of frames: here, so that finding them takes no load            */
};

/* Of what else goes by frame. */
static inline enum physseg_form form(const struct physseg_table *t)
{
	return t->bare ? PLANE_FLAT : t->reserved == 0 ? PLANE_SECTIONS : PLANE_EITHER;
}

static inline uint64_t run_of(uint64_t start, uint64_t end) { return start | end << 32; }
static inline uint32_t run_start(uint64_t run) { return (uint32_t)run; }
static inline uint32_t run_end(uint64_t run) { return (uint32_t)(run >> 32); }
static inline uint32_t run_pages(uint64_t run) { return run_end(run) - run_start(run); }
static inline bool run_has(uint64_t run, uint32_t at) { return at >= run_start(run) && at < run_end(run); }

/* ---- physseg_slot.c ---- */
/* Under the lock; there is one. */
struct physseg *physseg_slot_take(struct physseg_table *t);
void physseg_slot_give(struct physseg_table *t, struct physseg *seg);
/* Not under the lock. -ENOMEM */
int  physseg_slots_add(struct physseg_table *t);
struct physseg *physseg_slot_at(struct physseg_table *t, uint32_t number);
void physseg_slots_init(struct physseg_table *t);
void physseg_slots_fini(struct physseg_table *t);

/* ---- physseg_find.c ---- */
/* Under the lock, if the index wants it. NULL: stale. */
struct physseg *physseg_resolve(struct physseg_table *t, struct physseg_handle h);
struct physseg_handle physseg_handle_of(struct physseg_table *t, struct physseg *seg, uint32_t generation);

bool physseg_bounds(struct physseg_table *t, struct physseg_handle h, uint64_t *start, uint64_t *end);

/* ---- physseg_frame.c ---- */
enum physseg_states { PHYSSEG_FLAT, PHYSSEG_SECTIONS, PHYSSEG_BARE };     /* flat: or in sections, if it must be      */
/* A table for pfns [base, limit), all zeroes but for what its frames need; NULL. */
struct physseg_table *physseg_frames_table(uint64_t base, uint64_t limit, enum physseg_states states);
void physseg_frames_end(struct physseg_table *t);
/* Not under the lock: memory for the states of [lo, hi). -ENOMEM */
int  physseg_frames_cover(struct physseg_table *t, uint32_t lo, uint32_t hi) MUST_CHECK;
/* PRESENT, or 0 */
uint8_t physseg_frame_state(const struct physseg_table *t, uint32_t at);
/* Under the lock. */
void physseg_frames_come(struct physseg_table *t, uint32_t lo, uint32_t hi);
void physseg_frames_go(struct physseg_table *t, uint32_t lo, uint32_t hi);

/* ---- physseg.c ---- */
/* Locks the table with memory for one change, and for so many new segments. -ENOMEM, -ENOSPC: not locked. */
int  physseg_change_begin(struct physseg_table *t, unsigned slots) MUST_CHECK;
void physseg_change_end(struct physseg_table *t);
/* Before anything that may make a lookup miss what it would have found. */
void physseg_hide(struct physseg_table *t);
/* Under the lock, begun. Add: at once; what the others do to the index is seen from its commit on. */
struct physseg_fields { uint64_t run, avail, hint; void *md; uint32_t free_list; };
struct physseg *physseg_add(struct physseg_table *t, const struct physseg_fields *f);
void physseg_cut_front(struct physseg_table *t, struct physseg *seg, uint32_t to);
void physseg_cut_back(struct physseg_table *t, struct physseg *seg, uint32_t to);
void physseg_drop(struct physseg_table *t, struct physseg *seg);
void physseg_count_add(struct physseg_table *t, int64_t segments, int64_t pages);
/* As physseg_plug, with everything said. */
int  physseg_plug_fields(struct physseg_table *t, const struct physseg_fields *f, struct physseg_handle *out);

#endif
