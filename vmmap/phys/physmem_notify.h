/* SPDX-License-Identifier: MIT */
/* physmem_notify.h - plug and unplug tell who listens. Protocol: physmem_notify.c. Private to vmmap/phys. */
#ifndef VMMAP_PHYS_PHYSMEM_NOTIFY_H
#define VMMAP_PHYS_PHYSMEM_NOTIFY_H

#include "vmmap/phys/frame.h"
#include "vmmap/physmem_hotplug.h"

/* Something begins: GOING_ONLINE or GOING_OFFLINE. 0 and *told, for its end; a veto: those who were told have been told
 * of the end as well. */
int  physmem_notify_begin(struct physmem *pm, enum physmem_event going, uint64_t pfn, uint64_t pages, uint64_t *told);
void physmem_notify_end(struct physmem *pm, enum physmem_event end, uint64_t pfn, uint64_t pages, uint64_t told);

#endif
