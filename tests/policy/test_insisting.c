/* SPDX-License-Identifier: MIT */
/*
 * test_insisting.c - nobody younger comes before a waiter that insists (range_insist.c): each way in which one did, or
 * could, played by script on the fake map.
 *
 * mutant: insisting_unheard
 * mutant: brief_unheard
 * mutant: handover_heeds_none
 * mutant: poller_never_insists
 * mutant: poller_uncounted
 * mutant: counted_visit_moves
 *
 * The lines above are read by the build: each becomes a test that must see this program fail.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/point.h"
#include "base/rcu.h"
#include "locks/policy/intree.h"
#include "tests/policy/script.h"

static struct gate insists, about, late;

static void end_overtaken(struct fake_map *map, uint64_t overtakes)
{
	struct lock_stats stats;

	map->policy->stats(map->state, &stats);
	assert_int_equal(stats.max_overtakes, overtakes);
	end_clean(map);
}

static void as_barger(struct actor *a)
{
	point_role("barger");
	a->e = fake_begin(a->map, a->lo, a->hi, LOCK_FOREVER, &a->err);
	gate_pass(&late);
	if (!a->err)
		fake_end(a->map, &a->e);
}

/* An edit that has seen that nobody insists, and is about to take [lo, hi). */
static void start_barger(struct fake_map *map, struct actor *a, unsigned lo, unsigned hi)
{
	gate_init(&late);
	gate_at(&about, "barger", "take_before_claim");
	actor_start(a, map, as_barger, lo, hi, LOCK_FOREVER);
	assert_true(gate_wait(&about, SOON_MS));
}

/* ---- what newcomers are told ---- */

static struct newcomer { struct actor edit; int brief; } newcomer;

/* While a waiter insists over it, the VMA over pages [4, 8) is free for a moment. */
static void come(void *arg)
{
	actor_start(&newcomer.edit, arg, actor_edit, 5, 7, LOCK_TRY);
	must_end(&newcomer.edit);
	newcomer.brief = fake_brief(arg, 5);
}

static void refused(void)
{
	assert_int_equal(newcomer.edit.err, -EAGAIN);
	assert_int_equal(newcomer.brief, -ENOENT);
}

/* An edit insists on half of a VMA: it goes free to be cut, and nobody else gets it. */
static void test_part(void **state)
{
	struct fake_map *map = script_start("vma");
	struct actor waiter;
	struct lock_edit e;

	(void)state;
	fake_place(map, 4, 8);
	e = script_begin(map, fake_range(4, 8));
	start_waiter(map, &waiter, as_edit, 6, 8);
	overtake(map, &e, 2);
	assert_int_equal(point_call(NULL, "handover_before_claim", come, map), 0);
	fake_end(map, &e);
	must_end(&waiter);
	refused();
	end_overtaken(map, 2);
}

/* A VMA has grown out of its holder's range, by a merge, over the page of one who insists: nothing is handed over. */
static void test_grown(void **state)
{
	struct fake_map *map = script_start("vma");
	struct fake_vma *swallowed;
	struct actor waiter;
	struct lock_edit e;

	(void)state;
	fake_place(map, 4, 6);
	fake_place(map, 6, 8);
	e = script_begin(map, fake_range(6, 8));
	start_waiter(map, &waiter, as_edit, 7, 8);
	overtake(map, &e, 1);
	gate_at(&woken, "edit", "waiter_woken");
	fake_end(map, &e);
	assert_true(gate_wait(&woken, SOON_MS));
	e = script_begin(map, fake_range(4, 6));
	fake_lock(map);
	swallowed = map->page[6].vma;
	map->page[6].vma = map->page[7].vma = map->page[4].vma = map->page[5].vma;
	atomic_store_release(&swallowed->slot.lk, LOCK_DEAD);
	fake_unlock(map);
	gate_at(&asleep, "edit", "waiter_before_sleep");
	gate_open(&woken);
	assert_true(gate_wait(&asleep, SOON_MS));        /* on the holder of [4, 6)                                */
	gate_open(&asleep);
	assert_int_equal(point_call(NULL, "release_after_sweep", come, map), 0);
	fake_end(map, &e);
	must_end(&waiter);
	refused();
	end_overtaken(map, 2);
}

/* ---- who polls ---- */

static struct lock_edit brief;

/* A brief edit is at work on pages [4, 8). */
static void brief_start(struct fake_map *map)
{
	brief = (struct lock_edit){ .self = thread_self(), .r = fake_range(4, 8) };
	assert_int_equal(map->policy->brief_begin(map->state, &brief, LOCK_FOREVER), 0);
	assert_true(map->policy->edit_take(map->state, &brief, fake_slot(map, 4), 0));
}

static void brief_end(struct fake_map *map)
{
	map->policy->edit_drop(map->state, &brief, fake_slot(map, 4));
	map->policy->brief_end(map->state, &brief);
}

/* There is no queue behind LOCK_BRIEF: who has looked often enough insists. */
static void test_behind_brief(void **state)
{
	struct fake_map *map = script_start("vma");
	struct actor waiter;
	bool came;

	(void)state;
	fake_place(map, 4, 8);
	brief_start(map);
	gate_at(&insists, "edit", "waiter_insists");
	actor_start(&waiter, map, as_edit, 4, 8, LOCK_FOREVER);
	came = gate_wait(&insists, SOON_MS);
	brief_end(map);
	if (came)
		come(map);
	gate_open(&insists);
	must_end(&waiter);
	assert_true(came);
	refused();
	end_overtaken(map, 0);
}

static void as_holder(struct actor *a)
{
	point_role("holder");
	actor_edit(a);
}

/* Nor behind a queue that is closed. Who takes the place after that has overtaken, and is counted. */
static void test_behind_closed_queue(void **state)
{
	struct fake_map *map = script_start("vma");
	struct actor holder, barger, waiter;
	static struct gate closed;

	(void)state;
	fake_place(map, 4, 8);
	start_barger(map, &barger, 4, 8);
	gate_at(&closed, "holder", "release_before_sweep");
	actor_start(&holder, map, as_holder, 4, 8, LOCK_FOREVER);
	assert_true(gate_wait(&closed, SOON_MS));
	gate_at(&insists, "edit", "waiter_insists");
	actor_start(&waiter, map, as_edit, 4, 8, LOCK_FOREVER);
	assert_true(gate_wait(&insists, SOON_MS));
	gate_open(&closed);
	must_end(&holder);
	gate_open(&about);                               /* in flight: it does not see that somebody insists       */
	assert_true(gate_wait(&late, SOON_MS));
	gate_at(&asleep, "edit", "waiter_before_sleep");
	gate_open(&insists);
	assert_true(gate_wait(&asleep, SOON_MS));
	gate_open(&asleep);
	gate_open(&late);
	must_end(&barger);
	must_end(&waiter);
	end_overtaken(map, 1);
}

/* ---- hand-over ---- */

/* The older waiter insists and is not in the queue yet; the younger one is: the VMA is not handed to it. */
static void test_older_elsewhere(void **state)
{
	struct fake_map *map = script_start("vma");
	struct actor older, younger;
	struct lock_edit e;
	bool passed;

	(void)state;
	fake_place(map, 4, 8);
	gate_init(&hold);
	gate_init(&second_hold);
	e = script_begin(map, fake_range(4, 8));
	start_waiter(map, &older, hold_edit, 4, 8);
	start_second(map, &younger, 4, 8);
	for (unsigned i = 0; i < 2; i++) {
		gate_at(&woken, "edit", "waiter_woken");
		gate_at(&second_woken, "second", "waiter_woken");
		fake_end(map, &e);
		assert_true(gate_wait(&woken, SOON_MS) && gate_wait(&second_woken, SOON_MS));
		e = script_begin(map, e.r);
		gate_at(i ? &insists : &asleep, "edit", i ? "waiter_insists" : "waiter_before_sleep");
		gate_at(&second_asleep, "second", "waiter_before_sleep");
		gate_open(&woken);
		assert_true(gate_wait(i ? &insists : &asleep, SOON_MS));
		gate_open(&second_woken);
		if (!i)
			gate_open(&asleep);
		assert_true(gate_wait(&second_asleep, SOON_MS));
		gate_open(&second_asleep);
	}
	fake_end(map, &e);
	passed = gate_wait(&second_hold, NEVER_MS);
	gate_open(&second_hold);
	gate_open(&insists);
	assert_true(gate_wait(&hold, SOON_MS));
	gate_open(&hold);
	must_end(&older);
	must_end(&younger);
	assert_false(passed);
	assert_int_equal(map->policy->audit(map->state, stderr), 0);
	fake_free(map);
}

/* ---- visits ---- */

/* What a visit that insists has pinned is not cut: the pin would stay with the other piece. */
static void cut_pinned(const char *policy)
{
	struct fake_map *map = script_start(policy);
	struct lock_visit v = { .self = thread_self(), .r = fake_range(6, 7), .own = { [3] = RANGE_INSISTS } };
	struct actor a;
	bool valid, cut;

	fake_place(map, 4, 8);
	assert_int_equal(map->policy->visit_begin(map->state, &v, LOCK_FOREVER), 0);
	rcu_leave(v.self);                               /* the script below sleeps: the pin stays                 */
	actor_start(&a, map, actor_edit, 4, 5, LOCK_FOREVER);
	cut = actor_done(&a, NEVER_MS);
	rcu_enter(v.self);
	valid = map->policy->visit_valid(map->state, &v);
	map->policy->visit_end(map->state, &v);
	must_end(&a);
	assert_false(cut);
	assert_true(valid);
	end_overtaken(map, 0);
}

static void test_cut_pinned(void **state)
{
	(void)state;
	cut_pinned("vma");
	cut_pinned("vma-count");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_part),
		cmocka_unit_test(test_grown),
		cmocka_unit_test(test_behind_brief),
		cmocka_unit_test(test_behind_closed_queue),
		cmocka_unit_test(test_older_elsewhere),
		cmocka_unit_test(test_cut_pinned),
	};

	if (gate_mutant())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
