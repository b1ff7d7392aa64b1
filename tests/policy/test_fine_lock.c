/* SPDX-License-Identifier: MIT */
/*
 * test_fine_lock.c - the queue of locks/policy/fine_lock.c by script: who is granted, when, and whose a record is after
 * that.
 *
 * mutant: fine_barges
 * mutant: fine_dequeues_one
 * mutant: fine_passes_head
 * mutant: fine_reads_after
 * mutant: fine_cancel_unchecked
 * mutant: fine_cancel_silent
 * mutant: fine_nested_queues
 * mutant: fine_nested_in_turn
 * mutant: fine_nested_unheeded
 * mutant: fine_coarse_unheeded
 * mutant: fine_gap_queues
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "base/point.h"
#include "base/rcu.h"
#include "locks/policy/beside.h"
#include "tests/policy/script.h"

static struct fake_map *start(void)
{
	struct fake_map *map = script_start("fine-lock");

	fake_place(map, 4, 5);
	fake_place(map, 5, 8);
	gate_init(&hold);
	gate_init(&second_hold);
	return map;
}

static struct lock_visit open_visit(struct fake_map *map, unsigned page)
{
	struct lock_visit v = { .self = thread_self(), .r = fake_range(page, page + 1) };

	assert_int_equal(map->policy->visit_begin(map->state, &v, LOCK_FOREVER), 0);
	return v;
}

static void visit_while(struct actor *a, struct gate *g)
{
	struct lock_visit v = { .self = thread_self(), .r = fake_range(a->lo, a->hi) };

	a->err = a->map->policy->visit_begin(a->map->state, &v, LOCK_FOREVER);
	rcu_leave(v.self);                               /* a grace period need not wait for the script            */
	gate_pass(g);
	rcu_enter(v.self);
	if (!a->err)
		a->map->policy->visit_end(a->map->state, &v);
}

static void hold_visit(struct actor *a)   { point_role("edit"); visit_while(a, &hold); }
static void second_visit(struct actor *a) { point_role("second"); visit_while(a, &second_hold); }

static void start_second_visit(struct fake_map *map, struct actor *a, unsigned page)
{
	gate_at(&second_asleep, "second", "waiter_before_sleep");
	actor_start(a, map, second_visit, page, page + 1, LOCK_FOREVER);
	assert_true(gate_wait(&second_asleep, SOON_MS));
	gate_open(&second_asleep);
}

/* ---- the FIFO ---- */

/* While an edit waits, no visit goes in beside those that it waits for. */
static void test_no_barging(void **state)
{
	struct fake_map *map = start();
	struct lock_visit v = open_visit(map, 4);
	struct actor writer, reader;
	bool went;

	(void)state;
	start_waiter(map, &writer, as_edit, 4, 5);
	actor_start(&reader, map, as_fault, 4, 5, LOCK_FOREVER);
	went = actor_done(&reader, NEVER_MS);
	map->policy->visit_end(map->state, &v);
	must_end(&writer);
	must_end(&reader);
	assert_false(went);
	assert_int_equal(writer.err | reader.err, 0);
	end_clean(map);
}

/* One release lets in all that fit behind each other. */
static void test_a_run_is_granted(void **state)
{
	struct fake_map *map = start();
	struct lock_edit e = script_begin(map, fake_range(4, 5));
	struct actor first, second;
	bool both;

	(void)state;
	start_waiter(map, &first, hold_visit, 4, 5);
	start_second_visit(map, &second, 4);
	fake_end(map, &e);
	both = gate_wait(&hold, SOON_MS) && gate_wait(&second_hold, SOON_MS);
	gate_open(&hold);
	gate_open(&second_hold);
	must_end(&first);
	must_end(&second);
	assert_true(both);
	end_clean(map);
}

/* What stands behind the head waits, though nobody is in its way: else the head might wait for ever. */
static void test_head_is_not_passed(void **state)
{
	struct fake_map *map = start();
	struct lock_edit low = script_begin(map, fake_range(4, 5)), high = script_begin(map, fake_range(20, 21));
	struct actor wide, narrow;
	bool passed;

	(void)state;
	start_waiter(map, &wide, as_edit, 4, 21);
	start_second(map, &narrow, 20, 21);
	fake_end(map, &high);
	passed = gate_wait(&second_hold, NEVER_MS);
	gate_open(&second_hold);
	fake_end(map, &low);
	must_end(&wide);
	must_end(&narrow);
	assert_false(passed);
	assert_int_equal(wide.err | narrow.err, 0);
	end_clean(map);
}

static void wait_for_gap(struct actor *a)
{
	uint64_t gen;

	point_role("edit");
	a->err = fake_fault(a->map, 4, LOCK_FOREVER, &gen);              /* makes this thread's block              */
	if (!a->err)
		a->err = a->map->policy->gap_wait(a->map->state, thread_self(), fake_range(a->lo, a->hi).lo,
						  LOCK_FOREVER);
}

/* Who waits for a gap stands in nobody's way. */
static void test_gap_is_no_head(void **state)
{
	struct fake_map *map = start();
	struct lock_edit e = script_begin(map, fake_range(20, 21));
	struct actor gap, fault;
	bool went;

	(void)state;
	start_waiter(map, &gap, wait_for_gap, 20, 21);
	actor_start(&fault, map, as_fault, 4, 5, LOCK_FOREVER);
	went = actor_done(&fault, SOON_MS);
	fake_end(map, &e);
	must_end(&gap);
	must_end(&fault);
	assert_true(went);
	assert_int_equal(gap.err | fault.err, 0);
	end_clean(map);
}

/* ---- the record ---- */

static struct actor first;

static void visit_twice(struct actor *a)
{
	point_role("edit");
	actor_fault(a);
	actor_fault(a);
}

/* In the granter, which has just told the first. */
static void let_it_ask_again(void *arg)
{
	(void)arg;
	actor_done(&first, SOON_MS);
}

/* From the grant on a record is its owner's, who asks for something else with it: what comes next is read before. */
static void test_grant_is_the_last_access(void **state)
{
	struct fake_map *map = start();
	struct lock_edit e = script_begin(map, fake_range(4, 5));
	struct actor second;

	(void)state;
	gate_open(&second_hold);
	start_waiter(map, &first, visit_twice, 4, 5);
	start_second_visit(map, &second, 4);
	assert_int_equal(point_call(NULL, "grant_done", let_it_ask_again, NULL), 0);
	fake_end(map, &e);
	must_end(&first);
	must_end(&second);
	end_clean(map);
}

/* ---- deadlines ---- */

static struct gate late;

/* `a` wants [lo, hi), which is held; returns when its time is over, before it looks. */
static void start_late(struct fake_map *map, struct actor *a, unsigned lo, unsigned hi)
{
	gate_at(&late, "edit", "waiter_before_cancel");
	actor_start(a, map, as_edit, lo, hi, in_ms(20));
	assert_true(gate_wait(&late, SOON_MS));
}

static void let_it_cancel(void *arg)
{
	gate_open(&late);
	actor_done(arg, NEVER_MS);
}

/* It is granted between the end of its time and its look: then it has what it wanted, whether or not it was told. */
static void test_cancel_against_grant(void **state)
{
	(void)state;
	for (unsigned told = 0; told < 2; told++) {
		struct fake_map *map = start();
		struct lock_edit e = script_begin(map, fake_range(4, 5));
		struct actor a;

		start_late(map, &a, 4, 5);
		if (!told)
			assert_int_equal(point_call(NULL, "fine_before_grant", let_it_cancel, &a), 0);
		fake_end(map, &e);
		gate_open(&late);
		must_end(&a);
		assert_int_equal(a.err, 0);
		end_clean(map);
	}
}

/* The head gives up: what stood behind it goes in, without any release. */
static void test_head_is_handed_on(void **state)
{
	struct fake_map *map = start();
	struct lock_edit e = script_begin(map, fake_range(4, 5));
	struct actor head, next;
	bool went;

	(void)state;
	start_late(map, &head, 4, 21);
	start_second(map, &next, 20, 21);
	gate_open(&late);
	went = gate_wait(&second_hold, SOON_MS);
	gate_open(&second_hold);
	fake_end(map, &e);
	must_end(&head);
	must_end(&next);
	assert_true(went);
	assert_int_equal(head.err, -ETIMEDOUT);
	assert_int_equal(next.err, 0);
	end_clean(map);
}

/* ---- nested requests ---- */

/* Somebody waits for what we hold: our next range is not behind that. */
static void test_nested_passes_the_queue(void **state)
{
	struct fake_map *map = start();
	struct lock_edit e = script_begin(map, fake_range(4, 5)), above;
	struct actor a;
	int err;

	(void)state;
	start_waiter(map, &a, as_edit, 4, 5);
	above = fake_begin(map, 20, 21, in_ms(2000), &err);
	if (!err)
		fake_end(map, &above);
	fake_end(map, &e);
	must_end(&a);
	assert_int_equal(err, 0);
	assert_int_equal(a.err, 0);
	end_clean(map);
}

/* Holds page lo, then wants [hi, hi + 2). */
static void nested_edit(struct actor *a)
{
	struct lock_edit above;

	point_role("nested");
	a->e = fake_begin(a->map, a->lo, a->lo + 1, LOCK_FOREVER, &a->err);
	above = fake_begin(a->map, a->hi, a->hi + 2, LOCK_FOREVER, &a->err);
	atomic_store_release(&a->done, 1);
	fake_end(a->map, &above);
	fake_end(a->map, &a->e);
}

static void start_nested(struct fake_map *map, struct actor *a, unsigned lo, unsigned hi)
{
	static struct gate nested;

	gate_at(&nested, "nested", "waiter_before_sleep");
	actor_start(a, map, nested_edit, lo, hi, LOCK_FOREVER);
	assert_true(gate_wait(&nested, SOON_MS));
	gate_open(&nested);
}

/* The same, when it may. */
static void nested_later(struct actor *a)
{
	struct lock_edit above;

	point_role("later");
	a->e = fake_begin(a->map, a->lo, a->lo + 1, LOCK_FOREVER, &a->err);
	gate_pass(&second_hold);
	above = fake_begin(a->map, a->hi, a->hi + 2, LOCK_FOREVER, &a->err);
	atomic_store_release(&a->done, 1);
	fake_end(a->map, &above);
	fake_end(a->map, &a->e);
}

/* One nested waiter waits for what another one holds: that one must not be behind it. */
static void test_nested_are_all_looked_at(void **state)
{
	struct fake_map *map = start();
	struct lock_edit mine = script_begin(map, fake_range(30, 31));
	struct actor blocker, lower, higher;
	bool went;

	(void)state;
	actor_start(&blocker, map, hold_edit, 10, 11, LOCK_FOREVER);
	assert_true(gate_wait(&hold, SOON_MS));
	actor_start(&higher, map, nested_later, 11, 30, LOCK_FOREVER);
	assert_true(gate_wait(&second_hold, SOON_MS));
	start_nested(map, &lower, 1, 10);                /* 10 and 11 are held                                     */
	gate_at(&second_asleep, "later", "waiter_before_sleep");
	gate_open(&second_hold);
	assert_true(gate_wait(&second_asleep, SOON_MS));
	gate_open(&second_asleep);
	fake_end(map, &mine);
	went = actor_done(&higher, SOON_MS);
	gate_open(&hold);
	must_end(&blocker);
	must_end(&lower);
	must_end(&higher);
	assert_true(went);
	end_clean(map);
}

/* Who waits nested waits for two holders; when one is gone, nobody of the queue takes its place. */
static void test_nested_is_heeded(void **state)
{
	struct fake_map *map = start();
	struct lock_edit mine = script_begin(map, fake_range(10, 11));
	struct actor blocker, nested, queued;
	bool passed;

	(void)state;
	actor_start(&blocker, map, hold_edit, 11, 12, LOCK_FOREVER);
	assert_true(gate_wait(&hold, SOON_MS));
	start_nested(map, &nested, 1, 10);
	start_second(map, &queued, 10, 11);
	fake_end(map, &mine);
	passed = gate_wait(&second_hold, NEVER_MS);
	gate_open(&second_hold);
	gate_open(&hold);
	must_end(&blocker);
	must_end(&nested);
	must_end(&queued);
	assert_false(passed);
	end_clean(map);
}

/* ---- coarse holders ---- */

static int take(struct fake_map *map, unsigned which, struct lock_range r, bool exclusive)
{
	struct beside *b = map->state;
	struct beside_want w = { .self = thread_self(), .which = which, .r = r, .exclusive = exclusive,
				 .deadline_ns = LOCK_TRY };

	w.home = beside_at(b, w.self->number);
	return b->lock->take(b, &w);
}

static void give(struct fake_map *map, unsigned which)
{
	struct beside *b = map->state;

	b->lock->give(b, thread_self(), beside_at(b, thread_self()->number), which);
}

static void test_coarse(void **state)
{
	const struct lock_range all = { 0, ADDRESS_END };
	struct fake_map *map = start();
	struct lock_edit e = script_begin(map, fake_range(1, 2));
	struct beside_thread *home = beside_at(map->state, thread_self()->number);
	struct actor fault;
	bool went;

	(void)state;
	fake_end(map, &e);                               /* it has made our block                                  */
	assert_int_equal(take(map, 0, all, true), 0);
	actor_start(&fault, map, as_fault, 4, 5, LOCK_FOREVER);
	went = actor_done(&fault, NEVER_MS);
	lock_held_add(&home->held, fake_range(0, 1));
	assert_int_equal(take(map, 1, fake_range(6, 7), true), 0);       /* our own, nested                        */
	lock_held_drop(&home->held, fake_range(0, 1));
	give(map, 1);
	give(map, 0);
	must_end(&fault);
	assert_false(went);
	assert_int_equal(take(map, BESIDE_VISIT, all, false), 0);        /* readers share                          */
	assert_int_equal(take(map, 0, fake_range(6, 7), false), 0);
	assert_int_equal(take(map, 1, fake_range(8, 9), true), -EAGAIN);
	assert_int_equal(take(map, 1, all, true), -EAGAIN);
	give(map, 0);
	give(map, BESIDE_VISIT);
	assert_int_equal(take(map, 0, fake_range(6, 7), true), 0);
	assert_int_equal(take(map, BESIDE_VISIT, all, false), -EAGAIN);
	assert_int_equal(take(map, 1, all, true), -EAGAIN);
	give(map, 0);
	end_clean(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_barging),
		cmocka_unit_test(test_a_run_is_granted),
		cmocka_unit_test(test_head_is_not_passed),
		cmocka_unit_test(test_gap_is_no_head),
		cmocka_unit_test(test_grant_is_the_last_access),
		cmocka_unit_test(test_cancel_against_grant),
		cmocka_unit_test(test_head_is_handed_on),
		cmocka_unit_test(test_nested_passes_the_queue),
		cmocka_unit_test(test_nested_are_all_looked_at),
		cmocka_unit_test(test_nested_is_heeded),
		cmocka_unit_test(test_coarse),
	};

	if (gate_mutant())
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
