/* SPDX-License-Identifier: MIT */
/* test_thread.c - slots over many lives, exit hooks, per-slot blocks. */
#include "base/mem.h"
#include "base/thread.h"
#include "tests/unit/base/crew.h"

/* ---- slots ---- */

static void self_is_stable(void **state)
{
	struct thread_slot *self = thread_self();

	(void)state;
	assert_ptr_equal(self, thread_self());
	assert_true(self->number < thread_count());
	assert_ptr_equal(thread_at(self->number), self);
	assert_int_equal((uintptr_t)self % CACHE_PAIR, 0);
}

struct together { pthread_barrier_t *all; uint32_t number; };

static void *register_together(void *arg)
{
	struct together *t = arg;

	t->number = thread_self()->number;
	pthread_barrier_wait(t->all);
	return NULL;
}

static void live_threads_have_distinct_numbers(void **state)
{
	enum { N = 24 };
	struct together t[N];
	pthread_t thread[N];
	pthread_barrier_t all;

	(void)state;
	pthread_barrier_init(&all, NULL, N);
	for (int i = 0; i < N; i++) {
		t[i].all = &all;
		thread[i] = crew_start(register_together, &t[i]);
	}
	for (int i = 0; i < N; i++)
		crew_join(thread[i]);
	for (int i = 0; i < N; i++) {
		assert_int_not_equal(t[i].number, thread_self()->number);
		for (int k = 0; k < i; k++)
			assert_int_not_equal(t[i].number, t[k].number);
	}
	pthread_barrier_destroy(&all);
}

enum { LIVES = 1500, NUMBERS = 3 };
struct life { uint64_t number[NUMBERS]; };

static void *live_once(void *arg)
{
	struct life *life = arg;

	for (int i = 0; i < NUMBERS; i++)
		life->number[i] = thread_next_number(thread_self());
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void churn_reuses_slots_and_keeps_numbers_unique(void **state)
{
	struct life *lives = calloc(LIVES, sizeof(*lives));
	uint64_t *all = (uint64_t *)lives;
	uint32_t before = thread_count();

	(void)state;
	for (int i = 0; i < LIVES; i += 2) {
		pthread_t a = crew_start(live_once, &lives[i]), b = crew_start(live_once, &lives[i + 1]);

		crew_join(a);
		crew_join(b);
	}
	assert_true(LIVES > THREAD_MAX);
	assert_true(thread_count() <= before + 2);
	qsort(all, LIVES * NUMBERS, sizeof(*all), by_value);
	for (int i = 0; i < LIVES * NUMBERS; i++) {
		assert_true(all[i] != 0 && (all[i] & 1) == 0);
		assert_true(i == 0 || all[i] != all[i - 1]);
	}
	free(lives);
}

struct crowd { atomic_u32 *in, *may_leave, *left; uint32_t order; };

static void *join_crowd(void *arg)
{
	struct crowd *c = arg;
	uint32_t order;

	thread_self();
	order = atomic_add_acqrel(c->in, 1);
	while (atomic_load_acquire(c->may_leave) <= order)
		crew_sleep(50 * MS);                             /* a thousand that poll leave no time to start      */
	atomic_add_acqrel(c->left, 1);
	return NULL;
}

static void one_thread_too_many_waits_for_a_slot(void **state)
{
	enum { EXTRA = 8, N = THREAD_MAX - 1 + EXTRA };          /* main has one */
	static pthread_t thread[N];
	atomic_u32 in = 0, may_leave = 0, left = 0;
	struct crowd c = { &in, &may_leave, &left, 0 };

	(void)state;
	thread_self();
	for (int i = 0; i < N; i++)
		thread[i] = crew_start(join_crowd, &c);
	assert_true(crew_await(&in, N - EXTRA));
	crew_sleep(50 * MS);
	assert_int_equal(atomic_load_acquire(&in), N - EXTRA);           /* the others sleep */
	assert_int_equal(thread_count(), THREAD_MAX);
	atomic_store_release(&may_leave, 3);
	assert_true(crew_await(&in, N - EXTRA + 3));
	crew_sleep(50 * MS);
	assert_int_equal(atomic_load_acquire(&in), N - EXTRA + 3);
	atomic_store_release(&may_leave, N);
	for (int i = 0; i < N; i++)
		crew_join(thread[i]);
	assert_int_equal(atomic_load_acquire(&in), N);
}

static pthread_key_t late_key;

/* Destructors of one round run in the order of the keys: this one runs after ours in each round, and calls again. */
static void call_again(void *value)
{
	thread_self();
	if ((uintptr_t)value < 2)
		pthread_setspecific(late_key, (char *)value + 1);
}

static void *leave_late(void *arg)
{
	(void)arg;
	thread_self();
	pthread_setspecific(late_key, (void *)1);
	return NULL;
}

static void calls_from_other_destructors_leak_no_slot(void **state)
{
	uint32_t taken = 0;

	(void)state;
	assert_int_equal(pthread_key_create(&late_key, call_again), 0);
	for (int i = 0; i < THREAD_MAX + 50; i++)
		crew_join(crew_start(leave_late, NULL));
	for (uint32_t i = 0; i < thread_count(); i++)
		taken += thread_at(i)->in_use;
	assert_int_equal(taken, 1);
	pthread_key_delete(late_key);
}

/* ---- hooks ---- */

struct note { struct thread_exit_hook hook; atomic_u32 calls, last_slot, same_thread, hold, entered; };

static void note_exit(struct thread_exit_hook *hook, uint32_t slot)
{
	struct note *n = container_of(hook, struct note, hook);

	atomic_add_acqrel(&n->calls, 1);
	atomic_store_release(&n->last_slot, slot);
	atomic_store_release(&n->same_thread, thread_self()->number == slot);
	atomic_store_release(&n->entered, 1);
	while (atomic_load_acquire(&n->hold) != 0)
		crew_sleep(MS / 10);
}

static void *tell_number(void *arg)
{
	*(uint32_t *)arg = thread_self()->number;
	return NULL;
}

static void hooks_run_in_the_exiting_thread(void **state)
{
	struct note first = { .hook.fn = note_exit }, second = { .hook.fn = note_exit };
	uint32_t number = UINT32_MAX;

	(void)state;
	thread_exit_hook_add(&first.hook);
	thread_exit_hook_add(&second.hook);
	crew_join(crew_start(tell_number, &number));
	assert_int_equal(atomic_load_acquire(&first.calls), 1);
	assert_int_equal(atomic_load_acquire(&second.calls), 1);
	assert_int_equal(atomic_load_acquire(&first.last_slot), number);
	assert_int_equal(atomic_load_acquire(&first.same_thread), 1);
	thread_exit_hook_remove(&first.hook);
	crew_join(crew_start(tell_number, &number));
	assert_int_equal(atomic_load_acquire(&first.calls), 1);
	assert_int_equal(atomic_load_acquire(&second.calls), 2);
	thread_exit_hook_remove(&second.hook);
}

static void *remove_hook(void *arg)
{
	struct { struct note *note; atomic_u32 *done; } *r = arg;

	thread_exit_hook_remove(&r->note->hook);
	atomic_store_release(r->done, 1);
	return NULL;
}

static void remove_waits_for_a_running_hook(void **state)
{
	struct note note = { .hook.fn = note_exit, .hold = 1 };
	atomic_u32 done = 0;
	struct { struct note *note; atomic_u32 *done; } r = { &note, &done };
	pthread_t leaver, remover;
	uint32_t number;

	(void)state;
	thread_exit_hook_add(&note.hook);
	leaver = crew_start(tell_number, &number);
	assert_true(crew_await(&note.entered, 1));
	remover = crew_start(remove_hook, &r);
	crew_sleep(50 * MS);
	assert_int_equal(atomic_load_acquire(&done), 0);
	atomic_store_release(&note.hold, 0);
	crew_join(remover);
	assert_int_equal(atomic_load_acquire(&done), 1);
	crew_join(leaver);
	assert_true(atomic_load_acquire(&note.calls) <= 2);      /* the remover's own exit: closed by then */
}

static void *churn_hooks(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++) {
		struct note note = { .hook.fn = note_exit };

		thread_exit_hook_add(&note.hook);
		thread_exit_hook_remove(&note.hook);
	}
	return NULL;
}

static void hooks_come_and_go_while_threads_exit(void **state)
{
	struct note stays = { .hook.fn = note_exit };
	pthread_t a = 0, b;
	uint32_t number;

	(void)state;
	thread_exit_hook_add(&stays.hook);
	a = crew_start(churn_hooks, NULL);
	b = crew_start(churn_hooks, NULL);
	for (int i = 0; i < 200; i++)
		crew_join(crew_start(tell_number, &number));
	crew_join(a);
	crew_join(b);
	assert_int_equal(atomic_load_acquire(&stays.calls), 200 + 0 + 0);
	thread_exit_hook_remove(&stays.hook);
}

/* ---- per-slot blocks ---- */

struct block_user { struct thread_local_table *table; void *block; uint32_t was; uint32_t slot; };

static void *use_block(void *arg)
{
	struct block_user *u = arg;
	struct thread_slot *self = thread_self();

	u->slot = self->number;
	u->block = thread_local_mine(u->table, self);
	u->was = (*(uint32_t *)u->block)++;
	return NULL;
}

static void count_fini(void *block, void *arg)
{
	(void)block;
	++*(int *)arg;
}

static void blocks_pass_to_the_slots_next_owner(void **state)
{
	struct thread_local_table table;
	struct block_user a = { .table = &table }, b = { .table = &table };
	uint64_t before = mem_bytes(MEM_SLOT);
	int finis = 0;

	(void)state;
	assert_int_equal(thread_local_init(&table, 0), -EINVAL);
	assert_int_equal(thread_local_init(&table, 130), 0);
	assert_int_equal(table.block_bytes, 256);
	assert_null(thread_local_at(&table, THREAD_MAX - 1));
	crew_join(crew_start(use_block, &a));
	crew_join(crew_start(use_block, &b));
	assert_int_equal(a.slot, b.slot);
	assert_ptr_equal(a.block, b.block);
	assert_int_equal(a.was, 0);
	assert_int_equal(b.was, 1);
	assert_int_equal((uintptr_t)a.block % CACHE_PAIR, 0);
	assert_ptr_not_equal(thread_local_mine(&table, thread_self()), a.block);
	assert_non_null(thread_local_make(&table, THREAD_MAX - 1));
	thread_local_free(&table, count_fini, &finis);
	assert_int_equal(finis, 3);
	assert_int_equal(mem_bytes(MEM_SLOT), before);
}

static void blocks_for_want_of_memory(void **state)
{
	struct thread_local_table table;
	uint64_t before = mem_bytes(MEM_SLOT);

	(void)state;
	assert_int_equal(thread_local_init(&table, 64), 0);
	mem_fail_nth(1);
	assert_null(thread_local_make(&table, 5));
	mem_fail_nth(2);
	assert_null(thread_local_make(&table, 5));
	assert_true(mem_fail_fired());
	assert_non_null(thread_local_make(&table, 5));
	thread_local_free(&table, NULL, NULL);
	assert_int_equal(mem_bytes(MEM_SLOT), before);
}

struct racer { struct thread_local_table *table; pthread_barrier_t *start; void *block[THREAD_CHUNK * 2]; };

static void *race_to_make(void *arg)
{
	struct racer *r = arg;

	pthread_barrier_wait(r->start);
	for (uint32_t i = 0; i < ARRAY_SIZE(r->block); i++)
		r->block[i] = thread_local_make(r->table, i);
	return NULL;
}

static void two_makers_agree(void **state)
{
	struct thread_local_table table;
	pthread_barrier_t start;
	struct racer a = { &table, &start, { 0 } }, b = { &table, &start, { 0 } };
	uint64_t before = mem_bytes(MEM_SLOT);

	(void)state;
	pthread_barrier_init(&start, NULL, 2);
	for (int round = 0; round < 20; round++) {
		pthread_t t[2];

		assert_int_equal(thread_local_init(&table, 64), 0);
		t[0] = crew_start(race_to_make, &a);
		t[1] = crew_start(race_to_make, &b);
		crew_join(t[0]);
		crew_join(t[1]);
		assert_memory_equal(a.block, b.block, sizeof(a.block));
		thread_local_free(&table, NULL, NULL);
		assert_int_equal(mem_bytes(MEM_SLOT), before);
	}
	pthread_barrier_destroy(&start);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(self_is_stable),
		cmocka_unit_test(live_threads_have_distinct_numbers),
		cmocka_unit_test(churn_reuses_slots_and_keeps_numbers_unique),
		cmocka_unit_test(hooks_run_in_the_exiting_thread),
		cmocka_unit_test(remove_waits_for_a_running_hook),
		cmocka_unit_test(hooks_come_and_go_while_threads_exit),
		cmocka_unit_test(blocks_pass_to_the_slots_next_owner),
		cmocka_unit_test(blocks_for_want_of_memory),
		cmocka_unit_test(two_makers_agree),
		cmocka_unit_test(calls_from_other_destructors_leak_no_slot),
		cmocka_unit_test(one_thread_too_many_waits_for_a_slot),
	};

	crew_mutant();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
