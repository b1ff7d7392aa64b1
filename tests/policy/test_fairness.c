/* SPDX-License-Identifier: MIT */
/*
 * test_fairness.c - nobody is shut out: crowds of edits and visits over the same pages, under each policy that promises
 * bounded overtaking. Some workers must come to the end of their rounds, the others are in their way until then.
 *
 * Counted in each scene: no waiter was overtaken more than threads + 2 times (P-6); where places are handed over, a
 * wide writer among narrow ones is overtaken at one place twice before it insists, then once by the one other who
 * wants that place. No page has two owners; at the end every word is free. The wide writer is also played by script:
 * it sleeps at most three times for each holder that it meets, granted a retry twice, then handed the place.
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
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "locks/policy/intree.h"
#include "tests/policy/crowd.h"
#include "tests/policy/script.h"

#define ROUNDS (BUILT_WITH_TSAN ? 100 : 1000)

enum what { NOBODY, EDITS, EDITS_TIMED, EDITS_TWO, VISITS };

struct job { enum what what; unsigned lo, hi, lo2, hi2; unsigned rounds; };      /* rounds 0: until the others end */
struct scene { const char *name; struct job job[CROWD_MAX]; bool wide; };        /* wide: job 0 is the wide writer */

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

static struct fake_map *map;
static atomic_u32 owner[FAKE_PAGES];

static void own(struct member *m, unsigned lo, unsigned hi, bool take)
{
	for (unsigned page = lo; page < hi; page++) {
		uint32_t was = atomic_load_relaxed(&owner[page]);

		if (was != (take ? 0 : m->number + 1))
			atomic_add_relaxed(&m->crowd->wrong, 1);
		atomic_store_relaxed(&owner[page], take ? m->number + 1 : 0);
	}
}

static void work(struct member *m)
{
	for (uint64_t i = prng_below(&m->random, 50); i; i--)
		atomic_pause();
	if (prng_below(&m->random, 8) == 0)
		sched_yield();
}

/* Where there are VMAs (see scene_run) they get another generation. */
static int edit(struct member *m, uint64_t deadline_ns)
{
	const struct job *j = m->job;
	struct lock_edit e, f;
	int err, err2 = 0;

	e = fake_begin(map, j->lo, j->hi, deadline_ns, &err);
	if (err)
		return err;
	own(m, j->lo, j->hi, true);
	fake_clear(map, &e);
	fake_restamp(map, &e);
	work(m);
	if (j->what == EDITS_TWO) {
		f = fake_begin(map, j->lo2, j->hi2, LOCK_FOREVER, &err2);
		if (!err2) {
			own(m, j->lo2, j->hi2, true);
			work(m);
			own(m, j->lo2, j->hi2, false);
			fake_end(map, &f);
		}
	}
	own(m, j->lo, j->hi, false);
	fake_end(map, &e);
	return err2;
}

static bool one_round(struct member *m)
{
	uint64_t wait = prng_below(&m->random, 50000), gen;
	int err;

	if (m->job->what == VISITS) {
		err = fake_fault(map, m->job->lo, LOCK_FOREVER, &gen);
		work(m);
		return !err;
	}
	if (m->job->what != EDITS_TIMED)
		return !edit(m, LOCK_FOREVER);
	err = edit(m, wait < 5000 ? LOCK_TRY : clock_ns() + wait);
	return !err || err == -EAGAIN || err == -ETIMEDOUT;
}

/* How often has the thread of this slot been overtaken at one place? Not in the tree: whoever was most often. */
static uint64_t overtaken(uint32_t slot)
{
	struct lock_stats stats;

	if (map->policy->edit_begin == intree_edit_begin) {
		struct range_thread *t = range_thread_at(&((struct intree *)map->state)->locks, slot);

		return t ? atomic_load_relaxed(&t->max_overtakes) : 0;
	}
	map->policy->stats(map->state, &stats);
	return stats.max_overtakes;
}

/* To who insists. Nobody has a place to give where all who waited are woken. */
static bool hands_over(const struct lock_policy *policy)
{
	return strcmp(policy->name, "range-list") != 0;
}

static bool scene_run(const struct lock_policy *policy, const struct scene *scene)
{
	struct crowd c = { .n = 0 };
	struct lock_stats stats;
	uint64_t wide, bad;

	map = fake_new(policy);
	fake_place(map, 4, 22);                          /* VMAs and gaps: both are met by all widths             */
	fake_place(map, 22, 34);
	for (const struct job *j = scene->job; j < scene->job + CROWD_MAX && j->what != NOBODY; j++)
		crowd_add(&c, j, (uint64_t)j->rounds * ROUNDS);
	if (!crowd_run(&c, one_round)) {
		policy->dump(map->state, stderr);
		_Exit(1);
	}
	policy->stats(map->state, &stats);
	wide = scene->wide ? overtaken(c.member[0].slot) : 0;
	bad = atomic_load_relaxed(&c.wrong) + fake_ghosts(map) + fake_dummies(map) + policy->audit(map->state, stderr);
	printf("%-10s %-18s %u threads, %6" PRIu64 " waits, %5" PRIu64 " hand-overs, %" PRIu64 " overtakes",
	       policy->name, scene->name, c.n, stats.edits_waited + stats.visits_waited, stats.hand_overs,
	       stats.max_overtakes);
	printf(scene->wide ? ", %" PRIu64 " of the wide one\n" : "\n", wide);
	fake_free(map);
	return bad == 0 && stats.max_overtakes <= c.n + 2 && (wide <= 2 + 1 || !hands_over(policy));
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
static void meet_holder(struct lock_edit *e, unsigned page)
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
		static struct actor wide;
		struct lock_edit low, high;

		map = script_start(policies[i]);
		fake_place(map, 4, 22);
		low = script_begin(map, fake_range(3, 4));
		high = script_begin(map, fake_range(10, 11));
		gate_at(&asleep, "edit", "waiter_before_sleep");
		actor_start(&wide, map, as_edit, 0, FAKE_PAGES, LOCK_FOREVER);
		meet_holder(&low, 3);
		meet_holder(&high, 10);
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

	if (gate_mutant())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
