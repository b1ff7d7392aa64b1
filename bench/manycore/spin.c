/* SPDX-License-Identifier: MIT */
/* spin.c - see spin.h. Stands before park_spin and park_spin_queued (the linker's --wrap). */
#include "base/compiler.h"
#include "base/park.h"
#include "bench/manycore/spin.h"
#include "bench/manycore/turn.h"

/* base/park.c: from the first on rounds yield; from the second they are blocked, and nap where they may. */
#define YIELDS  32
#define BLOCKED 1000
#define LONG    (UINT64_C(1) << 20)              /* rounds, of who never naps: it looks again, that is all          */

bool spin_played;
uint64_t spin_skipped;

static struct spinner {                          /* a core's last call                                              */
	const struct park_spin *spin;
	uintptr_t at;                            /* its access before the call                                      */
	const void *pc;
	uint64_t entered, period;
	uint64_t accesses, round;                /* when it was called; in the round before that                    */
	uint64_t left, rmws;                     /* accesses when it returned                                       */
} spinner_of[CORE_MAX + 1];                      /* the last: CORE_MAIN                                             */

/* False: the line has just been taken. */
static bool watch(struct park_spin *spin, const struct spinner *s, uint64_t most)
{
	struct turn_core *m = &turn_of[core_current->number];
	uint64_t rounds;

	core_current->time -= turn_now.costs.access;             /* each round ends before its load */
	rounds = turn_watch(s->at, s->period, most);
	if (rounds == 0) {
		core_current->time += turn_now.costs.access;
		return false;
	}
	spin_skipped += rounds;
	spin->rounds += (uint32_t)rounds;
	m->accesses += rounds * s->round - 1;
	m->wait[TURN_SPINNING] += rounds * turn_now.costs.syscall;
	m->last_at = 0;
	return true;
}

/* How many rounds from here on are as the last one was, if nobody takes the line. */
static uint64_t equal_rounds(const struct park_spin *spin, bool naps)
{
	if (spin->rounds <= YIELDS + 1 || spin_played)
		return 0;
	if (spin->rounds < BLOCKED)
		return BLOCKED - spin->rounds;
	return spin->rounds == BLOCKED || naps ? 0 : LONG;
}

static void round_of(struct park_spin *spin, bool naps, void (*play)(struct park_spin *spin))
{
	uint32_t number = core_current->number == CORE_MAIN ? CORE_MAX : core_current->number;
	struct spinner *s = &spinner_of[number], before = *s;
	const struct turn_core *m = &turn_of[number];
	uint64_t most = equal_rounds(spin, naps);

	*s = (struct spinner){ spin, m->last_at, m->last_pc, core_current->time, core_current->time - before.entered,
			       m->accesses, m->accesses - before.accesses, 0, m->rmws };
	if (most != 0 && number != CORE_MAX && s->spin == before.spin && s->at == before.at && s->pc == before.pc &&
	    s->period == before.period && s->round == before.round && s->rmws == before.rmws &&
	    s->accesses == before.left + 1 && watch(spin, s, most)) {
		s->spin = NULL;
		return;
	}
	play(spin);
	s->left = m->accesses;
}

void __real_park_spin(struct park_spin *spin);
void __wrap_park_spin(struct park_spin *spin);
void __wrap_park_spin(struct park_spin *spin)
{
	round_of(spin, true, __real_park_spin);
}

void __real_park_spin_queued(struct park_spin *spin);
void __wrap_park_spin_queued(struct park_spin *spin);
void __wrap_park_spin_queued(struct park_spin *spin)
{
	round_of(spin, false, __real_park_spin_queued);
}
