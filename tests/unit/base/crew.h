/* SPDX-License-Identifier: MIT */
/* crew.h - threads for tests: start, join, and a gate. cmocka asserts only in the main thread: workers fill results. */
#ifndef TESTS_UNIT_BASE_CREW_H
#define TESTS_UNIT_BASE_CREW_H

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "base/atomic.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/point.h"
#include "tests/patience.h"

#define MS UINT64_C(1000000)

static inline void crew_sleep(uint64_t ns)
{
	nanosleep(&(struct timespec){ (time_t)(ns / 1000000000), (long)(ns % 1000000000) }, NULL);
}

/* Small stacks: some tests start more than a thousand. */
static inline pthread_t crew_start(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (pthread_attr_init(&attr) != 0 || pthread_attr_setstacksize(&attr, 256 * 1024) != 0 ||
	    pthread_create(&thread, &attr, fn, arg) != 0)
		abort();
	pthread_attr_destroy(&attr);
	return thread;
}

static inline void crew_join(pthread_t thread)
{
	if (pthread_join(thread, NULL) != 0)
		abort();
}

/* Waits until *word >= want. False after 10 s (patience.h) in which this thread could run: a guest that stands still
 * for half a minute is nobody's fault. */
static inline bool crew_await(atomic_u32 *word, uint32_t want)
{
	for (unsigned looks = 0; atomic_load_acquire(word) < want; looks++) {
		if (looks >= patience_ms(10000) / (MS / 10))
			return false;
		crew_sleep(MS / 10);
	}
	return true;
}

/* For main(): the mutant that the environment names; 99 if there is none of that name. */
static inline void crew_mutant(void)
{
	const char *name = getenv("VMMAP_MUTANT");

	if (name != NULL && point_mutant_select(name) != 0)
		exit(99);
}

#endif
