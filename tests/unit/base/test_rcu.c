/* SPDX-License-Identifier: MIT */
/*
 * test_rcu.c - both kinds of grace period: what holds them up, what they set free, and when.
 * mutant: rcu_poll_blind
 * mutant: rcu_brief_unseen
 * mutant: rcu_exit_keeps_items
 * mutant: rcu_never_hurries
 */
#include "base/mem.h"
#include "base/park.h"
#include "base/rcu.h"
#include "tests/unit/base/crew.h"

/* ---- a reader who stays inside until told ---- */

struct reader { atomic_u32 inside, leave, left; uint32_t nest; pthread_t thread; };

static void *read_until_told(void *arg)
{
	struct reader *r = arg;
	struct thread_slot *self = thread_self();

	for (uint32_t i = 0; i < r->nest; i++)
		rcu_enter(self);
	atomic_store_release(&r->inside, 1);
	for (uint32_t i = 0; i < r->nest; i++) {
		while (atomic_load_acquire(&r->leave) <= i)
			crew_sleep(MS / 10);
		rcu_leave(self);
		atomic_store_release(&r->left, i + 1);
	}
	while (atomic_load_acquire(&r->leave) <= r->nest)
		crew_sleep(MS / 10);
	return NULL;
}

static void reader_start(struct reader *r, uint32_t nest)
{
	memset(r, 0, sizeof(*r));
	r->nest = nest;
	r->thread = crew_start(read_until_told, r);
	assert_true(crew_await(&r->inside, 1));
}

static void reader_end(struct reader *r)
{
	atomic_store_release(&r->leave, r->nest + 1);
	crew_join(r->thread);
}

/* ---- polled ---- */

static void poll_alone_is_done_at_once(void **state)
{
	uint64_t a = rcu_poll_start(), b = rcu_poll_start();

	(void)state;
	assert_true(a != 0 && b > a);
	assert_true(rcu_poll_done(b));
	assert_true(rcu_poll_done(a));
}

static void reader_inside_holds_poll(void **state)
{
	struct reader r;
	uint64_t before = rcu_poll_start(), cookie;

	(void)state;
	reader_start(&r, 1);
	assert_true(rcu_poll_done(before));
	cookie = rcu_poll_start();
	for (int i = 0; i < 20; i++) {
		assert_false(rcu_poll_done(cookie));
		crew_sleep(MS);
	}
	assert_true(rcu_poll_done(before));
	atomic_store_release(&r.leave, 1);
	assert_true(crew_await(&r.left, 1));
	assert_true(rcu_poll_done(cookie));
	reader_end(&r);
}

static void nested_reader_holds_poll_until_its_last_leave(void **state)
{
	struct reader r;
	uint64_t cookie;

	(void)state;
	reader_start(&r, 3);
	cookie = rcu_poll_start();
	for (uint32_t i = 1; i < 3; i++) {
		atomic_store_release(&r.leave, i);
		assert_true(crew_await(&r.left, i));
		assert_false(rcu_poll_done(cookie));
	}
	atomic_store_release(&r.leave, 3);
	assert_true(crew_await(&r.left, 3));
	assert_true(rcu_poll_done(cookie));
	reader_end(&r);
}

/* The age: only sections that began before the cookie count. */
static void younger_reader_does_not_hold_poll(void **state)
{
	struct reader old, young;
	uint64_t cookie;

	(void)state;
	reader_start(&old, 1);
	cookie = rcu_poll_start();
	reader_start(&young, 1);
	assert_false(rcu_poll_done(cookie));
	reader_end(&old);
	assert_true(rcu_poll_done(cookie));
	assert_false(rcu_poll_done(rcu_poll_start()));
	reader_end(&young);
}

static void own_section_holds_own_poll(void **state)
{
	struct thread_slot *self = thread_self();
	uint64_t cookie;

	(void)state;
	rcu_enter(self);
	cookie = rcu_poll_start();
	assert_true(rcu_inside(self));
	assert_false(rcu_poll_done(cookie));
	rcu_leave(self);
	assert_false(rcu_inside(self));
	assert_true(rcu_poll_done(cookie));
}

/* A brief section holds a poll like any other, and may stand in one, or in another. */
static void brief_section_holds_poll(void **state)
{
	struct thread_slot *self = thread_self();
	uint64_t cookie;

	(void)state;
	for (int outer = 0; outer < 3; outer++) {
		if (outer == 1)
			rcu_enter(self);
		if (outer == 2)
			rcu_enter_brief(self);
		rcu_enter_brief(self);
		cookie = rcu_poll_start();
		assert_true(rcu_inside(self));
		assert_false(rcu_poll_done(cookie));
		rcu_leave_brief(self);
		assert_true(rcu_inside(self) == (outer != 0));
		assert_true(rcu_poll_done(cookie) == (outer == 0));
		if (outer == 1)
			rcu_leave(self);
		if (outer == 2)
			rcu_leave_brief(self);
		assert_false(rcu_inside(self));
		assert_true(rcu_poll_done(cookie));
	}
}

/* ---- retired ---- */

struct thing { struct rcu_item item; uint64_t value; atomic_u32 *freed; };

static void thing_free(struct rcu_item *item)
{
	struct thing *t = container_of(item, struct thing, item);

	atomic_add_acqrel(t->freed, 1);
	t->value = 0;
	free(t);
}

static void retire_some(uint32_t n, atomic_u32 *freed)
{
	for (uint32_t i = 0; i < n; i++) {
		struct thing *t = calloc(1, sizeof(*t));

		t->freed = freed;
		rcu_retire(thread_self(), &t->item, thing_free);
	}
}

static void drain_frees_all_that_was_retired(void **state)
{
	atomic_u32 freed = 0;
	uint64_t waits = rcu_waits();

	(void)state;
	retire_some(1, &freed);
	rcu_drain();
	assert_int_equal(atomic_load_acquire(&freed), 1);
	retire_some(1000, &freed);
	rcu_drain();
	assert_int_equal(atomic_load_acquire(&freed), 1001);
	rcu_drain();
	assert_int_equal(rcu_waits(), waits + 3);
}

static void full_batches_go_without_being_asked(void **state)
{
	atomic_u32 freed = 0;

	(void)state;
	retire_some(127, &freed);                /* at least one batch of 64, whatever was counted before */
	assert_true(crew_await(&freed, 64));
	retire_some(10, &freed);
	rcu_retire_flush(thread_self());
	assert_true(crew_await(&freed, 137));
}

/* A round that comes between, of the 10 ms or of the drain, may take some of the items: then the next ones do it. */
static void much_cuts_the_nap_short(void **state)
{
	atomic_u32 freed = 0;

	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(point_hits("rcu_nap_cut"), 0);  /* less than 1,024 at a time so far */
	for (uint32_t i = 1; i <= 20; i++) {
		retire_some(2048, &freed);
		rcu_drain();
		assert_int_equal(atomic_load_acquire(&freed), 2048 * i);
	}
	for (unsigned looks = 0; point_hits("rcu_nap_cut") == 0; looks++) {
		assert_true(looks * MS < patience_ms(10000));
		crew_sleep(MS);
	}
}

struct drainer { atomic_u32 begun, done; };

static void *drain(void *arg)
{
	struct drainer *d = arg;

	atomic_store_release(&d->begun, 1);
	rcu_drain();
	atomic_store_release(&d->done, 1);
	return NULL;
}

static void reader_inside_holds_drain_and_items(void **state)
{
	struct drainer d = { 0, 0 };
	atomic_u32 freed = 0;
	struct reader r;
	pthread_t t;

	(void)state;
	reader_start(&r, 1);
	retire_some(200, &freed);
	t = crew_start(drain, &d);
	assert_true(crew_await(&d.begun, 1));
	crew_sleep(60 * MS);
	assert_int_equal(atomic_load_acquire(&d.done), 0);
	assert_int_equal(atomic_load_acquire(&freed), 0);
	reader_end(&r);
	crew_join(t);
	assert_int_equal(atomic_load_acquire(&freed), 200);
}

/* Twenty batches, while a reader keeps them all from being freed. */
static void backlog_needs_no_memory(void **state)
{
	atomic_u32 freed = 0;
	struct reader r;

	(void)state;
	reader_start(&r, 1);
	mem_fail_nth(1);
	retire_some(64 * 20 + 3, &freed);
	assert_false(mem_fail_fired());
	mem_fail_nth(0);
	reader_end(&r);
	rcu_drain();
	assert_int_equal(atomic_load_acquire(&freed), 64 * 20 + 3);
}

static void *retire_and_exit(void *arg)
{
	retire_some(5, arg);
	return NULL;
}

static void *retire_much_and_exit(void *arg)
{
	retire_some(64 * 8 + 5, arg);
	return NULL;
}

static void exit_hands_the_items_over(void **state)
{
	atomic_u32 freed = 0;
	struct reader r;

	(void)state;
	/* First nobody else's wish for a round is left: it would take the items too. */
	rcu_drain();
	retire_some(1, &freed);
	rcu_retire_flush(thread_self());
	assert_true(crew_await(&freed, 1));
	atomic_store_release(&freed, 0);
	crew_join(crew_start(retire_and_exit, &freed));
	assert_true(crew_await(&freed, 5));
	reader_start(&r, 1);
	crew_join(crew_start(retire_much_and_exit, &freed));
	reader_end(&r);
	assert_true(crew_await(&freed, 5 + 64 * 8 + 5));
}

static void retire_inside_a_section(void **state)
{
	struct thread_slot *self = thread_self();
	atomic_u32 freed = 0;

	(void)state;
	rcu_enter(self);
	retire_some(127, &freed);
	crew_sleep(50 * MS);
	assert_int_equal(atomic_load_acquire(&freed), 0);
	rcu_leave(self);
	assert_true(crew_await(&freed, 64));
	rcu_drain();
	assert_int_equal(atomic_load_acquire(&freed), 127);
}

struct again { struct rcu_item item; atomic_u32 *rounds; };

static void once_more(struct rcu_item *item)
{
	struct again *a = container_of(item, struct again, item);

	if (atomic_add_acqrel(a->rounds, 1) < 3)
		rcu_retire(thread_self(), item, once_more);
}

static void callbacks_may_retire(void **state)
{
	atomic_u32 rounds = 0;
	struct again a = { .rounds = &rounds };

	(void)state;
	rcu_retire(thread_self(), &a.item, once_more);
	for (int i = 0; i < 4; i++)
		rcu_drain();
	assert_int_equal(atomic_load_acquire(&rounds), 4);
}

static void synchronize_waits_for_a_reader(void **state)
{
	uint64_t waits = rcu_waits(), begin = clock_ns();
	struct reader r;

	(void)state;
	reader_start(&r, 1);
	atomic_store_release(&r.leave, 0);
	crew_sleep(MS);
	atomic_store_release(&r.leave, 2);
	rcu_synchronize();
	assert_int_equal(atomic_load_acquire(&r.left), 1);
	assert_int_equal(rcu_waits(), waits + 1);
	assert_true(clock_ns() - begin < 5000 * MS);
	reader_end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(poll_alone_is_done_at_once),
		cmocka_unit_test(reader_inside_holds_poll),
		cmocka_unit_test(nested_reader_holds_poll_until_its_last_leave),
		cmocka_unit_test(younger_reader_does_not_hold_poll),
		cmocka_unit_test(own_section_holds_own_poll),
		cmocka_unit_test(brief_section_holds_poll),
		cmocka_unit_test(drain_frees_all_that_was_retired),
		cmocka_unit_test(full_batches_go_without_being_asked),
		cmocka_unit_test(much_cuts_the_nap_short),
		cmocka_unit_test(reader_inside_holds_drain_and_items),
		cmocka_unit_test(backlog_needs_no_memory),
		cmocka_unit_test(exit_hands_the_items_over),
		cmocka_unit_test(retire_inside_a_section),
		cmocka_unit_test(callbacks_may_retire),
		cmocka_unit_test(synchronize_waits_for_a_reader),
	};

	crew_mutant();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
