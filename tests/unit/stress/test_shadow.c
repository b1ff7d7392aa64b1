/* SPDX-License-Identifier: MIT */
/*
 * test_shadow.c - the page model: what is certain, when, and that a race leaves nothing certain.
 *
 * mutant: shadow_draws_early
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/point.h"
#include "stress/shadow.h"

#define A    UINT64_C(0x40000000)
#define PAGE UINT64_C(4096)
#define RW   3
#define R    1
#define SECOND UINT64_C(1000000000)

static struct shadow *s;

static int setup(void **state)
{
	(void)state;
	s = shadow_create(2);
	return s ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	shadow_destroy(s);
	return 0;
}

static uint64_t change(uint64_t addr, uint64_t len, enum shadow_effect effect, int prot)
{
	struct shadow_change c = { effect, prot, false, 0 };
	uint64_t ticket;

	shadow_begin(s, addr, len);
	ticket = shadow_ticket(s);
	shadow_end(s, addr, len, ticket, c);
	return ticket;
}

static uint64_t word(uint64_t addr)
{
	return shadow_look(shadow_page_at(s, addr));
}

static void untold_pages_are_not_certain(void **state)
{
	(void)state;
	assert_null(shadow_page_if(s, A));
	assert_false(shadow_certain(word(A)));
}

static void map_protect_unmap(void **state)
{
	uint64_t ticket = change(A, 4 * PAGE, SHADOW_MAP, RW);

	(void)state;
	assert_true(shadow_certain(word(A + 3 * PAGE)));
	assert_int_equal(shadow_prot(word(A)), RW);
	assert_true(word(A) & SHADOW_MAPPED && word(A) & SHADOW_ZERO);
	assert_int_equal(atomic_load_acquire(&shadow_page_at(s, A)->content), ticket);
	change(A + PAGE, PAGE, SHADOW_PROTECT_ALL, R);
	assert_int_equal(shadow_prot(word(A)), RW);
	assert_int_equal(shadow_prot(word(A + PAGE)), R);
	assert_int_equal(atomic_load_acquire(&shadow_page_at(s, A + PAGE)->content), ticket);
	change(A, PAGE, SHADOW_UNMAP, 0);
	assert_true(shadow_certain(word(A)));
	assert_false(word(A) & SHADOW_MAPPED);
}

static void two_changes_at_a_time_leave_nothing_certain(void **state)
{
	struct shadow_change map = { SHADOW_MAP, RW, false, 0 }, unmap = { SHADOW_UNMAP, 0, false, 0 };

	(void)state;
	shadow_begin(s, A, PAGE);
	assert_false(shadow_certain(word(A)));
	shadow_begin(s, A, PAGE);
	shadow_end(s, A, PAGE, shadow_ticket(s), map);
	assert_false(shadow_certain(word(A)));
	shadow_end(s, A, PAGE, shadow_ticket(s), unmap);
	assert_false(shadow_certain(word(A)));
	change(A, PAGE, SHADOW_MAP, R);                  /* alone again: certain again */
	assert_true(shadow_certain(word(A)));
}

static void equal_words_mean_no_change(void **state)
{
	uint64_t before;

	(void)state;
	change(A, PAGE, SHADOW_MAP, RW);
	before = word(A);
	change(A, PAGE, SHADOW_PROTECT_ALL, R);
	change(A, PAGE, SHADOW_PROTECT_ALL, RW);
	assert_int_not_equal(before, word(A));
	before = word(A);
	change(A, PAGE, SHADOW_NOTHING, 0);
	assert_int_not_equal(before, word(A));
	assert_int_equal(shadow_prot(word(A)), RW);
}

static void drop_keeps_what_is_shared(void **state)
{
	struct shadow_change shared = { SHADOW_MAP, RW, true, 0 };
	uint64_t born, ticket = 0;

	(void)state;
	shadow_begin(s, A, PAGE);
	born = shadow_ticket(s);
	shadow_end(s, A, PAGE, born, shared);
	change(A, PAGE, SHADOW_DROP, 0);
	assert_int_equal(atomic_load_acquire(&shadow_page_at(s, A)->content), born);
	change(A, PAGE, SHADOW_MAP, RW);
	ticket = change(A, PAGE, SHADOW_DROP, 0);
	assert_int_equal(atomic_load_acquire(&shadow_page_at(s, A)->content), ticket);
}

static void a_page_of_unknown_kind_proves_nothing_when_dropped(void **state)
{
	uint64_t born;

	(void)state;
	change(A, PAGE, SHADOW_MAP, RW);
	change(A, PAGE, SHADOW_LOSE, 0);
	born = atomic_load_acquire(&shadow_page_at(s, A)->content);
	change(A, PAGE, SHADOW_PROTECT_ALL, RW);
	assert_true(shadow_certain(word(A)));
	change(A, PAGE, SHADOW_DROP, 0);
	assert_int_equal(atomic_load_acquire(&shadow_page_at(s, A)->content), born);
	assert_false(word(A) & SHADOW_ZERO);
}

static void a_claim_of_what_was_mapped_is_an_overlap(void **state)
{
	struct shadow_change mine = { SHADOW_MAP, RW, false, 1 };
	uint64_t ticket;

	(void)state;
	change(A, PAGE, SHADOW_MAP, RW);
	ticket = shadow_ticket(s);
	assert_int_equal(shadow_claim(s, A - PAGE, 2 * PAGE, ticket, mine), A);
	assert_int_equal(shadow_claim(s, A + PAGE, PAGE, shadow_ticket(s), mine), UINT64_MAX);
}

static void a_claim_that_something_ended_during_is_not_certain(void **state)
{
	struct shadow_change mine = { SHADOW_MAP, RW, false, 0 };
	uint64_t ticket = shadow_ticket(s);

	(void)state;
	change(A, PAGE, SHADOW_UNMAP, 0);                /* may have hit what the claim got */
	assert_int_equal(shadow_claim(s, A, PAGE, ticket, mine), UINT64_MAX);
	assert_false(shadow_certain(word(A)));
}

static void an_unmap_that_began_before_a_claim_and_ended_in_it_is_not_certain(void **state)
{
	struct shadow_change mine = { SHADOW_MAP, RW, false, 0 }, unmap = { SHADOW_UNMAP, 0, false, 0 };
	uint64_t first, ticket;

	(void)state;
	shadow_begin(s, A, PAGE);
	first = shadow_ticket(s);
	ticket = shadow_ticket(s);
	shadow_end(s, A, PAGE, first, unmap);
	shadow_claim(s, A, PAGE, ticket, mine);
	assert_false(shadow_certain(word(A)));
}

static void forgetting_covers_its_range_only(void **state)
{
	(void)state;
	change(A, 3 * PAGE, SHADOW_MAP, RW);
	shadow_forget(s, A + PAGE, PAGE);
	assert_true(shadow_certain(word(A)));
	assert_false(shadow_certain(word(A + PAGE)));
	assert_true(shadow_certain(word(A + 2 * PAGE)));
}

static void clearing_keeps_nothing(void **state)
{
	(void)state;
	change(A, PAGE, SHADOW_MAP, RW);
	shadow_lane_at(s, shadow_page_at(s, A), 1)->value = 7;
	shadow_clear(s);
	assert_null(shadow_page_if(s, A));
	change(A, PAGE, SHADOW_MAP, RW);
	assert_true(shadow_certain(word(A)));
	assert_int_equal(shadow_lane_at(s, shadow_page_at(s, A), 1)->value, 0);
}

static void lanes_belong_to_a_page_and_a_thread(void **state)
{
	struct shadow_page *page = shadow_page_at(s, A);

	(void)state;
	shadow_lane_at(s, page, 1)->value = 7;
	assert_int_equal(shadow_lane_at(s, page, 1)->value, 7);
	assert_int_equal(shadow_lane_at(s, page, 0)->value, 0);
	assert_int_equal(shadow_lane_at(s, shadow_page_at(s, A + PAGE), 1)->value, 0);
}

/* Three that chose the same page one after the other: the first had it, lost it, and says so last. */
static void *claims_late(void *arg)
{
	struct shadow_change map = { SHADOW_MAP, RW, false, 0 };

	point_role("late");
	shadow_claim(s, A, PAGE, *(uint64_t *)arg, map);
	point_role(NULL);
	return NULL;
}

static void a_claim_that_comes_late_hides_nothing(void **state)
{
	struct shadow_change map = { SHADOW_MAP, RW, false, 0 };
	uint64_t late, mine;
	pthread_t t;

	(void)state;
	if (!point_available())
		skip();
	late = shadow_ticket(s);
	point_stop("late", "shadow_before_settle", NULL, NULL);
	pthread_create(&t, NULL, claims_late, &late);
	assert_true(point_wait_reached("late", "shadow_before_settle", 2 * SECOND));
	mine = shadow_ticket(s);
	change(A, PAGE, SHADOW_UNMAP, 0);                /* after my mapping, or before it: nobody knows            */
	point_release("late", "shadow_before_settle");
	pthread_join(t, NULL);
	shadow_claim(s, A, PAGE, mine, map);
	assert_false(shadow_certain(word(A)));
	assert_int_equal(point_timeouts(), 0);
}

int main(void)
{
	const char *mutant = getenv("VMMAP_MUTANT");
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(untold_pages_are_not_certain), CASE(map_protect_unmap),
		CASE(two_changes_at_a_time_leave_nothing_certain), CASE(equal_words_mean_no_change),
		CASE(drop_keeps_what_is_shared), CASE(a_page_of_unknown_kind_proves_nothing_when_dropped),
		CASE(a_claim_of_what_was_mapped_is_an_overlap),
		CASE(a_claim_that_something_ended_during_is_not_certain),
		CASE(an_unmap_that_began_before_a_claim_and_ended_in_it_is_not_certain),
		CASE(a_claim_that_comes_late_hides_nothing),
		CASE(forgetting_covers_its_range_only), CASE(clearing_keeps_nothing),
		CASE(lanes_belong_to_a_page_and_a_thread),
	};

	if (mutant && *mutant && point_mutant_select(mutant))
		return 99;
	return cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
