/* SPDX-License-Identifier: MIT */
/* physseg.h - what the library itself may do with a table of segments, beside the public face. */
#ifndef VMMAP_PHYS_PHYSSEG_H
#define VMMAP_PHYS_PHYSSEG_H

#include <stdbool.h>
#include <stdio.h>

#include "vmmap/physseg.h"

/* A table of segments only, in [base, limit): of the frames themselves it knows nothing, so that plug costs no byte for
 * each of them, and physseg_phys_to_frame, physseg_frame have no answer. Index: bitmap. */
int physseg_create_bare(struct physseg_table **out, uint64_t base, uint64_t limit);

/* Of what physseg_find said: it found one. Not whether that is there still: it may be cut, or go, at once. */
static inline bool physseg_found(struct physseg_handle h)
{
	return h.slot != 0 || h.generation != 0;
}

/* Segments sorted, disjoint, not empty, their available parts inside; slots, index, frames and sums agree. Writes a
 * line per violation to report (NULL: none). Returns their number. Quiescent only. */
uint64_t physseg_audit(struct physseg_table *t, FILE *report);

#endif
