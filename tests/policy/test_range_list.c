/* SPDX-License-Identifier: MIT */
/*
 * test_range_list.c - race windows of `range-list`, by script on the fake map.
 *
 * mutant: list_writer_unchecked
 * mutant: list_reader_unchecked
 * mutant: list_sleeps_unchecked
 * mutant: list_always_alone
 * mutant: list_reuses_at_once
 * mutant: list_always_patient
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "base/point.h"
#include "tests/policy/script.h"

static struct lock_visit open_visit(struct fake_map *map, unsigned page)
{
	struct lock_visit v = { .self = thread_self(), .r = fake_range(page, page + 1) };

	assert_int_equal(map->policy->visit_begin(map->state, &v, LOCK_FOREVER), 0);
	return v;
}

/* Begins, says so at `woken`, and ends when that is opened. */
static void hold_second(struct actor *a)
{
	point_role("edit");
	a->e = fake_begin(a->map, a->lo, a->hi, LOCK_FOREVER, &a->err);
	gate_pass(&woken);
	if (!a->err)
		fake_end(a->map, &a->e);
}

static int try_edit(struct fake_map *map, unsigned lo, unsigned hi)
{
	struct actor a;

	actor_start(&a, map, actor_edit, lo, hi, LOCK_TRY);
	must_end(&a);
	return a.err;
}

/* The range lock alone: a brief edit leaves no words. */
static void brief_range(struct actor *a)
{
	a->e = (struct lock_edit){ .self = thread_self(), .r = fake_range(a->lo, a->hi) };
	a->err = a->map->policy->brief_begin(a->map->state, &a->e, a->deadline_ns);
	if (!a->err)
		a->map->policy->brief_end(a->map->state, &a->e);
}

/* ---- the list: a visit of pages 3 to 5 and an edit of 5 to 7, on either side of a visit of page 4 ---- */

static struct gate before_insert, before_sleeper;

static void visit_three(struct actor *a)
{
	struct lock_visit v = { .self = thread_self(), .r = fake_range(3, 6) };

	point_role("visit");
	a->err = a->map->policy->visit_begin(a->map->state, &v, LOCK_FOREVER);
	atomic_store_release(&a->done, 1);
	gate_pass(&hold);
	a->map->policy->visit_end(a->map->state, &v);
}

static void visit_four(struct actor *a)
{
	struct lock_visit v = open_visit(a->map, 4);

	atomic_store_release(&a->done, 1);
	gate_pass(&second_hold);
	a->map->policy->visit_end(a->map->state, &v);
}

/* One of the two stands before its CAS while the other goes in, by another link: the later look sees both. */
static void shared_and_exclusive(bool edit_first)
{
	struct fake_map *map = script_start("range-list");
	struct actor between, visit, edit;
	bool both;

	fake_place(map, 3, 8);
	gate_init(&hold);
	gate_init(&second_hold);
	gate_init(&woken);
	actor_start(&between, map, visit_four, 0, 0, LOCK_FOREVER);
	assert_true(actor_done(&between, SOON_MS));
	gate_at(&before_insert, edit_first ? "visit" : "edit", "list_before_insert");
	if (edit_first)
		actor_start(&visit, map, visit_three, 0, 0, LOCK_FOREVER);
	else
		actor_start(&edit, map, hold_second, 5, 8, LOCK_FOREVER);
	assert_true(gate_wait(&before_insert, SOON_MS));
	if (edit_first)
		actor_start(&edit, map, hold_second, 5, 8, LOCK_FOREVER);
	else
		actor_start(&visit, map, visit_three, 0, 0, LOCK_FOREVER);
	assert_true(edit_first ? gate_wait(&woken, SOON_MS) : actor_done(&visit, SOON_MS));
	gate_open(&before_insert);
	both = edit_first ? actor_done(&visit, NEVER_MS) : gate_wait(&woken, NEVER_MS);
	gate_open(&hold);
	gate_open(&woken);
	gate_open(&second_hold);
	must_end(&edit);
	actor_join(&visit);
	actor_join(&between);
	assert_false(both);
	assert_int_equal(visit.err | edit.err, 0);
	end_clean(map);
}

static void test_writer_looks_back(void **state)    { (void)state; shared_and_exclusive(false); }
static void test_reader_looks_forward(void **state) { (void)state; shared_and_exclusive(true); }

/* The range is released between a waiter's look at it and its word that it sleeps. */
static void test_sleeper(void **state)
{
	struct fake_map *map = script_start("range-list");
	struct lock_edit e = script_begin(map, fake_range(4, 5));
	struct actor late;

	(void)state;
	gate_at(&before_sleeper, "edit", "list_before_sleeper");
	actor_start(&late, map, as_edit, 4, 5, LOCK_FOREVER);
	assert_true(gate_wait(&before_sleeper, SOON_MS));
	fake_end(map, &e);
	gate_open(&before_sleeper);
	must_end(&late);
	assert_int_equal(late.err, 0);
	end_clean(map);
}

/* A node that was alone, and is not any more, goes as all others do. */
static void test_alone_no_more(void **state)
{
	struct fake_map *map = script_start("range-list");
	struct lock_edit e = script_begin(map, fake_range(4, 5));
	struct actor other;
	int err;

	(void)state;
	gate_init(&hold);
	actor_start(&other, map, hold_edit, 8, 9, LOCK_FOREVER);
	assert_true(gate_wait(&hold, SOON_MS));
	fake_end(map, &e);
	err = try_edit(map, 4, 5);
	gate_open(&hold);
	must_end(&other);
	assert_int_equal(err, 0);
	end_clean(map);
}

/* The link by which a newcomer was to go in is that of a node that is released, unlinked, and wanted elsewhere. */
static void test_link_of_another_life(void **state)
{
	struct fake_map *map = script_start("range-list");
	struct lock_edit e = script_begin(map, fake_range(4, 5));
	struct actor late, other;

	(void)state;
	gate_at(&before_insert, "edit", "list_before_insert");
	gate_init(&woken);
	actor_start(&late, map, hold_second, 6, 7, LOCK_FOREVER);
	assert_true(gate_wait(&before_insert, SOON_MS));
	fake_end(map, &e);
	assert_int_equal(try_edit(map, 30, 31), 0);              /* comes by, and unlinks                         */
	e = script_begin(map, fake_range(20, 21));
	gate_open(&before_insert);
	assert_true(gate_wait(&woken, SOON_MS));
	actor_start(&other, map, brief_range, 6, 7, LOCK_TRY);
	must_end(&other);
	gate_open(&woken);
	must_end(&late);
	fake_end(map, &e);
	assert_int_equal(late.err, 0);
	assert_int_equal(other.err, -EAGAIN);
	end_clean(map);
}

/* Overtaken twice: from then on its turn is not taken from it while it wakes up. */
static void test_impatient(void **state)
{
	struct fake_map *map = script_start("range-list");
	struct lock_edit e = script_begin(map, fake_range(4, 5));
	struct actor waiter;
	int err;

	(void)state;
	start_waiter(map, &waiter, as_edit, 4, 5);
	overtake(map, &e, 2);
	gate_at(&woken, "edit", "waiter_woken");
	fake_end(map, &e);
	assert_true(gate_wait(&woken, SOON_MS));
	err = try_edit(map, 4, 5);
	gate_open(&woken);
	must_end(&waiter);
	assert_int_equal(err, -EAGAIN);
	assert_int_equal(waiter.err, 0);
	end_clean(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writer_looks_back),
		cmocka_unit_test(test_reader_looks_forward),
		cmocka_unit_test(test_sleeper),
		cmocka_unit_test(test_alone_no_more),
		cmocka_unit_test(test_link_of_another_life),
		cmocka_unit_test(test_impatient),
	};

	if (gate_mutant())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
