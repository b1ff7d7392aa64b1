/* SPDX-License-Identifier: MIT */
/* fixture.h - the suite as it is, made once for the tests of a program. */
#ifndef TESTS_UNIT_CONFLICTS_FIXTURE_H
#define TESTS_UNIT_CONFLICTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "bench/conflicts/suite.h"

static struct suite suite;

static int make(void **state)
{
	(void)state;
	return suite_make(&suite, SUITE_SEED, NULL);
}

static int drop(void **state)
{
	(void)state;
	suite_free(&suite);
	return 0;
}

#endif
