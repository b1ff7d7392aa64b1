/* SPDX-License-Identifier: MIT */
/*
 * test_windows.c - race windows of the lock protocols, each played by script on the fake map, each with its mutant.
 *
 * mutant: fault_no_recheck
 * mutant: queue_left_open
 * mutant: wake_before_sweep
 * mutant: push_no_refind
 * mutant: drain_ignores_pins
 * mutant: release_old_version
 * mutant: unpin_wake_wrong
 * mutant: note_unchecked
 * mutant: pinned_no_refind
 * mutant: pinned_no_length
 * mutant: take_ignores_pins
 * mutant: push_any_count
 * mutant: pin_no_recheck
 * mutant: pervma_no_recheck
 *
 * The lines above are read by the build: each becomes a test that must see this program fail.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "base/point.h"
#include "tests/policy/script.h"

/* ---- fault against edit ---- */

/* Two edits, one after the other. */
static void stamp_twice(struct actor *a)
{
	a->err = fake_edit(a->map, a->lo, a->hi, FAKE_STAMP, LOCK_FOREVER);
	gate_pass(&hold);
	a->err |= fake_edit(a->map, a->lo, a->hi, FAKE_STAMP, LOCK_FOREVER);
}

static void renew_edit(struct actor *a)
{
	point_role("edit");
	a->err = fake_edit(a->map, a->lo, a->hi, FAKE_MAP, LOCK_FOREVER);
}

/* The fault has locked its entry when the edit takes the VMA: it must take that back. */
static void test_fault_against_edit(void **state)
{
	struct fake_map *map = script_start("vma");
	struct gate before_valid;
	struct lock_edit e;
	struct actor a;
	uint64_t entry;
	int err;

	(void)state;
	fake_place(map, 4, 5);
	gate_at(&before_valid, "fault", "visit_before_valid");
	actor_start(&a, map, as_fault, 4, 5, LOCK_FOREVER);
	assert_true(gate_wait(&before_valid, SOON_MS));
	e = fake_begin(map, 4, 5, LOCK_FOREVER, &err);
	assert_int_equal(err, 0);
	gate_open(&before_valid);
	actor_done(&a, NEVER_MS);
	entry = atomic_load_seqcst(&map->page[4].entry);
	fake_clear(map, &e);
	fake_replace(map, &e, false);
	fake_end(map, &e);
	must_end(&a);
	assert_int_equal(entry, 0);
	assert_int_equal(a.err, -EFAULT);
	assert_int_equal(fake_ghosts(map), 0);
	fake_free(map);
}

/* Two edits by one thread between begin and valid: the second release must not store what the first did. */
static void test_version_is_new(void **state)
{
	struct fake_map *map = script_start("vma");
	struct lock_visit v = { .self = thread_self(), .r = fake_range(4, 5) };
	struct actor a;
	bool valid;

	(void)state;
	fake_place(map, 4, 5);
	gate_init(&hold);
	actor_start(&a, map, stamp_twice, 4, 5, LOCK_FOREVER);
	assert_true(gate_wait(&hold, SOON_MS));
	assert_int_equal(map->policy->visit_begin(map->state, &v, LOCK_FOREVER), 0);
	gate_open(&hold);
	must_end(&a);
	valid = map->policy->visit_valid(map->state, &v);
	map->policy->visit_end(map->state, &v);
	assert_false(valid);
	fake_free(map);
}

/* ---- pins ---- */

/* The edit waits at shut for a counted visit, and is woken by its end. */
static void test_drain(void **state)
{
	struct fake_map *map = script_start("vma-count");
	struct gate draining;
	struct lock_visit v;
	struct actor a;
	bool past;

	(void)state;
	fake_place(map, 4, 5);
	v = script_visit(map, 4);
	gate_at(&draining, "edit", "drain_after_w");
	actor_start(&a, map, shut_edit, 4, 5, LOCK_FOREVER);
	if (gate_wait(&draining, 500))
		gate_open(&draining);
	past = actor_done(&a, 150);                      /* by now it sleeps                                      */
	map->policy->visit_end(map->state, &v);
	must_end(&a);
	assert_false(past);
	fake_free(map);
}

/* A visit that counts itself in behind the holder's look at the counter takes that back. */
static void pin_against_edit(const char *policy)
{
	struct fake_map *map = script_start(policy);
	struct gate before_pin;
	struct lock_edit e;
	struct actor a;
	uint64_t entry;
	int err;

	fake_place(map, 4, 5);
	gate_at(&before_pin, "fault", "visit_before_pin");
	actor_start(&a, map, as_fault, 4, 5, LOCK_FOREVER);
	assert_true(gate_wait(&before_pin, SOON_MS));
	e = fake_begin(map, 4, 5, LOCK_FOREVER, &err);
	assert_int_equal(err, 0);
	fake_clear(map, &e);                             /* shut: nobody is inside                                 */
	gate_open(&before_pin);
	actor_done(&a, NEVER_MS);
	entry = atomic_load_seqcst(&map->page[4].entry);
	fake_replace(map, &e, false);
	fake_end(map, &e);
	must_end(&a);
	assert_int_equal(entry, 0);
	assert_int_equal(a.err, -EFAULT);
	fake_free(map);
}

static void test_pin_against_edit(void **state)
{
	(void)state;
	pin_against_edit("vma-count");
	pin_against_edit("pervma");
}

/* A counted visit of four pages sees all of them before an edit of the four, or none. */
static void test_one_generation(void **state)
{
	static const char *const policies[] = { "vma-count", "pervma" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(policies); i++) {
		struct fake_map *map = script_start(policies[i]);
		struct lock_visit v = { .self = thread_self(), .r = fake_range(4, 8) };
		struct gate draining;
		struct actor a;
		uint64_t gen, first, last;

		fake_place(map, 4, 8);
		for (unsigned page = 4; page < 8; page++)
			assert_int_equal(fake_fault(map, page, LOCK_FOREVER, &gen), 0);
		assert_int_equal(map->policy->visit_begin(map->state, &v, LOCK_FOREVER), 0);
		assert_int_equal(v.r.hi, fake_range(4, 8).hi);
		first = atomic_load_acquire(&map->page[4].entry);
		gate_at(&draining, "edit", "drain_after_w");
		actor_start(&a, map, renew_edit, 4, 8, LOCK_FOREVER);
		if (gate_wait(&draining, 500))
			gate_open(&draining);
		actor_done(&a, NEVER_MS);
		last = atomic_load_acquire(&map->page[7].entry);
		map->policy->visit_end(map->state, &v);
		must_end(&a);
		assert_true(first == gen && last == gen);
		assert_int_equal(a.err, 0);
		fake_free(map);
	}
}

/* A cut gives a visited page to another VMA, whose holder does not know of the pin. */
static void test_cut_under_pin(void **state)
{
	struct fake_map *map = script_start("vma-count");

	(void)state;
	fake_place(map, 4, 8);
	assert_false(valid_under_cut(map));
	fake_free(map);
}

/* Is a visit of pages 4 to hi - 1 still valid when a cut has left its VMA, the same object, only 4 and 5? */
static bool valid_after_cut(unsigned hi)
{
	struct fake_map *map = script_start("vma-count");
	struct lock_visit v = { .self = thread_self(), .r = fake_range(4, hi) };
	struct actor a;
	bool valid;

	fake_place(map, 4, 8);
	assert_int_equal(map->policy->visit_begin(map->state, &v, LOCK_FOREVER), 0);
	assert_int_equal(v.r.hi, fake_range(4, hi).hi);
	gate_init(&hold);
	actor_start(&a, map, hold_edit, 6, 7, LOCK_FOREVER);
	assert_true(gate_wait(&hold, SOON_MS));
	assert_ptr_equal(fake_slot(map, 4), v.slot);
	assert_ptr_not_equal(fake_slot(map, 6), v.slot);
	valid = map->policy->visit_valid(map->state, &v);
	map->policy->visit_end(map->state, &v);
	gate_open(&hold);
	must_end(&a);
	fake_free(map);
	return valid;
}

/* A pin proves the pages that the object still has, and only these. */
static void test_short_after_cut(void **state)
{
	(void)state;
	assert_true(valid_after_cut(6));
	assert_false(valid_after_cut(7));
	assert_false(valid_after_cut(8));
}

static void brief(struct actor *a) { a->err = fake_brief(a->map, a->lo); }

/* A short edit does not take what is pinned. */
static void test_take_under_pin(void **state)
{
	struct fake_map *map = script_start("vma-count");
	struct lock_visit v;
	struct actor a;

	(void)state;
	fake_place(map, 4, 5);
	v = script_visit(map, 4);
	actor_start(&a, map, brief, 4, 5, LOCK_FOREVER);
	must_end(&a);
	map->policy->visit_end(map->state, &v);
	assert_int_equal(a.err, -ENOENT);
	assert_int_equal(fake_brief(map, 4), 0);
	fake_free(map);
}

/* ---- queues ---- */

/* The holder closes its queue between a waiter's look at the count and its push: the waiter must not be lost. */
static void test_push_after_close(void **state)
{
	struct fake_map *map = script_start("vma");
	struct gate before_push;
	struct lock_edit e;
	struct actor a;
	int err;

	(void)state;
	gate_at(&before_push, "edit", "waiter_before_push");
	e = fake_begin(map, 4, 5, LOCK_FOREVER, &err);
	assert_int_equal(err, 0);
	actor_start(&a, map, as_edit, 4, 5, in_ms(1500));
	assert_true(gate_wait(&before_push, SOON_MS));
	fake_end(map, &e);
	gate_open(&before_push);
	must_end(&a);
	assert_int_equal(a.err, 0);
	fake_free(map);
}

/* ... or opens it again for something else: the waiter must not queue there. */
static void test_push_on_next(void **state)
{
	struct fake_map *map = script_start("vma");
	struct gate before_push;
	struct lock_edit e;
	struct actor a;
	bool went;
	int err;

	(void)state;
	gate_at(&before_push, "edit", "waiter_before_push");
	e = fake_begin(map, 4, 5, LOCK_FOREVER, &err);
	actor_start(&a, map, as_edit, 4, 5, LOCK_FOREVER);
	assert_true(gate_wait(&before_push, SOON_MS));
	fake_end(map, &e);
	e = fake_begin(map, 20, 21, LOCK_FOREVER, &err);
	gate_open(&before_push);
	went = actor_done(&a, 1000);
	fake_end(map, &e);
	must_end(&a);
	assert_true(went);
	fake_free(map);
}

/* Nobody is woken before the words are free. */
static void test_sweep_then_wake(void **state)
{
	struct fake_map *map = script_start("vma");
	struct gate before_sleep, before_sweep;
	struct actor holder, waiter;
	bool early;

	(void)state;
	gate_init(&hold);
	actor_start(&holder, map, hold_edit, 4, 5, LOCK_FOREVER);
	assert_true(gate_wait(&hold, SOON_MS));
	gate_at(&before_sleep, "fault", "waiter_before_sleep");
	gate_at(&woken, "fault", "waiter_woken");
	gate_at(&before_sweep, "edit", "release_before_sweep");
	actor_start(&waiter, map, as_fault, 4, 5, LOCK_FOREVER);
	assert_true(gate_wait(&before_sleep, SOON_MS));
	gate_open(&before_sleep);
	gate_open(&hold);
	assert_true(gate_wait(&before_sweep, SOON_MS));
	early = gate_wait(&woken, NEVER_MS);
	gate_open(&before_sweep);
	gate_open(&woken);
	must_end(&holder);
	must_end(&waiter);
	assert_false(early);
	fake_free(map);
}

static void test_note_after_close(void **state)
{
	(void)state;
	assert_true(note_after_close("vma"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fault_against_edit),
		cmocka_unit_test(test_version_is_new),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_pin_against_edit),
		cmocka_unit_test(test_one_generation),
		cmocka_unit_test(test_cut_under_pin),
		cmocka_unit_test(test_short_after_cut),
		cmocka_unit_test(test_take_under_pin),
		cmocka_unit_test(test_push_after_close),
		cmocka_unit_test(test_push_on_next),
		cmocka_unit_test(test_sweep_then_wake),
		cmocka_unit_test(test_note_after_close),
	};

	if (gate_mutant())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
