/* SPDX-License-Identifier: MIT */
/*
 * frame.h - frames as the rest of the engine uses them: allocate, free, defer. Inside: per-slot caches over a depot.
 *
 * The hot paths are inline (frame_inline.h): a frame comes from and goes to the caller's own cache with two loads and
 * three stores to lines that only this thread writes; no read-modify-write.
 */
#ifndef VMMAP_PHYS_FRAME_H
#define VMMAP_PHYS_FRAME_H

#include <errno.h>
#include <stdio.h>

#include "base/rcu.h"
#include "vmmap/physmem.h"

/* Who has a frame: nobody; who called physmem_frame_alloc; a map, as anonymous memory; a memory object; the host, by
 * the balloon; nobody ever again; nor before an unplug that has it ends. */
enum frame_owner {
	FRAME_OWNER_NONE, FRAME_OWNER_CALLER, FRAME_OWNER_MAP, FRAME_OWNER_OBJECT, FRAME_OWNER_BALLOON,
	FRAME_OWNER_POISON, FRAME_OWNER_GOING
};

/*
 * Takes a frame: from this slot's cache, from its deferred frames whose grace period has passed, from the depot, from
 * what other slots can spare, in this order. PHYSMEM_NONE: nothing is left. Contents undefined. Inside a read section,
 * so it never waits; frame_take, outside one, waits for a grace period rather than fail while frames are only deferred
 * (the exception of promise P-7). A caller that got PHYSMEM_NONE inside may leave, call frame_refill, and start over.
 */
static ALWAYS_INLINE uint64_t frame_alloc(struct physmem *pm, struct thread_slot *self);
/* Brings a frame into this slot's cache, as frame_alloc would, waiting no longer than the thread's deadline. 0;
 * -ENOMEM: nothing is left; -EAGAIN, -ETIMEDOUT: frames are left, but readers hold them back. */
int frame_refill(struct physmem *pm, struct thread_slot *self);
/* Frees at once: only if no other thread can still be reading it. Aborts on a frame that is not owned, or not by a map.
 * Never waits. */
static ALWAYS_INLINE void frame_free(struct physmem *pm, struct thread_slot *self, uint64_t pfn);
/*
 * Frees after a polled grace period, back into this slot's cache, in batches of 128. Callable inside a read section;
 * never waits. Aborts as frame_free does. Inside a read section no grace period is started (that interrupts
 * the other processors, and holds everybody's batches back for so long) before 512 frames have gathered: call
 * frame_tidy after it.
 */
static ALWAYS_INLINE void frame_defer(struct physmem *pm, struct thread_slot *self, uint64_t pfn);
/* The same for another owner than a map. owner: a constant; the same for a frame all its life. */
static inline uint64_t frame_alloc_for(struct physmem *pm, struct thread_slot *self, enum frame_owner owner);
/* The same, with its name in the reverse map from its first instant on (frame_record.h). */
static inline uint64_t frame_alloc_named(struct physmem *pm, struct thread_slot *self, enum frame_owner owner,
					 uint64_t where, uint64_t page);
/* The same for a page that is to be pinned: outside of segments that take only what can be moved, without a name. Back
 * where it came from, if nobody has seen it; and a refill for it. */
uint64_t frame_alloc_unmovable(struct physmem *pm, struct thread_slot *self, enum frame_owner owner);
void frame_free_unmovable(struct physmem *pm, struct thread_slot *self, uint64_t pfn, enum frame_owner owner);
int frame_refill_unmovable(struct physmem *pm, struct thread_slot *self);
/* The frame lies in a segment that takes only what can be moved. By who keeps it from being freed. */
bool frame_is_for_movable(struct physmem *pm, uint64_t pfn);
static inline void frame_free_by(struct physmem *pm, struct thread_slot *self, uint64_t pfn, enum frame_owner owner);
static inline void frame_defer_by(struct physmem *pm, struct thread_slot *self, uint64_t pfn, enum frame_owner owner);
/* The same by who may be in no read section: what is above must be called inside one (frame_isolate.c). Outside,
 * frame_take waits as frame_alloc says, and frame_give_later does what frame_tidy does. */
static inline uint64_t frame_take(struct physmem *pm, struct thread_slot *self, enum frame_owner owner);
static inline void frame_give(struct physmem *pm, struct thread_slot *self, uint64_t pfn, enum frame_owner owner);
static inline void frame_give_later(struct physmem *pm, struct thread_slot *self, uint64_t pfn,
				    enum frame_owner owner);
/* Starts the grace period of a full batch, if there is one. Outside read and leaf sections, holding nothing. Cheap. */
static inline void frame_tidy(struct physmem *pm, struct thread_slot *self);

/* Gives what is free in this slot's cache to the depot: for a thread that frees on behalf of others (a round of retired
 * items), and may never want a frame itself. */
void frame_flush(struct physmem *pm, struct thread_slot *self);

/* Zeroes a frame that only the caller can reach. Nothing when metadata only. */
void frame_zero(struct physmem *pm, uint64_t pfn);
/* Copies a frame that others may be writing into one that only the caller can reach. Nothing when metadata only. */
void frame_copy(struct physmem *pm, uint64_t to, uint64_t from);

/* Bytes of a frame move as relaxed atomic words, so that a racing copy is defined behaviour. No-ops without bytes.
 * offset + len <= 4096. */
void frame_read(struct physmem *pm, uint64_t pfn, unsigned offset, void *to, size_t len);
void frame_write(struct physmem *pm, uint64_t pfn, unsigned offset, const void *from, size_t len);
static inline bool frame_has_bytes(const struct physmem *pm);

/*
 * Brings the deferred frames of all slots home; waits for a grace period if there are any (counted in rcu_waits).
 * Quiescent only: no other thread uses pm. physmem_destroy does it by itself.
 */
void frame_settle(struct physmem *pm);

#include "vmmap/phys/frame_inline.h"

#define frame_alloc(pm, self)  BASE_SITE(SITE_FRAME, (frame_alloc)(pm, self), PHYSMEM_NONE)
#define frame_alloc_for(pm, self, owner) BASE_SITE(SITE_FRAME, (frame_alloc_for)(pm, self, owner), PHYSMEM_NONE)
#define frame_take(pm, self, owner) BASE_SITE(SITE_FRAME, (frame_take)(pm, self, owner), PHYSMEM_NONE)
#define frame_alloc_named(pm, self, owner, where, page) \
	BASE_SITE(SITE_FRAME, (frame_alloc_named)(pm, self, owner, where, page), PHYSMEM_NONE)
#define frame_alloc_unmovable(pm, self, owner) \
	BASE_SITE(SITE_FRAME, (frame_alloc_unmovable)(pm, self, owner), PHYSMEM_NONE)
#define frame_refill_unmovable(pm, self) BASE_SITE(SITE_FRAME, (frame_refill_unmovable)(pm, self), -ENOMEM)
#define frame_refill(pm, self) BASE_SITE(SITE_FRAME, (frame_refill)(pm, self), -ENOMEM)

#endif
