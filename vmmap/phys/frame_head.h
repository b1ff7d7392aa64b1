/* SPDX-License-Identifier: MIT */
/* frame_head.h - from a frame to the first one of the run that it is a part of, whose word stands for all of it
 * (frame_run.c). Looks promise nothing: each word is of its own time. */
#ifndef VMMAP_PHYS_FRAME_HEAD_H
#define VMMAP_PHYS_FRAME_HEAD_H

#include "vmmap/phys/frame.h"
#include "vmmap/phys/frame_block.h"

/* Of the run, or the frame, that is out and has this one; *word: its. The frame itself, and 0: there is none. */
static inline uint64_t frame_head(struct physmem *pm, uint64_t index, uint64_t *word)
{
	for (unsigned order = 0; order <= FRAME_BLOCK_ORDER; order++) {
		uint64_t head = index & ~((UINT64_C(1) << order) - 1);

		*word = atomic_load_relaxed(&pm->word[head]);
		if (frame_state(*word) == FRAME_OWNED && index - head < UINT64_C(1) << frame_order(*word))
			return head;
	}
	*word = 0;
	return index;
}

#endif
