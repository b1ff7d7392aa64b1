/* SPDX-License-Identifier: MIT */
/* physseg.h - what the library itself may do with a table of segments, beside the public face. */
#ifndef VMMAP_PHYS_PHYSSEG_H
#define VMMAP_PHYS_PHYSSEG_H

#include <stdio.h>

#include "vmmap/physseg.h"

/* Segments sorted, disjoint, not empty, their available parts inside; slots, index, frames and sums agree. Writes a
 * line per violation to report (NULL: none). Returns their number. Quiescent only. */
uint64_t physseg_audit(struct physseg_table *t, FILE *report);

#endif
