/* SPDX-License-Identifier: MIT */
/* compare.c - see compare.h. */
#include "bench/compare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "bench/noise.h"
#include "bench/report.h"

/* What a pair may bear: a tick of stolen time; one involuntary switch per thread and block, or, where threads share
 * CPUs and must be switched, what a time slice of 3 ms makes of it. */
static void set_limits(struct pairs_plan *plan, const struct arm *arm)
{
	plan->steal_limit = 1;
	for (unsigned i = 0; i < plan->arms; i++) {
		unsigned threads = arm[i].params.threads;

		plan->switch_limit +=
			threads <= noise_cpus() ? threads : (uint64_t)(threads * (4 + arm[i].block_ms / 1.5));
	}
}

static void add_arm(struct pairs_plan *plan, struct arm *arm, const struct compare *c, const char *policy,
		    unsigned threads)
{
	struct arm *one = &arm[plan->arms];

	arm_init(one, c->workload, policy, threads, c->gang);
	one->params.bytes = c->bytes;
	one->params.shrink = c->shrink;
	one->params.private_maps = strcmp(policy, "none") == 0 && threads > 1;
	one->block_ms = c->block_ms;
	plan->arm[plan->arms++] = (struct pairs_arm){ policy, arm_block, one };
}

static int run(const struct compare *c, struct pairs_plan *plan, struct arm *arm, struct pairs_result *got)
{
	char label[96];
	int err;

	snprintf(label, sizeof(label), "%s, %s, %u threads", c->workload->name, c->a, c->threads);
	plan->pairs = c->pairs;
	plan->seed = c->seed;
	plan->deadline_ns = c->deadline_ns;
	plan->progress = report_pairs;
	plan->progress_ctx = label;
	set_limits(plan, arm);
	err = pairs_run(plan, got);
	for (unsigned i = 0; i < plan->arms; i++)
		arm_close(&arm[i]);
	report_progress_end();
	return err;
}

/* Takes the rounds over. */
static void fill(const struct pairs_plan *plan, struct pairs_result *got, struct compare_result *result)
{
	result->pairs = got->pairs;
	result->dropped = got->dropped;
	result->noisy = got->noisy;
	result->round = got->round;
	result->ratios = calloc(got->pairs + 1, sizeof(double));
	CHECK(result->ratios != NULL);
	for (unsigned i = 0; i < plan->arms; i++) {
		result->rate[i] = pairs_rate(got, i);
		result->ops[i] = got->ops[i];
	}
}

void compare_free(struct compare_result *result)
{
	free(result->ratios);
	free(result->round);
	result->round = NULL;
	result->ratios = NULL;
}

int compare_ratio(const struct compare *c, struct compare_result *result)
{
	const bool global = strcmp(c->b, "global") == 0;
	struct pairs_plan plan = { .arms = 0 };
	struct arm arm[PAIRS_ARMS];
	struct pairs_result got;
	unsigned b = 1;
	int err;

	memset(result, 0, sizeof(*result));
	add_arm(&plan, arm, c, c->a, c->threads);
	add_arm(&plan, arm, c, global ? "rwlock" : c->b, c->threads);
	if (global)
		add_arm(&plan, arm, c, "rwsem", c->threads);
	err = run(c, &plan, arm, &got);
	if (err)
		return err;
	if (global && pairs_ratio(&got, 0, 2).median < pairs_ratio(&got, 0, 1).median)
		b = 2;
	fill(&plan, &got, result);
	result->b_used = plan.arm[b].name;
	result->ratio = pairs_ratio(&got, 0, b);
	pairs_ratios(&got, 0, b, result->ratios);
	result->ops[1] = result->ops[b];
	result->rate[1] = result->rate[b];
	return 0;
}

int compare_scaling(const struct compare *c, unsigned from, unsigned to, struct compare_result *result)
{
	struct pairs_plan plan = { .arms = 0 };
	struct arm arm[PAIRS_ARMS];
	struct pairs_result got;
	double *none;
	int err;

	memset(result, 0, sizeof(*result));
	add_arm(&plan, arm, c, c->a, from);
	add_arm(&plan, arm, c, c->a, to);
	add_arm(&plan, arm, c, "none", from);
	add_arm(&plan, arm, c, "none", to);
	err = run(c, &plan, arm, &got);
	if (err)
		return err;
	fill(&plan, &got, result);
	result->b_used = "none";
	result->ratio = pairs_ratio(&got, 1, 0);
	result->other = pairs_ratio(&got, 3, 2);
	none = malloc((got.pairs + 1) * sizeof(*none));
	CHECK(none != NULL);
	pairs_ratios(&got, 1, 0, result->ratios);
	pairs_ratios(&got, 3, 2, none);
	for (unsigned i = 0; i < got.pairs; i++)
		none[i] = result->ratios[i] / none[i];
	result->against = stats_bootstrap(none, got.pairs, c->seed);
	free(none);
	return 0;
}

int compare_beside(const struct compare *c, const struct profile *alone, struct compare_result *result)
{
	struct pairs_plan plan = { .arms = 0 };
	struct arm arm[PAIRS_ARMS];
	struct pairs_result got;
	int err;

	memset(result, 0, sizeof(*result));
	add_arm(&plan, arm, c, c->a, c->threads);
	add_arm(&plan, arm, c, c->a, c->threads / 2);
	arm[1].profile = alone;
	err = run(c, &plan, arm, &got);
	if (err)
		return err;
	for (unsigned i = 0; i < got.pairs; i++)
		got.round[i].block[0].rate = got.round[i].block[0].part[0];
	fill(&plan, &got, result);
	result->b_used = alone->name;
	result->ratio = pairs_ratio(&got, 0, 1);
	pairs_ratios(&got, 0, 1, result->ratios);
	return 0;
}
