/* SPDX-License-Identifier: MIT */
/*
 * test_beside.c - race windows of the policies with range locks beside the map, by script on the fake map.
 *
 * mutant: beside_no_recheck
 * mutant: beside_note_unchecked
 * mutant: beside_forgets_cut
 * mutant: tree_barges
 * mutant: tree_nested_queues
 * mutant: tree_passes_uncounted
 * mutant: tree_reads_after
 * mutant: tree_cancel_unchecked
 * mutant: tree_cancel_silent
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/point.h"
#include "tests/policy/script.h"

static const char *const beside[] = { "range-tree", "range-list", "fine-lock" };

static int try_edit(struct fake_map *map, unsigned lo, unsigned hi)
{
	struct actor a;

	actor_start(&a, map, actor_edit, lo, hi, LOCK_TRY);
	must_end(&a);
	return a.err;
}

/* A cut elsewhere in the VMA leaves the visited page to another object, whose end the visit does not hold up. */
static void cut_elsewhere(const char *policy)
{
	struct fake_map *map = script_start(policy);
	struct lock_visit v;
	struct actor a;
	bool valid;

	fake_place(map, 4, 8);
	v = script_visit(map, 6);
	assert_true(map->policy->visit_valid(map->state, &v));
	actor_start(&a, map, as_edit, 4, 5, LOCK_FOREVER);
	must_end(&a);
	assert_int_equal(a.err, 0);
	assert_ptr_not_equal(fake_slot(map, 6), v.slot);
	valid = map->policy->visit_valid(map->state, &v);
	map->policy->visit_end(map->state, &v);
	assert_false(valid);
	end_clean(map);
}

/* A visit that was not valid twice has all of its VMA: nobody cuts that meanwhile. */
static void insisting_visit(const char *policy)
{
	struct fake_map *map = script_start(policy);
	struct lock_visit v = { .self = thread_self() };

	for (unsigned i = 0; i < 3; i++) {
		fake_place(map, 4, 8);
		v.r = fake_range(6, 7);
		assert_int_equal(map->policy->visit_begin(map->state, &v, LOCK_FOREVER), 0);
		assert_int_equal(try_edit(map, 4, 5), i < 2 ? 0 : -EAGAIN);
		assert_int_equal(map->policy->visit_valid(map->state, &v), i == 2);
		map->policy->visit_end(map->state, &v);
	}
	end_clean(map);
}

static void note_after(const char *policy)
{
	assert_true(note_after_close(policy));
}

/* A begin that fails with a border cut says so: somebody has to heal it. */
static void cut_then_failed(const char *policy)
{
	struct fake_map *map = script_start(policy);
	struct lock_edit e;
	int err;

	fake_place(map, 4, 8);
	fake_place(map, 8, 28);
	map->fail_claims = 2;
	e = fake_begin(map, 6, 22, LOCK_FOREVER, &err);
	assert_int_equal(err, -ENOMEM);
	assert_int_equal(fake_vmas(map), 3);
	assert_int_equal(e.merges, 2);
	end_clean(map);
}

/* Who waits is before who comes after it, also where nobody holds anything yet. */
static void waiting_blocks(const char *policy)
{
	struct fake_map *map = script_start(policy);
	struct lock_edit e = script_begin(map, fake_range(4, 6));
	struct actor wide;
	int busy;

	start_waiter(map, &wide, as_edit, 5, 10);
	busy = try_edit(map, 8, 9);
	fake_end(map, &e);
	must_end(&wide);
	assert_int_equal(busy, -EAGAIN);
	assert_int_equal(try_edit(map, 8, 9), 0);
	end_clean(map);
}

/* ---- nested: a thread that holds [2, 4), with another waiting there for [3, 12), wants [8, 9) as well ---- */

static struct gate has_both;

static void nest_edit(struct actor *a)
{
	struct lock_edit f;
	int err;

	point_role("nester");
	a->e = fake_begin(a->map, 2, 4, LOCK_FOREVER, &a->err);
	gate_pass(&hold);
	f = fake_begin(a->map, 8, 9, LOCK_FOREVER, &err);
	a->err |= err;
	fake_end(a->map, &a->e);
	gate_pass(&has_both);
	fake_end(a->map, &f);
}

/* The waiter waits for both of them; the one who holds waits for nobody that waits for it. */
static void nested_passes(const char *policy)
{
	struct fake_map *map = script_start(policy);
	bool grants = !strcmp(policy, "range-tree"), early;     /* else all are woken, and look                   */
	struct actor nester, wide;

	gate_init(&hold);
	gate_init(&has_both);
	actor_start(&nester, map, nest_edit, 0, 0, LOCK_FOREVER);
	assert_true(gate_wait(&hold, SOON_MS));
	start_waiter(map, &wide, as_edit, 3, 12);
	gate_init(&woken);
	if (grants)
		gate_at(&woken, "edit", "waiter_woken");
	gate_open(&hold);
	if (!gate_wait(&has_both, SOON_MS)) {
		fprintf(stderr, "a thread that holds waits for one that waits for it\n");
		_Exit(1);
	}
	early = grants ? gate_wait(&woken, NEVER_MS) : actor_done(&wide, NEVER_MS);
	gate_open(&woken);
	gate_open(&has_both);
	must_end(&nester);
	must_end(&wide);
	assert_false(early);
	assert_int_equal(nester.err | wide.err, 0);
	end_clean(map);
}

/* ---- grants ---- */

/* One release serves two; the first of them is through, and waits again, before the second is told. */
static void edit_twice(struct actor *a)
{
	actor_edit(a);
	atomic_store_release(&a->done, 1);
	a->err |= fake_edit(a->map, 20, 21, FAKE_UNMAP, LOCK_FOREVER);
}

static void grants_two(const char *policy)
{
	struct fake_map *map = script_start(policy);
	struct lock_edit other = script_begin(map, fake_range(20, 21));
	struct actor holder, first, second;
	struct gate granted;

	gate_init(&hold);
	actor_start(&holder, map, hold_edit, 4, 8, LOCK_FOREVER);
	assert_true(gate_wait(&hold, SOON_MS));
	start_second(map, &second, 4, 5);
	gate_init(&second_hold);
	atomic_store_release(&second_hold.open, 1);
	gate_at(&granted, "edit", "grant_done");
	actor_start(&first, map, edit_twice, 7, 8, LOCK_FOREVER);
	actor_done(&first, NEVER_MS);                    /* no role: by now it waits                               */
	gate_open(&hold);
	assert_true(gate_wait(&granted, SOON_MS));
	while (!actor_done(&first, 5) && !actor_done(&second, 5))        /* whoever was told first is through         */
		;
	actor_done(&first, NEVER_MS);
	gate_open(&granted);
	must_end(&holder);
	must_end(&second);
	fake_end(map, &other);
	actor_join(&first);
	assert_int_equal(first.err | second.err, 0);
	end_clean(map);
}

/* A deadline passes while the grant is on its way: the range is kept, and not lost to nobody. */
static void deadline_against_grant(const char *policy)
{
	struct fake_map *map = script_start(policy);
	struct gate before_grant;
	struct actor holder, late;

	gate_init(&hold);
	actor_start(&holder, map, hold_edit, 4, 5, LOCK_FOREVER);
	assert_true(gate_wait(&hold, SOON_MS));
	gate_at(&before_grant, "edit", "tree_before_grant");
	actor_start(&late, map, actor_edit, 4, 5, in_ms(300));
	actor_done(&late, NEVER_MS);
	gate_open(&hold);
	assert_true(gate_wait(&before_grant, SOON_MS));
	actor_done(&late, 400);
	gate_open(&before_grant);
	must_end(&holder);
	must_end(&late);
	assert_int_equal(late.err, 0);
	end_clean(map);
}

/* Who gives up lets those go on that waited for it alone. */
static void cancel_lets_on(const char *policy)
{
	struct fake_map *map = script_start(policy);
	struct lock_edit e = script_begin(map, fake_range(4, 5));
	struct actor wide, behind;

	gate_at(&asleep, "edit", "waiter_before_sleep");
	actor_start(&wide, map, as_edit, 4, 10, in_ms(300));
	assert_true(gate_wait(&asleep, SOON_MS));
	gate_open(&asleep);
	start_second(map, &behind, 8, 9);
	gate_init(&second_hold);
	atomic_store_release(&second_hold.open, 1);
	must_end(&wide);
	must_end(&behind);
	assert_int_equal(wide.err, -ETIMEDOUT);
	assert_int_equal(behind.err, 0);
	fake_end(map, &e);
	end_clean(map);
}

static void each(void (*script)(const char *policy))
{
	for (unsigned i = 0; i < ARRAY_SIZE(beside); i++)
		script(beside[i]);
}

static void test_cut_elsewhere(void **state)          { (void)state; each(cut_elsewhere); }
static void test_insisting_visit(void **state)        { (void)state; each(insisting_visit); }
static void test_note_after_close(void **state)       { (void)state; each(note_after); }
static void test_cut_then_failed(void **state)        { (void)state; each(cut_then_failed); }
static void test_waiting_blocks(void **state)         { (void)state; waiting_blocks("range-tree"); }
static void test_nested_passes(void **state)          { (void)state; each(nested_passes); }
static void test_grants_two(void **state)             { (void)state; grants_two("range-tree"); }
static void test_deadline_against_grant(void **state) { (void)state; deadline_against_grant("range-tree"); }
static void test_cancel_lets_on(void **state)         { (void)state; cancel_lets_on("range-tree"); }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_elsewhere),
		cmocka_unit_test(test_insisting_visit),
		cmocka_unit_test(test_note_after_close),
		cmocka_unit_test(test_cut_then_failed),
		cmocka_unit_test(test_waiting_blocks),
		cmocka_unit_test(test_nested_passes),
		cmocka_unit_test(test_grants_two),
		cmocka_unit_test(test_deadline_against_grant),
		cmocka_unit_test(test_cancel_lets_on),
	};

	if (gate_mutant())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
