/* SPDX-License-Identifier: MIT */
/* physmem_slots.h - what an instance does with its slots from outside. Private to vmmap/phys. */
#ifndef VMMAP_PHYS_PHYSMEM_SLOTS_H
#define VMMAP_PHYS_PHYSMEM_SLOTS_H

#include "vmmap/phys/frame.h"

/* How much caches and depot keep, by the frames that there are and that no unplug is about to take. With plug_lock. */
void physmem_set_sizes(struct physmem *pm);
/* So many frames more, or fewer, are about to go. */
void physmem_leaving(struct physmem *pm, uint64_t frames);
/* Gives all that a slot holds to the depot and the late stack. By the slot's owner, or quiescent. */
void frame_slot_drain(struct physmem *pm, struct frame_slot *slot, bool settled);
/* Thread exit: the same, in the exiting thread. */
void frame_slot_exit(struct thread_exit_hook *hook, uint32_t number);

#endif
