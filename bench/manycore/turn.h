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
 *            seen, they cost `pause`. Rounds of park_spin in which nothing new is seen are not played: spin.h.
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
#include "base/compiler.h"
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
	uint64_t accesses, rmws;
	uintptr_t last_at;                       /* inside, as last_pc and asleep_since                             */
	const void *last_pc;
	uint64_t cold, loaded, stored;           /* the last two: transfers                                         */
	uint64_t wait[TURN_WAITS];
	uint64_t sleeps, graces;
	uint64_t asleep_since;
} __attribute__((aligned(64)));                  /* an access touches the first line                                */

/* NULL, or: told about each transfer. Must not switch. from: where the line's last store came from; took: how long the
 * core waited for it. */
extern void (*turn_transfer)(const struct access *a, uint32_t core, const void *from, uint64_t took);

void turn_begin(const struct turn_costs *costs);         /* after core_begin: listens from now on                   */
void turn_reset(void);                                   /* counts start anew; times go on                          */
const struct turn_core *turn_at(uint32_t number);
uint64_t turn_digest(void);                              /* of all transfers since turn_begin: who, when            */

/* ---- each access; turn_begin makes this the listener of access.h, told.c asks turn_hit first ---- */

struct turn_now {
	uint64_t horizon;                                /* until when the running core may go on in hits           */
	struct turn_costs costs;
	struct line_table lines;
};

extern struct turn_now turn_now;
extern struct turn_core turn_of[CORE_MAX + 1];           /* the last: CORE_MAIN                                     */

void turn_access(const struct access *a);

static ALWAYS_INLINE bool turn_locked(const struct access *a)
{
	return a->op == ACCESS_RMW || (a->op == ACCESS_STORE && a->order == __ATOMIC_SEQ_CST);
}

/* All of turn_access, if it is a hit in one line, nobody waits for that, and it is no spin; else nothing, false. */
static ALWAYS_INLINE bool turn_hit(const struct access *a)
{
	struct core *self = core_current;
	bool store = a->op != ACCESS_LOAD, locked = turn_locked(a);
	uint64_t number = a->at >> LINE_SHIFT;
	struct line_chunk *chunk;
	struct turn_core *m;
	struct line *line;

	if (unlikely(self->number == CORE_MAIN || self->time > turn_now.horizon))
		return false;
	chunk = turn_now.lines.directory[number / LINE_CHUNK_LINES];
	if (unlikely(chunk == NULL || (a->at + a->bytes - 1) >> LINE_SHIFT != number))
		return false;
	line = &chunk->line[number % LINE_CHUNK_LINES];
	if (unlikely(!line_hit(&turn_now.lines, line, self->number, store) || (locked && (line->who & LINE_MOVED))))
		return false;
	m = &turn_of[self->number];
	if (unlikely(!store && m->last_at == a->at && m->last_pc == a->pc))
		return false;
	m->accesses++;
	m->last_at = a->at;
	m->last_pc = a->pc;
	m->rmws += locked;
	self->time += locked ? turn_now.costs.rmw : turn_now.costs.access;
	if (store)
		line_written(line, a->pc);
	return true;
}

/*
 * The calling core does the same every `period`, and sees a change only once another one takes the line of `at`, which
 * it has: so it goes on at the end of the first period that ends after that, or of `most` of them. How many; 0: it does
 * not have the line any more.
 */
uint64_t turn_watch(uintptr_t at, uint64_t period, uint64_t most);

/* For harness code, on the calling core. */
void turn_spend(uint64_t ps);                            /* as waiting; others may run                              */
void turn_sleep(const void *word);                       /* until turn_release                                      */
void turn_release(const void *word, uint64_t ps);        /* all sleepers go on `ps` after now                       */

#endif
