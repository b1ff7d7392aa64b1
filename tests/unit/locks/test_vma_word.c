/* SPDX-License-Identifier: MIT */
/* test_vma_word.c - lock words and reader counters: layout, transitions, the drain. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_pins_refused),
		cmocka_unit_test(test_drain_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
