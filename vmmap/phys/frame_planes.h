/* SPDX-License-Identifier: MIT */
/* frame_planes.h - where the words and rows of blocks lie: for an instance's layout. What they mean: frame_bits.c. */
#ifndef VMMAP_PHYS_FRAME_PLANES_H
#define VMMAP_PHYS_FRAME_PLANES_H

#include "base/atomic.h"
#include "vmmap/phys/physseg_plane.h"

struct frame_listener;

struct frame_bits {
	uint64_t frames;                 /* that may ever be                                               [const] */
	_Atomic(struct frame_listener *) listener;       /* NULL: nobody                                           */
	struct physseg_plane block, row; /* words                                                                  */
	struct physseg_plane hint;       /* bits: blocks that may have free frames, by class (frame_bits_search.c) */
};

#endif
