/* SPDX-License-Identifier: MIT */
/* physmem_report.h - the reports of an instance, for who wants what is being told. Private to vmmap/phys. */
#ifndef VMMAP_PHYS_PHYSMEM_REPORT_H
#define VMMAP_PHYS_PHYSMEM_REPORT_H

#include "vmmap/phys/frame.h"
#include "vmmap/phys/frame_report.h"

/* To be held, or let (frame_report_hold). NULL: nothing has ever been told. */
struct frame_report *physmem_report_of(struct physmem *pm);
/* For who has set blocks offline: the host is not being told of them when it returns, nor later. 0; -ETIMEDOUT. Waits
 * for one call of tell. */
int  physmem_report_await(struct physmem *pm, uint64_t until_ns) MUST_CHECK;
/* The instance goes, and nobody uses it. */
void physmem_report_fini(struct physmem *pm);

#endif
