/* SPDX-License-Identifier: MIT */
/* test_verify.c - what the verifier says of a run as a whole (what it says of pages: tests/torture, planted sins). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "stress/verify.h"

/* A run above the bound is a violation, named so; one at the bound is none. */
static void test_overtakes(void **state)
{
	const struct verify_config config = { .stamps = true, .plant = SIN_NONE, .threads = 4, .seed = 1 };
	struct verify *v = verify_create(&config);

	(void)state;
	assert_non_null(v);
	verify_overtakes(v, 0);
	verify_overtakes(v, 6);
	assert_int_equal(verify_violations(v), 0);
	verify_overtakes(v, 7);
	assert_int_equal(verify_violations(v), 1);
	assert_int_equal(verify_first(v), SIN_OVERTAKEN);
	assert_string_equal(verify_sin_name[verify_first(v)], "overtaken");
	verify_destroy(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_overtakes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
