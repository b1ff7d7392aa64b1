/* SPDX-License-Identifier: MIT */
/* frame_short.h - what an allocation does that finds nothing, before it fails. Protocol: frame_short.c. */
#ifndef VMMAP_PHYS_FRAME_SHORT_H
#define VMMAP_PHYS_FRAME_SHORT_H

#include "vmmap/phys/frame.h"

/* What it has done: zeroes before the first call. empty: the balloon, since it has been pressed. */
struct frame_short { bool drained, held, counted, pressed, empty; };

/* By who has looked at all places, and found nothing, holding nothing, outside of read sections: does the next thing
 * that may bring up to n frames. 0: look again; -ENOMEM: there is nothing more to do; -ETIMEDOUT: the thread's
 * deadline has come. May sleep. */
int  frame_short_of(struct physmem *pm, struct thread_slot *self, struct frame_short *s, uint64_t n) MUST_CHECK;
/* After the last look. */
void frame_short_ends(struct physmem *pm, struct frame_short *s);

#endif
