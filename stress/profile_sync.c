/* SPDX-License-Identifier: MIT */
/*
 * profile_sync.c - how the threads of a block start together, meet, rest and stop.
 *
 * CONTROL   one word, read after every step: ON -> REST -> ON while somebody looks at the quiet map, ON -> OVER at the
 *           end. The states change under `lock`; the word is only how running threads learn of it.
 * MEETING   word = meetings held << 16 | arrived. Arrive: +1. The last one finds arrived == threads, runs the leader's
 *           function and stores (held + 1) << 16: M1, release -> M2, the waiters' acquire load. A waiter that must
 *           leave takes its arrival back by CAS, which fails once the meeting is full: whoever was counted in a full
 *           meeting passes it, so that no thread is a meeting ahead of the others in the next block.
 * REST      a thread counts as resting between two steps and inside a wait (profile_relax); it leaves the rest only
 *           while `quiet` is false. The looker waits for resting == active.
 * PROGRESS  a meeting needs all threads of its map to run: whoever waits yields, and ends when the block is over.
 */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "stress/profile_run.h"

#define SPINS_BEFORE_YIELD 200u
#define REST_TICK_NS       UINT64_C(100000000)

void run_sync_init(struct profile_run *run)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&run->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&run->moved, &attr);
	pthread_condattr_destroy(&attr);
}

void run_gate(struct profile_thread *t)
{
	struct profile_run *run = t->run;
	unsigned turns = 0;

	atomic_add_acqrel(&run->at_gate, 1);
	while (atomic_load_acquire(&run->at_gate) < run->params.threads) {
		if (++turns % SPINS_BEFORE_YIELD == 0)
			sched_yield();
		atomic_pause();
	}
}

void run_rest(struct profile_thread *t)
{
	struct profile_run *run = t->run;
	uint64_t from = clock_ns();

	pthread_mutex_lock(&run->lock);
	run->resting++;
	pthread_cond_broadcast(&run->moved);
	while (run->quiet)
		pthread_cond_wait(&run->moved, &run->lock);
	run->resting--;
	pthread_mutex_unlock(&run->lock);
	if (!t->stopped)
		t->reset_ns += clock_ns() - from;
}

void run_leave(struct profile_thread *t)
{
	struct profile_run *run = t->run;

	pthread_mutex_lock(&run->lock);
	run->active--;
	pthread_cond_broadcast(&run->moved);
	pthread_mutex_unlock(&run->lock);
}

bool profile_over(const struct profile_thread *t)
{
	return atomic_load_relaxed(&t->run->control) == RUN_OVER;
}

void profile_relax(struct profile_thread *t, unsigned *turns)
{
	if (unlikely(atomic_load_relaxed(&t->run->control) == RUN_REST))
		run_rest(t);
	if (++*turns % SPINS_BEFORE_YIELD == 0)
		sched_yield();
	atomic_pause();
}

bool profile_meet(struct profile_thread *t, int (*fn)(struct profile_map *map))
{
	struct profile_map *map = t->at;
	atomic_u64 *word = &map->meeting.word;
	uint64_t seen = atomic_add_acqrel(word, 1) + 1, held = seen >> 16;
	unsigned turns = 0;
	int err;

	if ((seen & 0xffff) == map->threads) {
		err = fn ? fn(map) : 0;
		if (err)
			profile_fail(t, CALL_MMAP, PROFILE_BASE, 0, err);
		atomic_store_release(word, (held + 1) << 16);                            /* M1 -> M2 */
		return true;
	}
	for (;;) {
		seen = atomic_load_acquire(word);                                        /* M2 <- M1 */
		if (seen >> 16 != held)
			return true;
		if (profile_over(t) && (seen & 0xffff) < map->threads && atomic_cas_acqrel(word, &seen, seen - 1))
			return false;
		profile_relax(t, &turns);
	}
}

void profile_stop(struct profile_run *run)
{
	pthread_mutex_lock(&run->lock);
	atomic_store_release(&run->control, RUN_OVER);
	pthread_cond_broadcast(&run->moved);
	pthread_mutex_unlock(&run->lock);
}

bool profile_running(struct profile_run *run)
{
	bool running;

	pthread_mutex_lock(&run->lock);
	running = run->active > 0;
	pthread_mutex_unlock(&run->lock);
	return running;
}

/* Under lock. True: everybody who is still inside rests. The time is counted in ticks, so that one in which the whole
 * machine stood still is no more than a tick. */
static bool wait_for_rest(struct profile_run *run, uint64_t timeout_ns)
{
	uint64_t waited = 0;

	while (run->resting < run->active) {
		uint64_t until = clock_ns() + REST_TICK_NS;
		struct timespec ts = { (time_t)(until / 1000000000), (long)(until % 1000000000) };

		if (pthread_cond_timedwait(&run->moved, &run->lock, &ts) == ETIMEDOUT &&
		    (waited += REST_TICK_NS) >= timeout_ns)
			return run->resting == run->active;
	}
	return true;
}

int profile_pause(struct profile_run *run, void (*fn)(void *arg), void *arg, uint64_t timeout_ns)
{
	int err = 0;

	pthread_mutex_lock(&run->lock);
	if (!run->active || atomic_load_relaxed(&run->control) != RUN_ON) {
		pthread_mutex_unlock(&run->lock);
		return -ESRCH;
	}
	run->quiet = true;
	atomic_store_release(&run->control, RUN_REST);
	if (!wait_for_rest(run, timeout_ns))
		err = -ETIMEDOUT;
	else if (!run->active)
		err = -ESRCH;
	else
		fn(arg);
	run->quiet = false;
	if (atomic_load_relaxed(&run->control) == RUN_REST)
		atomic_store_release(&run->control, RUN_ON);
	pthread_cond_broadcast(&run->moved);
	pthread_mutex_unlock(&run->lock);
	return err;
}
