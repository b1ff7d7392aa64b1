/* SPDX-License-Identifier: MIT */
/*
 * test_torture.c - random visits and edits on a few pages by more threads than CPUs, with a per-page oracle.
 *
 * ORACLE   owner[page]: who holds it by an edit; two at a time are a violation. An entry that was cleared under an edit
 *          stays empty until the edit's end: else a visit stored behind its back. At the end no entry shows another
 *          generation than its VMA (a ghost), no dummy is left, and the policy's audit finds every word free.
 * Usage: test_torture [--policy NAME] [--ms N] [--threads N] [--seed N]
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/point.h"
#include "base/prng.h"
#include "tests/options.h"
#include "tests/policy/fake_view.h"

#define THREADS_MAX 16

static const char *only_policy;
static unsigned run_ms = 700, threads = 5;
static uint64_t seed;

struct torture {
	struct fake_map *map;
	atomic_u32 stop;
	atomic_u32 owner[FAKE_PAGES];
	atomic_u64 violations, ops, edits, faults, failed;
};

struct worker { pthread_t thread; struct torture *t; struct prng rng; unsigned number; };

static void violation(struct torture *t, const char *what, unsigned page)
{
	if (atomic_add_relaxed(&t->violations, 1) < 5)
		fprintf(stderr, "%s: %s at page %u\n", t->map->policy->name, what, page);
}

static void own(struct torture *t, const struct lock_edit *e, uint32_t me, bool take)
{
	for (uint64_t a = e->r.lo; a < e->r.hi; a += PAGE_BYTES) {
		unsigned page = (unsigned)(a >> PAGE_SHIFT);
		uint32_t was = atomic_load_relaxed(&t->owner[page]);

		if (was != (take ? 0 : me))
			violation(t, "two edits hold the same page", page);
		atomic_store_relaxed(&t->owner[page], take ? me : 0);
	}
}

static void still_empty(struct torture *t, const struct lock_edit *e)
{
	for (uint64_t a = e->r.lo; a < e->r.hi; a += PAGE_BYTES) {
		atomic_u64 *entry = &t->map->page[a >> PAGE_SHIFT].entry;
		uint64_t seen = atomic_load_seqcst(entry);

		/* A visit may lock it and must take that back; a value is what it must not leave. */
		if (seen & ~UINT64_C(1))
			violation(t, "a visit stored behind an edit", (unsigned)(a >> PAGE_SHIFT));
	}
}

static uint64_t random_deadline(struct worker *w)
{
	switch (prng_below(&w->rng, 6)) {
	case 0:
		return LOCK_TRY;
	case 1:
		return clock_ns() + prng_below(&w->rng, 50000);
	default:
		return LOCK_FOREVER;
	}
}

static void work_under(struct worker *w, struct lock_edit *e)
{
	struct torture *t = w->t;

	own(t, e, w->number + 1, true);
	fake_clear(t->map, e);
	if (prng_below(&w->rng, 8) == 0)
		usleep((useconds_t)prng_below(&w->rng, 100));
	still_empty(t, e);
	switch (prng_below(&w->rng, 4)) {
	case 0:
		fake_replace(t->map, e, false);
		break;
	case 1:
		fake_restamp(t->map, e);
		break;
	default:
		fake_replace(t->map, e, true);
		break;
	}
	still_empty(t, e);
}

static void work_edit(struct worker *w)
{
	struct torture *t = w->t;
	unsigned lo = (unsigned)prng_below(&w->rng, FAKE_PAGES), most = prng_below(&w->rng, 8) ? 4 : 40;
	unsigned hi = lo + 1 + (unsigned)prng_below(&w->rng, most);
	struct lock_edit e, f;
	int err, err2 = -EAGAIN;

	hi = hi > FAKE_PAGES ? FAKE_PAGES : hi;
	e = fake_begin(t->map, lo, hi, random_deadline(w), &err);
	if (err) {
		atomic_add_relaxed(&t->failed, 1);
		return;
	}
	work_under(w, &e);
	if (hi + 2 < FAKE_PAGES && prng_below(&w->rng, 6) == 0)          /* a second one, above                    */
		f = fake_begin(t->map, hi + 1, hi + 2, random_deadline(w), &err2);
	if (!err2) {
		work_under(w, &f);
		own(t, &f, w->number + 1, false);
		fake_end(t->map, &f);
	}
	own(t, &e, w->number + 1, false);
	fake_end(t->map, &e);
	atomic_add_relaxed(&t->edits, 1);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct torture *t = w->t;
	uint64_t gen;

	while (!atomic_load_relaxed(&t->stop)) {
		unsigned page = (unsigned)prng_below(&w->rng, FAKE_PAGES), kind = (unsigned)prng_below(&w->rng, 10);
		int err = 0;

		if (kind < 6)
			err = fake_fault(t->map, page, random_deadline(w), &gen);
		else if (kind < 7)
			err = fake_brief(t->map, page);
		else
			work_edit(w);
		if (kind < 6)
			atomic_add_relaxed(&t->faults, 1);
		if (err && err != -EFAULT && err != -EAGAIN && err != -ETIMEDOUT && err != -ENOENT)
			violation(t, "an answer that nobody may give", page);
		if (prng_below(&w->rng, 200) == 0) {
			fake_lock(t->map);
			t->map->fail_claims = 1 + (unsigned)prng_below(&w->rng, 3);
			fake_unlock(t->map);
		}
		atomic_add_relaxed(&t->ops, 1);
	}
	return NULL;
}

static bool torture(const struct lock_policy *policy)
{
	struct worker workers[THREADS_MAX];
	struct torture *t = calloc(1, sizeof(*t));
	struct lock_stats stats;
	uint64_t bad;

	t->map = fake_new(policy);
	fake_place(t->map, 0, 20);
	fake_place(t->map, 30, 60);
	point_yield(40, seed);
	for (unsigned i = 0; i < threads; i++) {
		workers[i] = (struct worker){ .t = t, .number = i };
		workers[i].rng = prng_seed(seed, i);
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			abort();
	}
	usleep(run_ms * 1000);
	atomic_store_relaxed(&t->stop, 1);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	point_yield(0, 0);
	policy->stats(t->map->state, &stats);
	bad = atomic_load_relaxed(&t->violations) + fake_ghosts(t->map) + fake_dummies(t->map);
	bad += policy->audit(t->map->state, stderr);
	if (policy->caps & LOCK_CAP_FIFO && stats.max_overtakes > threads + 2)
		bad++;
	printf("%-10s %8" PRIu64 " ops, %7" PRIu64 " edits, %6" PRIu64 " not begun, ", policy->name,
	       atomic_load_relaxed(&t->ops), atomic_load_relaxed(&t->edits), atomic_load_relaxed(&t->failed));
	printf("%6" PRIu64 " waits, %5" PRIu64 " hand-overs, %2" PRIu64 " overtakes, %" PRIu64 " violations\n",
	       stats.visits_waited + stats.edits_waited, stats.hand_overs, stats.max_overtakes, bad);
	bad += atomic_load_relaxed(&t->edits) == 0 || atomic_load_relaxed(&t->faults) == 0;
	fake_free(t->map);
	free(t);
	return bad == 0;
}

static void test_torture(void **state)
{
	(void)state;
	for (unsigned i = 0; lock_policy_at(i); i++) {
		const struct lock_policy *policy = lock_policy_at(i);

		if (policy->caps & LOCK_CAP_THREADS && (!only_policy || !strcmp(only_policy, policy->name)))
			assert_true(torture(policy));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_torture) };
	const char *mutant = getenv("VMMAP_MUTANT");

	seed = option_number(argc, argv, "--seed", clock_ns() >> 10);
	only_policy = option_text(argc, argv, "--policy", NULL);
	run_ms = (unsigned)option_number(argc, argv, "--ms", run_ms);
	threads = (unsigned)option_number(argc, argv, "--threads", threads);
	threads = threads > THREADS_MAX ? THREADS_MAX : threads;
	printf("seed %" PRIu64 "\n", seed);
	if (mutant && point_mutant_select(mutant))
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
