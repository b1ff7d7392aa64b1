/* SPDX-License-Identifier: MIT */
/*
 * test_qspin.c - the queued spin lock: exclusion, the order of the queue, and its ends, where threads come and leave at
 * once.
 *
 * mutant: qspin_offers_all
 * mutant: qspin_turn_is_lock
 * mutant: qspin_leaves_next
 */
#include "base/qspin.h"
#include "tests/unit/base/crew.h"

#define WAITERS 4

static struct qspin lock;
static uint32_t order[WAITERS], n;               /* who has had the lock; under it                                  */
static bool free_inside;                         /* the word said so while somebody had it                          */
static atomic_u32 had;                           /* how many have had it                                            */

struct waiter { const char *role; pthread_t thread; };

static void *wait_once(void *arg)
{
	struct waiter *w = arg;

	point_role(w->role);
	qspin_lock(&lock);
	order[n++] = (uint32_t)w->role[0];
	free_inside |= atomic_load_relaxed(&lock.word) != QSPIN_HELD;
	qspin_unlock(&lock);
	atomic_add_acqrel(&had, 1);
	return NULL;
}

static void start(struct waiter *w, const char *role)
{
	w->role = role;
	w->thread = crew_start(wait_once, w);
}

/* Starts a thread, and waits until it is the last in the queue, or has had the lock. */
static bool start_queued(struct waiter *w, const char *role)
{
	struct qspin_node *before = atomic_load_acquire(&lock.tail);
	uint32_t already = atomic_load_acquire(&had);
	uint64_t until = clock_ns() + patience_ms(10000);

	start(w, role);
	while (atomic_load_acquire(&lock.tail) == before && atomic_load_acquire(&had) == already) {
		if (clock_ns() > until)
			return false;
		crew_sleep(MS / 10);
	}
	return true;
}

static int begin(void **state)
{
	(void)state;
	atomic_store_relaxed(&had, 0);
	n = 0;
	free_inside = false;
	return 0;
}

static int finish(void **state)
{
	const char *mutant = getenv("VMMAP_MUTANT");

	(void)state;
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	return mutant != NULL ? point_mutant_select(mutant) : 0;
}

static void assert_order(struct waiter *w, uint32_t count, const char *wanted)
{
	assert_true(crew_await(&had, count));
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(order[i], wanted[i]);
		crew_join(w[i].thread);
	}
	assert_false(free_inside);
	assert_null(atomic_load_acquire(&lock.tail));
	assert_int_equal(atomic_load_acquire(&lock.impatient), 0);
	assert_int_equal(atomic_load_acquire(&lock.word), QSPIN_FREE);
}

/* ---- counting ---- */

#define TIMES 20000

static uint64_t counter;

static void *count(void *unused)
{
	(void)unused;
	for (int i = 0; i < TIMES; i++) {
		qspin_lock(&lock);
		counter++;
		qspin_unlock(&lock);
	}
	return NULL;
}

static void holders_exclude_each_other(void **state)
{
	pthread_t t[WAITERS];

	(void)state;
	point_yield(50, 1);
	for (int i = 0; i < WAITERS; i++)
		t[i] = crew_start(count, NULL);
	for (int i = 0; i < WAITERS; i++)
		crew_join(t[i]);
	assert_int_equal(counter, WAITERS * TIMES);
	assert_int_equal(atomic_load_acquire(&lock.word), QSPIN_FREE);
}

/* ---- the order ---- */

static void first_come_first_served(void **state)
{
	struct waiter w[3];

	(void)state;
	qspin_lock(&lock);
	assert_true(start_queued(&w[0], "a") && start_queued(&w[1], "b") && start_queued(&w[2], "c"));
	qspin_unlock(&lock);
	assert_order(w, 3, "abc");
}

/* It is let go, and the first in the queue, who has waited for long, does not look. */
static void what_is_offered_is_not_free(void **state)
{
	struct waiter w[2];

	(void)state;
	qspin_lock(&lock);
	point_stop("a", "qspin_impatient", NULL, NULL);
	start(&w[0], "a");
	assert_true(point_wait_reached("a", "qspin_impatient", patience_ms(10000)));
	qspin_unlock(&lock);
	assert_true(start_queued(&w[1], "b"));
	point_release("a", "qspin_impatient");
	assert_order(w, 2, "ab");
}

/* It is free, the first in the queue is about to take it, and a newcomer does: once. */
static void who_is_passed_is_impatient(void **state)
{
	struct waiter w[1];

	(void)state;
	qspin_lock(&lock);
	point_stop("a", "qspin_queued", NULL, NULL);
	point_stop("a", "qspin_before_take", NULL, NULL);
	point_stop("a", "qspin_impatient", NULL, NULL);
	start(&w[0], "a");
	assert_true(point_wait_reached("a", "qspin_queued", patience_ms(10000)));
	qspin_unlock(&lock);
	point_release("a", "qspin_queued");
	assert_true(point_wait_reached("a", "qspin_before_take", patience_ms(10000)));
	qspin_lock(&lock);
	point_release("a", "qspin_before_take");
	assert_true(point_wait_reached("a", "qspin_impatient", patience_ms(10000)));
	qspin_unlock(&lock);
	assert_int_equal(atomic_load_acquire(&lock.word), QSPIN_OFFERED);
	point_release("a", "qspin_impatient");
	assert_order(w, 1, "a");
}

/* The last one leaves the queue, and another one comes. */
static void who_comes_behind_the_last_is_next(void **state)
{
	struct waiter w[2];

	(void)state;
	qspin_lock(&lock);
	point_stop("a", "qspin_before_leave", NULL, NULL);
	assert_true(start_queued(&w[0], "a"));
	qspin_unlock(&lock);
	assert_true(point_wait_reached("a", "qspin_before_leave", patience_ms(10000)));
	assert_true(start_queued(&w[1], "b"));
	point_release("a", "qspin_before_leave");
	assert_order(w, 2, "ab");
}

/* The same, and it has not said yet behind whom it is: its predecessor waits for that. */
static void who_has_come_says_so(void **state)
{
	struct waiter w[2];

	(void)state;
	qspin_lock(&lock);
	point_stop("b", "qspin_queued", NULL, NULL);
	assert_true(start_queued(&w[0], "a") && start_queued(&w[1], "b"));
	assert_true(point_wait_reached("b", "qspin_queued", patience_ms(10000)));
	qspin_unlock(&lock);
	assert_int_equal(atomic_load_acquire(&had), 0);
	point_release("b", "qspin_queued");
	assert_order(w, 2, "ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(holders_exclude_each_other, begin, finish),
		cmocka_unit_test_setup_teardown(first_come_first_served, begin, finish),
		cmocka_unit_test_setup_teardown(what_is_offered_is_not_free, begin, finish),
		cmocka_unit_test_setup_teardown(who_is_passed_is_impatient, begin, finish),
		cmocka_unit_test_setup_teardown(who_comes_behind_the_last_is_next, begin, finish),
		cmocka_unit_test_setup_teardown(who_has_come_says_so, begin, finish),
	};

	crew_mutant();
	return cmocka_run_group_tests_name("qspin", tests, NULL, NULL);
}
