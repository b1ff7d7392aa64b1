/* SPDX-License-Identifier: MIT */
/* physmem_balloon.h - the balloon of an instance, for who wants its frames. Private to vmmap/phys. */
#ifndef VMMAP_PHYS_PHYSMEM_BALLOON_H
#define VMMAP_PHYS_PHYSMEM_BALLOON_H

#include "vmmap/phys/frame.h"
#include "vmmap/phys/frame_balloon.h"

/* To be pressed. NULL: there has never been one. */
struct frame_balloon *physmem_balloon_of(struct physmem *pm);
/* For who has set the blocks of frames [lo, hi) offline (indexes): the balloon leaves them (frame_balloon_leave).
 * Holding nothing; sleeps in the host's functions. Returns how many frames it had there. */
uint64_t physmem_balloon_leave(struct physmem *pm, uint64_t lo, uint64_t hi);
/* The instance goes, and nobody uses it. */
void physmem_balloon_fini(struct physmem *pm);

#endif
