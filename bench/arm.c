/* SPDX-License-Identifier: MIT */
/* arm.c - see arm.h. */
#include "bench/arm.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void arm_init(struct arm *arm, const struct profile *profile, const char *policy, unsigned threads, struct gang *gang)
{
	*arm = (struct arm){ .profile = profile, .params = PROFILE_PARAMS, .gang = gang,
			     .block_ms = 20, .warm_ms = 3, .first_ms = 60, .stretch = 1 };
	arm->params.policy = policy;
	arm->params.threads = threads;
}

static void one_thread(void *ctx, unsigned i)
{
	profile_block_thread(((struct arm *)ctx)->run, i);
}

static int work(struct arm *arm, double ms)
{
	struct profile_goal goal = { .ns = (uint64_t)(ms * 1e6) };
	int err;

	profile_block_begin(arm->run, &goal);
	gang_run(arm->gang, arm->params.threads, one_thread, arm);
	err = profile_block_end(arm->run, &arm->result);
	if (err)
		fprintf(stderr, "%s under %s: %s\n", arm->profile->name, arm->params.policy,
			arm->result.error[0] ? arm->result.error : strerror(-err));
	return err;
}

/* One over the share of the threads' time that was measured. */
static double stretch_of(const struct profile_result *r)
{
	double net = 0, all = 0;

	for (unsigned i = 0; i < r->threads; i++) {
		net += (double)r->share[i].net_ns;
		all += (double)(r->share[i].net_ns + r->share[i].reset_ns);
	}
	if (net * ARM_STRETCH <= all)
		return ARM_STRETCH;
	return all / net < 1.5 ? 1 : all / net;
}

static int renew(struct arm *arm, uint64_t seed)
{
	const char *why = "";
	int err;

	arm_close(arm);
	arm->params.seed = seed;
	err = profile_open(&arm->run, arm->profile, &arm->params, &why);
	if (err) {
		arm->run = NULL;
		fprintf(stderr, "%s under %s: %s\n", arm->profile->name, arm->params.policy,
			*why ? why : strerror(-err));
		return err;
	}
	err = work(arm, arm->first_ms);
	if (!err)
		arm->stretch = stretch_of(&arm->result);
	return err;
}

int arm_block(void *ctx, uint64_t seed, struct pairs_block *out)
{
	const struct timespec drain = { 0, ARM_DRAIN_MS * 1000000L };
	struct arm *arm = ctx;
	struct profile_result *result = &arm->result;
	int err = 0;

	memset(out, 0, sizeof(*out));
	if (!arm->run || arm->age == ARM_RENEW)
		err = renew(arm, seed);
	if (!err)
		err = work(arm, arm->warm_ms * arm->stretch);
	if (!err)
		err = work(arm, arm->block_ms * arm->stretch);
	if (err)
		return err;
	arm->age++;
	out->rate = result->rate;
	out->part[0] = result->role_rate[0];
	out->part[1] = result->role_rate[1];
	out->ops = result->engine_ops;
	out->proven = result->proven;
	for (unsigned i = 0; i < result->threads; i++)
		out->switches += result->share[i].involuntary;
	nanosleep(&drain, NULL);
	return 0;
}

void arm_close(struct arm *arm)
{
	if (arm->run)
		profile_close(arm->run);
	arm->run = NULL;
	arm->age = 0;
}
