/* SPDX-License-Identifier: MIT */
/*
 * test_waiting.c - who waits: records and grants, deadlines that pass while a grant is on its way, what an error leaves
 * behind; played by script on the fake map.
 *
 * mutant: grant_reads_after
 * mutant: take_keeps_partial
 * mutant: cancel_takes_claimed
 * mutant: claim_takes_cancelled
 * mutant: rewait_pushes_twice
 * mutant: rwsem_quits_granted
 * mutant: rwsem_no_last_look
 * mutant: wait_inside_rcu
 * mutant: pins_no_limit
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

/* ---- grants ---- */

/* What it waited for, then page 20: with the same record. */
static void edit_and_another(struct actor *a)
{
	as_edit(a);
	if (!a->err)
		a->err = fake_edit(a->map, 20, 21, FAKE_STAMP, LOCK_FOREVER);
}

static struct actor first, other;

/* In the releaser, after its first grant: that waiter waits again, for another holder, and is granted again. */
static void reuse_the_record(void *arg)
{
	(void)arg;
	assert_true(gate_wait(&second_woken, SOON_MS));          /* it is asleep on page 20                           */
	gate_open(&second_woken);
	gate_open(&hold);                                        /* page 20 is released                               */
	must_end(&first);
	must_end(&other);
}

static void hold_other(struct actor *a)
{
	point_role("other");
	a->e = fake_begin(a->map, a->lo, a->hi, LOCK_FOREVER, &a->err);
	gate_pass(&hold);
	fake_end(a->map, &a->e);
}

/* A record is its owner's again from the grant on: what comes next in the list is read before. */
static void test_grant_is_the_last_access(void **state)
{
	struct fake_map *map = script_start("vma");
	struct actor second;
	struct lock_edit e;

	(void)state;
	gate_init(&hold);
	actor_start(&other, map, hold_other, 20, 21, LOCK_FOREVER);
	assert_true(gate_wait(&hold, SOON_MS));
	e = script_begin(map, fake_range(4, 5));
	start_waiter(map, &first, edit_and_another, 4, 5);
	start_second(map, &second, 4, 5);
	gate_at(&second_woken, "edit", "waiter_before_sleep");
	assert_int_equal(point_call(NULL, "grant_done", reuse_the_record, NULL), 0);
	gate_init(&second_hold);
	gate_open(&second_hold);
	fake_end(map, &e);
	must_end(&second);
	assert_int_equal(first.err | second.err | other.err, 0);
	end_clean(map);
}

/* Of two that insist the one who has waited longer is first, in whatever order they have queued. */
static void test_oldest_first(void **state)
{
	struct fake_map *map = script_start("vma");
	struct actor older, newer;
	struct lock_edit e;
	bool newer_has;

	(void)state;
	gate_init(&hold);
	gate_init(&second_hold);
	e = script_begin(map, fake_range(4, 5));
	start_waiter(map, &older, hold_edit, 4, 5);
	start_second(map, &newer, 4, 5);
	both_lose(map, &e);
	both_lose(map, &e);
	fake_end(map, &e);
	while (!gate_wait(&hold, 1) && !gate_wait(&second_hold, 1))
		;
	newer_has = gate_wait(&second_hold, 0);
	gate_open(&hold);
	gate_open(&second_hold);
	must_end(&older);
	must_end(&newer);
	assert_false(newer_has);
	assert_int_equal(older.err | newer.err, 0);
	end_clean(map);
}

/* ---- deadlines ---- */

/* What was taken below the place where an edit gave up: a dummy, a VMA, and a part of one. */
static void test_partial_take(void **state)
{
	(void)state;
	for (unsigned timed = 0; timed < 2; timed++) {
		struct fake_map *map = script_start("vma");
		struct lock_edit e;
		struct actor a;

		fake_place(map, 4, 7);
		fake_place(map, 7, 8);
		fake_place(map, 9, 10);
		e = script_begin(map, fake_range(9, 10));
		actor_start(&a, map, as_edit, 6, 12, timed ? in_ms(20) : LOCK_TRY);
		must_end(&a);
		assert_int_equal(a.err, timed ? -ETIMEDOUT : -EAGAIN);
		assert_int_equal(fake_dummies(map), 0);
		for (unsigned page = 4; page < 8; page++)
			assert_true(lock_word_free(fake_lk(map, page)));
		fake_end(map, &e);
		end_clean(map);
	}
}

static struct gate late;

#define QUIT_MS 500                              /* also where threads begin late: it waits before it quits         */

/* Page 4 is held by an edit, and wanted by a waiter. */
struct wait { struct fake_map *map; struct lock_edit e; struct actor waiter; };

/* Returns when the waiter, which has so many ms (0: time without end), stands at a point on its way. */
static void wait_begin(struct wait *w, const char *policy, void (*fn)(struct actor *a), unsigned ms, const char *point)
{
	w->map = script_start(policy);
	fake_place(w->map, 4, 5);
	gate_at(&late, NULL, point);
	w->e = script_begin(w->map, fake_range(4, 5));
	actor_start(&w->waiter, w->map, fn, 4, 5, ms ? in_ms(ms) : LOCK_FOREVER);
	assert_true(gate_wait(&late, SOON_MS));
}

/* The waiter gets the page. */
static void wait_end(struct wait *w)
{
	must_end(&w->waiter);
	assert_int_equal(w->waiter.err, 0);
	end_clean(w->map);
}

/* In the releaser, which has claimed the waiter: now its deadline is over. */
static void let_it_cancel(void *arg)
{
	gate_open(&late);
	actor_done(arg, NEVER_MS);
}

/* The deadline passes when the grant is on its way: the waiter takes it. */
static void test_cancel_against_grant(void **state)
{
	struct wait w;

	(void)state;
	wait_begin(&w, "vma", as_edit, QUIT_MS, "waiter_before_cancel");
	assert_int_equal(point_call(NULL, "handover_before_grant", let_it_cancel, &w.waiter), 0);
	fake_end(w.map, &w.e);
	wait_end(&w);
}

/* It passes before: the releaser finds the record in its list, and nobody behind it. */
static void test_cancelled_is_passed_over(void **state)
{
	struct fake_map *map = script_start("vma");
	struct lock_edit e;
	struct actor a;

	(void)state;
	e = script_begin(map, fake_range(4, 5));
	actor_start(&a, map, as_edit, 4, 5, in_ms(20));
	must_end(&a);
	assert_int_equal(a.err, -ETIMEDOUT);
	fake_end(map, &e);
	end_clean(map);
}

static void edit_again(struct actor *a)
{
	point_role("edit");
	a->err = fake_edit(a->map, a->lo, a->hi, FAKE_STAMP, a->deadline_ns);
	a->gen = (uint64_t)-a->err;
	a->err = fake_edit(a->map, a->lo, a->hi, FAKE_STAMP, LOCK_FOREVER);
}

/* Who gave up and comes back to the same holder still stands in its queue. */
static void test_wait_again(void **state)
{
	struct wait w;

	(void)state;
	wait_begin(&w, "vma", edit_again, QUIT_MS, "waiter_before_cancel");
	gate_at(&asleep, "edit", "waiter_before_sleep");
	gate_open(&late);
	assert_true(gate_wait(&asleep, SOON_MS));                /* the second time                                   */
	gate_open(&asleep);
	fake_end(w.map, &w.e);
	wait_end(&w);
	assert_int_equal(w.waiter.gen, ETIMEDOUT);
}

/* The rwsem: granted between the time-out and the look under the queue's lock. */
static void test_rwsem_quit_against_grant(void **state)
{
	struct wait w;

	(void)state;
	wait_begin(&w, "rwsem", as_fault, QUIT_MS, "rwsem_before_quit");
	fake_end(w.map, &w.e);                                   /* grants it                                         */
	gate_open(&late);
	wait_end(&w);
}

/* The rwsem comes free just before a waiter stands in its queue. */
static void test_rwsem_last_look(void **state)
{
	struct wait w;

	(void)state;
	wait_begin(&w, "rwsem", as_fault, 0, "rwsem_before_join");
	fake_end(w.map, &w.e);
	gate_open(&late);
	wait_end(&w);
}

/* ---- what a waiter holds: nothing ---- */

static void wait_for_gap(struct actor *a)
{
	if (a->map->policy->gap_wait)
		a->err = a->map->policy->gap_wait(a->map->state, thread_self(), fake_range(a->lo, a->hi).lo,
						  LOCK_FOREVER);
}

/* While an edit, a visit and a mmap wait, a grace period comes to its end. */
static void test_grace_period_beside_waiters(void **state)
{
	(void)state;
	for (unsigned i = 0; lock_policy_at(i); i++) {
		struct fake_map *map;
		struct lock_edit e;
		struct actor edit, visit, gap;

		if (!(lock_policy_at(i)->caps & LOCK_CAP_THREADS))
			continue;
		map = script_start(lock_policy_at(i)->name);
		fake_place(map, 4, 5);
		e = script_begin(map, fake_range(4, 6));
		map->policy->edit_shut(map->state, &e, fake_slot(map, 4));
		actor_start(&edit, map, actor_edit, 4, 5, LOCK_FOREVER);
		actor_start(&visit, map, actor_fault, 4, 5, LOCK_FOREVER);
		actor_start(&gap, map, wait_for_gap, 5, 6, LOCK_FOREVER);
		assert_false(actor_done(&edit, NEVER_MS / 2) || actor_done(&visit, NEVER_MS / 2));
		rcu_synchronize();
		fake_end(map, &e);
		must_end(&edit);
		must_end(&visit);
		must_end(&gap);
		assert_int_equal(edit.err | visit.err | gap.err, 0);
		end_clean(map);
	}
}

/* ---- a counter that is full ---- */

static struct fake_map *full_start(const char *policy, atomic_u32 **pins)
{
	struct fake_map *map = script_start(policy);
	struct lock_slot *slot;

	fake_place(map, 4, 5);
	slot = fake_slot(map, 4);
	*pins = map->policy->slot_bytes ? lock_far_pins(slot) : &slot->pins;
	atomic_store_seqcst(*pins, LOCK_PINS_MAX);
	return map;
}

/* A visit that finds no room in the counter waits, or goes another way; W is never what overflows. */
static void test_pins_full(void **state)
{
	static const char *const policies[] = { "vma-count", "vma", "pervma" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(policies); i++) {
		atomic_u32 *pins;
		struct fake_map *map = full_start(policies[i], &pins);
		struct lock_visit v = { .self = thread_self(), .r = fake_range(4, 5), .own = { [3] = RANGE_INSISTS } };
		int err = map->policy->visit_begin(map->state, &v, LOCK_TRY);
		uint32_t full = atomic_load_seqcst(pins);

		if (!err)
			map->policy->visit_end(map->state, &v);
		assert_int_equal(full, LOCK_PINS_MAX);
		assert_int_equal(err, i < 2 ? -EAGAIN : 0);      /* pervma: under the map's lock                      */
		atomic_store_seqcst(pins, 0);
		end_clean(map);
	}
}

/* Nor is it when a release gives pins to visits that insist. */
static void test_pins_full_at_handover(void **state)
{
	atomic_u32 *pins;
	struct fake_map *map = full_start("vma", &pins);
	struct lock_edit e = script_begin(map, fake_range(4, 5));
	struct actor a;
	uint32_t full;

	(void)state;
	gate_at(&asleep, "fault", "waiter_before_sleep");
	actor_start(&a, map, as_fault, 4, 5, LOCK_FOREVER);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(gate_wait(&asleep, SOON_MS));
		gate_open(&asleep);
		gate_at(&woken, "fault", "waiter_woken");
		fake_end(map, &e);
		assert_true(gate_wait(&woken, SOON_MS));
		if (i == 2)
			break;                           /* it insists: nobody may come before it                  */
		e = script_begin(map, e.r);
		gate_at(&asleep, "fault", "waiter_before_sleep");
		gate_open(&woken);
	}
	full = atomic_load_seqcst(pins);
	atomic_store_seqcst(pins, 0);
	gate_open(&woken);
	must_end(&a);
	assert_int_equal(full, LOCK_PINS_MAX);
	assert_int_equal(a.err, 0);
	end_clean(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grant_is_the_last_access),
		cmocka_unit_test(test_oldest_first),
		cmocka_unit_test(test_partial_take),
		cmocka_unit_test(test_cancel_against_grant),
		cmocka_unit_test(test_cancelled_is_passed_over),
		cmocka_unit_test(test_wait_again),
		cmocka_unit_test(test_rwsem_quit_against_grant),
		cmocka_unit_test(test_rwsem_last_look),
		cmocka_unit_test(test_grace_period_beside_waiters),
		cmocka_unit_test(test_pins_full),
		cmocka_unit_test(test_pins_full_at_handover),
	};

	if (gate_mutant())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
