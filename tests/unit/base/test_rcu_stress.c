/* SPDX-License-Identifier: MIT */
/*
 * test_rcu_stress.c - grace periods against running readers.
 * mutant: rcu_poll_blind
 *
 * rcu_no_membarrier is a memory-order mutant: the duel notices it in most runs on an idle machine, not in all; it dies
 * in a model (tests/models).
 */
#include "base/rcu.h"
#include "tests/unit/base/crew.h"

/* ---- a tight duel: the window is the reader's store buffer ---- */

enum { DUEL_MS = 500, DUEL_CELLS = 2 };
struct cell { atomic_u32 alive; } PAIR_ALIGNED;
struct duel { _Atomic(struct cell *) shown; atomic_u32 stop, bad; atomic_u64 seen; struct cell noise[8]; };

static void *duel_read(void *arg)
{
	struct duel *d = arg;
	struct thread_slot *self = thread_self();

	while (atomic_load_relaxed(&d->stop) == 0) {
		struct cell *c;

		/* Stores leave a CPU in order: these wait for lines that the other thread has, and the own word
		 * waits behind them. */
		for (size_t i = 0; i < ARRAY_SIZE(d->noise); i++)
			atomic_store_relaxed(&d->noise[i].alive, 1);
		rcu_enter(self);
		c = atomic_load_acquire(&d->shown);
		for (int i = 0; i < 10; i++)
			atomic_pause();
		if (atomic_load_relaxed(&c->alive) == 0)
			atomic_add_relaxed(&d->bad, 1);
		rcu_leave(self);
		atomic_bump(&d->seen, 1);
	}
	return NULL;
}

/* Shows one cell and kills the other as soon as the grace period says so; without a membarrier it would say so while
 * the reader's own word is still in its store buffer. */
static void a_reader_in_its_store_buffer_is_waited_for(void **state)
{
	static struct cell cell[DUEL_CELLS];
	struct duel d = { .shown = &cell[0] };
	/* A mutant gets more time: on a busy machine the two threads seldom run at the same moment. */
	uint64_t end = clock_ns() + (getenv("VMMAP_MUTANT") ? 20 : 1) * DUEL_MS * MS, rounds = 0;
	uint64_t give_up = end + 60000 * MS;
	pthread_t t;

	(void)state;
	atomic_store_relaxed(&cell[0].alive, 1);
	t = crew_start(duel_read, &d);
	while (atomic_load_relaxed(&d.bad) == 0 && clock_ns() < give_up) {
		struct cell *next = &cell[++rounds % DUEL_CELLS], *old;
		uint64_t cookie;

		if (clock_ns() >= end && rounds > 100 && atomic_load_relaxed(&d.seen) > 100)
			break;
		for (size_t i = 0; i < ARRAY_SIZE(d.noise); i++)
			atomic_store_relaxed(&d.noise[i].alive, 2);
		atomic_store_release(&next->alive, 1);
		old = atomic_load_relaxed(&d.shown);
		atomic_store_release(&d.shown, next);
		cookie = rcu_poll_start();
		while (!rcu_poll_done(cookie))
			atomic_pause();
		atomic_store_release(&old->alive, 0);
	}
	atomic_store_relaxed(&d.stop, 1);
	crew_join(t);
	assert_int_equal(atomic_load_relaxed(&d.bad), 0);
	assert_true(atomic_load_relaxed(&d.seen) > 100 && rounds > 100);
}

/* ---- everything at once ---- */

enum { PLACES = 8, STRESS_MS = 400, ALIVE = 0x600d, POISON = 0xdead };
struct node { struct rcu_item item; atomic_u32 *freed; uint64_t value; };
struct stress {
	_Atomic(struct node *) place[PLACES];
	atomic_u32 stop, freed, made;
};
struct stress_reader { struct stress *s; uint64_t seen, bad; };

static void *stress_read(void *arg)
{
	struct stress_reader *r = arg;
	struct thread_slot *self = thread_self();

	for (uint64_t i = 0; atomic_load_relaxed(&r->s->stop) == 0; i++) {
		struct node *n;

		rcu_enter(self);
		n = atomic_load_acquire(&r->s->place[i % PLACES]);
		if (n != NULL) {
			r->seen++;
			for (int k = 0; k < 20; k++) {   /* plain reads, kept apart by the loads between them */
				r->bad += n->value != ALIVE;
				(void)atomic_load_acquire(&r->s->stop);
			}
		}
		rcu_leave(self);
	}
	return NULL;
}

static void node_free(struct rcu_item *item)
{
	struct node *n = container_of(item, struct node, item);

	n->value = POISON;
	atomic_add_acqrel(n->freed, 1);
	free(n);
}

static struct node *node_swap(struct stress *s, uint64_t i)
{
	struct node *n = malloc(sizeof(*n));

	n->freed = &s->freed;
	n->value = ALIVE;
	return atomic_swap_acqrel(&s->place[i % PLACES], n);
}

static void *retire_and_exit(void *arg)
{
	struct stress *s = arg;

	for (int i = 0; i < 5; i++) {
		struct node *n = malloc(sizeof(*n));

		n->freed = &s->freed;
		n->value = ALIVE;
		rcu_retire(thread_self(), &n->item, node_free);
	}
	return NULL;
}

static void *stress_retire(void *arg)
{
	struct stress *s = arg;
	struct thread_slot *self = thread_self();

	for (uint64_t i = 0; atomic_load_relaxed(&s->stop) == 0; i++) {
		struct node *old = node_swap(s, i);

		if (old == NULL)
			continue;
		atomic_add_acqrel(&s->made, 1);
		rcu_retire(self, &old->item, node_free);
		if (i % 512 == 0)
			crew_sleep(MS / 10);
	}
	return NULL;
}

/* Frees with the polled grace period: batches of 16, at most one under way. */
static void *stress_poll(void *arg)
{
	struct stress *s = arg;
	struct node *batch[16];

	for (uint64_t i = 0; atomic_load_relaxed(&s->stop) == 0; ) {
		uint32_t n = 0;
		uint64_t cookie;

		while (n < ARRAY_SIZE(batch)) {
			batch[n] = node_swap(s, i++);
			n += batch[n] != NULL;
		}
		atomic_add_acqrel(&s->made, n);
		cookie = rcu_poll_start();
		while (!rcu_poll_done(cookie))
			crew_sleep(MS / 100);
		while (n > 0)
			node_free(&batch[--n]->item);
	}
	return NULL;
}

static void *stress_churn(void *arg)
{
	struct stress *s = arg;

	while (atomic_load_relaxed(&s->stop) == 0) {
		crew_join(crew_start(retire_and_exit, s));
		atomic_add_acqrel(&s->made, 5);
	}
	return NULL;
}

/* Each kind alone first: beside the other, its missing edge could come from there. */
static void run_stress(void *(*const *writer)(void *), uint32_t writers)
{
	struct stress s;
	struct stress_reader reader[2] = { { .s = &s }, { .s = &s } };
	pthread_t t[2 + 3];
	uint32_t n = 0;

	memset(&s, 0, sizeof(s));
	while (n < 2) {
		t[n] = crew_start(stress_read, &reader[n]);
		n++;
	}
	while (n < 2 + writers) {
		t[n] = crew_start(writer[n - 2], &s);
		n++;
	}
	crew_sleep(STRESS_MS * MS / 2);
	rcu_drain();                                             /* beside everything else */
	crew_sleep(STRESS_MS * MS / 2);
	atomic_store_relaxed(&s.stop, 1);
	while (n > 0)
		crew_join(t[--n]);
	rcu_drain();
	for (int i = 0; i < PLACES; i++)
		free(atomic_load_acquire(&s.place[i]));
	assert_int_equal(reader[0].bad + reader[1].bad, 0);
	assert_true(reader[0].seen > 100 && reader[1].seen > 100);
	assert_true(atomic_load_acquire(&s.made) > 100);
	assert_int_equal(atomic_load_acquire(&s.freed), atomic_load_acquire(&s.made));
}

static void nothing_retired_is_freed_under_a_reader(void **state)
{
	static void *(*const writer[])(void *) = { stress_retire };

	(void)state;
	run_stress(writer, 1);
}

static void nothing_polled_is_freed_under_a_reader(void **state)
{
	static void *(*const writer[])(void *) = { stress_poll };

	(void)state;
	run_stress(writer, 1);
}

static void both_kinds_beside_each_other_and_thread_churn(void **state)
{
	static void *(*const writer[])(void *) = { stress_retire, stress_poll, stress_churn };

	(void)state;
	run_stress(writer, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_in_its_store_buffer_is_waited_for),
		cmocka_unit_test(nothing_retired_is_freed_under_a_reader),
		cmocka_unit_test(nothing_polled_is_freed_under_a_reader),
		cmocka_unit_test(both_kinds_beside_each_other_and_thread_churn),
	};

	crew_mutant();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
