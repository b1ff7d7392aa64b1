/* SPDX-License-Identifier: MIT */
/*
 * test_busted.c - the conformance suite notices: for each rule a policy that breaks it, reported as breaking exactly
 * it.
 *
 * Usage: test_busted [RULE]
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/policy/busted.h"
#include "tests/policy/rules.h"

static const char *only;

/* Runs every rule on the broken policy. True: it broke its own and no other. */
static bool exactly_its_rule(const struct busted *b)
{
	const struct lock_policy *policy = busted_policy(b);
	bool own = false, others = false;

	for (unsigned r = 0; rule_at(r); r++) {
		char why[160] = "";
		int ok = rule_check(rule_at(r), policy, why);

		if (ok != 0)
			continue;
		if (!strcmp(rule_at(r)->name, b->rule)) {
			own = true;
			continue;
		}
		printf("busted %s also breaks %s: %s\n", b->rule, rule_at(r)->name, why);
		others = true;
	}
	if (!own)
		printf("busted %s is not noticed\n", b->rule);
	return own && !others;
}

static void test_busted_are_reported(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (const struct busted *b = busted; b->rule; b++)
		if (!only || !strcmp(only, b->rule))
			wrong += !exactly_its_rule(b);
	assert_int_equal(wrong, 0);
}

/* There is one for each rule. */
static void test_no_rule_without(void **state)
{
	(void)state;
	for (unsigned r = 0; rule_at(r); r++) {
		const struct busted *b = busted;

		while (b->rule && strcmp(b->rule, rule_at(r)->name))
			b++;
		assert_non_null(b->rule);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_rule_without),
		cmocka_unit_test(test_busted_are_reported),
	};

	only = argc > 1 ? argv[1] : NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
