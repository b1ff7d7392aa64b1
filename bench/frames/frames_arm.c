/* SPDX-License-Identifier: MIT */
/* frames_arm.c - see frames_arm.h. */
#include "bench/frames/frames_arm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/prng.h"
#include "bench/frames/churn.h"
#include "bench/noise.h"

#define RUNS 16u                                 /* of an order that are out at a time                              */
#define ROUNDS_OF_RUNS 4u
#define LOST 1000u                               /* switches: such a round is dropped                               */
#define WARM 0.25                                /* of a block, before the clock                                    */

struct frames_arm {
	const struct source *source;
	const struct frames_plan *plan;
	void *s;
	atomic_u8 *stamp;
	uint32_t *shuffled, *held;               /* [burst]; [threads * burst]                                      */
	struct churn_ring *ring;                 /* [threads]                                                       */
	atomic_u32 over;
	uint64_t ns[SOURCE_THREADS], ops[SOURCE_THREADS], switches[SOURCE_THREADS];
	struct churn churn[SOURCE_THREADS];
};

void *frames_arm_source(struct frames_arm *arm) { return arm->s; }

void frames_arm_close(struct frames_arm *arm)
{
	struct churn *c = &arm->churn[0];

	/* what is in the rings goes back, or the engine would miss it */
	for (unsigned i = 1; arm->ring != NULL && i < arm->plan->threads; i++) {
		struct churn_ring *ring = &arm->ring[i];
		uint64_t end = atomic_load_relaxed(&ring->full);

		for (uint64_t at = atomic_load_relaxed(&ring->empty); at < end; at++)
			arm->source->give(c->source, 0, ring->frame[at % CHURN_RING], 0);
	}
	if (arm->s != NULL)
		arm->source->destroy(arm->s);
	free(arm->ring);
	free(arm->held);
	free(arm->shuffled);
	free(arm->stamp);
	free(arm);
}

static void shuffle(uint32_t *order, uint32_t n)
{
	struct prng random = prng_seed(n, 9);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = (uint32_t)prng_below(&random, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}

struct frames_arm *frames_arm_open(const struct source *source, const struct frames_plan *plan)
{
	struct frames_arm *arm = aligned_alloc(_Alignof(struct frames_arm), sizeof(*arm));
	size_t rings = plan->threads * sizeof(*arm->ring);

	CHECK(plan->threads >= 1 && plan->threads <= SOURCE_THREADS);
	if (arm == NULL)
		return NULL;
	memset(arm, 0, sizeof(*arm));
	arm->source = source;
	arm->plan = plan;
	arm->stamp = calloc(plan->frames, sizeof(*arm->stamp));
	arm->shuffled = malloc((plan->burst + 1) * sizeof(*arm->shuffled));
	arm->held = malloc((plan->burst + 1) * plan->threads * sizeof(*arm->held));
	arm->ring = aligned_alloc(_Alignof(struct churn_ring), rings);
	arm->s = source->create(plan->frames, plan->threads);
	if (!arm->stamp || !arm->shuffled || !arm->held || !arm->ring || !arm->s) {
		frames_arm_close(arm);
		return NULL;
	}
	memset(arm->ring, 0, rings);
	shuffle(arm->shuffled, plan->burst);
	for (unsigned i = 0; i < plan->threads; i++)
		arm->churn[i] = (struct churn){ .source = arm->s, .thread = i, .threads = plan->threads,
						.stamp = arm->stamp, .held = arm->held + i * plan->burst,
						.shuffled = arm->shuffled, .burst = plan->burst, .ring = arm->ring,
						.over = &arm->over };
	return arm;
}

/* Runs of one order; the first frame of each is stamped. */
static void runs(struct frames_arm *arm, struct churn *c)
{
	const struct source *source = arm->source;
	unsigned order = arm->plan->order;
	uint64_t run[RUNS];

	for (unsigned n = 0; n < ROUNDS_OF_RUNS; n++) {
		for (unsigned i = 0; i < RUNS; i++) {
			run[i] = source->take(c->source, c->thread, order);
			CHECK(run[i] != SOURCE_NONE && run[i] % (UINT64_C(1) << order) == 0);
			CHECK(atomic_load_relaxed(&c->stamp[run[i]]) == 0);
			atomic_store_relaxed(&c->stamp[run[i]], (uint8_t)(c->thread + 1));
		}
		for (unsigned i = 0; i < RUNS; i++) {
			CHECK(atomic_load_relaxed(&c->stamp[run[i]]) == c->thread + 1);
			atomic_store_relaxed(&c->stamp[run[i]], 0);
			source->give(c->source, c->thread, run[i], order);
		}
	}
	c->ops += RUNS * ROUNDS_OF_RUNS;
}

static void step(struct frames_arm *arm, struct churn *c)
{
	if (arm->plan->order != 0)
		runs(arm, c);
	else
		arm->source->loop[arm->plan->loop](c);
}

uint64_t frames_arm_step(struct frames_arm *arm)
{
	uint64_t before = arm->churn[0].ops;

	step(arm, &arm->churn[0]);
	return arm->churn[0].ops - before;
}

static void one_thread(void *ctx, unsigned i)
{
	struct frames_arm *arm = ctx;
	struct churn *c = &arm->churn[i];
	uint64_t length = (uint64_t)(arm->plan->ms * 1e6), switches = noise_switches(), begin = 0, t;
	uint64_t warm_until = clock_ns() + (uint64_t)((double)length * WARM);

	do {
		step(arm, c);
		t = clock_ns();
		if (begin == 0 && t >= warm_until) {
			begin = t;
			c->ops = 0;
		}
	} while (begin == 0 || (t < begin + length && !(arm->plan->loop == SOURCE_HAND_OVER &&
							 atomic_load_relaxed(&arm->over) != 0)));
	atomic_store_relaxed(&arm->over, 1);
	arm->ns[i] = t - begin;
	arm->ops[i] = c->ops;
	arm->switches[i] = noise_switches() - switches;
}

static bool all_back(struct frames_arm *arm)
{
	uint64_t out = 0;

	for (unsigned i = 1; i < arm->plan->threads; i++)
		out += atomic_load_relaxed(&arm->ring[i].full) - atomic_load_relaxed(&arm->ring[i].empty);
	return arm->source->free_frames(arm->s) + out == arm->plan->frames;
}

int frames_arm_block(void *ctx, uint64_t seed, struct pairs_block *out)
{
	struct frames_arm *arm = ctx;

	(void)seed;
	memset(out, 0, sizeof(*out));
	atomic_store_relaxed(&arm->over, 0);
	gang_run(arm->plan->gang, arm->plan->threads, one_thread, arm);
	for (unsigned i = 0; i < arm->plan->threads; i++) {
		out->switches += arm->switches[i];
		if (arm->plan->loop == SOURCE_HAND_OVER && i == 0)
			continue;                        /* what is handed over is counted where it goes back    */
		out->ops += arm->ops[i];
		if (arm->ops[i] != 0 && arm->ns[i] != 0)
			out->rate += (double)arm->ops[i] * 1e9 / (double)arm->ns[i];
	}
	if (out->rate == 0) {                    /* who takes had its CPU for all of the block, who gives had none   */
		out->rate = (double)(out->ops = 1);
		out->switches += LOST;
	}
	out->proven = all_back(arm);
	return 0;
}
