/* SPDX-License-Identifier: MIT */
/* strategy.c - see strategy.h. */
#include "bench/explore/strategy.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/prng.h"

#define LEVELS      4                    /* preemptions 0 to 3                                                      */
#define LEVEL_MAX   (1u << 20)           /* plans of a level that are kept                                          */
#define CHANGES_MAX 4
#define NEW_ONE_IN  12                   /* loads of a core that sees what is old                                   */

/* One schedule of `bounded`: at its points at[], in rising order, core to[] goes on. */
struct plan { uint8_t order, n, to[LEVELS - 1]; uint16_t at[LEVELS - 1]; };

struct level { struct plan *plan; uint32_t n, next, room; bool shuffled; };

struct strategy {
	enum strategy_kind kind;
	bool everywhere;
	uint32_t cores, turn;
	struct prng prng;
	uint32_t points_max;             /* of all runs so far                                                     */
	struct level level[LEVELS];
	uint32_t at_level;
	/* of the run under way */
	struct plan plan;
	uint32_t next_change, changes[CHANGES_MAX], one_in, stale_one_in, old_core;
	int32_t priority[RUN_CORES], lowest;
};

const char *const strategy_name[STRATEGIES] = { "mixed", "bounded", "pct", "random", "old" };

static uint32_t pick(struct prng *prng, uint32_t mask)
{
	uint32_t n = (uint32_t)prng_below(prng, (uint64_t)__builtin_popcount(mask));

	while (n-- > 0)
		mask &= mask - 1;
	return (uint32_t)__builtin_ctz(mask);
}

/* ---- weak memory ---- */

static uint32_t some_age(void *state, uint32_t self, uint32_t access, uint32_t n)
{
	struct strategy *s = state;

	(void)self;
	(void)access;
	return prng_below(&s->prng, s->stale_one_in) != 0 ? 0 : 1 + (uint32_t)prng_below(&s->prng, n - 1);
}

static uint32_t oldest(void *state, uint32_t self, uint32_t access, uint32_t n)
{
	struct strategy *s = state;

	(void)access;
	return self == s->old_core && prng_below(&s->prng, NEW_ONE_IN) != 0 ? n - 1 : 0;
}

/* ---- bounded ---- */

static const uint8_t order_of[6][SCENARIO_CORES] = {
	{ 0, 1, 2 }, { 1, 0, 2 }, { 2, 0, 1 }, { 0, 2, 1 }, { 1, 2, 0 }, { 2, 1, 0 },
};

static uint32_t orders(uint32_t cores)
{
	return cores == 1 ? 1 : cores == 2 ? 2 : 6;
}

static void add(struct level *l, const struct plan *p)
{
	if (l->n == LEVEL_MAX)
		return;
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->plan = realloc(l->plan, l->room * sizeof(*l->plan));
		CHECK(l->plan != NULL);
	}
	l->plan[l->n++] = *p;
}

static uint32_t bounded_point(void *state, uint32_t self, uint32_t others, uint32_t n, uint32_t accesses)
{
	struct strategy *s = state;

	(void)accesses;
	while (s->next_change < s->plan.n && s->plan.at[s->next_change] < n)
		s->next_change++;
	if (s->next_change == s->plan.n || s->plan.at[s->next_change] != n)
		return self;
	return others >> s->plan.to[s->next_change] & 1 ? s->plan.to[s->next_change] : self;
}

static uint32_t bounded_forced(void *state, uint32_t self, uint32_t ready)
{
	struct strategy *s = state;

	(void)self;
	for (uint32_t i = 0; i < SCENARIO_CORES; i++)
		if (ready >> order_of[s->plan.order][i] & 1)
			return order_of[s->plan.order][i];
	return (uint32_t)__builtin_ctz(ready);
}

static void extend(struct strategy *s, const struct outcome *out)
{
	struct plan p = s->plan;
	uint32_t from = p.n == 0 ? 0 : p.at[p.n - 1] + 1u, to = out->points < RUN_POINTS ? out->points : RUN_POINTS;

	if (p.n == LEVELS - 1)
		return;
	p.n++;
	for (uint32_t at = from; at < to; at++)
		for (uint32_t core = 0; core < RUN_CORES; core++)
			if (out->others[at] >> core & 1) {
				p.at[p.n - 1] = (uint16_t)at;
				p.to[p.n - 1] = (uint8_t)core;
				add(&s->level[p.n], &p);
			}
}

static void shuffle(struct strategy *s, struct level *l)
{
	for (uint32_t i = l->n; i > 1; i--) {
		uint32_t j = (uint32_t)prng_below(&s->prng, i);
		struct plan p = l->plan[i - 1];

		l->plan[i - 1] = l->plan[j];
		l->plan[j] = p;
	}
	l->shuffled = true;
}

static bool run_bounded(struct strategy *s, struct outcome *out)
{
	const struct chooser chooser = {
		.everywhere = s->everywhere, .state = s, .point = bounded_point, .forced = bounded_forced,
		.stale = some_age,
	};
	struct level *l;

	while (s->at_level < LEVELS && s->level[s->at_level].next == s->level[s->at_level].n)
		s->at_level++;
	if (s->at_level == LEVELS)
		return false;
	l = &s->level[s->at_level];
	if (s->at_level > 0 && !l->shuffled)
		shuffle(s, l);
	s->plan = l->plan[l->next++];
	s->next_change = 0;
	run_once(&chooser, out);
	extend(s, out);
	return true;
}

/* ---- pct ---- */

static uint32_t highest(const struct strategy *s, uint32_t mask)
{
	uint32_t best = (uint32_t)__builtin_ctz(mask);

	for (uint32_t i = best + 1; i < RUN_CORES; i++)
		if (mask >> i & 1 && s->priority[i] > s->priority[best])
			best = i;
	return best;
}

static uint32_t pct_point(void *state, uint32_t self, uint32_t others, uint32_t n, uint32_t accesses)
{
	struct strategy *s = state;

	(void)accesses;
	for (uint32_t i = 0; i < s->next_change; i++)
		if (s->changes[i] == n)
			s->priority[self] = --s->lowest;
	return highest(s, others | 1u << self);
}

static uint32_t pct_forced(void *state, uint32_t self, uint32_t ready)
{
	(void)self;
	return highest(state, ready);
}

static void run_pct(struct strategy *s, struct outcome *out)
{
	const struct chooser chooser = {
		.everywhere = s->everywhere, .state = s, .point = pct_point, .forced = pct_forced,
		.stale = some_age,
	};

	s->lowest = 0;
	for (uint32_t i = 0; i < RUN_CORES; i++)
		s->priority[i] = 1 + (int32_t)prng_below(&s->prng, 1 << 20);
	s->next_change = 1 + (uint32_t)prng_below(&s->prng, CHANGES_MAX);
	for (uint32_t i = 0; i < s->next_change; i++)
		s->changes[i] = (uint32_t)prng_below(&s->prng, s->points_max + 1);
	run_once(&chooser, out);
}

/* ---- random ---- */

static uint32_t random_point(void *state, uint32_t self, uint32_t others, uint32_t n, uint32_t accesses)
{
	struct strategy *s = state;

	(void)n;
	(void)accesses;
	return prng_below(&s->prng, s->one_in) != 0 ? self : pick(&s->prng, others);
}

static uint32_t random_forced(void *state, uint32_t self, uint32_t ready)
{
	(void)self;
	return pick(&((struct strategy *)state)->prng, ready);
}

static void run_random(struct strategy *s, struct outcome *out, bool old)
{
	const struct chooser chooser = {
		.everywhere = s->everywhere, .state = s, .point = random_point, .forced = random_forced,
		.stale = old ? oldest : some_age,
	};

	s->one_in = 2u << prng_below(&s->prng, 5);
	if (old)
		s->old_core = (uint32_t)prng_below(&s->prng, s->cores);
	run_once(&chooser, out);
}

/* ---- replay ---- */

struct replay { const struct schedule *schedule; uint32_t at; };

static uint32_t replay_age(void *state, uint32_t self, uint32_t access, uint32_t n)
{
	const struct schedule *s = ((struct replay *)state)->schedule;

	for (uint32_t i = 0; i < s->stales; i++)
		if (s->stale[i].core == self && s->stale[i].access == access)
			return s->stale[i].age < n ? s->stale[i].age : n - 1;
	return 0;
}

/* The next segment's core that is in mask; RUN_CORES: no segment is left. */
static uint32_t next_segment(struct replay *r, uint32_t mask)
{
	while (r->at < r->schedule->n) {
		uint32_t core = r->schedule->segment[r->at].core;

		if (core < RUN_CORES && mask >> core & 1)
			return core;
		r->at++;
	}
	return RUN_CORES;
}

static uint32_t replay_point(void *state, uint32_t self, uint32_t others, uint32_t n, uint32_t accesses)
{
	struct replay *r = state;
	uint32_t core;

	(void)n;
	if (r->at >= r->schedule->n || accesses < r->schedule->segment[r->at].accesses)
		return self;
	r->at++;
	core = next_segment(r, others | 1u << self);
	return core == RUN_CORES ? self : core;
}

static uint32_t replay_forced(void *state, uint32_t self, uint32_t ready)
{
	struct replay *r = state;
	uint32_t core;

	if (self != RUN_CORES)
		r->at++;
	core = next_segment(r, ready);
	return core == RUN_CORES ? (uint32_t)__builtin_ctz(ready) : core;
}

static void replay_passed(void *state, uint32_t self, uint32_t to)
{
	(void)replay_forced(state, self, 1u << to);
}

void strategy_replay(const struct schedule *schedule, struct outcome *out)
{
	struct replay r = { schedule, 0 };
	const struct chooser chooser = {
		.everywhere = true, .again = true, .state = &r, .point = replay_point, .forced = replay_forced,
		.passed = replay_passed, .stale = replay_age,
	};

	run_once(&chooser, out);
}

/* ---- all ---- */

struct strategy *strategy_new(enum strategy_kind kind, uint32_t cores, uint64_t seed, bool everywhere)
{
	struct strategy *s = calloc(1, sizeof(*s));

	CHECK(s != NULL);
	s->kind = kind;
	s->everywhere = everywhere;
	s->cores = cores;
	s->prng = prng_seed(seed, 0);
	for (uint32_t i = 0; i < orders(cores); i++)
		add(&s->level[0], &(struct plan){ .order = (uint8_t)i });
	return s;
}

void strategy_free(struct strategy *s)
{
	for (uint32_t i = 0; i < LEVELS; i++)
		free(s->level[i].plan);
	free(s);
}

static bool run_mixed(struct strategy *s, struct outcome *out)
{
	uint32_t turn = s->at_level < 2 ? 0 : s->turn++ % 3;

	if (turn == 0 && run_bounded(s, out))
		return true;
	if (turn == 1)
		run_pct(s, out);
	else
		run_random(s, out, false);
	return true;
}

bool strategy_step(struct strategy *s, struct outcome *out)
{
	bool ran = true;

	s->stale_one_in = 2u << prng_below(&s->prng, 6);
	switch (s->kind) {
	case STRATEGY_BOUNDED:
		ran = run_bounded(s, out);
		break;
	case STRATEGY_PCT:
		run_pct(s, out);
		break;
	case STRATEGY_RANDOM:
		run_random(s, out, false);
		break;
	case STRATEGY_OLD:
		run_random(s, out, true);
		break;
	default:
		ran = run_mixed(s, out);
	}
	if (ran && out->points > s->points_max)
		s->points_max = out->points;
	return ran;
}
