/* SPDX-License-Identifier: MIT */
/*
 * test_spf.c - speculative faults (locks/policy/spf.c): each window between a visit and the one writer, by script.
 *
 * mutant: spf_no_recheck
 * mutant: spf_shut_keeps_version
 * mutant: spf_ignores_writer
 * mutant: writer_cuts_unshut
 * mutant: spf_never_falls_back
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "tests/policy/script.h"

static struct fake_map *start(unsigned lo, unsigned hi)
{
	struct fake_map *map = script_start("spf");

	fake_place(map, lo, hi);
	return map;
}

static uint64_t entry_at(struct fake_map *map, unsigned page)
{
	return atomic_load_seqcst(&map->page[page].entry);
}

static void shut_page(struct fake_map *map, struct lock_edit *e, unsigned page)
{
	map->policy->edit_shut(map->state, e, fake_slot(map, page));
}

/* What the fault is to be told: nothing is mapped there any more. */
static void unmap_under(struct fake_map *map, struct lock_edit *e, struct actor *fault)
{
	fake_clear(map, e);
	fake_replace(map, e, false);
	fake_end(map, e);
	must_end(fault);
	assert_int_equal(fault->err, -EFAULT);
	assert_int_equal(fake_ghosts(map), 0);
	end_clean(map);
}

/* The fault has locked its entry when the edit bumps the sequence, before it zaps. */
static void test_validated(void **state)
{
	struct fake_map *map = start(4, 5);
	static struct gate before_valid;
	struct lock_edit e;
	struct actor a;
	uint64_t entry;

	(void)state;
	gate_at(&before_valid, "fault", "visit_before_valid");
	actor_start(&a, map, as_fault, 4, 5, LOCK_FOREVER);
	assert_true(gate_wait(&before_valid, SOON_MS));
	e = script_begin(map, fake_range(4, 5));
	shut_page(map, &e, 4);
	gate_open(&before_valid);
	actor_done(&a, NEVER_MS);
	entry = entry_at(map, 4);
	unmap_under(map, &e, &a);
	assert_int_equal(entry, 0);
}

/* The edit has bumped and zapped, and is not done: the new sequence is nothing to begin with. */
static void test_writer_inside(void **state)
{
	struct fake_map *map = start(4, 5);
	struct lock_edit e = script_begin(map, fake_range(4, 5));
	struct actor a;
	uint64_t entry;
	bool went;

	(void)state;
	fake_clear(map, &e);
	actor_start(&a, map, as_fault, 4, 5, LOCK_FOREVER);
	went = actor_done(&a, NEVER_MS);
	entry = entry_at(map, 4);
	unmap_under(map, &e, &a);
	assert_false(went);
	assert_int_equal(entry, 0);
}

/* A cut gives the visit's page to another object, whose sequence the edit is going to bump: the visit's is this one. */
static void test_cut(void **state)
{
	struct fake_map *map = start(4, 8);

	(void)state;
	assert_false(valid_under_cut(map));
	end_clean(map);
}

/* Edits cannot fail a visit for ever: its second attempt has the lock, shared. */
static void test_second_attempt(void **state)
{
	struct fake_map *map = start(4, 5);
	struct lock_visit v = script_visit(map, 4);
	struct actor first, second;
	bool valid, went;

	(void)state;
	actor_start(&first, map, actor_stamp, 4, 5, LOCK_FOREVER);
	must_end(&first);                                /* it waits for no visit that announces nothing           */
	valid = map->policy->visit_valid(map->state, &v);
	map->policy->visit_end(map->state, &v);
	assert_false(valid);
	assert_int_equal(map->policy->visit_begin(map->state, &v, LOCK_FOREVER), 0);
	actor_start(&second, map, actor_stamp, 4, 5, LOCK_FOREVER);
	went = actor_done(&second, NEVER_MS);
	valid = map->policy->visit_valid(map->state, &v);
	map->policy->visit_end(map->state, &v);
	must_end(&second);
	assert_false(went);
	assert_true(valid);
	end_clean(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_validated),
		cmocka_unit_test(test_writer_inside),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_second_attempt),
	};

	if (gate_mutant())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
