/* SPDX-License-Identifier: MIT */
/* guide.c - see guide.h. */
#include "bench/explore/guide.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/prng.h"
#include "bench/explore/weaken.h"

#define EPOCH 16                         /* runs with the same choice of orders                                     */

struct order {
	int place;                       /* weaken.h                                                               */
	bool on, done;                   /* in the present epoch; it is known to fail, or it was put back           */
};

struct search {
	const struct find *finds;
	unsigned n;
	struct order *order;             /* of each find                                                            */
	struct prng prng;
	struct outcome *out;
	uint64_t runs;                   /* that are left                                                           */
	uint8_t *says;
};

static void put(const struct search *x, unsigned i, bool on)
{
	x->order[i].on = on;
	if (on)
		CHECK(weaken_set(x->order[i].place, x->finds[i].order));
}

/* No place is weakened; orders that were on are told by their flags still. */
static void none(const struct search *x)
{
	for (unsigned i = 0; i < x->n; i++)
		weaken_unset(x->order[i].place);
}

/* Of each place one order that is not done, by chance. */
static void choose(struct search *x)
{
	for (unsigned from = 0, to; from < x->n; from = to) {
		unsigned open = 0, which;

		for (to = from; to < x->n && x->order[to].place == x->order[from].place; to++) {
			x->order[to].on = false;
			open += !x->order[to].done;
		}
		weaken_unset(x->order[from].place);
		if (open == 0)
			continue;
		which = (unsigned)prng_below(&x->prng, open);
		for (unsigned i = from; i < to; i++)
			if (!x->order[i].done && which-- == 0)
				put(x, i, true);
	}
}

static bool fails(struct search *x, const struct schedule *schedule)
{
	x->runs -= x->runs > 0;
	strategy_replay(schedule, x->out);
	return x->out->failure != FAIL_NONE;
}

/* Each order alone, those of the same place that were off as well. */
static bool alone(struct search *x, const struct schedule *schedule)
{
	bool any = false;

	for (unsigned i = 0; i < x->n && x->runs > 0; i++) {
		if (x->order[i].done || !weaken_reached(x->order[i].place))
			continue;
		none(x);
		CHECK(weaken_set(x->order[i].place, x->finds[i].order));
		if (fails(x, schedule)) {
			x->says[i] = GUIDE_FAILED;
			x->order[i].done = any = true;
		}
	}
	return any;
}

/* It takes several: one of those that it takes is put back. */
static void several(struct search *x, const struct schedule *schedule)
{
	none(x);
	for (unsigned i = 0; i < x->n; i++)
		if (x->order[i].on)
			put(x, i, true);
	for (unsigned i = 0; i < x->n && x->runs > 0; i++) {
		if (!x->order[i].on || !weaken_reached(x->order[i].place))
			continue;
		weaken_unset(x->order[i].place);
		if (fails(x, schedule))
			continue;
		x->order[i].done = true;
		return;
	}
}

void guide_scenario(const struct settings *s, const struct scenario *scenario, const struct find *finds, unsigned n,
		    uint64_t runs, uint8_t *says)
{
	struct strategy *strategy = strategy_new(s->strategy, scenario_bodies(scenario), s->seed, s->everywhere);
	struct outcome *out = calloc(2, sizeof(*out));
	struct search x = { finds, n, calloc(n, sizeof(*x.order)), prng_seed(s->seed, 1), &out[1], runs, says };

	CHECK(out != NULL && x.order != NULL);
	for (unsigned i = 0; i < n; i++) {
		bool same = i > 0 && strcmp(finds[i].place, finds[i - 1].place) == 0;

		x.order[i].place = same ? x.order[i - 1].place : weaken_add(finds[i].place);
		CHECK(x.order[i].place >= 0);
	}
	run_prepare(scenario, s->policy, NULL);
	for (uint64_t run = 0; x.runs > 0; run++, x.runs -= x.runs > 0) {
		if (run % EPOCH == 0)
			choose(&x);
		if (!strategy_step(strategy, out))
			break;
		if (out->failure == FAIL_NONE)
			continue;
		if (!alone(&x, &out->schedule))
			several(&x, &out->schedule);
		choose(&x);
	}
	for (unsigned i = 0; i < n; i++)
		if (says[i] != GUIDE_FAILED)
			says[i] = weaken_reached(x.order[i].place) ? GUIDE_REACHED : GUIDE_ELSEWHERE;
	strategy_free(strategy);
	free(x.order);
	free(out);
}
