/* SPDX-License-Identifier: MIT */
/*
 * cost_of_section.c - what an RCU read section costs, and which part of it is our own word (docs/adr/0002). A program
 * to be run by hand: absolute times are no gate. The command is in that record.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/rcu.h"

enum { ROUNDS = 41, LOOPS = 2000000, POLLS = 2000, ITEMS = 50000, ROWS = 8 };

static atomic_u64 shared_word = 1;

static void empty(struct thread_slot *self)
{
	(void)self;
	(void)atomic_load_acquire(&shared_word);
}

static void liburcu_only(struct thread_slot *self)
{
	(void)self;
	urcu_memb_read_lock();
	(void)atomic_load_acquire(&shared_word);
	urcu_memb_read_unlock();
}

static void own_only(struct thread_slot *self)
{
	if (self->rcu_nest++ == 0)
		atomic_store_release(&self->rcu_word, atomic_load_acquire(&rcu_global.epoch) << 1 | 1);
	__asm__ __volatile__("" ::: "memory");
	(void)atomic_load_acquire(&shared_word);
	if (--self->rcu_nest == 0)
		atomic_store_release(&self->rcu_word, 0);
}

static void both(struct thread_slot *self)
{
	rcu_enter(self);
	(void)atomic_load_acquire(&shared_word);
	rcu_leave(self);
}

static void nested(struct thread_slot *self)
{
	rcu_enter(self);
	rcu_enter(self);
	(void)atomic_load_acquire(&shared_word);
	rcu_leave(self);
	rcu_leave(self);
}

static void one_poll(struct thread_slot *self)
{
	(void)self;
	if (!rcu_poll_done(rcu_poll_start()))
		abort();
}

static struct rcu_item item[ITEMS];
static int next_item;

static void nothing(struct rcu_item *i)
{
	(void)i;
}

static void retire(struct thread_slot *self)
{
	rcu_retire(self, &item[next_item++], nothing);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		fprintf(stderr, "not pinned to CPU %d\n", cpu);
}

/* Another thread on the other CPU: now a membarrier has somebody to interrupt. */
static atomic_u32 neighbour_runs;

static void *neighbour(void *arg)
{
	(void)arg;
	pin(1);
	atomic_store_relaxed(&neighbour_runs, 2);
	while (atomic_load_relaxed(&neighbour_runs) == 2) {
		rcu_enter(thread_self());
		rcu_leave(thread_self());
	}
	return NULL;
}

static void poll_beside_neighbour(struct thread_slot *self)
{
	(void)self;
	while (!rcu_poll_done(rcu_poll_start()))
		;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

#define MEASURE(fn, loops, to) do { \
	uint64_t begin_ = clock_ns(); \
	for (int i_ = 0; i_ < (loops); i_++) \
		fn(self); \
	(to) = (double)(clock_ns() - begin_) / (loops); } while (0)

int main(void)
{
	static const char *const name[] = {
		"empty loop", "liburcu alone", "own word alone", "both (rcu_enter)", "both, nested twice",
		"rcu_poll_start + done", "rcu_retire of one item", "poll beside a reader",
	};
	static double ns[ROWS][ROUNDS];
	struct thread_slot *self = thread_self();

	pin(0);
	for (int r = 0; r < ROUNDS; r++) {
		MEASURE(empty, LOOPS, ns[0][r]);
		MEASURE(liburcu_only, LOOPS, ns[1][r]);
		MEASURE(own_only, LOOPS, ns[2][r]);
		MEASURE(both, LOOPS, ns[3][r]);
		MEASURE(nested, LOOPS, ns[4][r]);
		MEASURE(one_poll, POLLS, ns[5][r]);
	}
	for (int r = 0; r < ROUNDS; r++) {
		next_item = 0;
		MEASURE(retire, ITEMS, ns[6][r]);
		rcu_drain();
	}
	for (int r = 0; r < ROUNDS; r++) {
		pthread_t t;

		atomic_store_relaxed(&neighbour_runs, 1);
		if (pthread_create(&t, NULL, neighbour, NULL) != 0)
			abort();
		while (atomic_load_relaxed(&neighbour_runs) != 2)
			sched_yield();
		MEASURE(poll_beside_neighbour, POLLS, ns[7][r]);
		atomic_store_relaxed(&neighbour_runs, 0);
		pthread_join(t, NULL);
	}
	for (int i = 0; i < ROWS; i++) {
		qsort(ns[i], ROUNDS, sizeof(double), by_value);
		printf("%-22s min %8.2f  median %8.2f ns\n", name[i], ns[i][0], ns[i][ROUNDS / 2]);
	}
	return 0;
}
