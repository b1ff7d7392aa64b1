/* SPDX-License-Identifier: MIT */
/*
 * turn.c - see turn.h. Which core may go on, who does, and what time it is (run.h: POINTS, SPINS, TIME).
 */
#include "bench/explore/turn.h"

#include <string.h>

#include "bench/explore/run.h"

#define STEPS_MAX 400000                 /* of a run: a thousand times what the largest scenario takes              */
#define PATIENCE  4000                   /* accesses of a core that changes nothing, while others could run         */
#define VAIN_MAX  300                    /* yields in a row with nobody changing a word                             */

struct seat {
	uint32_t accesses, segment;      /* made; made when it was switched to                                     */
	uint32_t changed;                /* accesses made when it changed a word the last time                      */
	bool spinning;
	uint64_t spin_changes;           /* changes by others when it yielded                                      */
	uint64_t own_changes;
};

static struct seat seats[RUN_CORES];
static const struct chooser *chooser;
static struct outcome *outcome;
static bool running, timers;
static uint64_t steps, changes, clock_base, vain;
static uint32_t seated;                 /* who runs; RUN_CORES: nobody, between two segments                       */

static uint64_t changes_by_others(const struct seat *seat)
{
	return changes - seat->own_changes;
}

static bool timed(const struct core *c)
{
	return (c->state == CORE_FUTEX || c->state == CORE_NAP) && c->until != CORE_NEVER;
}

/* A bit for each core that could run on, `self` excepted. */
static uint32_t eligible(uint32_t self)
{
	uint32_t mask = 0, n = core_count() < RUN_CORES ? core_count() : RUN_CORES;

	for (uint32_t i = 0; i < n; i++) {
		const struct core *c = core_at(i);

		if (i == self)
			continue;
		if (c->state == CORE_READY
			    ? !seats[i].spinning || changes_by_others(&seats[i]) != seats[i].spin_changes
			    : timed(c) && timers)
			mask |= 1u << i;
	}
	return mask;
}

uint64_t turn_now(void)
{
	return clock_base + steps;
}

/* It is to run: if it sleeps, its time has come. */
static void make_ready(struct core *c)
{
	if (c->state == CORE_READY)
		return;
	if (turn_now() < c->until)
		clock_base = c->until - steps;
	core_wake_due(turn_now());
}

static void leave(uint32_t from, bool forced)
{
	struct seat *seat = &seats[from];

	schedule_add(&outcome->schedule, from, forced ? SEGMENT_WHOLE : seat->accesses - seat->segment);
	outcome->preemptions += !forced;
	seated = RUN_CORES;
}

static void tell_switch(uint32_t from, uint32_t to, bool forced)
{
	if (run_listener != NULL)
		run_listener(&(struct run_event){ .what = EVENT_SWITCH, .core = from, .to = to, .forced = forced });
}

static void arrive(struct core *c)
{
	struct seat *seat = &seats[c->number];

	make_ready(c);
	seat->spinning = false;
	seat->segment = seat->accesses;
	seated = c->number;
}

/* Who yields lets those go first that do not wait themselves: two that poll cannot keep a third out. */
static uint32_t fairly(uint32_t mask)
{
	uint32_t at_work = 0;

	for (uint32_t i = 0; i < RUN_CORES; i++)
		if (mask >> i & 1 && !seats[i].spinning)
			at_work |= 1u << i;
	return at_work != 0 ? at_work : mask;
}

/* It looks again and again without yielding: in the end its time slice is over. */
static void lose_slice(uint32_t self, uint32_t others)
{
	uint32_t to = chooser->forced(chooser->state, self, fairly(others));

	leave(self, true);
	seats[self].spinning = true;
	seats[self].spin_changes = changes_by_others(&seats[self]);
	tell_switch(self, to, true);
	arrive(core_at(to));
	core_switch(core_at(to));
}

/* Before what may conflict. Returns when this core goes on. */
void turn_point(bool point)
{
	uint32_t self = core_current->number, others, to;

	if (++steps > STEPS_MAX)
		run_fail(FAIL_LIVELOCK, "%u steps, and no end", STEPS_MAX);
	if (seats[self].accesses - seats[self].changed > PATIENCE && chooser->forced != NULL) {
		others = eligible(self);
		seats[self].changed = seats[self].accesses;
		if (others != 0)
			lose_slice(self, others);
	}
	if ((point || chooser->everywhere) && chooser->point != NULL) {
		others = eligible(self);
		if (others != 0) {
			if (outcome->points < RUN_POINTS)
				outcome->others[outcome->points] = (uint8_t)others;
			to = chooser->point(chooser->state, self, others, outcome->points++,
					    seats[self].accesses - seats[self].segment);
			if (to != self) {
				leave(self, false);
				tell_switch(self, to, false);
				arrive(core_at(to));
				core_switch(core_at(to));
			}
		}
	}
	seats[self].accesses++;
}

/* Nobody can run but those that spin: time passes, or they look once more; in the end nothing will ever change. */
static struct core *nobody(uint32_t from)
{
	uint64_t earliest = core_earliest();
	uint32_t n = core_count() < RUN_CORES ? core_count() : RUN_CORES;

	if (earliest != CORE_NEVER) {
		if (turn_now() < earliest)
			clock_base = earliest - steps;
		core_wake_due(turn_now());
		for (uint32_t i = 0; i < n; i++)
			if (core_at(i)->state == CORE_READY && !seats[i].spinning)
				return core_at(i);
	}
	if (++vain > VAIN_MAX)
		run_fail(FAIL_LIVELOCK, "all that can run wait in vain");
	for (uint32_t i = 1; i <= n; i++) {
		struct core *c = core_at((from + i) % n);

		if (c->state == CORE_READY)
			return c;
	}
	return NULL;
}

/* For core.c: `from` sleeps, yields or has ended. */
struct core *turn_next(struct core *from, enum core_why why)
{
	struct core *main_core = core_at(CORE_MAIN), *to;
	uint32_t ready, self = from->number;

	if (!running || from == main_core) {
		if (!running)
			return NULL;
		self = RUN_CORES;
	} else {
		if (why == CORE_YIELDED) {
			if (++steps > STEPS_MAX)
				run_fail(FAIL_LIVELOCK, "%u steps, and no end", STEPS_MAX);
			seats[self].spinning = true;
			seats[self].spin_changes = changes_by_others(&seats[self]);
		}
		leave(self, true);
	}
	if (main_core->state == CORE_READY && from != main_core)
		return main_core;
	ready = eligible(RUN_CORES);
	if (why == CORE_YIELDED)
		ready = fairly(ready);
	if (ready == 0) {
		to = nobody(self == RUN_CORES ? 0 : self);
		if (to != NULL && chooser->passed != NULL)
			chooser->passed(chooser->state, self, to->number);
	} else {
		to = core_at(chooser->forced ? chooser->forced(chooser->state, self, ready) :
					       (uint32_t)__builtin_ctz(ready));
	}
	if (to == NULL)
		return NULL;
	if (to->number != self)
		tell_switch(self, to->number, true);
	arrive(to);
	return to;
}

/* ---- for the run ---- */

void turn_changed(uint32_t self)
{
	changes++;
	vain = 0;
	if (self < RUN_CORES) {
		seats[self].own_changes++;
		seats[self].changed = seats[self].accesses;
	}
}

/* The segment under way has no end of its own: without it the schedule would not say who was running. */
void turn_failed(void)
{
	if (seated != RUN_CORES)
		leave(seated, true);
}

uint64_t turn_steps(void)
{
	return steps;
}

uint64_t turn_vain(void)
{
	return vain;
}

uint32_t turn_accesses(uint32_t core)
{
	return seats[core].accesses;
}

void turn_begin(const struct chooser *c, struct outcome *out, bool may_time_out)
{
	chooser = c;
	outcome = out;
	timers = may_time_out;
	memset(seats, 0, sizeof(seats));
	steps = changes = vain = 0;
	seated = RUN_CORES;
	clock_base = UINT64_C(1000000000);
}

void turn_running(bool on)
{
	running = on;
}
