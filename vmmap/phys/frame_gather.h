/* SPDX-License-Identifier: MIT */
/* frame_gather.h - what is free goes to its rows. Protocol: frame_gather.c. */
#ifndef VMMAP_PHYS_FRAME_GATHER_H
#define VMMAP_PHYS_FRAME_GATHER_H

#include "vmmap/phys/frame.h"

/* All that is free and within reach goes to its rows. slot: the caller's. Holding nothing. Never sleeps. */
void frame_gather(struct physmem *pm, struct thread_slot *self, struct frame_slot *slot);
/* The same, and what is in caches of all slots, of idle threads too; or less, if that time comes first, because readers
 * hold it back. Sleeps. */
void frame_gather_all(struct physmem *pm, struct thread_slot *self, struct frame_slot *slot, uint64_t deadline_ns);

#endif
