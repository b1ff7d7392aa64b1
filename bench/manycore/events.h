/* SPDX-License-Identifier: MIT */
/*
 * events.h - what has to happen inside a measured window for it to be a steady state: counted at the engine's own
 * functions, by the linker's --wrap (they are called across files).
 */
#ifndef BENCH_MANYCORE_EVENTS_H
#define BENCH_MANYCORE_EVENTS_H

#include <stdint.h>

enum event {
	EVENT_REFILL,                    /* a slot's frame cache ran out                                            */
	EVENT_TAKE,                      /* ... a chain was taken from the depot that all share                     */
	EVENT_TABLE,                     /* a page table was taken, to be installed                                 */
	EVENT_GRAFT,                     /* a leaf of the VMA tree was split, or two were joined                    */
	EVENTS
};

uint64_t events_count(enum event which);
void events_reset(void);

#endif
