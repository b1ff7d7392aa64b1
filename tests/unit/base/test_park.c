/* SPDX-License-Identifier: MIT */
/* test_park.c - sleeping and waking, deadlines, and who counts as blocked. */
#include "base/park.h"
#include "base/rcu.h"
#include "tests/unit/base/crew.h"

static void wait_returns_at_once_if_the_word_differs(void **state)
{
	atomic_u32 word = 7;

	(void)state;
	assert_int_equal(park_wait(&word, 8, PARK_FOREVER), 0);
	assert_int_equal(park_wait(&word, 8, PARK_TRY), 0);
	assert_int_equal(park_wait(&word, 7, PARK_TRY), -ETIMEDOUT);
}

static void deadlines_are_absolute(void **state)
{
	atomic_u32 word = 7;
	uint64_t begin = clock_ns();

	(void)state;
	assert_int_equal(park_wait(&word, 7, begin + 30 * MS), -ETIMEDOUT);
	assert_in_range(clock_ns() - begin, 30 * MS, 5000 * MS);
	begin = clock_ns();
	assert_int_equal(park_wait(&word, 7, 1), -ETIMEDOUT);    /* long past */
	assert_true(clock_ns() - begin < 1000 * MS);
}

struct sleeper { atomic_u32 word, about_to, woken; uint64_t counted; };

static void *sleep_on_word(void *arg)
{
	struct sleeper *s = arg;
	uint64_t before = park_blocked_self();

	atomic_add_acqrel(&s->about_to, 1);
	while (atomic_load_acquire(&s->word) == 0)
		park_wait(&s->word, 0, PARK_FOREVER);
	if (atomic_add_acqrel(&s->woken, 1) == 0)
		s->counted = park_blocked_self() - before;
	return NULL;
}

static void wake_wakes(void **state)
{
	struct sleeper s = { 0 };
	uint64_t before = park_blocked_total();
	pthread_t t[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		t[i] = crew_start(sleep_on_word, &s);
	assert_true(crew_await(&s.about_to, 3));
	crew_sleep(30 * MS);
	assert_int_equal(atomic_load_acquire(&s.woken), 0);
	atomic_store_release(&s.word, 1);
	park_wake(&s.word, 3);
	for (int i = 0; i < 3; i++)
		crew_join(t[i]);
	assert_int_equal(atomic_load_acquire(&s.woken), 3);
	assert_true(s.counted >= 1);
	assert_true(park_blocked_total() - before >= 3);         /* also after those threads have gone */
}

static void each_entry_counts_once(void **state)
{
	atomic_u32 word = 0;
	uint64_t before = park_blocked_self();

	(void)state;
	park_wait(&word, 1, PARK_FOREVER);
	assert_int_equal(park_blocked_self(), before + 1);
	park_wait(&word, 0, clock_ns() + MS);
	assert_int_equal(park_blocked_self(), before + 2);
	park_wait(&word, 0, PARK_TRY);                           /* does not wait */
	park_stall(&word, 0, clock_ns() + MS);                   /* is not counted */
	assert_int_equal(park_blocked_self(), before + 2);
}

static void spinning_counts_past_a_thousand(void **state)
{
	struct park_spin spin = PARK_SPIN;
	uint64_t before = park_blocked_self(), begin;

	(void)state;
	for (int i = 0; i < 1000; i++)
		park_spin(&spin);
	assert_int_equal(park_blocked_self(), before);
	begin = clock_ns();
	for (int i = 0; i < 100; i++)
		park_spin(&spin);
	assert_int_equal(park_blocked_self(), before + 1);
	assert_true(clock_ns() - begin >= 100 * 50000);          /* naps */
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void spinning_in_a_queue_counts_and_never_sleeps(void **state)
{
	struct park_spin spin = { 900 };
	uint64_t before = park_blocked_self();
	int64_t begin = cpu_ns();

	(void)state;
	for (int i = 0; i < 300; i++)
		park_spin_queued(&spin);
	assert_int_equal(park_blocked_self(), before + 1);
	assert_true(cpu_ns() - begin > 300 * 50);                /* as below */
}

static void spinning_in_a_section_never_sleeps(void **state)
{
	struct thread_slot *self = thread_self();
	struct park_spin spin = { 2000 };
	int64_t begin, took;

	(void)state;
	rcu_enter(self);
	begin = cpu_ns();
	for (int i = 0; i < 200; i++)
		park_spin(&spin);
	took = cpu_ns() - begin;
	rcu_leave(self);
	assert_int_equal(spin.rounds, 2200);
	/* It worked all the time: yields cost CPU time, 200 naps would have cost hardly any. */
	assert_true(took > 200 * 50);
}

struct shared { struct park_mutex mutex; uint64_t plain; uint32_t inside, overlaps; bool stall; };

static void *count_under_mutex(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 20000; i++) {
		if (s->stall)
			park_stall_lock(&s->mutex);
		else
			park_lock(&s->mutex);
		s->overlaps += ++s->inside != 1;
		s->plain++;
		if (i % 64 == 0)
			sched_yield();
		s->inside--;
		park_unlock(&s->mutex);
	}
	return NULL;
}

static void mutex_excludes(void **state)
{
	(void)state;
	for (int stall = 0; stall < 2; stall++) {
		struct shared s = { .stall = stall };
		pthread_t t[3];

		for (int i = 0; i < 3; i++)
			t[i] = crew_start(count_under_mutex, &s);
		for (int i = 0; i < 3; i++)
			crew_join(t[i]);
		assert_int_equal(s.plain, 3 * 20000);
		assert_int_equal(s.overlaps, 0);
		assert_int_equal(atomic_load_acquire(&s.mutex.word), 0);
	}
}

/* Two threads hand a word back and forth: a lost wake-up would hang. */
struct ping { atomic_u32 turn; uint32_t me; };

static void *play(void *arg)
{
	struct ping *p = ((void **)arg)[0];
	uint32_t me = ((void **)arg)[1] != NULL;

	for (int i = 0; i < 5000; i++) {
		while (atomic_load_acquire(&p->turn) != me)
			park_wait(&p->turn, !me, PARK_FOREVER);
		atomic_store_release(&p->turn, !me);
		park_wake(&p->turn, 1);
	}
	return NULL;
}

static void no_wake_up_is_lost(void **state)
{
	struct ping p = { 0, 0 };
	void *zero[2] = { &p, NULL }, *one[2] = { &p, &p };
	pthread_t a = crew_start(play, zero), b = crew_start(play, one);

	(void)state;
	crew_join(a);
	crew_join(b);
	assert_int_equal(atomic_load_acquire(&p.turn), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wait_returns_at_once_if_the_word_differs),
		cmocka_unit_test(deadlines_are_absolute),
		cmocka_unit_test(wake_wakes),
		cmocka_unit_test(each_entry_counts_once),
		cmocka_unit_test(spinning_counts_past_a_thousand),
		cmocka_unit_test(spinning_in_a_queue_counts_and_never_sleeps),
		cmocka_unit_test(spinning_in_a_section_never_sleeps),
		cmocka_unit_test(mutex_excludes),
		cmocka_unit_test(no_wake_up_is_lost),
	};

	crew_mutant();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
