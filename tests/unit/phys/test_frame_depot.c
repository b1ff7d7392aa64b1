/* SPDX-License-Identifier: MIT */
/* test_frame_depot.c - the stacks: order, counts, the ABA window as a script (mutant depot_no_tag dies here). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/point.h"
#include "vmmap/phys/frame_depot.h"
#include "tests/unit/phys/outside.h"

static struct physmem *make(uint64_t pages)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem *pm = NULL;

	config.pages = pages;
	assert_int_equal(physmem_create(&pm, &config), 0);
	return pm;
}

static void test_a_chain_lies_in_one_row(void **state)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem_range seg[] = { { 30, 100 }, { 1024, 8192 } };
	struct physmem *pm;
	uint32_t chain[3];

	(void)state;
	config.segments = seg;
	config.nsegments = 2;
	assert_int_equal(physmem_create(&pm, &config), 0);
	for (int i = 0; i < 3; i++)
		chain[i] = frame_depot_take(pm, NULL, FRAME_MOVABLE);
	assert_int_equal(frame_chain_count(pm, chain[0]), 64);           /* 64 .. 127: most of all */
	assert_int_equal(frame_chain_count(pm, chain[1]), 34);           /* 30 .. 63 */
	assert_int_equal(frame_chain_count(pm, chain[2]), 2);            /* 128, 129: end of the segment */
	assert_int_equal(chain[0], 64 + 1);
	assert_int_equal(chain[1], 30 + 1);
	for (int i = 0; i < 3; i++)
		frame_depot_give(pm, NULL, FRAME_MOVABLE, chain[i]);
	assert_int_equal(frame_depot_take(pm, NULL, FRAME_MOVABLE), chain[2]);          /* last in, first out: warm */
	frame_depot_give(pm, NULL, FRAME_MOVABLE, chain[2]);
	assert_int_equal(physmem_audit(pm, stderr), 0);
	physmem_destroy(pm);
}

static void test_late_stack_counts_as_deferred(void **state)
{
	struct physmem *pm = make(32768);
	struct physmem_usage u;
	struct thread_slot *self = thread_self();
	static uint64_t pfn[32768];

	(void)state;
	for (int i = 0; i < 32768; i++)
		pfn[i] = frame_alloc(pm, self);
	rcu_enter(self);                                         /* holds back everything deferred below */
	for (int i = 0; i < 32768; i++)
		frame_defer(pm, self, pfn[i]);
	rcu_leave(self);
	physmem_get_usage(pm, &u);
	assert_int_equal(u.deferred, 32768);
	assert_int_equal(u.owned, 0);
	assert_true((uint32_t)pm->late_stack.head != 0);
	assert_int_equal(physmem_audit(pm, stderr), 0);
	frame_settle(pm);
	physmem_get_usage(pm, &u);
	assert_int_equal(u.deferred, 0);
	assert_int_equal((uint32_t)pm->late_stack.head, 0);
	assert_int_equal(physmem_audit(pm, stderr), 0);
	physmem_destroy(pm);
}

/* ---- ABA ---- */

struct popper {
	struct physmem *pm;
	uint32_t got;
};

static void *pop_once(void *arg)
{
	struct popper *p = arg;

	point_role("popper");
	p->got = frame_depot_take(p->pm, NULL, FRAME_MOVABLE);
	point_role(NULL);
	return NULL;
}

/*
 * The popper has read head A and its next B. Meanwhile A and B are taken and A comes back. Returns what the depot hands
 * out after the popper went on: B must not be in it, B is ours.
 */
static bool b_handed_out_twice(struct physmem *pm, const char *mutant)
{
	struct popper p = { pm, 0 };
	uint32_t a = frame_depot_take(pm, NULL, FRAME_MOVABLE), b = frame_depot_take(pm, NULL, FRAME_MOVABLE), next;
	pthread_t thread;
	bool twice;

	frame_depot_give(pm, NULL, FRAME_MOVABLE, b);
	frame_depot_give(pm, NULL, FRAME_MOVABLE, a);
	point_reset();
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(point_stop("popper", "depot_pop_before_cas", NULL, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, pop_once, &p), 0);
	assert_true(point_wait_reached("popper", "depot_pop_before_cas", UINT64_C(2000000000)));
	assert_int_equal(frame_depot_take(pm, NULL, FRAME_MOVABLE), a);
	assert_int_equal(frame_depot_take(pm, NULL, FRAME_MOVABLE), b);
	frame_depot_give(pm, NULL, FRAME_MOVABLE, a);
	point_release("popper", "depot_pop_before_cas");
	pthread_join(thread, NULL);
	assert_int_equal(p.got, a);
	next = frame_depot_take(pm, NULL, FRAME_MOVABLE);
	twice = next == b;
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	if (twice)
		pm->stray_taken -= frame_chain_count(pm, b);     /* counted out twice, and comes back once */
	else
		frame_depot_give(pm, NULL, FRAME_MOVABLE, next);
	frame_depot_give(pm, NULL, FRAME_MOVABLE, b);
	frame_depot_give(pm, NULL, FRAME_MOVABLE, a);
	return twice;
}

static void test_aba(void **state)
{
	struct physmem *pm = make(8192);

	(void)state;
	if (!point_available())
		skip();
	assert_false(b_handed_out_twice(pm, NULL));
	assert_int_equal(physmem_audit(pm, stderr), 0);
	assert_true(b_handed_out_twice(pm, "depot_no_tag"));
	assert_int_equal(physmem_audit(pm, stderr), 0);
	physmem_destroy(pm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_chain_lies_in_one_row),
		cmocka_unit_test(test_late_stack_counts_as_deferred),
		cmocka_unit_test(test_aba),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
