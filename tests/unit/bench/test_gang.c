/* SPDX-License-Identifier: MIT */
/* Measuring threads: each index runs once per call, the same thread each time, and only as many as asked. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/gang.h"

#define THREADS 5

struct seen { unsigned calls[THREADS]; pthread_t thread[THREADS]; unsigned moved; };

static void note(void *arg, unsigned i)
{
	struct seen *s = arg;

	if (s->calls[i] && !pthread_equal(s->thread[i], pthread_self()))
		s->moved++;
	s->thread[i] = pthread_self();
	s->calls[i]++;
}

static void test_runs(void **state)
{
	struct gang *gang = gang_create(THREADS);
	struct seen s = { .moved = 0 };

	(void)state;
	for (unsigned round = 0; round < 200; round++)
		gang_run(gang, round % THREADS + 1, note, &s);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(s.calls[i], 200 / THREADS * (THREADS - i));
	assert_int_equal(s.moved, 0);
	gang_destroy(gang);
}

static void test_ends_unused(void **state)
{
	(void)state;
	gang_destroy(gang_create(THREADS));
	gang_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_runs), cmocka_unit_test(test_ends_unused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
