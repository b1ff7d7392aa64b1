/* SPDX-License-Identifier: MIT */
/*
 * test_overtaking.c - order of acquisition, insisting waiters, hand-over: played by script on the fake map.
 *
 * mutant: handover_no_redrain
 * mutant: descending_acquire
 * mutant: never_insists
 * mutant: handover_with_holes
 * mutant: handover_assumes_held
 * mutant: rwsem_no_handoff
 * mutant: rwsem_forgets_grant
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

/* An edit that waits holds nothing above the place where it waits. */
static void test_ascending(void **state)
{
	struct fake_map *map = script_start("vma");
	struct lock_edit e, f;
	struct actor a;
	int err, above;

	(void)state;
	e = fake_begin(map, 0, 1, LOCK_FOREVER, &err);
	assert_int_equal(err, 0);
	gate_at(&asleep, "edit", "waiter_before_sleep");
	actor_start(&a, map, as_edit, 0, 4, LOCK_FOREVER);
	assert_true(gate_wait(&asleep, SOON_MS));
	gate_open(&asleep);
	f = fake_begin(map, 2, 3, in_ms(500), &above);
	if (!above)
		fake_end(map, &f);
	fake_end(map, &e);
	must_end(&a);
	assert_int_equal(above, 0);
	fake_free(map);
}

/* Overtaken twice, a waiter insists: the third release hands the range over, in a gap and in a VMA. */
static void test_insisting_edit(void **state)
{
	(void)state;
	for (unsigned mapped = 0; mapped < 2; mapped++) {
		struct fake_map *map = script_start("vma");
		struct lock_stats stats;
		struct lock_edit e, f;
		struct actor a;
		int err;

		if (mapped)
			fake_place(map, 6, 7);
		gate_init(&hold);
		e = script_begin(map, fake_range(6, 7));
		start_waiter(map, &a, hold_edit, 6, 7);
		overtake(map, &e, 2);
		fake_end(map, &e);
		f = fake_begin(map, 6, 7, LOCK_TRY, &err);
		if (!err)
			fake_end(map, &f);
		gate_open(&hold);
		must_end(&a);
		assert_int_equal(err, -EAGAIN);
		map->policy->stats(map->state, &stats);
		assert_int_equal(stats.hand_overs, 1);
		assert_in_range(stats.max_overtakes, 1, 2);
		assert_int_equal(map->policy->audit(map->state, stderr), 0);
		fake_free(map);
	}
}

/* A visit that insists gets a pin; the edit that comes to the VMA by hand-over waits for it at shut. */
static void test_redrain_after_handover(void **state)
{
	struct fake_map *map = script_start("vma");
	struct lock_visit v = { .self = thread_self(), .r = fake_range(6, 7), .own = { [3] = RANGE_INSISTS } };
	struct lock_edit e;
	struct actor a;
	bool past;

	(void)state;
	fake_place(map, 6, 7);
	assert_int_equal(map->policy->visit_begin(map->state, &v, LOCK_FOREVER), 0);
	assert_true(v.own[1] & INTREE_PINNED);
	rcu_leave(v.self);                               /* the script below sleeps: the pin stays                 */
	e = script_begin(map, fake_range(6, 7));
	start_waiter(map, &a, shut_edit, 6, 7);
	overtake(map, &e, 2);
	fake_end(map, &e);
	past = actor_done(&a, NEVER_MS);
	rcu_enter(v.self);
	map->policy->visit_end(map->state, &v);
	must_end(&a);
	assert_false(past);
	assert_int_equal(map->policy->audit(map->state, stderr), 0);
	fake_free(map);
}

static struct actor barger;

static void as_barger(struct actor *a)
{
	point_role("barger");
	actor_edit(a);
}

static struct gate about;

/* In the releaser, when it has let go of the VMA in order to cut it: an edit that was about to take it comes first. */
static void barge(void *arg)
{
	(void)arg;
	gate_open(&about);
	actor_done(&barger, NEVER_MS);                   /* it has the VMA, and wants the gap above               */
}

/*
 * The insisting edit wants half of a VMA and the gap above it. The VMA goes free to be cut, and another edit takes it
 * before it is claimed, then wants the gap too: it must not find that held by the one who now waits below.
 */
static void test_unbroken_handover(void **state)
{
	struct fake_map *map = script_start("vma");
	struct actor waiter;
	struct lock_edit e;

	(void)state;
	fake_place(map, 4, 8);
	e = script_begin(map, fake_range(4, 9));
	start_waiter(map, &waiter, as_edit, 6, 9);
	gate_at(&about, "barger", "take_before_claim");
	actor_start(&barger, map, as_barger, 6, 9, in_ms(8000));
	assert_true(gate_wait(&about, SOON_MS));         /* nobody insists yet                                     */
	overtake(map, &e, 2);
	assert_int_equal(point_call(NULL, "handover_before_claim", barge, NULL), 0);
	fake_end(map, &e);
	must_end(&barger);
	must_end(&waiter);
	assert_int_equal(barger.err, 0);
	assert_int_equal(waiter.err, 0);
	assert_int_equal(map->policy->audit(map->state, stderr), 0);
	fake_free(map);
}

/* A part of a VMA at the low end, a whole one, a part at the high end: handed over in one run. */
static void test_handover_of_parts(void **state)
{
	struct fake_map *map = script_start("vma");
	struct lock_stats stats;
	struct actor waiter;
	struct lock_edit e;

	(void)state;
	fake_place(map, 4, 10);
	fake_place(map, 10, 12);
	fake_place(map, 13, 20);
	e = script_begin(map, fake_range(4, 20));
	start_waiter(map, &waiter, as_edit, 6, 18);
	overtake(map, &e, 2);
	fake_end(map, &e);
	must_end(&waiter);
	map->policy->stats(map->state, &stats);
	assert_int_equal(waiter.err, 0);
	assert_int_equal(stats.hand_overs, 1);
	assert_int_equal(map->policy->audit(map->state, stderr), 0);
	fake_free(map);
}

/* Insisting edits want parts of one VMA: the cut for the first frees what the second is given. Each must hold its. */
static void test_handover_to_two(void **state)
{
	struct fake_map *map = script_start("vma");
	struct actor first, second;
	struct lock_edit e, f;
	unsigned taken = 0;
	int err;

	(void)state;
	fake_place(map, 4, 10);
	gate_init(&hold);
	gate_init(&second_hold);
	e = script_begin(map, fake_range(4, 10));
	start_waiter(map, &first, hold_edit, 5, 6);
	start_second(map, &second, 7, 9);
	both_lose(map, &e);
	both_lose(map, &e);
	fake_end(map, &e);
	assert_true(gate_wait(&hold, SOON_MS) && gate_wait(&second_hold, SOON_MS));
	for (unsigned page = 5; page < 9; page += 3) {
		f = fake_begin(map, page, page + 1, LOCK_TRY, &err);
		if (!err)
			fake_end(map, &f);
		taken += !err;
	}
	gate_open(&hold);
	gate_open(&second_hold);
	must_end(&first);
	must_end(&second);
	assert_int_equal(taken, 0);
	assert_int_equal(map->policy->audit(map->state, stderr), 0);
	fake_free(map);
}

/* An insisting visit: a stream of edits cannot keep it out. */
static void test_insisting_visit(void **state)
{
	struct fake_map *map = script_start("vma");
	struct actor a;
	struct lock_edit e;
	int err;

	(void)state;
	fake_place(map, 6, 7);
	gate_at(&asleep, "fault", "waiter_before_sleep");
	e = fake_begin(map, 6, 7, LOCK_FOREVER, &err);
	actor_start(&a, map, as_fault, 6, 7, LOCK_FOREVER);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(gate_wait(&asleep, SOON_MS));
		gate_open(&asleep);
		gate_at(&woken, "fault", "waiter_woken");
		fake_end(map, &e);
		assert_true(gate_wait(&woken, SOON_MS));
		e = fake_begin(map, 6, 7, LOCK_FOREVER, &err);
		gate_at(&asleep, "fault", "waiter_before_sleep");
		gate_open(&woken);
	}
	assert_true(gate_wait(&asleep, SOON_MS));
	gate_open(&asleep);
	gate_at(&woken, "fault", "visit_before_valid");
	fake_end(map, &e);                               /* grants the pin                                        */
	assert_true(gate_wait(&woken, SOON_MS));
	e = fake_begin(map, 6, 7, LOCK_FOREVER, &err);   /* held again, but not shut                              */
	gate_open(&woken);
	err = actor_done(&a, 1500) ? a.err : -ETIMEDOUT;
	fake_clear(map, &e);
	fake_end(map, &e);
	must_end(&a);
	assert_int_equal(err, 0);
	assert_int_equal(fake_ghosts(map), 0);
	fake_free(map);
}

/* The rwsem: passed twice, the first in the queue is handed the lock. */
static void test_rwsem_handoff(void **state)
{
	struct fake_map *map = script_start("rwsem");
	struct lock_edit e;
	struct actor a;
	int err;

	(void)state;
	gate_init(&hold);
	gate_at(&asleep, "edit", "rwsem_before_sleep");
	e = fake_begin(map, 6, 7, LOCK_FOREVER, &err);
	actor_start(&a, map, hold_edit, 6, 7, LOCK_FOREVER);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(gate_wait(&asleep, SOON_MS));        /* it is in the queue now                       */
		gate_at(&woken, "edit", "rwsem_woken");
		fake_end(map, &e);                               /* while it cannot look: it would be granted it */
		gate_open(&asleep);
		assert_true(gate_wait(&woken, SOON_MS));
		e = fake_begin(map, 6, 7, LOCK_FOREVER, &err);
		assert_int_equal(err, 0);
		gate_at(&asleep, "edit", "rwsem_before_sleep");
		gate_open(&woken);
	}
	assert_true(gate_wait(&asleep, SOON_MS));
	gate_open(&asleep);
	gate_at(&woken, "edit", "rwsem_woken");                  /* only a mutant comes here                     */
	fake_end(map, &e);
	gate_wait(&woken, NEVER_MS);
	e = fake_begin(map, 6, 7, in_ms(100), &err);
	if (!err)
		fake_end(map, &e);
	gate_open(&woken);
	gate_open(&hold);
	must_end(&a);
	assert_int_equal(err, -ETIMEDOUT);
	fake_free(map);
}

static struct lock_visit visit(struct fake_map *map)
{
	struct lock_visit v = { .self = thread_self(), .r = fake_range(20, 21) };

	assert_int_equal(map->policy->visit_begin(map->state, &v, LOCK_FOREVER), 0);
	return v;
}

/* A waiter that was woken is granted the lock before it comes to try: it must see that. */
static void test_rwsem_grant_while_woken(void **state)
{
	struct fake_map *map = script_start("rwsem");
	static struct gate look, looked;
	struct lock_visit v;
	struct actor a;

	(void)state;
	v = visit(map);
	gate_at(&looked, "edit", "rwsem_looked");
	actor_start(&a, map, as_edit, 6, 7, LOCK_FOREVER);
	assert_true(gate_wait(&looked, SOON_MS));                /* passed once                                    */
	gate_at(&look, "edit", "rwsem_look");
	gate_open(&looked);
	assert_true(gate_wait(&look, SOON_MS));
	map->policy->visit_end(map->state, &v);                  /* woken                                          */
	v = visit(map);
	gate_at(&woken, "edit", "rwsem_woken");
	gate_open(&look);                                        /* passed twice: HANDOFF                          */
	assert_true(gate_wait(&woken, SOON_MS));
	map->policy->visit_end(map->state, &v);                  /* granted                                        */
	gate_open(&woken);
	must_end(&a);
	assert_int_equal(a.err, 0);
	fake_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ascending),
		cmocka_unit_test(test_insisting_edit),
		cmocka_unit_test(test_redrain_after_handover),
		cmocka_unit_test(test_unbroken_handover),
		cmocka_unit_test(test_handover_of_parts),
		cmocka_unit_test(test_handover_to_two),
		cmocka_unit_test(test_insisting_visit),
		cmocka_unit_test(test_rwsem_handoff),
		cmocka_unit_test(test_rwsem_grant_while_woken),
	};

	if (gate_mutant())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
