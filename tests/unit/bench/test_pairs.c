/* SPDX-License-Identifier: MIT */
/* The paired runner, with arms that invent their rates: pairing, order, dropping, and the refusal of unproven arms. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "bench/pairs.h"

struct fake {
	double factor;                           /* of the rate that the round's seed says                          */
	unsigned calls, disturb_every, err_at;   /* every n-th block is disturbed; block n fails                    */
	bool unproven;
	struct fake *other;
	unsigned first;                          /* rounds in which this arm ran before the other                   */
};

static int block(void *ctx, uint64_t seed, struct pairs_block *out)
{
	struct fake *f = ctx;

	memset(out, 0, sizeof(*out));
	f->calls++;
	if (f->err_at && f->calls == f->err_at)
		return -ENOMEM;
	out->rate = f->factor * (double)(seed % 7 + 1) * 1000;   /* the machine drifts from round to round      */
	out->ops = 10;
	out->proven = !f->unproven;
	out->switches = f->disturb_every && f->calls % f->disturb_every == 0 ? 100 : 0;
	if (f->other && f->other->calls < f->calls)
		f->first++;
	return 0;
}

static struct pairs_plan plan_of(struct fake *a, struct fake *b, unsigned pairs)
{
	struct pairs_plan plan = { .arms = 2, .pairs = pairs, .seed = 5, .steal_limit = UINT64_MAX };

	plan.switch_limit = 10;
	plan.arm[0] = (struct pairs_arm){ "a", block, a };
	plan.arm[1] = (struct pairs_arm){ "b", block, b };
	return plan;
}

/* Ratios are taken within rounds: a machine that drifts by a factor of 7 does not show. */
static void test_paired(void **state)
{
	struct fake a = { .factor = 3 }, b = { .factor = 2 };
	struct pairs_plan plan = plan_of(&a, &b, 15);
	struct pairs_result result;
	struct stats_interval ratio;

	(void)state;
	assert_int_equal(pairs_run(&plan, &result), 0);
	ratio = pairs_ratio(&result, 0, 1);
	assert_true(fabs(ratio.median - 1.5) < 1e-9 && fabs(ratio.lo - 1.5) < 1e-9 && fabs(ratio.hi - 1.5) < 1e-9);
	assert_int_equal(result.pairs, 15);
	assert_int_equal(result.dropped, 0);
	assert_false(result.noisy);
	assert_int_equal(result.ops[0], 150);
	pairs_free(&result);
}

static void test_random_order(void **state)
{
	struct fake a = { .factor = 1 }, b = { .factor = 1 };
	struct pairs_plan plan = plan_of(&a, &b, 200);
	struct pairs_result result;

	(void)state;
	a.other = &b;
	b.other = &a;
	assert_int_equal(pairs_run(&plan, &result), 0);
	assert_int_equal(a.first + b.first, 200);
	assert_in_range(a.first, 60, 140);
	pairs_free(&result);
}

static void test_disturbed_are_replaced(void **state)
{
	struct fake a = { .factor = 1, .disturb_every = 3 }, b = { .factor = 1 };
	struct pairs_plan plan = plan_of(&a, &b, 10);
	struct pairs_result result;

	(void)state;
	assert_int_equal(pairs_run(&plan, &result), 0);
	assert_int_equal(result.pairs, 10);
	assert_int_equal(result.dropped, 4);             /* rounds 3, 6, 9, 12 of 14                                */
	assert_false(result.noisy);
	for (unsigned i = 0; i < result.pairs; i++)
		assert_int_equal(result.round[i].switches, 0);
	pairs_free(&result);
}

static void test_noisy_machine(void **state)
{
	struct fake a = { .factor = 1, .disturb_every = 1 }, b = { .factor = 1 };
	struct pairs_plan plan = plan_of(&a, &b, 10);
	struct pairs_result result;

	(void)state;
	assert_int_equal(pairs_run(&plan, &result), 0);
	assert_int_equal(result.pairs, 10);
	assert_int_equal(result.dropped, 10);
	assert_true(result.noisy);
	pairs_free(&result);
}

static void test_unproven_is_refused(void **state)
{
	struct fake a = { .factor = 1 }, b = { .factor = 1, .unproven = true };
	struct pairs_plan plan = plan_of(&a, &b, 5);
	struct pairs_result result;

	(void)state;
	assert_int_equal(pairs_run(&plan, &result), -EPROTO);
	assert_null(result.round);
}

static void test_error_is_passed_on(void **state)
{
	struct fake a = { .factor = 1, .err_at = 3 }, b = { .factor = 1 };
	struct pairs_plan plan = plan_of(&a, &b, 5);
	struct pairs_result result;

	(void)state;
	assert_int_equal(pairs_run(&plan, &result), -ENOMEM);
	assert_int_equal(a.calls, 3);
}

static void test_deadline(void **state)
{
	struct fake a = { .factor = 1 }, b = { .factor = 1 };
	struct pairs_plan plan = plan_of(&a, &b, 100);
	struct pairs_result result;

	(void)state;
	plan.deadline_ns = 1;
	assert_true(clock_ns() > plan.deadline_ns);
	assert_int_equal(pairs_run(&plan, &result), 0);
	assert_int_equal(result.pairs, 3);
	pairs_free(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paired), cmocka_unit_test(test_random_order),
		cmocka_unit_test(test_disturbed_are_replaced), cmocka_unit_test(test_noisy_machine),
		cmocka_unit_test(test_unproven_is_refused), cmocka_unit_test(test_error_is_passed_on),
		cmocka_unit_test(test_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
