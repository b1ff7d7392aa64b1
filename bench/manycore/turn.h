/* SPDX-License-Identifier: MIT */
/*
 * turn.h - whose turn it is: virtual time of each logical core, and the core with the lowest one runs.
 *
 * Every access costs its core time. One that is a hit (line.h) concerns nobody else; a core may run ahead of the others
 * by `quantum` in hits. One that is not happens in the order of virtual times: the core waits for its turn, gets the
 * line, and carries the access out; so does a locked one on a line that has ever moved. So a transfer never depends on
 * the future of another core by more than the quantum; `vmmap-manycore validate` shows what depends on it.
 *
 * SPINNING   a load of the address, and from the place, of the core's access before: pauses between the two are not
 *            seen, they cost `pause`.
 * KERNEL     a system call costs `syscall`, and the line of its futex bucket; who is woken goes on `wake` later, who
 *            wakes pays `poke` for each; a membarrier interrupts every core that is running (`interrupt`).
 * DAEMONS    the library's own thread has a core of its own, in the last socket.
 * HARNESS    what the workload itself does (random numbers, meetings) costs nothing, but meetings.
 * The main core (set-up, reports) is outside of it all: its accesses move no line.
 */
#ifndef BENCH_MANYCORE_TURN_H
#define BENCH_MANYCORE_TURN_H

#include <stdbool.h>
#include <stdint.h>
#include "bench/manycore/line.h"
#include "bench/sim/access.h"
#include "bench/sim/core.h"

#define TURN_PS UINT64_C(1000)                   /* ps in a ns: all virtual times are in ps                         */

struct turn_costs {                              /* ps                                                              */
	struct line_costs line;
	uint64_t access, rmw;                    /* an access with what is computed around it; a locked one         */
	uint64_t pause, syscall, wake, poke, interrupt;
	uint64_t quantum;
};

enum turn_wait { TURN_LINES, TURN_ASLEEP, TURN_SPINNING, TURN_HARNESS, TURN_WAITS };

struct turn_core {                               /* since turn_reset                                                */
	uint64_t accesses, rmws, cold;
	uint64_t loaded, stored;                 /* transfers                                                       */
	uint64_t wait[TURN_WAITS];
	uint64_t sleeps, barriers, graces;
	/* inside */
	uint64_t key;                            /* in the queue: when it goes on                                   */
	uint32_t place;                          /* in the queue; 0: not there                                      */
	uint64_t asleep_since;
	uintptr_t last_at;
	const void *last_pc;
};

/* NULL, or: told about each transfer. Must not switch. from: where the line's last store came from; took: how long the
 * core waited for it. */
extern void (*turn_transfer)(const struct access *a, uint32_t core, const void *from, uint64_t took);

void turn_begin(const struct turn_costs *costs);         /* after core_begin: listens from now on                   */
void turn_reset(void);                                   /* counts start anew; times go on                          */
const struct turn_core *turn_at(uint32_t number);
uint64_t turn_digest(void);                              /* of all transfers since turn_begin: who, when            */
struct line_table *turn_lines(void);

/* For harness code, on the calling core. */
void turn_spend(uint64_t ps);                            /* as waiting; others may run                              */
void turn_sleep(const void *word);                       /* until turn_release                                      */
void turn_release(const void *word, uint64_t ps);        /* all sleepers go on `ps` after now                       */

#endif
