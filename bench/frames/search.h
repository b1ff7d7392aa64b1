/* SPDX-License-Identifier: MIT */
/* search.h - what a search for free frames costs on machines of any size: over blocks and rows alone (frame_bits.h). */
#ifndef BENCH_FRAMES_SEARCH_H
#define BENCH_FRAMES_SEARCH_H

#include <stdint.h>

enum search_case {
	SEARCH_NEXT,                             /* every other block is free: 64 frames of the next one           */
	SEARCH_ONE,                              /* one block is free, half the machine away: a run of 16 frames   */
	SEARCH_NOTHING,                          /* none is: that is said                                          */
	SEARCH_CASES
};
extern const char *const search_name[SEARCH_CASES];

struct search_cost { uint64_t instructions; double ns; };        /* 0: nobody may be traced, or too many; a median */

/* Of a machine of that many GiB, at least one. 0; -ENOMEM. */
int search_measure(enum search_case which, uint64_t gib, struct search_cost *out);

#endif
