/* SPDX-License-Identifier: MIT */
/*
 * frame_inline.h - layout of an instance and the paths that hit the slot's own cache. Included by frame.h only.
 *
 * WORD of a frame (one per frame of the span, lazily backed: 0 = FRESH)
 *   0..1   state   FRESH (never handed out) FREE (in a cache or the depot) OWNED DEFERRED
 *   2..33  link    index + 1 of the next frame in the chain it is in; 0 ends the chain; while OWNED:
 *   2..5   owner   whose it is
 *   6..9   order   of the run that was taken, at its first frame                        (10..33: 0)
 *   34..63 lives   how often the frame has been handed out: its generation
 *   So half a word says whether a frame is owned, by whom, and in which order: one comparison when it is given back.
 * RECORD   counts and the reverse map: frame_record.h. With the word and the place for a chain: 48 bytes a frame.
 *
 * A chain belongs to whoever holds its head: one slot's list (owner only), one of a slot's two shelves (taken whole by
 * swap, by anybody), or a node of one of the instance's two stacks (frame_depot.c).
 */
#ifndef VMMAP_PHYS_FRAME_INLINE_H
#define VMMAP_PHYS_FRAME_INLINE_H

#include "base/assert.h"
#include "base/compiler.h"
#include "base/thread.h"

enum frame_state { FRAME_FRESH, FRAME_FREE, FRAME_OWNED, FRAME_DEFERRED };

#define FRAME_STATE_MASK UINT64_C(3)
#define FRAME_LINK_SHIFT 2
#define FRAME_OWNER_SHIFT 2
#define FRAME_ORDER_SHIFT 6
#define FRAME_LIVES_ONE  (UINT64_C(1) << 34)
#define FRAME_LIVES_MASK (~(FRAME_LIVES_ONE - 1))
#define FRAME_SPAN_MAX   (UINT64_C(0xffffffff))          /* frames from the first to the last of an instance: 16 TiB */
#define FRAME_PFN_MAX    (UINT64_C(1) << 40)             /* what a page-table entry can hold                       */

#define FRAME_BATCH       64u            /* frames that travel between a cache and the depot                        */
#define FRAME_DEFER_BATCH 128u           /* frames that share a grace period                                        */
#define FRAME_DEFER_HELD  4u             /* ... times this, if they were all deferred inside one read section       */
#define FRAME_SPARE_MAX   64u            /* free chains that a slot keeps; more go to the depot                     */
#define FRAME_CLOSED_MAX  32u            /* chains of a slot that wait for readers; more go to the late stack       */

static inline enum frame_state frame_state(uint64_t word) { return (enum frame_state)(word & FRAME_STATE_MASK); }
static inline uint32_t frame_link(uint64_t word) { return (uint32_t)(word >> FRAME_LINK_SHIFT); }
static inline uint64_t frame_word(uint64_t old, enum frame_state state, uint32_t link)
{
	return (old & FRAME_LIVES_MASK) | (uint64_t)link << FRAME_LINK_SHIFT | state;
}

/* Of a word, all but the generation, of a frame that is out. */
static inline uint32_t frame_owned(enum frame_owner owner, unsigned order)
{
	return FRAME_OWNED | (uint32_t)owner << FRAME_OWNER_SHIFT | order << FRAME_ORDER_SHIFT;
}

/* Of a word that says OWNED. */
static inline enum frame_owner frame_owner(uint64_t word) { return (enum frame_owner)(word >> FRAME_OWNER_SHIFT & 15); }
static inline unsigned frame_order(uint64_t word) { return (unsigned)(word >> FRAME_ORDER_SHIFT) & 15; }

/* Beside the word of a chain's first frame, while the chain is on a shelf or in a stack. */
struct frame_batch {
	atomic_u32 next;                 /* link of the next chain in the stack, or on the shelf                   */
	atomic_u32 count;                /* frames in this chain                                                   */
	uint64_t cookie;                 /* deferred chains: its grace period; read by the chain's holder          */
};

struct frame_record {                            /* frame_record.h                                                 */
	atomic_u64 counts;               /* references | maps << 32; 0: one, not counted                           */
	atomic_u64 where, page;          /* the reverse map; 0: not told                                           */
};

struct frame_slot {
	uint32_t loaded;                 /* owner only: chain that serves alloc and free                           */
	uint32_t open;                   /* owner only: chain of deferred frames that still grows                  */
	atomic_u32 loaded_n, open_n;     /* owner writes                                                           */
	atomic_u32 spare;                /* shelf: chains of free frames, the newest first                         */
	atomic_u32 closed;               /* shelf: chains of deferred frames with cookies, the newest first        */
	atomic_u64 taken;                /* owner writes: frames taken from the depot less frames given            */
	atomic_u64 late;                 /* owner writes: frames put on the late stack less frames taken from it   */
	atomic_u64 moves;                /* owner writes: odd while it moves what is on its shelves (frame.c)      */
	uint32_t spare_n;                /* owner only: chains it has put on `spare`, unless somebody took them    */
};

struct physmem {
	uint64_t base, span;             /* first pfn; frames from there to the end of the last segment  [const]   */
	atomic_u64 *word;                /* [span]                                                                 */
	struct frame_batch *batch_of;    /* [span]                                                                 */
	struct frame_record *record;     /* [span]                                                                 */
	unsigned char *bytes;            /* [span] pages, or NULL                                                  */
	/* FRAME_BATCH, FRAME_DEFER_BATCH, FRAME_SPARE_MAX, less in small instances                        [const] */
	uint32_t batch, defer_batch, spare_max;
	struct physmem_range *segment;   /* [nsegments]                                                            */
	uint32_t nsegments;
	uint64_t frames;                 /* sum of their pages                                                     */
	struct thread_local_table slots; /* of struct frame_slot                                                   */
	struct thread_exit_hook hook;

	PAIR_ALIGNED atomic_u64 depot;   /* stack of free chains: tag << 32 | link                                 */
	PAIR_ALIGNED atomic_u64 late_stack; /* deferred chains that a reader held back for many batches            */
	atomic_u32 far_lock;             /* one searches the places of others at a time (frame.c)                  */
	PAIR_ALIGNED atomic_u64 fresh;   /* segment << 32 | frames of it handed out so far                         */
	PAIR_ALIGNED atomic_u64 stray_taken; /* `taken` and `late` of threads that got no slot block (no memory)   */
	atomic_u64 stray_late;
};

uint64_t frame_alloc_slow(struct physmem *pm, struct thread_slot *self, enum frame_owner owner);
void frame_free_slow(struct physmem *pm, struct thread_slot *self, uint32_t index);
void frame_defer_slow(struct physmem *pm, struct thread_slot *self, uint32_t index);
void frame_close(struct physmem *pm, struct frame_slot *slot);
void frame_full(struct physmem *pm, struct frame_slot *slot, struct thread_slot *self);

static inline bool frame_has_bytes(const struct physmem *pm) { return pm->bytes != NULL; }

/* Puts a frame of ours in front of the slot's loaded chain. */
static ALWAYS_INLINE void frame_push(struct physmem *pm, struct frame_slot *slot, uint32_t index, uint64_t word)
{
	atomic_store_relaxed(&pm->word[index], frame_word(word, FRAME_FREE, slot->loaded));
	slot->loaded = index + 1;
	atomic_bump(&slot->loaded_n, 1);
}

/* Takes the first frame of a loaded chain that is not empty. */
static ALWAYS_INLINE uint64_t frame_pop(struct physmem *pm, struct frame_slot *slot, enum frame_owner owner)
{
	uint32_t index = slot->loaded - 1;
	uint64_t word = atomic_load_relaxed(&pm->word[index]);

	ASSERT(frame_state(word) == FRAME_FREE);
	slot->loaded = frame_link(word);
	atomic_store_relaxed(&slot->loaded_n, atomic_load_relaxed(&slot->loaded_n) - 1);
	atomic_store_relaxed(&pm->word[index], ((word & FRAME_LIVES_MASK) + FRAME_LIVES_ONE) | frame_owned(owner, 0));
	return pm->base + index;
}

/* The index of a frame that the engine says it owns as that. Checked in release builds too: a double free must not go
 * on. */
static ALWAYS_INLINE uint32_t frame_owned_index(struct physmem *pm, uint64_t pfn, enum frame_owner owner)
{
	CHECK(pfn - pm->base < pm->span);
	CHECK((uint32_t)atomic_load_relaxed(&pm->word[pfn - pm->base]) == frame_owned(owner, 0));
	return (uint32_t)(pfn - pm->base);
}

static ALWAYS_INLINE uint64_t frame_alloc_for(struct physmem *pm, struct thread_slot *self, enum frame_owner owner)
{
	struct frame_slot *slot = thread_local_at(&pm->slots, self->number);

	if (likely(slot && slot->loaded))
		return frame_pop(pm, slot, owner);
	return frame_alloc_slow(pm, self, owner);
}

static ALWAYS_INLINE void frame_free_by(struct physmem *pm, struct thread_slot *self, uint64_t pfn,
					enum frame_owner owner)
{
	struct frame_slot *slot = thread_local_at(&pm->slots, self->number);
	uint32_t index = frame_owned_index(pm, pfn, owner);

	if (likely(slot && atomic_load_relaxed(&slot->loaded_n) < pm->batch))
		frame_push(pm, slot, index, atomic_load_relaxed(&pm->word[index]));
	else
		frame_free_slow(pm, self, index);
}

static ALWAYS_INLINE void frame_defer_by(struct physmem *pm, struct thread_slot *self, uint64_t pfn,
					 enum frame_owner owner)
{
	struct frame_slot *slot = thread_local_at(&pm->slots, self->number);
	uint32_t index = frame_owned_index(pm, pfn, owner);
	uint32_t n;

	if (unlikely(!slot)) {
		frame_defer_slow(pm, self, index);
		return;
	}
	atomic_store_relaxed(&pm->word[index],
			     frame_word(atomic_load_relaxed(&pm->word[index]), FRAME_DEFERRED, slot->open));
	slot->open = index + 1;
	n = atomic_load_relaxed(&slot->open_n) + 1;
	atomic_store_relaxed(&slot->open_n, n);
	if (unlikely(n >= pm->defer_batch))
		frame_full(pm, slot, self);
}

static inline uint64_t frame_alloc(struct physmem *pm, struct thread_slot *self)
{
	return frame_alloc_for(pm, self, FRAME_OWNER_MAP);
}

static inline void frame_free(struct physmem *pm, struct thread_slot *self, uint64_t pfn)
{
	frame_free_by(pm, self, pfn, FRAME_OWNER_MAP);
}

static inline void frame_defer(struct physmem *pm, struct thread_slot *self, uint64_t pfn)
{
	frame_defer_by(pm, self, pfn, FRAME_OWNER_MAP);
}

static inline void frame_tidy(struct physmem *pm, struct thread_slot *self)
{
	struct frame_slot *slot = thread_local_at(&pm->slots, self->number);

	if (unlikely(slot && atomic_load_relaxed(&slot->open_n) >= pm->defer_batch))
		frame_full(pm, slot, self);
}

#endif
