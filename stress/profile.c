/* SPDX-License-Identifier: MIT */
/*
 * profile.c - the list of profiles, and the life of a run: open, blocks, close.
 */
#include "stress/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "stress/profile_run.h"

#define X(symbol) extern const struct profile profile_##symbol;
#include "stress/profile_list.h"
#undef X

static const struct profile *const list[] = {
#define X(symbol) &profile_##symbol,
#include "stress/profile_list.h"
#undef X
};

const char *const profile_call_name[CALL_COUNT] = {
	"mmap", "munmap", "mprotect", "fault", "read", "write", "madvise", "mremap",
	"within", "brk", "walk", "query", "hold",
};

const struct profile *profile_at(unsigned i)
{
	return i < ARRAY_SIZE(list) ? list[i] : NULL;
}

const struct profile *profile_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
		if (!strcmp(list[i]->name, name))
			return list[i];
	return NULL;
}

/* ---- open and close ---- */

static int policy_index(const char *name)
{
	for (unsigned i = 0; vmmap_policy_name(i); i++)
		if (!strcmp(vmmap_policy_name(i), name))
			return (int)i;
	return -1;
}

static int check_params(const struct profile *profile, const struct profile_params *p, const char **why)
{
	int policy = policy_index(p->policy);
	unsigned per_map = p->private_maps ? 1 : p->threads;

	if (policy < 0) {
		*why = "no such policy: --policy=help lists them";
		return -ENOENT;
	}
	if (p->threads < 1 || p->threads > PROFILE_THREADS_MAX) {
		*why = "threads must be 1 .. 1024";
		return -EINVAL;
	}
	if (per_map > 1 && !vmmap_policy_threads((unsigned)policy)) {
		*why = "this policy is for one thread: take one thread, or one map per thread";
		return -EINVAL;
	}
	if (per_map < profile->min_threads) {
		*why = "this profile needs two threads on one map";
		return -EINVAL;
	}
	return 0;
}

/* The frames a profile says it holds at most, and what caches and deferred lists of the engine may keep from it; no
 * fewer than make those caches as large as they are on a machine of any size (physmem.c, set_batches). */
static uint64_t frames_needed(const struct profile_map *map)
{
	uint64_t frames = map->profile->frames(map);

	return frames + frames / 8 + map->threads * UINT64_C(4096) + 262144;
}

static int map_open(struct profile_map *map)
{
	const struct profile_params *p = map->params;
	struct physmem_config memory = PHYSMEM_CONFIG;
	struct vmmap_config config = VMMAP_CONFIG;
	int err;

	memory.pages = frames_needed(map);
	if (map->profile->machine)
		map->profile->machine(map, &memory);
	memory.bytes = p->bytes;
	err = physmem_create(&map->pm, &memory);
	if (err)
		return err;
	config.policy = p->policy;
	config.placement = p->placement;
	config.physmem = map->pm;
	config.brk_start = map->profile->brk ? PROFILE_BRK : 0;
	err = vmmap_create(&map->vm, &config);
	if (err)
		return err;
	if (p->verify)
		verify_attach(p->verify, map->vm, map->pm, map->profile);
	return map->profile->setup ? map->profile->setup(map) : 0;
}

static void threads_open(struct profile_run *run)
{
	for (unsigned i = 0; i < run->params.threads; i++) {
		struct profile_thread *t = &run->threads[i];

		t->run = run;
		t->number = i;
		t->at = &run->maps[run->params.private_maps ? i : 0];
		t->index = run->params.private_maps ? 0 : i;
		t->vm = t->at->vm;
		t->prng = prng_seed(run->params.seed, i + 1);
		t->verify = run->params.verify ? verify_thread_at(run->params.verify, i) : NULL;
	}
}

static int run_open(struct profile_run *run)
{
	int err;

	for (unsigned i = 0; i < run->nmaps; i++) {
		struct profile_map *map = &run->maps[i];

		map->profile = run->profile;
		map->params = &run->params;
		map->run = run;
		map->number = i;
		map->threads = run->params.private_maps ? 1 : run->params.threads;
		err = map_open(map);
		if (err)
			return err;
	}
	threads_open(run);
	return 0;
}

int profile_open(struct profile_run **out, const struct profile *profile, const struct profile_params *params,
		 const char **why)
{
	struct profile_run *run;
	int err = check_params(profile, params, why);

	if (err)
		return err;
	*why = "no memory for the run";
	run = calloc(1, sizeof(*run));
	if (!run)
		return -ENOMEM;
	run->profile = profile;
	run->params = *params;
	run->nmaps = params->private_maps ? params->threads : 1;
	run_sync_init(run);
	run->maps = aligned_alloc(_Alignof(struct profile_map), run->nmaps * sizeof(*run->maps));
	run->threads = aligned_alloc(_Alignof(struct profile_thread), params->threads * sizeof(*run->threads));
	if (run->maps)
		memset(run->maps, 0, run->nmaps * sizeof(*run->maps));
	if (run->threads)
		memset(run->threads, 0, params->threads * sizeof(*run->threads));
	err = run->maps && run->threads ? run_open(run) : -ENOMEM;
	if (err) {
		*why = "the engine refused the profile's set-up";
		profile_close(run);
		return err;
	}
	*out = run;
	return 0;
}

void profile_close(struct profile_run *run)
{
	run_crew_end(run);
	for (unsigned i = 0; run->threads && i < run->params.threads; i++)
		free(run->threads[i].own);
	for (unsigned i = 0; run->maps && i < run->nmaps; i++) {
		struct profile_map *map = &run->maps[i];
		struct physmem_usage use = { 0 };

		if (map->pm && run->profile->finish)
			run->profile->finish(map);
		if (map->vm)
			vmmap_destroy(map->vm);
		if (map->pm) {
			if (run->params.verify)
				verify_gone(run->params.verify);
			physmem_get_usage(map->pm, &use);
			if (!use.owned)                  /* a leaked frame has been reported: no second alarm */
				physmem_destroy(map->pm);
		}
		free(map->shared);
	}
	pthread_mutex_destroy(&run->lock);
	pthread_cond_destroy(&run->moved);
	free(run->maps);
	free(run->threads);
	free(run);
}

/* ---- blocks ---- */

#define COUNTERS (sizeof(struct vmmap_counters) / sizeof(uint64_t))

static void sum_counters(const struct profile_run *run, struct vmmap_counters *sum)
{
	uint64_t most = 0;

	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < run->nmaps; i++) {
		struct vmmap_counters c;

		vmmap_get_counters(run->maps[i].vm, &c);
		for (unsigned j = 0; j < COUNTERS; j++)
			((uint64_t *)sum)[j] += ((uint64_t *)&c)[j];
		most = c.max_overtakes > most ? c.max_overtakes : most;
	}
	sum->max_overtakes = most;
}

void profile_block_begin(struct profile_run *run, const struct profile_goal *goal)
{
	run->goal = *goal;
	sum_counters(run, &run->before);
	pthread_mutex_lock(&run->lock);
	run->active = run->params.threads;
	run->resting = 0;
	pthread_mutex_unlock(&run->lock);
	atomic_store_relaxed(&run->at_gate, 0);
	atomic_store_release(&run->control, run->error[0] ? RUN_OVER : RUN_ON);
	run->began = clock_ns();
}

/* The loop of a block. Returns the units done in it. */
static uint64_t work(struct profile_thread *t, uint64_t deadline)
{
	struct profile_run *run = t->run;
	uint64_t (*step)(struct profile_thread *) = run->profile->step;
	uint64_t enough = run->goal.units ? run->goal.units : UINT64_MAX, units = 0;
	uint64_t base = atomic_load_relaxed(&t->units);

	for (;;) {
		uint32_t control = atomic_load_relaxed(&run->control);

		if (unlikely(control == RUN_OVER))
			return units;
		if (unlikely(control == RUN_REST))
			run_rest(t);
		units += step(t);
		atomic_store_relaxed(&t->units, base + units);
		if (unlikely(t->verify && verify_between_steps(t->verify)))
			profile_stop(run);
		if (unlikely(units >= enough)) {
			if (run->profile->rounds && !run->params.private_maps)   /* nobody can meet without it */
				profile_stop(run);
			return units;
		}
		if (unlikely(clock_ns() >= deadline)) {
			profile_stop(run);
			return units;
		}
	}
}

void profile_block_thread(struct profile_run *run, unsigned i)
{
	struct profile_thread *t = &run->threads[i];
	struct rusage before, after;
	uint64_t began;
	int err = 0;

	if (!t->ready) {
		err = run->profile->thread_init ? run->profile->thread_init(t) : 0;
		t->ready = !err;
		if (err)
			profile_fail(t, CALL_MMAP, 0, 0, err);
	}
	run_gate(t);
	getrusage(RUSAGE_THREAD, &before);
	t->reset_ns = 0;
	began = clock_ns();
	t->share.units = err ? 0 : work(t, run->goal.ns ? began + run->goal.ns : UINT64_MAX);
	t->share.net_ns = clock_ns() - began - t->reset_ns;
	t->share.reset_ns = t->reset_ns;
	getrusage(RUSAGE_THREAD, &after);
	t->share.involuntary = (uint64_t)(after.ru_nivcsw - before.ru_nivcsw);
	t->share.role = run->profile->roles ? t->index % 2 : 0;
	run_leave(t);
}

static uint64_t evidence(unsigned which, const struct vmmap_counters *c)
{
	return (which & COUNT_FAULTS ? c->faults + c->fault_hits : 0) + (which & COUNT_MMAPS ? c->mmaps : 0) +
	       (which & COUNT_MUNMAPS ? c->munmaps : 0) + (which & COUNT_MPROTECTS ? c->mprotects : 0) +
	       (which & COUNT_MADVISES ? c->madvises : 0) + (which & COUNT_MREMAPS ? c->mremaps : 0) +
	       (which & COUNT_ACCESSES ? c->accesses : 0) + (which & COUNT_BRKS ? c->brks : 0);
}

static void add_rates(const struct profile_run *run, struct profile_result *r)
{
	for (unsigned i = 0; i < r->threads; i++) {
		const struct profile_share *s = &r->share[i];

		r->units += s->units;
		if (s->net_ns)
			r->role_rate[s->role] += (double)s->units * 1e9 / (double)s->net_ns;
	}
	r->rate = r->role_rate[0];
	if (run->profile->roles) {
		double a = r->role_rate[0], b = r->role_rate[1];

		r->rate = a + b > 0 ? 2 * a * b / (a + b) : 0;
	}
}

int profile_block_end(struct profile_run *run, struct profile_result *result)
{
	struct vmmap_counters now;

	memset(result, 0, sizeof(*result));
	result->wall_ns = clock_ns() - run->began;
	result->threads = run->params.threads;
	for (unsigned i = 0; i < result->threads; i++)
		result->share[i] = run->threads[i].share;
	add_rates(run, result);
	sum_counters(run, &now);
	for (unsigned j = 0; j < COUNTERS; j++)
		((uint64_t *)&result->counters)[j] = ((uint64_t *)&now)[j] - ((uint64_t *)&run->before)[j];
	result->counters.max_overtakes = now.max_overtakes;
	result->engine_ops = evidence(run->profile->evidence, &result->counters);
	result->proven = result->units && result->engine_ops >= result->units * run->profile->evidence_per_unit;
	pthread_mutex_lock(&run->lock);
	memcpy(result->error, run->error, sizeof(result->error));
	pthread_mutex_unlock(&run->lock);
	return result->error[0] ? -EIO : 0;
}

int profile_block_start(struct profile_run *run, const struct profile_goal *goal)
{
	profile_block_begin(run, goal);
	return run_crew_start(run);
}

int profile_block_wait(struct profile_run *run, struct profile_result *result)
{
	run_crew_wait(run);
	return profile_block_end(run, result);
}

int profile_block(struct profile_run *run, const struct profile_goal *goal, struct profile_result *result)
{
	int err = profile_block_start(run, goal);

	return err ? err : profile_block_wait(run, result);
}

/* ---- looking ---- */

int profile_fail(struct profile_thread *t, enum profile_call call, uint64_t addr, uint64_t len, int err)
{
	struct profile_run *run = t->run;

	pthread_mutex_lock(&run->lock);
	if (!run->error[0])
		snprintf(run->error, sizeof(run->error), "thread %u: %s(0x%llx, %llu bytes): %s", t->number,
			 profile_call_name[call], (unsigned long long)addr, (unsigned long long)len, strerror(-err));
	pthread_mutex_unlock(&run->lock);
	profile_stop(run);
	if (t->verify)
		verify_report(run->params.verify, SIN_ERRNO, addr, "%s of %llu bytes failed: %s",
			      profile_call_name[call], (unsigned long long)len, strerror(-err));
	return err;
}

uint64_t profile_units(const struct profile_run *run)
{
	uint64_t units = 0;

	for (unsigned i = 0; i < run->params.threads; i++)
		units += atomic_load_relaxed(&run->threads[i].units);
	return units;
}

unsigned profile_maps(const struct profile_run *run)
{
	return run->nmaps;
}

unsigned profile_figures(const struct profile_run *run, struct profile_figure *out)
{
	return run->profile->figures ? run->profile->figures(&run->maps[0], out) : 0;
}

struct vmmap *profile_vmmap(const struct profile_run *run, unsigned i)
{
	return run->maps[i].vm;
}

struct physmem *profile_physmem(const struct profile_run *run, unsigned i)
{
	return run->maps[i].pm;
}
