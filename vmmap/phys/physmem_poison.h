/* SPDX-License-Identifier: MIT */
/* physmem_poison.h - frames out of use, for who unplugs them. Private to vmmap/phys. */
#ifndef VMMAP_PHYS_PHYSMEM_POISON_H
#define VMMAP_PHYS_PHYSMEM_POISON_H

#include "vmmap/phys/frame.h"

/* The frame with that index is out of use. */
bool physmem_poison_is(struct physmem *pm, uint64_t index);
/* Its segment goes: it is GOING, of the same generation, and no longer counted. False: it was not out of use. The bit
 * of its row is set still, as of a frame that was claimed; by who has its block offline. */
bool physmem_poison_leaves(struct physmem *pm, uint64_t index);
/* It does not go: the frame is out of use again. False: physmem_unpoison has been called meanwhile; it is FREE, of who
 * has claimed it, as any other. */
bool physmem_poison_stays(struct physmem *pm, uint64_t index);

#endif
