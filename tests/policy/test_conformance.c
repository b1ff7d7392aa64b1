/* SPDX-License-Identifier: MIT */
/*
 * test_conformance.c - every policy in the list keeps every rule that its caps ask for.
 *
 * Usage: test_conformance [--rule NAME] [--policy NAME]
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/options.h"
#include "tests/policy/rules.h"

static const char *only_rule, *only_policy;

/* Ends the program with what the policies of the list owe. */
static void test_every_policy(void **state)
{
	unsigned broken = 0, kept = 0;

	(void)state;
	for (unsigned p = 0; lock_policy_at(p); p++) {
		const struct lock_policy *policy = lock_policy_at(p);

		if (only_policy && strcmp(only_policy, policy->name))
			continue;
		for (unsigned r = 0; rule_at(r); r++) {
			char why[160] = "";
			int ok;

			if (only_rule && strcmp(only_rule, rule_at(r)->name))
				continue;
			ok = rule_check(rule_at(r), policy, why);
			kept += ok == 1;
			broken += ok == 0;
			if (ok == 0)
				printf("%s breaks %s: %s\n", policy->name, rule_at(r)->name, why);
		}
	}
	printf("%u rules kept, %u broken\n", kept, broken);
	assert_int_equal(broken, 0);
	assert_true(kept > 0);
}

static void test_the_list(void **state)
{
	unsigned n = 0;

	(void)state;
	for (; lock_policy_at(n); n++) {
		assert_ptr_equal(lock_policy_find(lock_policy_at(n)->name), lock_policy_at(n));
		for (unsigned i = 0; i < n; i++)
			assert_string_not_equal(lock_policy_at(i)->name, lock_policy_at(n)->name);
	}
	assert_true(n >= 7);
	assert_null(lock_policy_find("no such policy"));
	assert_non_null(lock_policy_find("vma"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_list),
		cmocka_unit_test(test_every_policy),
	};

	only_rule = option_text(argc, argv, "--rule", NULL);
	only_policy = option_text(argc, argv, "--policy", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
