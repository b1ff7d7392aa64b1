/* SPDX-License-Identifier: MIT */
/*
 * crew.c - how the threads of a profile's block start together, meet, rest and stop, where they are logical cores.
 *
 * Stands in for stress/profile_sync.c and stress/profile_crew.c; the profiles themselves are the ones that run on real
 * threads. All of this is harness: it is not instrumented, and switches cores only where it waits.
 *
 * MEETING   word = meetings held << 16 | arrived. Who waits sleeps, without a system call's cost; the last one sends
 *           all off at the same virtual time, after what a tree barrier would cost (`crew_meeting_ps`). Who is woken
 *           because the block is over takes its arrival back, unless the meeting is full.
 * RELAX     a wait for something that is not told: looks again after a sixteenth of the time that it has waited, 200 ns
 *           at most. Without that limit threads that wait in a ring make each other's waits longer without end.
 */
#include <errno.h>
#include "base/compiler.h"
#include "bench/manycore/crew.h"
#include "bench/manycore/turn.h"
#include "stress/profile_run.h"

#define LOOK_PS      (50 * TURN_PS)
#define LOOK_MOST_PS (200 * TURN_PS)

uint64_t crew_meeting_ps;

static uint64_t waits_since[CORE_MAX];

void run_sync_init(struct profile_run *run)
{
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->moved, NULL);
}

void run_gate(struct profile_thread *t)
{
	struct profile_run *run = t->run;

	if (atomic_add_acqrel(&run->at_gate, 1) + 1 == run->params.threads)
		turn_release(&run->at_gate, 0);
	else
		turn_sleep(&run->at_gate);
}

/* Nobody looks at the quiet map here. */
void run_rest(struct profile_thread *t)
{
	(void)t;
}

void run_leave(struct profile_thread *t)
{
	t->run->active--;
}

bool profile_over(const struct profile_thread *t)
{
	return atomic_load_relaxed(&t->run->control) == RUN_OVER;
}

void profile_relax(struct profile_thread *t, unsigned *turns)
{
	uint64_t now = core_current->time, waited;

	(void)t;
	if ((*turns)++ == 0)
		waits_since[core_current->number] = now;
	waited = (now - waits_since[core_current->number]) / 16;
	turn_spend(waited < LOOK_PS ? LOOK_PS : waited > LOOK_MOST_PS ? LOOK_MOST_PS : waited);
}

bool profile_meet(struct profile_thread *t, int (*fn)(struct profile_map *map))
{
	struct profile_map *map = t->at;
	atomic_u64 *word = &map->meeting.word;
	uint64_t seen = atomic_add_acqrel(word, 1) + 1, held = seen >> 16;

	if ((seen & 0xffff) == map->threads) {
		int err = fn ? fn(map) : 0;

		if (err)
			profile_fail(t, CALL_MMAP, PROFILE_BASE, 0, err);
		atomic_store_release(word, (held + 1) << 16);
		turn_release(word, crew_meeting_ps);
		if (map->threads > 1)
			turn_spend(crew_meeting_ps);
		return true;
	}
	for (;;) {
		seen = atomic_load_acquire(word);
		if (seen >> 16 != held)
			return true;
		if (profile_over(t) && (seen & 0xffff) < map->threads) {
			atomic_store_release(word, seen - 1);
			return false;
		}
		turn_sleep(word);
	}
}

void profile_stop(struct profile_run *run)
{
	atomic_store_release(&run->control, RUN_OVER);
	for (unsigned i = 0; i < run->nmaps; i++)
		turn_release(&run->maps[i].meeting.word, 0);
}

bool profile_running(struct profile_run *run)
{
	return run->active > 0;
}

int profile_pause(struct profile_run *run, void (*fn)(void *arg), void *arg, uint64_t timeout_ns)
{
	(void)run;
	(void)fn;
	(void)arg;
	(void)timeout_ns;
	return -ESRCH;
}

/* ---- threads ---- */

static void block(void *arg)
{
	struct profile_thread *t = arg;

	profile_block_thread(t->run, t->number);
}

int run_crew_start(struct profile_run *run)
{
	for (unsigned i = 0; i < run->params.threads; i++)
		core_give(i, block, &run->threads[i]);
	return 0;
}

/* Who sleeps for ever is found by who looks at the result: the units are not done, and crew_stuck says why. */
bool crew_stuck;

void run_crew_wait(struct profile_run *run)
{
	(void)run;
	crew_stuck = core_run() != 0;
}

static void leave(void *arg)
{
	(void)arg;
	core_thread_exit();
}

void run_crew_end(struct profile_run *run)
{
	for (unsigned i = 0; i < run->params.threads && !crew_stuck; i++)
		core_give(i, leave, NULL);
	(void)core_run();
}

bool crew_on_clock(const struct profile_run *run, uint32_t core)
{
	return core < run->params.threads && !run->threads[core].stopped;
}
