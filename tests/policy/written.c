/* SPDX-License-Identifier: MIT */
/* written.c - the policy of docs/writing-a-policy.md keeps the rules that its caps ask for. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/policy/rules.h"

extern const struct lock_policy lock_policy_ticket;

static void test_written_policy(void **state)
{
	unsigned kept = 0;

	(void)state;
	for (unsigned r = 0; rule_at(r); r++) {
		char why[160] = "";
		int ok = rule_check(rule_at(r), &lock_policy_ticket, why);

		if (ok == 0)
			print_error("%s: %s\n", rule_at(r)->name, why);
		assert_int_not_equal(ok, 0);
		kept += ok == 1;
	}
	assert_true(kept >= 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_written_policy) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
