/* SPDX-License-Identifier: MIT */
/* frame_isolate.h - frames of blocks that are to be emptied leave the caches. Protocol: frame_isolate.c. Private to
 * vmmap/phys. */
#ifndef VMMAP_PHYS_FRAME_ISOLATE_H
#define VMMAP_PHYS_FRAME_ISOLATE_H

#include "vmmap/phys/frame_shelf.h"

/* By who has set blocks offline: from here on what is freed in them goes to its row. Ends with frame_isolate_end. 0;
 * -ENOMEM: no memory for the slot of the caller, who is going to drain. */
int  frame_isolate_begin(struct physmem *pm, struct thread_slot *self) MUST_CHECK;
/* After a drain: the inlined paths find their slots again, until the caller closes them; then it must wait before it
 * drains. What is freed by others is judged all the while; what they free may be in its thread's cache then. */
void frame_isolate_open(struct physmem *pm);
void frame_isolate_close(struct physmem *pm);
/* Waits for whoever may not have seen that. Outside read sections. 0; -EAGAIN, -ETIMEDOUT. */
int  frame_isolate_wait(uint64_t deadline_ns) MUST_CHECK;
/* After that: what is free in offline blocks goes to its rows, whichever cache had it, idle threads' too. True: frames
 * are deferred somewhere, and their readers are not gone. Outside read sections; waits for no thread. */
bool frame_isolate_drain(struct physmem *pm, struct thread_slot *self);
/* Closed as it is; or open. */
void frame_isolate_end(struct physmem *pm);
void frame_isolate_end_open(struct physmem *pm);

/* Somebody isolates. */
static inline bool frame_isolating(struct physmem *pm)
{
	return atomic_load_acquire(&pm->isolating) & FRAME_ISOLATING;            /* I2 -> I1 */
}

/* ... and keeps caches closed. */
static inline bool frame_is_closed(struct physmem *pm)
{
	return atomic_load_acquire(&pm->isolating) & FRAME_CLOSED;               /* I2 -> I1 */
}

/* The frame's block is to be emptied. */
static inline bool frame_is_leaving(struct physmem *pm, uint32_t index)
{
	return frame_bits_word(&pm->bits, index >> FRAME_BLOCK_ORDER) & FRAME_BLOCK_OFFLINE;
}

/* A slot's thread is about to use its chains, by another way than the inlined ones: inside a read section, and, while
 * caches are closed, under the slot's lock. NULL: no memory for a slot; the section has begun all the same. */
struct frame_slot *frame_slot_enter(struct physmem *pm, struct thread_slot *self);
void frame_slot_leave(struct thread_slot *self, struct frame_slot *slot);

/* Of a chain of free frames, in the caller's hands: those that leave go to their rows, counted by that slot; returns
 * the others, counted, or 0. */
uint32_t frame_sort_out(struct physmem *pm, struct frame_slot *counts, uint32_t chain);
/* A free frame to its row. */
void frame_to_row(struct physmem *pm, struct frame_slot *counts, uint32_t index);

/* Frames whose contents have moved out of offline blocks. They wait for their readers together, in the hands of who
 * isolates, and not in his slot's batches: each of those would cost its own membarrier, which interrupts all others. */
struct frame_left { uint32_t chain, n; };

/* One more, as frame_defer_by: inside a read section. */
void frame_left_put(struct physmem *pm, struct thread_slot *self, struct frame_left *left, uint64_t pfn,
		    enum frame_owner owner);
/* Waits until nobody reads any of them; then they go to their rows, their blocks being offline. 0; -ETIMEDOUT: not yet.
 * Outside read sections. */
int  frame_left_wait(struct physmem *pm, struct thread_slot *self, struct frame_left *left,
		     uint64_t deadline_ns) MUST_CHECK;
/* Their owner gives up: they wait in the late stack, as batches, if there are any. */
void frame_left_put_off(struct physmem *pm, struct thread_slot *self, struct frame_left *left);

#endif
