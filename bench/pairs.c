/* SPDX-License-Identifier: MIT */
/* pairs.c - see pairs.h. */
#include "bench/pairs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/prng.h"
#include "bench/noise.h"

#define ENOUGH 7                                 /* undisturbed rounds that are worth more than many disturbed ones */

static bool disturbed(const struct pairs_plan *plan, const struct pairs_round *r)
{
	return r->steal > plan->steal_limit || r->switches > plan->switch_limit;
}

static int check_proof(const struct pairs_arm *arm, const struct pairs_block *b)
{
	if (b->proven && b->ops > 0 && b->rate > 0)
		return 0;
	fprintf(stderr, "%s: the engine's counters (%llu operations) do not bear out its rate (%.0f/s): no ratio\n",
		arm->name, (unsigned long long)b->ops, b->rate);
	return -EPROTO;
}

/* One block of every arm, in an order drawn from rng (Fisher-Yates). */
static int run_round(const struct pairs_plan *plan, struct prng *rng, uint64_t seed, struct pairs_round *r)
{
	unsigned order[PAIRS_ARMS];
	uint64_t steal = noise_steal();

	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < plan->arms; i++) {
		unsigned j = (unsigned)prng_below(rng, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (unsigned i = 0; i < plan->arms; i++) {
		const struct pairs_arm *arm = &plan->arm[order[i]];
		struct pairs_block *b = &r->block[order[i]];
		int err = arm->block(arm->ctx, seed, b);

		if (!err)
			err = check_proof(arm, b);
		if (err)
			return err;
		r->switches += b->switches;
	}
	r->steal = noise_steal() - steal;
	return 0;
}

static int by_disturbance(const void *a, const void *b)
{
	const struct pairs_round *x = a, *y = b;
	uint64_t u = x->steal * 1000 + x->switches, v = y->steal * 1000 + y->switches;

	return (u > v) - (u < v);
}

/* Moves the rounds to keep to the front. */
static void keep(const struct pairs_plan *plan, struct pairs_result *result, unsigned ran, unsigned good)
{
	qsort(result->round, ran, sizeof(*result->round), by_disturbance);
	if (good >= plan->pairs || good == ran || good >= ENOUGH) {
		unsigned n = 0;

		for (unsigned i = 0; i < ran; i++)
			if (!disturbed(plan, &result->round[i]))
				result->round[n++] = result->round[i];
		result->pairs = n < plan->pairs ? n : plan->pairs;
	} else {
		result->pairs = ran < plan->pairs ? ran : plan->pairs;
		result->noisy = true;
	}
	result->dropped = ran - result->pairs;
}

int pairs_run(const struct pairs_plan *plan, struct pairs_result *result)
{
	struct prng rng = prng_seed(plan->seed, 1);
	unsigned ran = 0, good = 0, most = 2 * plan->pairs;
	int err = 0;

	CHECK(plan->arms >= 1 && plan->arms <= PAIRS_ARMS && plan->pairs >= 1);
	memset(result, 0, sizeof(*result));
	result->round = calloc(most, sizeof(*result->round));
	if (!result->round)
		return -ENOMEM;
	while (good < plan->pairs && ran < most) {
		struct pairs_round *r = &result->round[ran];

		if (plan->deadline_ns && ran >= 3 && clock_ns() > plan->deadline_ns)
			break;
		err = run_round(plan, &rng, plan->seed + ran, r);
		if (err)
			break;
		ran++;
		good += !disturbed(plan, r);
		for (unsigned i = 0; i < plan->arms; i++)
			result->ops[i] += r->block[i].ops;
		if (plan->progress)
			plan->progress(plan->progress_ctx, good, plan->pairs);
	}
	if (err) {
		pairs_free(result);
		return err;
	}
	keep(plan, result, ran, good);
	return 0;
}

void pairs_free(struct pairs_result *result)
{
	free(result->round);
	result->round = NULL;
}

void pairs_ratios(const struct pairs_result *result, unsigned a, unsigned b, double *out)
{
	for (unsigned i = 0; i < result->pairs; i++)
		out[i] = result->round[i].block[a].rate / result->round[i].block[b].rate;
}

static struct stats_interval interval_of(const struct pairs_result *result, double *v)
{
	struct stats_interval i = stats_bootstrap(v, result->pairs, result->pairs);

	free(v);
	return i;
}

struct stats_interval pairs_ratio(const struct pairs_result *result, unsigned a, unsigned b)
{
	double *v = malloc((result->pairs + 1) * sizeof(*v));

	CHECK(v != NULL);
	pairs_ratios(result, a, b, v);
	return interval_of(result, v);
}

struct stats_interval pairs_rate(const struct pairs_result *result, unsigned arm)
{
	double *v = malloc((result->pairs + 1) * sizeof(*v));

	CHECK(v != NULL);
	for (unsigned i = 0; i < result->pairs; i++)
		v[i] = result->round[i].block[arm].rate;
	return interval_of(result, v);
}
