/* SPDX-License-Identifier: MIT */
/*
 * test_vma_word.c - lock words and reader counters: layout, transitions, the drain.
 * mutant: unpin_touches_late
 * mutant: pins_no_limit
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include <stdlib.h>

#include "base/point.h"
#include "base/thread.h"
#include "locks/vma_word.h"

static void test_words(void **state)
{
	struct range_lock *lock = (struct range_lock *)(uintptr_t)0x1000;

	(void)state;
	assert_false(lock_word_held(LOCK_DEAD));
	assert_false(lock_word_free(LOCK_DEAD));
	assert_true(lock_word_held(LOCK_BRIEF));
	assert_null(lock_word_lock(LOCK_BRIEF));
	assert_true(lock_word_free(2));
	assert_null(lock_word_lock(2));
	assert_true(lock_word_held(lock_word_of(lock)));
	assert_ptr_equal(lock_word_lock(lock_word_of(lock)), lock);
	assert_int_equal(sizeof(struct lock_slot), 16);
}

/* Versions: even, never 0, never twice. */
static void test_versions(void **state)
{
	uint64_t last = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t next = thread_next_number(thread_self());

		assert_true(lock_word_free(next));
		assert_true(next > last);
		last = next;
	}
}

static void test_pins(void **state)
{
	atomic_u32 pins = 0;

	(void)state;
	assert_true(lock_pin(&pins));
	assert_true(lock_pin(&pins));
	assert_int_equal(atomic_load_relaxed(&pins), 2);
	lock_unpin(&pins);
	lock_unpin(&pins);
	assert_int_equal(atomic_load_relaxed(&pins), 0);
	lock_drain(&pins);                               /* nobody: at once, and W does not stay                   */
	assert_int_equal(atomic_load_relaxed(&pins), 0);
}

static void test_pins_refused(void **state)
{
	atomic_u32 pins = LOCK_WRITER;

	(void)state;
	assert_false(lock_pin(&pins));
	atomic_store_relaxed(&pins, LOCK_WRITER | 7);
	assert_false(lock_pin(&pins));
	atomic_store_relaxed(&pins, LOCK_PINS_MAX);      /* full: no overflow into W                               */
	assert_false(lock_pin(&pins));
	assert_int_equal(atomic_load_relaxed(&pins), LOCK_PINS_MAX);
}

struct drainer { pthread_t thread; atomic_u32 pins, done; };

static void *drain(void *arg)
{
	struct drainer *d = arg;

	lock_drain(&d->pins);
	atomic_store_release(&d->done, 1);
	return NULL;
}

/* The drain sleeps until the last of three is out, and only the last wakes it. */
static void test_drain_waits(void **state)
{
	struct drainer d = { .pins = 0 };
	unsigned early = 0;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_true(lock_pin(&d.pins));
	assert_int_equal(pthread_create(&d.thread, NULL, drain, &d), 0);
	while (!(atomic_load_acquire(&d.pins) & LOCK_WRITER))
		usleep(100);
	for (unsigned i = 0; i < 3; i++) {
		usleep(20000);
		early += atomic_load_acquire(&d.done);
		lock_unpin(&d.pins);
	}
	pthread_join(d.thread, NULL);
	assert_int_equal(early, 0);
	assert_int_equal(atomic_load_relaxed(&d.pins), 0);
}

static void *unpin_late(void *arg)
{
	point_role("reader");
	lock_unpin(arg);
	point_role(NULL);
	return NULL;
}

static void *drain_first(void *arg)
{
	point_role("holder");
	lock_drain(arg);
	point_role(NULL);
	return NULL;
}

/* The last reader is out and has still to wake the holder, who goes on without that. The memory lives again, with a
 * reader inside and another holder; then it is given back. The late wake-up must not write to it. */
static void test_unpin_is_the_last_access(void **state)
{
	const uint64_t soon = UINT64_C(2000000000);
	atomic_u32 *pins = malloc(sizeof(*pins));
	pthread_t reader, holder;
	uint32_t second_life;

	(void)state;
	assert_non_null(pins);
	atomic_store_relaxed(pins, 1);
	assert_int_equal(point_stop("holder", "drain_after_w", NULL, NULL), 0);
	assert_int_equal(point_stop("reader", "unpin_before_wake", NULL, NULL), 0);
	assert_int_equal(pthread_create(&holder, NULL, drain_first, pins), 0);
	assert_true(point_wait_reached("holder", "drain_after_w", soon));
	assert_int_equal(pthread_create(&reader, NULL, unpin_late, pins), 0);
	assert_true(point_wait_reached("reader", "unpin_before_wake", soon));
	point_release("holder", "drain_after_w");
	pthread_join(holder, NULL);
	second_life = LOCK_WRITER | 1;
	atomic_store_seqcst(pins, second_life);
	point_release("reader", "unpin_before_wake");
	pthread_join(reader, NULL);
	second_life = atomic_load_seqcst(pins);
	free(pins);
	assert_int_equal(second_life, LOCK_WRITER | 1);
	assert_int_equal(point_timeouts(), 0);
}

int main(void)
{
	const char *mutant = getenv("VMMAP_MUTANT");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_pins_refused),
		cmocka_unit_test(test_drain_waits),
	};
	const struct CMUnitTest script[] = { cmocka_unit_test(test_unpin_is_the_last_access) };

	if (mutant && point_mutant_select(mutant))
		return 99;
	if (cmocka_run_group_tests(script, NULL, NULL))
		return 1;                                /* where this fails a drain may hang                      */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
