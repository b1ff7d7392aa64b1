/* SPDX-License-Identifier: MIT */
/*
 * test_rwsem.c - the global lock: who excludes whom, deadlines, downgrade, and that nobody is left behind.
 *
 * mutant: rwsem_all_look
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/point.h"
#include "base/prng.h"
#include "locks/rwsem.h"

static struct rwsem sem;

static void test_states(void **state)
{
	(void)state;
	assert_true(rwsem_try_shared(&sem));
	assert_true(rwsem_try_shared(&sem));
	assert_false(rwsem_try_exclusive(&sem));
	rwsem_unlock_shared(&sem);
	rwsem_unlock_shared(&sem);
	assert_true(rwsem_try_exclusive(&sem));
	assert_false(rwsem_try_shared(&sem));
	assert_false(rwsem_try_exclusive(&sem));
	rwsem_downgrade(&sem);
	assert_true(rwsem_try_shared(&sem));
	assert_false(rwsem_try_exclusive(&sem));
	rwsem_unlock_shared(&sem);
	rwsem_unlock_shared(&sem);
	assert_int_equal(atomic_load_relaxed(&sem.word), 0);
}

struct one { pthread_t thread; const char *role; bool exclusive; uint64_t deadline_ns; int rc; atomic_u32 in; };

static void *one_main(void *arg)
{
	struct one *o = arg;

	point_role(o->role);
	o->rc = o->exclusive ? rwsem_wait_exclusive(&sem, o->deadline_ns) : rwsem_wait_shared(&sem, o->deadline_ns);
	atomic_store_release(&o->in, 1);
	if (!o->rc && o->exclusive)
		rwsem_unlock_exclusive(&sem);
	else if (!o->rc)
		rwsem_unlock_shared(&sem);
	return NULL;
}

static void one_start_as(struct one *o, const char *role, bool exclusive, uint64_t deadline_ns)
{
	*o = (struct one){ .role = role, .exclusive = exclusive, .deadline_ns = deadline_ns };
	if (pthread_create(&o->thread, NULL, one_main, o))
		o->rc = -1;
}

static void one_start(struct one *o, bool exclusive, uint64_t deadline_ns)
{
	one_start_as(o, NULL, exclusive, deadline_ns);
}

static void until(uint32_t bit)
{
	while (!(atomic_load_acquire(&sem.word) & bit))
		usleep(100);
}

/* A writer that a reader keeps waiting shuts the door; when it gives up, those behind it go in. */
static void test_deadline_frees_the_way(void **state)
{
	struct one writer, reader;
	unsigned early;

	(void)state;
	assert_true(rwsem_try_shared(&sem));
	one_start(&writer, true, clock_ns() + 150000000);
	until(RWSEM_HANDOFF);
	one_start(&reader, false, UINT64_MAX);
	usleep(10000);
	early = atomic_load_acquire(&reader.in);         /* not past the writer                                    */
	pthread_join(writer.thread, NULL);
	pthread_join(reader.thread, NULL);
	rwsem_unlock_shared(&sem);
	assert_int_equal(early, 0);
	assert_int_equal(writer.rc, -ETIMEDOUT);
	assert_int_equal(reader.rc, 0);
	assert_int_equal(atomic_load_relaxed(&sem.word), 0);
}

/* Readers that wait come in with a downgrade, the writer behind them does not. */
static void test_downgrade_lets_readers_in(void **state)
{
	struct one reader[2], writer;
	unsigned early;

	(void)state;
	assert_true(rwsem_try_exclusive(&sem));
	one_start(&reader[0], false, UINT64_MAX);
	one_start(&reader[1], false, UINT64_MAX);
	until(RWSEM_QUEUED);
	usleep(10000);
	one_start(&writer, true, UINT64_MAX);
	usleep(10000);
	rwsem_downgrade(&sem);
	pthread_join(reader[0].thread, NULL);
	pthread_join(reader[1].thread, NULL);
	early = atomic_load_acquire(&writer.in);
	rwsem_unlock_shared(&sem);
	pthread_join(writer.thread, NULL);
	assert_int_equal(early, 0);
	assert_int_equal(atomic_load_relaxed(&sem.word), 0);
}

static atomic_u32 second_looked;

static void looked(void *arg)
{
	(void)arg;
	atomic_store_relaxed(&second_looked, 1);
}

/* Only the first in the queue looks from time to time: hundreds that did would leave releasers no room at its lock. */
static void test_only_the_first_looks(void **state)
{
	uint64_t waits = atomic_load_relaxed(&sem.waits_exclusive), looks;
	struct one first, second;

	(void)state;
	assert_true(rwsem_try_exclusive(&sem));
	one_start(&first, true, UINT64_MAX);
	until(RWSEM_QUEUED);
	assert_int_equal(point_call("second", "rwsem_look", looked, NULL), 0);
	one_start_as(&second, "second", true, UINT64_MAX);
	while (atomic_load_relaxed(&sem.waits_exclusive) < waits + 2)
		usleep(100);
	looks = point_hits("rwsem_look");
	while (point_hits("rwsem_look") < looks + 40)
		usleep(1000);
	rwsem_unlock_exclusive(&sem);
	pthread_join(first.thread, NULL);
	pthread_join(second.thread, NULL);
	assert_int_equal(atomic_load_relaxed(&second_looked), 0);
	assert_int_equal(point_timeouts(), 0);
}

#define CROWD 6

static struct { uint64_t value[4]; atomic_u32 bad, stop; atomic_u64 rounds; } shared;

static void *crowd_main(void *arg)
{
	struct prng rng = prng_seed(clock_ns(), (uint64_t)(uintptr_t)arg);

	while (!atomic_load_relaxed(&shared.stop)) {
		bool exclusive = prng_below(&rng, 3) == 0;
		uint64_t deadline = prng_below(&rng, 4) ? UINT64_MAX : clock_ns() + prng_below(&rng, 50000);

		if (exclusive ? rwsem_wait_exclusive(&sem, deadline) : rwsem_wait_shared(&sem, deadline))
			continue;
		for (unsigned i = 1; i < 4; i++)
			if (shared.value[i] != shared.value[0])
				atomic_store_relaxed(&shared.bad, 1);
		for (unsigned i = 0; exclusive && i < 4; i++)
			shared.value[i]++;
		if (exclusive && prng_below(&rng, 4) == 0) {
			rwsem_downgrade(&sem);
			exclusive = false;
		}
		if (exclusive)
			rwsem_unlock_exclusive(&sem);
		else
			rwsem_unlock_shared(&sem);
		atomic_add_relaxed(&shared.rounds, 1);
	}
	return NULL;
}

/* The values are plain memory: what excludes is the lock, and ThreadSanitizer knows. */
static void test_crowd(void **state)
{
	pthread_t thread[CROWD];

	(void)state;
	point_yield(20, clock_ns());
	for (uintptr_t i = 0; i < CROWD; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, crowd_main, (void *)i), 0);
	usleep(400000);
	atomic_store_relaxed(&shared.stop, 1);
	for (unsigned i = 0; i < CROWD; i++)
		pthread_join(thread[i], NULL);
	point_yield(0, 0);
	assert_int_equal(atomic_load_relaxed(&shared.bad), 0);
	assert_true(atomic_load_relaxed(&shared.rounds) > CROWD);
	assert_true(atomic_load_relaxed(&sem.max_overtakes) <= CROWD + 2);
	assert_int_equal(atomic_load_relaxed(&sem.word), 0);
	assert_null(sem.first);
}

int main(void)
{
	const char *mutant = getenv("VMMAP_MUTANT");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_deadline_frees_the_way),
		cmocka_unit_test(test_downgrade_lets_readers_in),
		cmocka_unit_test(test_only_the_first_looks),
		cmocka_unit_test(test_crowd),
	};

	if (mutant && point_mutant_select(mutant))
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
