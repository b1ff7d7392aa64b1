/* SPDX-License-Identifier: MIT */
/*
 * frame_inline.h - layout of an instance and the paths that hit the slot's own cache. Included by frame.h only.
 *
 * WORD of a frame (one per frame of the span, lazily backed: 0 = FRESH)
 *   0..1   state   FRESH (never handed out) FREE (in a cache, the depot, or its row) OWNED DEFERRED
 *   2..33  link    index + 1 of the next frame in the chain it is in; 0 ends the chain; while OWNED:
 *   2..5   owner   whose it is
 *   6..9   order   of the run that was taken, at its first frame (frame_run.c)          (10..33: 0)
 *   34..63 lives   how often the frame has been handed out: its generation
 *   So half a word says whether a frame is owned, by whom, and in which order: one comparison when it is given back.
 * RECORD   counts and the reverse map: frame_record.h. With the word and the place for a chain: 48 bytes a frame.
 * LAYOUT   what each call reads of an instance stands on lines that calls do not write. It begins some way into the
 *          instance, and a slot's chains some way into the slot: allocators put both, the chunks of `fast`, and the
 *          words of the first frames at the beginning of a page, and where twelve low bits of a store's address are
 *          those of a load that follows, x86 holds the load up. A frame taken and given back took 4.6 ns, or 5.4, or
 *          15, by how a process lay in memory; now 3.9.
 *
 * A chain belongs to whoever holds its head: one slot's list (owner only), one of a slot's two shelves (taken whole by
 * swap, by anybody), or a node of one of the instance's two stacks (frame_depot.c). A
 * frame that is in no chain and not owned is free in its row (frame_bits.c).
 */
#ifndef VMMAP_PHYS_FRAME_INLINE_H
#define VMMAP_PHYS_FRAME_INLINE_H

#include "base/assert.h"
#include "base/compiler.h"
#include "base/park.h"
#include "base/point.h"
#include "base/thread.h"
#include "vmmap/phys/frame_planes.h"

enum frame_state { FRAME_FRESH, FRAME_FREE, FRAME_OWNED, FRAME_DEFERRED };

#define FRAME_STATE_MASK UINT64_C(3)
#define FRAME_LINK_SHIFT 2
#define FRAME_OWNER_SHIFT 2
#define FRAME_ORDER_SHIFT 6
#define FRAME_LIVES_SHIFT 34
#define FRAME_LIVES_ONE  (UINT64_C(1) << FRAME_LIVES_SHIFT)
#define FRAME_LIVES_MASK (~(FRAME_LIVES_ONE - 1))
#define FRAME_SPAN_MAX   (UINT64_C(0xffffffff))          /* frames from the first to the last of an instance: 16 TiB */
#define FRAME_PFN_MAX    (UINT64_C(1) << 40)             /* what a page-table entry can hold                       */

#define FRAME_BATCH       64u            /* frames that travel between a cache and the depot                        */
#define FRAME_DEFER_BATCH 128u           /* frames that share a grace period                                        */
#define FRAME_DEFER_HELD  4u             /* ... times this, if they were all deferred inside one read section       */
#define FRAME_SPARE_MAX   256u           /* free chains that a slot keeps, 64 MiB; more go to the depot             */
#define FRAME_DEPOT_MAX   256u           /* ... and beyond that many there, to the rows                             */
#define FRAME_CLOSED_MAX  32u            /* chains of a slot that wait for readers; more go to the late stack       */

static inline enum frame_state frame_state(uint64_t word) { return (enum frame_state)(word & FRAME_STATE_MASK); }
static inline uint32_t frame_link(uint64_t word) { return (uint32_t)(word >> FRAME_LINK_SHIFT); }
static inline uint64_t frame_word(uint64_t old, enum frame_state state, uint32_t link)
{
	return (old & FRAME_LIVES_MASK) | (uint64_t)link << FRAME_LINK_SHIFT | state;
}

/* The same of bare lives. A sum, which is one instruction together with what made them bare. */
static inline uint64_t frame_word_bare(uint64_t lives, enum frame_state state, uint32_t link)
{
	return lives + ((uint64_t)link << FRAME_LINK_SHIFT) + state;
}

/* Of a word, all but the generation, of a frame that is out. */
static inline uint32_t frame_owned(enum frame_owner owner, unsigned order)
{
	return FRAME_OWNED | (uint32_t)owner << FRAME_OWNER_SHIFT | order << FRAME_ORDER_SHIFT;
}

/* Of a word, its next life, taken by that owner. */
static inline uint64_t frame_word_taken(uint64_t old, enum frame_owner owner, unsigned order)
{
	return ((old & FRAME_LIVES_MASK) + FRAME_LIVES_ONE) | frame_owned(owner, order);
}

/* Of a word that says OWNED. */
static inline enum frame_owner frame_owner(uint64_t word) { return (enum frame_owner)(word >> FRAME_OWNER_SHIFT & 15); }
static inline unsigned frame_order(uint64_t word) { return (unsigned)(word >> FRAME_ORDER_SHIFT) & 15; }

/* Beside the word of a chain's first frame, while the chain is on a shelf or in a stack. */
struct frame_batch {
	atomic_u32 next;                 /* link of the next chain in the stack, or on the shelf                   */
	atomic_u32 count;                /* frames in this chain | chains in the stack from here on << 16          */
	uint64_t cookie;                 /* deferred chains: its grace period; read by the chain's holder          */
};

struct frame_record {                            /* frame_record.h                                                 */
	atomic_u64 counts;               /* references | maps << 32; 0: one, not counted                           */
	atomic_u64 where, page;          /* the reverse map; 0: not told                                           */
};

struct physseg_table;
struct physmem_listener;
struct frame_mover;

/* Frames for what can be moved, and for what cannot: they come from blocks of their class, and stay apart. */
enum frame_kind { FRAME_MOVABLE, FRAME_UNMOVABLE, FRAME_KINDS };

struct frame_cache {
	uint32_t loaded;                 /* owner only: chain that serves alloc and free                           */
	atomic_u32 loaded_n;             /* owner writes                                                           */
	atomic_u32 spare;                /* shelf: chains of free frames, the newest first                         */
	uint16_t spare_n, spare_frames;  /* owner only: chains it has put on `spare`, unless somebody took them    */
	uint64_t cursor;                 /* owner only: the block of its last refill from rows                     */
};

struct frame_slot {
	atomic_u64 taken;                /* owner writes: frames taken from the depot less frames given            */
	atomic_u64 late;                 /* owner writes: frames put on the late stack less frames taken from it   */
	atomic_u64 moves;                /* owner writes: odd while it moves what is on its shelves (frame.c)      */
	uint64_t run_cursor;             /* owner only: the block of its last run                                  */
	uint32_t batch, defer_batch;     /* owner only: the instance's, when it last came the slow way             */
	/* While caches are closed (frame_isolate.c) others come to a slot's chains as well. */
	atomic_u32 lock;                 /* of all of this but `moves`, `taken`, `late`, then                      */
	bool locked;                     /* owner only: it has `lock`                                              */
	bool judges;                     /* owner only, in a call: what is freed is judged by its block's word     */
	uint64_t swept;                  /* owner, under `lock`: the closing that it has sorted its caches for     */
	LINE_ALIGNED struct frame_cache cache[FRAME_KINDS];              /* LAYOUT                                 */
	uint32_t open;                   /* owner only: chain of deferred frames, movable ones, that still grows   */
	atomic_u32 open_n;               /* owner writes                                                           */
	atomic_u32 closed;               /* shelf: chains of deferred frames with cookies, the newest first        */
};

/* Of `isolating`: who keeps caches closed; who isolates beside open ones; how often somebody has closed them. */
#define FRAME_CLOSED_ONE       UINT64_C(1)
#define FRAME_OPEN_ONE         (UINT64_C(1) << 12)
#define FRAME_CLOSINGS_SHIFT   24
#define FRAME_CLOSED           (FRAME_OPEN_ONE - 1)
#define FRAME_ISOLATING        ((UINT64_C(1) << FRAME_CLOSINGS_SHIFT) - 1)

struct frame_stack { PAIR_ALIGNED atomic_u64 head; };            /* tag << 32 | link of the first chain            */

struct physmem {
	struct frame_bits bits;          /* which frames are free, below the chains                                */
	struct physseg_table *segments;  /* bare: which frames there are                                           */
	struct park_mutex plug_lock;     /* one change of the segments at a time                                   */
	atomic_u64 blocks;               /* all segments so far end below this block; only grows                   */
	atomic_u64 frames;               /* in all segments                                                        */
	uint64_t leaving;                /* of these, what unplugs are about to take; with plug_lock               */
	struct park_mutex listen_lock;   /* of what follows; not held while listeners are called                   */
	struct physmem_listener *listeners;
	uint64_t listened;               /* how often somebody has begun to listen                                 */
	atomic_u32 listen_left;          /* changes when one that leaves is called no more; slept on by who waits  */
	atomic_u64 isolated;             /* frames that unplugs have claimed                                       */
	/* LAYOUT: from here to `isolating` */
	PAIR_ALIGNED uint64_t base;      /* first pfn, a multiple of 512                                   [const] */
	uint64_t span;                   /* frames that there may be from it                               [const] */
	atomic_u64 *word;                /* [span]                                                                 */
	struct frame_batch *batch_of;    /* [span]                                                                 */
	struct frame_record *record;     /* [span]                                                                 */
	unsigned char *bytes;            /* [span] pages, or NULL                                                  */
	atomic_u32 batch, defer_batch;   /* FRAME_BATCH, FRAME_DEFER_BATCH, less while there is little (physmem.c)  */
	atomic_u32 spare_max, depot_max; /* FRAME_SPARE_MAX, FRAME_DEPOT_MAX, the same                             */
	struct thread_local_table fast;  /* what of `slots` the paths below see: nothing while caches are closed   */
	struct thread_local_table slots; /* of struct frame_slot                                                   */
	PAIR_ALIGNED atomic_u64 isolating;       /* frame_isolate.c                                                */
	atomic_u32 isolate_lock;
	struct thread_exit_hook hook;
	struct park_mutex host_lock;     /* what the host is told begins, or ends                                  */
	_Atomic(struct physmem_report *) report;         /* NULL until the first start; then for good              */
	_Atomic(struct physmem_balloon *) balloon;       /* the same                                               */
	_Atomic(const struct frame_mover *) mover;       /* NULL: nothing has entries, so nothing can be moved     */
	atomic_u64 poisoned;             /* frames that are out of use                                             */
	atomic_u32 poisoner;             /* thread + 1 that has a block offline to poison; slept on by who is short */
	atomic_u32 shorts;               /* who is short of memory, and wants no poison to begin                   */

	struct frame_stack depot[FRAME_KINDS];   /* free chains                                                    */
	struct frame_stack late_stack;   /* deferred chains that a reader held back for many batches               */
	atomic_u32 far_lock;             /* one searches the places of others at a time (frame.c)                  */
	PAIR_ALIGNED atomic_u64 stray_taken; /* `taken` and `late` of threads that got no slot block (no memory)   */
	atomic_u64 stray_late;
};

uint64_t frame_alloc_slow(struct physmem *pm, struct thread_slot *self, enum frame_owner owner);
uint64_t frame_alloc_named_slow(struct physmem *pm, struct thread_slot *self, enum frame_owner owner, uint64_t where,
				uint64_t page);
void frame_free_slow(struct physmem *pm, struct thread_slot *self, uint32_t index, enum frame_kind kind);
void frame_defer_slow(struct physmem *pm, struct thread_slot *self, uint32_t index);
void frame_full(struct physmem *pm, struct thread_slot *self);

static inline bool frame_has_bytes(const struct physmem *pm) { return pm->bytes != NULL; }

/* What maps and objects have can be moved away from under them, what a caller has cannot. owner: a constant. */
static ALWAYS_INLINE enum frame_kind frame_kind_of(enum frame_owner owner)
{
	return owner == FRAME_OWNER_CALLER ? FRAME_UNMOVABLE : FRAME_MOVABLE;
}

/* A frame of ours, whose word links to what the cache has loaded, is the first of that. n: frames there before. */
static ALWAYS_INLINE void frame_pushed(struct frame_cache *cache, uint64_t index, uint32_t n)
{
	cache->loaded = (uint32_t)index + 1;
	atomic_store_relaxed(&cache->loaded_n, n + 1);
}

/* Puts a frame of ours in front of the cache's loaded chain. lives: of its word. */
static ALWAYS_INLINE void frame_push(struct physmem *pm, struct frame_cache *cache, uint64_t index, uint64_t lives,
				     uint32_t n)
{
	atomic_store_relaxed(&pm->word[index], frame_word_bare(lives, FRAME_FREE, cache->loaded));
	frame_pushed(cache, index, n);
}

/* Takes the first frame of a loaded chain that is not empty: index is what that says. */
static ALWAYS_INLINE uint64_t frame_pop_first(struct physmem *pm, struct frame_cache *cache, enum frame_owner owner,
					      uint64_t index)
{
	atomic_u64 *words = pm->word;
	uint64_t word = atomic_load_relaxed(&words[index]), pfn;

	ASSERT(frame_state(word) == FRAME_FREE);
	cache->loaded = frame_link(word);
	atomic_store_relaxed(&cache->loaded_n, atomic_load_relaxed(&cache->loaded_n) - 1);
	atomic_store_release(&words[index],
			     (word | (FRAME_LIVES_ONE - 1)) + 1 + frame_owned(owner, 0));        /* N1 -> N2 */
	pfn = pm->base + index;
	if (pfn == PHYSMEM_NONE)
		__builtin_unreachable();         /* so that callers look for it where it may come from only          */
	return pfn;
}

static ALWAYS_INLINE uint64_t frame_pop(struct physmem *pm, struct frame_cache *cache, enum frame_owner owner)
{
	return frame_pop_first(pm, cache, owner, (uint64_t)cache->loaded - 1);
}

/* The index of a frame that the engine says it owns as that, and the lives of its word. Checked in release builds too:
 * a double free must not go on. One load: of an owned frame's word all but the lives is known. */
static ALWAYS_INLINE uint64_t frame_owned_index(struct physmem *pm, uint64_t pfn, enum frame_owner owner,
						uint64_t *lives)
{
	uint64_t index = pfn - pm->base, word;

	CHECK(index < pm->span);
	word = atomic_load_relaxed(&pm->word[index]);
	CHECK((uint32_t)word == frame_owned(owner, 0));
	*lives = word - frame_owned(owner, 0);
	ASSERT((*lives & ~FRAME_LIVES_MASK) == 0);
	return index;
}

static ALWAYS_INLINE uint64_t frame_alloc_for(struct physmem *pm, struct thread_slot *self, enum frame_owner owner)
{
	struct frame_slot *slot = thread_local_at(&pm->fast, self->number);
	enum frame_kind kind = frame_kind_of(owner);

	ASSERT(rcu_inside(self));
	if (likely(slot && slot->cache[kind].loaded))
		return frame_pop(pm, &slot->cache[kind], owner);
	return frame_alloc_slow(pm, self, owner);
}

static ALWAYS_INLINE uint64_t frame_pop_named(struct physmem *pm, struct frame_cache *cache, enum frame_owner owner,
					      uint64_t where, uint64_t page)
{
	uint64_t index = (uint64_t)cache->loaded - 1;
	struct frame_record *r = &pm->record[index];

	atomic_store_release(&r->page, page);                                    /* W1 */
	atomic_store_release(&r->where, where);                                  /* W1; N1 -> N2 */
	return frame_pop_first(pm, cache, owner, index);
}

/* owner: a map or an object, whose frames are movable. */
static ALWAYS_INLINE uint64_t (frame_alloc_named)(struct physmem *pm, struct thread_slot *self, enum frame_owner owner,
						  uint64_t where, uint64_t page)
{
	struct frame_slot *slot = thread_local_at(&pm->fast, self->number);

	ASSERT(rcu_inside(self));
	if (likely(slot && slot->cache[FRAME_MOVABLE].loaded))
		return frame_pop_named(pm, &slot->cache[FRAME_MOVABLE], owner, where, page);
	return frame_alloc_named_slow(pm, self, owner, where, page);
}

static ALWAYS_INLINE void frame_free_by(struct physmem *pm, struct thread_slot *self, uint64_t pfn,
					enum frame_owner owner)
{
	struct frame_slot *slot = thread_local_at(&pm->fast, self->number);
	enum frame_kind kind = frame_kind_of(owner);
	uint64_t lives, index = frame_owned_index(pm, pfn, owner, &lives);
	uint32_t n;

	ASSERT(rcu_inside(self));
	BASE_POINT(frame_free_found);
	if (likely(slot && (n = atomic_load_relaxed(&slot->cache[kind].loaded_n)) < slot->batch))
		frame_push(pm, &slot->cache[kind], index, lives, n);
	else
		frame_free_slow(pm, self, (uint32_t)index, kind);
}

/* A frame of ours begins to wait for its readers, in front of the slot's open chain. lives: of its word. Returns how
 * long that is. */
static ALWAYS_INLINE uint32_t frame_open_push(struct physmem *pm, struct frame_slot *slot, uint64_t index,
					      uint64_t lives)
{
	uint32_t n = atomic_load_relaxed(&slot->open_n) + 1;

	atomic_store_relaxed(&pm->word[index], frame_word_bare(lives, FRAME_DEFERRED, slot->open));
	slot->open = (uint32_t)index + 1;
	atomic_store_relaxed(&slot->open_n, n);
	return n;
}

static ALWAYS_INLINE void frame_defer_by(struct physmem *pm, struct thread_slot *self, uint64_t pfn,
					 enum frame_owner owner)
{
	struct frame_slot *slot = thread_local_at(&pm->fast, self->number);
	uint64_t lives, index = frame_owned_index(pm, pfn, owner, &lives);

	ASSERT(rcu_inside(self));
	if (unlikely(!slot))
		frame_defer_slow(pm, self, (uint32_t)index);
	else if (unlikely(frame_open_push(pm, slot, index, lives) >= slot->defer_batch))
		frame_full(pm, self);
}

static ALWAYS_INLINE uint64_t frame_alloc(struct physmem *pm, struct thread_slot *self)
{
	return frame_alloc_for(pm, self, FRAME_OWNER_MAP);
}

static ALWAYS_INLINE void frame_free(struct physmem *pm, struct thread_slot *self, uint64_t pfn)
{
	frame_free_by(pm, self, pfn, FRAME_OWNER_MAP);
}

static ALWAYS_INLINE void frame_defer(struct physmem *pm, struct thread_slot *self, uint64_t pfn)
{
	frame_defer_by(pm, self, pfn, FRAME_OWNER_MAP);
}

static inline void frame_tidy(struct physmem *pm, struct thread_slot *self)
{
	struct frame_slot *slot = thread_local_at(&pm->slots, self->number);

	if (unlikely(slot && atomic_load_relaxed(&slot->open_n) >= slot->defer_batch))
		frame_full(pm, self);
}

static inline uint64_t frame_take(struct physmem *pm, struct thread_slot *self, enum frame_owner owner)
{
	struct frame_slot *slot;
	uint64_t pfn = PHYSMEM_NONE;

	rcu_enter_brief(self);
	slot = thread_local_at(&pm->fast, self->number);
	if (likely(slot && slot->cache[frame_kind_of(owner)].loaded))
		pfn = frame_pop(pm, &slot->cache[frame_kind_of(owner)], owner);
	rcu_leave_brief(self);
	return likely(pfn != PHYSMEM_NONE) ? pfn : frame_alloc_slow(pm, self, owner);
}

static inline void frame_give(struct physmem *pm, struct thread_slot *self, uint64_t pfn, enum frame_owner owner)
{
	rcu_enter(self);
	frame_free_by(pm, self, pfn, owner);
	rcu_leave(self);
}

static inline void frame_give_later(struct physmem *pm, struct thread_slot *self, uint64_t pfn, enum frame_owner owner)
{
	rcu_enter(self);
	frame_defer_by(pm, self, pfn, owner);
	rcu_leave(self);
	if (!rcu_inside(self))
		frame_tidy(pm, self);
}

#endif
