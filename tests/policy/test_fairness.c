/* SPDX-License-Identifier: MIT */
/*
 * test_fairness.c - nobody is shut out: crowds of edits and visits over the same pages, under each policy that promises
 * bounded overtaking. Some workers must come to the end of their rounds, the others are in their way until then.
 *
 * Counted in each scene: no waiter was overtaken more than threads + 2 times (P-6); a wide writer among narrow ones
 * sleeps at most three times for each holder that it meets: granted a retry twice, it is handed the place. No page has
 * two owners; at the end every word is free. The wide writer is also played by script, its sleeps counted one by one.
 *
 * mutant: never_insists
 * mutant: rwsem_no_handoff
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/point.h"
#include "base/prng.h"
#include "locks/policy/intree.h"
#include "tests/policy/script.h"

#define WORKERS_MAX 8
#define ROUNDS      (BUILT_WITH_TSAN ? 100 : 1000)
#define TOO_LONG_NS UINT64_C(60000000000)

enum what { NOBODY, EDITS, EDITS_TIMED, EDITS_TWO, VISITS };

struct job { enum what what; unsigned lo, hi, lo2, hi2; unsigned rounds; };      /* rounds 0: until the others end */
struct scene { const char *name; struct job job[WORKERS_MAX]; bool wide; };      /* wide: job 0 is the wide writer */

static const struct scene scenes[] = {
	{ "staircase", { { EDITS, 0, 4, 0, 0, 3 }, { EDITS, 2, 6, 0, 0, 3 }, { EDITS, 4, 8, 0, 0, 3 },
			 { EDITS, 6, 10, 0, 0, 3 }, { EDITS, 8, 12, 0, 0, 3 }, { EDITS, 0, 12, 0, 0, 1 } }, false },
	{ "wide among narrow", { { EDITS, 0, 64, 0, 0, 1 }, { EDITS, 5, 6, 0, 0, 0 }, { EDITS, 20, 21, 0, 0, 0 },
				 { EDITS, 35, 36, 0, 0, 0 }, { EDITS, 50, 52, 0, 0, 0 } }, true },
	{ "narrow among wide", { { EDITS, 30, 31, 0, 0, 1 }, { EDITS, 0, 64, 0, 0, 0 }, { EDITS, 0, 40, 0, 0, 0 },
				 { EDITS, 20, 64, 0, 0, 0 } }, false },
	{ "cancelled", { { EDITS, 10, 12, 0, 0, 1 }, { EDITS, 11, 13, 0, 0, 1 }, { EDITS_TIMED, 9, 12, 0, 0, 0 },
			 { EDITS_TIMED, 11, 14, 0, 0, 0 }, { EDITS_TIMED, 10, 11, 0, 0, 0 },
			 { EDITS_TIMED, 0, 20, 0, 0, 0 } }, false },
	{ "two ranges", { { EDITS_TWO, 0, 2, 30, 32, 1 }, { EDITS_TWO, 1, 3, 31, 33, 1 }, { EDITS, 30, 33, 0, 0, 1 },
			  { EDITS, 2, 32, 0, 0, 1 }, { EDITS_TWO, 2, 4, 8, 34, 1 } }, false },
	{ "visits among edits", { { VISITS, 6, 7, 0, 0, 1 }, { VISITS, 7, 8, 0, 0, 1 }, { EDITS, 6, 7, 0, 0, 0 },
				  { EDITS, 6, 8, 0, 0, 0 }, { EDITS, 4, 12, 0, 0, 0 } }, false },
};

struct crowd {
	struct fake_map *map;
	atomic_u32 left, stop, wrong;
	atomic_u32 owner[FAKE_PAGES];
};

struct worker {
	pthread_t thread;
	struct crowd *c;
	const struct job *job;
	struct prng random;
	uint32_t number, slot;
};

static void own(struct worker *w, unsigned lo, unsigned hi, bool take)
{
	for (unsigned page = lo; page < hi; page++) {
		uint32_t was = atomic_load_relaxed(&w->c->owner[page]);

		if (was != (take ? 0 : w->number + 1))
			atomic_add_relaxed(&w->c->wrong, 1);
		atomic_store_relaxed(&w->c->owner[page], take ? w->number + 1 : 0);
	}
}

static void work(struct worker *w)
{
	for (uint64_t i = prng_below(&w->random, 50); i; i--)
		atomic_pause();
	if (prng_below(&w->random, 8) == 0)
		sched_yield();
}

/* Where there are VMAs (see crowd_open) they get another generation. */
static int edit(struct worker *w, uint64_t deadline_ns)
{
	const struct job *j = w->job;
	struct fake_map *map = w->c->map;
	struct lock_edit e, f;
	int err, err2 = 0;

	e = fake_begin(map, j->lo, j->hi, deadline_ns, &err);
	if (err)
		return err;
	own(w, j->lo, j->hi, true);
	fake_clear(map, &e);
	fake_restamp(map, &e);
	work(w);
	if (j->what == EDITS_TWO) {
		f = fake_begin(map, j->lo2, j->hi2, LOCK_FOREVER, &err2);
		if (!err2) {
			own(w, j->lo2, j->hi2, true);
			work(w);
			own(w, j->lo2, j->hi2, false);
			fake_end(map, &f);
		}
	}
	own(w, j->lo, j->hi, false);
	fake_end(map, &e);
	return err2;
}

static int one_round(struct worker *w)
{
	uint64_t wait = prng_below(&w->random, 50000), gen;
	int err;

	if (w->job->what == VISITS) {
		err = fake_fault(w->c->map, w->job->lo, LOCK_FOREVER, &gen);
		work(w);
		return err;
	}
	if (w->job->what != EDITS_TIMED)
		return edit(w, LOCK_FOREVER);
	err = edit(w, wait < 5000 ? LOCK_TRY : clock_ns() + wait);
	return err == -EAGAIN || err == -ETIMEDOUT ? 0 : err;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	w->slot = thread_self()->number;
	for (unsigned i = 0; !atomic_load_relaxed(&w->c->stop); i++) {
		if (w->job->rounds && i == w->job->rounds * ROUNDS) {
			atomic_add_relaxed(&w->c->left, (uint32_t)-1);
			break;
		}
		if (one_round(w))
			atomic_add_relaxed(&w->c->wrong, 1);
	}
	return NULL;
}

/* How often has the thread of this slot been overtaken at one place? Global policies: whoever waited longest. */
static uint64_t overtaken(const struct fake_map *map, uint32_t slot)
{
	struct lock_stats stats;

	if (map->policy->caps & LOCK_CAP_DISJOINT_EDITS) {
		struct range_thread *t = range_thread_at(&((struct intree *)map->state)->locks, slot);

		return t ? atomic_load_relaxed(&t->max_overtakes) : 0;
	}
	map->policy->stats(map->state, &stats);
	return stats.max_overtakes;
}

static void crowd_run(struct crowd *c, struct worker worker[], unsigned n)
{
	uint64_t late = clock_ns() + TOO_LONG_NS;

	for (unsigned i = 0; i < n; i++) {
		worker[i].random = prng_seed(i, 3);
		if (pthread_create(&worker[i].thread, NULL, worker_main, &worker[i]))
			abort();
	}
	while (atomic_load_relaxed(&c->left)) {
		usleep(200);
		if (clock_ns() < late)
			continue;
		fprintf(stderr, "somebody is shut out\n");
		c->map->policy->dump(c->map->state, stderr);
		_Exit(1);
	}
	atomic_store_relaxed(&c->stop, 1);
	for (unsigned i = 0; i < n; i++)
		pthread_join(worker[i].thread, NULL);
}

static bool scene_run(const struct lock_policy *policy, const struct scene *scene)
{
	struct crowd *c = calloc(1, sizeof(*c));
	struct worker worker[WORKERS_MAX] = { 0 };
	struct lock_stats stats;
	unsigned n = 0;
	uint64_t wide, bad;

	c->map = fake_new(policy);
	fake_place(c->map, 4, 22);                       /* VMAs and gaps: both are met by all widths             */
	fake_place(c->map, 22, 34);
	for (; n < WORKERS_MAX && scene->job[n].what != NOBODY; n++) {
		worker[n] = (struct worker){ .c = c, .job = &scene->job[n], .number = n };
		c->left += scene->job[n].rounds != 0;
	}
	crowd_run(c, worker, n);
	policy->stats(c->map->state, &stats);
	wide = scene->wide ? overtaken(c->map, worker[0].slot) : 0;
	bad = atomic_load_relaxed(&c->wrong) + fake_ghosts(c->map) + fake_dummies(c->map) +
	      policy->audit(c->map->state, stderr);
	printf("%-10s %-18s %u threads, %6" PRIu64 " waits, %5" PRIu64 " hand-overs, %" PRIu64 " overtakes",
	       policy->name, scene->name, n, stats.edits_waited + stats.visits_waited, stats.hand_overs,
	       stats.max_overtakes);
	printf(scene->wide ? ", %" PRIu64 " of the wide one\n" : "\n", wide);
	fake_free(c->map);
	free(c);
	return bad == 0 && stats.max_overtakes <= n + 2 && wide <= 2;
}

static void test_fairness(void **state)
{
	bool good = true;

	(void)state;
	for (unsigned i = 0; lock_policy_at(i); i++)
		for (unsigned s = 0; s < ARRAY_SIZE(scenes); s++)
			if (lock_policy_at(i)->caps & LOCK_CAP_FIFO)
				good &= scene_run(lock_policy_at(i), &scenes[s]);
	assert_true(good);
}

/* The holder of `page` lets go and takes it again, as long as it gets it, before the wide writer looks. That one sleeps
 * three times at most. */
static void meet_holder(struct fake_map *map, struct lock_edit *e, unsigned page)
{
	unsigned sleeps = 0;
	int err;

	do {
		assert_true(gate_wait(&asleep, SOON_MS));
		assert_in_range(++sleeps, 1, 3);
		gate_at(&woken, "edit", "waiter_woken");
		gate_open(&asleep);
		fake_end(map, e);
		assert_true(gate_wait(&woken, SOON_MS));
		*e = fake_begin(map, page, page + 1, LOCK_TRY, &err);
		gate_at(&asleep, "edit", "waiter_before_sleep");
		gate_open(&woken);
	} while (!err);
}

/* All of the space is wanted, two narrow holders stand in it, each of which never gives up. */
static void test_wide_among_narrow(void **state)
{
	static const char *const policies[] = { "vma", "vma-count" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(policies); i++) {
		struct fake_map *map = script_start(policies[i]);
		static struct actor wide;
		struct lock_edit low, high;

		fake_place(map, 4, 22);
		low = script_begin(map, fake_range(3, 4));
		high = script_begin(map, fake_range(10, 11));
		gate_at(&asleep, "edit", "waiter_before_sleep");
		actor_start(&wide, map, as_edit, 0, FAKE_PAGES, LOCK_FOREVER);
		meet_holder(map, &low, 3);
		meet_holder(map, &high, 10);
		gate_open(&asleep);
		must_end(&wide);
		assert_int_equal(wide.err, 0);
		assert_int_equal(map->policy->audit(map->state, stderr), 0);
		fake_free(map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wide_among_narrow),
		cmocka_unit_test(test_fairness),
	};
	const char *mutant = getenv("VMMAP_MUTANT");

	if (mutant && point_mutant_select(mutant))
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
