/* SPDX-License-Identifier: MIT */
/* crew.h - several threads do the same, each with an argument of its own, and are waited for. */
#ifndef TESTS_UNIT_PHYS_CREW_H
#define TESTS_UNIT_PHYS_CREW_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CREW_MOST 16u

struct crew { pthread_t thread[CREW_MOST]; unsigned n; };

/* n arguments of `bytes` each. fn asserts nothing: a thread that is not the test's own cannot end it. */
static inline struct crew crew_start(unsigned n, void *(*fn)(void *), void *arguments, size_t bytes)
{
	struct crew crew = { .n = n };

	assert_true(n <= CREW_MOST);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(pthread_create(&crew.thread[i], NULL, fn, (char *)arguments + i * bytes), 0);
	return crew;
}

static inline void crew_join(struct crew *crew)
{
	for (unsigned i = 0; i < crew->n; i++)
		assert_int_equal(pthread_join(crew->thread[i], NULL), 0);
}

static inline void crew_run(unsigned n, void *(*fn)(void *), void *arguments, size_t bytes)
{
	struct crew crew = crew_start(n, fn, arguments, bytes);

	crew_join(&crew);
}

#endif
