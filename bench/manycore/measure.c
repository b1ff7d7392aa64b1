/* SPDX-License-Identifier: MIT */
/* measure.c - see measure.h. */
#include "bench/manycore/measure.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "bench/sim/arenas.h"
#include "bench/manycore/crew.h"
#include "bench/manycore/events.h"
#include "bench/sim/kernel.h"

#define WARM_FLAT  0.03
#define WARM_SMALL 0.001                         /* the bars ask for 0.00: less than 0.005                        */
#define CALLS_MANY 4u

struct count { uint64_t work, reset, daemon; };          /* transfers by what the core was doing                     */

static struct profile_run *run;
static struct count count;
static uint32_t workers;

static void transfer(const struct access *a, uint32_t core, const void *from, uint64_t took)
{
	if (core >= workers) {
		count.daemon++;
		return;
	}
	if (!crew_on_clock(run, core)) {
		count.reset++;
		return;
	}
	count.work++;
	hot_add(a->pc, from, a->at, took);
}

unsigned measure_shrink(uint32_t cores)
{
	return cores <= 16 ? 3 : cores <= 128 ? 4 : cores <= 256 ? 5 : 6;
}

static bool many(const struct profile *profile)
{
	return profile->evidence_per_unit > CALLS_MANY;
}

/* Units of a core in a block of `ops`. */
static uint64_t units_of(const struct profile *profile, uint64_t ops)
{
	return many(profile) ? (ops + profile->evidence_per_unit - 1) / profile->evidence_per_unit : ops;
}

double measure_ops(const struct profile *profile, uint64_t units, uint32_t cores)
{
	return (double)units / cores * (many(profile) ? profile->evidence_per_unit : 1);
}

static uint64_t latest(uint32_t cores)
{
	uint64_t time = 0;

	for (uint32_t i = 0; i < cores; i++)
		time = core_at(i)->time > time ? core_at(i)->time : time;
	return time;
}

/* They would wait for the last at the gate, and that is no part of the window. */
static void line_up(void)
{
	uint64_t time = latest(workers);

	for (uint32_t i = 0; i < workers; i++)
		core_at(i)->time = time;
}

static int block(uint64_t units, struct profile_result *result, char *error, size_t room)
{
	int err;

	line_up();
	turn_reset();
	hot_reset();
	events_reset();
	count = (struct count){ 0 };
	err = profile_block(run, &(struct profile_goal){ .units = units }, result);
	if (crew_stuck) {
		snprintf(error, room, "all cores sleep, and nobody can wake them");
		return -EDEADLK;
	}
	if (err)
		snprintf(error, room, "%s", result->error);
	return err;
}

static bool flat(double a, double b)
{
	double most = a > b ? a : b, least = a > b ? b : a;

	return most - least <= WARM_SMALL || most - least <= WARM_FLAT * most;
}

/* What a block has cost a unit, by which its steadiness is judged. */
struct warm { double transfers, cold; };

static struct warm warm_of(const struct measure_params *p, const struct profile_result *result)
{
	uint64_t cold = 0;

	for (uint32_t i = 0; i < p->cores; i++)
		cold += turn_at(i)->cold;
	return (struct warm){ (double)count.work / (double)result->units, (double)cold / (double)result->units };
}

/* Memory that is touched for the first time will be there the next time: less of it is still to come. */
static bool alike(struct warm a, struct warm b)
{
	return flat(a.transfers, b.transfers) && fabs(a.cold - b.cold) <= MEASURE_COLD;
}

/* Units of a core by which the block had less than it was to have: where cores meet, the first that is done ends it. */
static uint64_t behind(const struct measure_params *p, uint64_t units, const struct profile_result *result)
{
	uint64_t wanted = units * p->cores;

	return wanted > result->units ? (wanted - result->units + p->cores - 1) / p->cores : 0;
}

static int warm_up(const struct measure_params *p, uint64_t units, struct measure_result *r,
		   struct profile_result *result)
{
	struct warm before = { -1, 0 }, last = { -1, 0 };

	while (r->warm_blocks < p->warm_most && !r->steady) {
		int err = block(units, result, r->error, sizeof(r->error));
		struct warm now;

		if (err)
			return err;
		now = warm_of(p, result);
		r->steady = r->warm_blocks >= 2 && alike(before, last) && alike(last, now) && alike(before, now) &&
			    now.cold <= MEASURE_COLD;
		before = last;
		last = now;
		r->warm_blocks++;
		r->behind = behind(p, units, result) > r->behind ? behind(p, units, result) : r->behind;
	}
	return 0;
}

/* Those that are behind are so by chance (`global` draws its pages), a little more the longer it lasts. */
static uint64_t window(const struct profile *profile, uint64_t units, const struct measure_result *r)
{
	return profile->rounds ? units + 2 * r->behind + units / 128 : units;
}

static void sum_cores(const struct measure_params *p, struct measure_result *r)
{
	double total = 0, wait[TURN_WAITS] = { 0 };
	uint64_t accesses = 0, rmws = 0, cold = 0;

	for (uint32_t i = 0; i < core_count(); i++) {
		const struct turn_core *c = turn_at(i);

		r->graces += c->graces;
		if (i >= p->cores)
			continue;
		accesses += c->accesses;
		rmws += c->rmws;
		cold += c->cold;
		r->sleeps += c->sleeps;
		for (int w = 0; w < TURN_WAITS; w++)
			wait[w] += (double)c->wait[w];
	}
	total = (double)r->virtual_ns * (double)TURN_PS * p->cores;
	r->running = 1;
	for (int w = 0; w < TURN_WAITS; w++) {
		r->share[w] = wait[w] / total;
		r->running -= r->share[w];
	}
	r->accesses = (double)accesses / (double)r->units;
	r->rmws = (double)rmws / (double)r->units;
	r->cold = (double)cold / (double)r->units;
	r->steady = r->steady && r->cold <= MEASURE_COLD;
	r->accesses_per_s = (double)accesses / r->real_s;
}

static void fill(const struct measure_params *p, const struct profile *profile, const struct profile_result *result,
		 struct measure_result *r)
{
	r->units = result->units;
	r->ops = measure_ops(profile, result->units, p->cores);
	r->calls = result->engine_ops;
	r->ops_per_s = result->rate;
	r->ns_per_op = result->rate > 0 ? p->cores * 1e9 / result->rate : 0;
	r->transfers = (double)count.work / (double)r->units;
	r->reset_transfers = (double)count.reset / (double)r->units;
	r->daemon_transfers = (double)count.daemon / (double)r->units;
	r->refills = events_count(EVENT_REFILL);
	r->depot = events_count(EVENT_TAKE);
	r->tables = events_count(EVENT_TABLE);
	r->grafts = events_count(EVENT_GRAFT);
	r->digest = turn_digest();
	r->nhot = hot_most(r->hot, MEASURE_HOT);
	sum_cores(p, r);
}

static int run_all(const struct measure_params *p, const struct profile *profile, struct measure_result *r)
{
	struct profile_result *result = calloc(1, sizeof(*result));
	uint64_t units = units_of(profile, p->ops), from, began, cpu;
	int err;

	CHECK(result != NULL);
	r->set_up_cpu_s = (double)kernel_cpu_ns() / 1e9;
	err = warm_up(p, units / 4 ? units / 4 : 1, r, result);
	from = latest(p->cores);
	began = kernel_real_ns();
	cpu = kernel_cpu_ns();
	if (!err)
		err = block(window(profile, units, r), result, r->error, sizeof(r->error));
	r->cpu_s = (double)(kernel_cpu_ns() - cpu) / 1e9;
	r->real_s = (double)(kernel_real_ns() - began) / 1e9;
	r->virtual_ns = (latest(p->cores) - from) / TURN_PS;
	if (!err)
		fill(p, profile, result, r);
	free(result);
	return err;
}

/* A tree barrier: one transfer for each doubling of the cores. */
static uint64_t meeting_ps(const struct measure_params *p)
{
	uint64_t ps = 0;

	for (uint32_t n = 1; n < p->cores; n *= 2)
		ps += p->costs.line.across;
	return ps;
}

int measure(const struct measure_params *p, struct measure_result *r)
{
	const struct profile *profile = profile_find(p->profile);
	struct profile_params params = {
		.policy = p->policy, .threads = p->cores, .seed = p->seed,
		.shrink = p->shrink != MEASURE_SHRINK ? p->shrink : profile->whole ? 0 : measure_shrink(p->cores),
	};
	const char *why = "";
	int err;

	memset(r, 0, sizeof(*r));
	workers = p->cores;
	arenas_begin();
	core_begin(p->cores);
	turn_begin(&p->costs);
	turn_transfer = transfer;
	crew_meeting_ps = meeting_ps(p);
	err = profile_open(&run, profile, &params, &why);
	if (err) {
		snprintf(r->error, sizeof(r->error), "%s", why);
		return err;
	}
	core_thread_exit();                      /* 1,024 cores need every slot */
	err = run_all(p, profile, r);
	return err;
}
