/* SPDX-License-Identifier: MIT */
/*
 * profile_crew.c - a run's own threads: made at its first block, pinned, asleep between blocks, gone with the run.
 *
 * They live as long as the run, so that the engine meets the same threads (slots, arenas, frame caches) in each block.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "stress/profile_run.h"

struct run_crew {
	struct profile_run *run;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	uint64_t block;                          /* number of the latest block sent out                            */
	unsigned busy, started;
	bool end;
	struct crew_member { struct run_crew *crew; unsigned i; pthread_t thread; } member[PROFILE_CREW_MAX];
};

/* Thread i sits on the i-th CPU of the process, modulo their number; where that is refused, anywhere. */
static void pin(unsigned i)
{
	cpu_set_t all, one;
	int n;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	n = (int)(i % (unsigned)CPU_COUNT(&all));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all) || n--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
		return;
	}
}

static void *member_main(void *arg)
{
	struct crew_member *me = arg;
	struct run_crew *crew = me->crew;
	uint64_t done = 0;

	if (crew->run->params.pin)
		pin(me->i);
	pthread_mutex_lock(&crew->lock);
	for (;;) {
		while (!crew->end && crew->block == done)
			pthread_cond_wait(&crew->moved, &crew->lock);
		if (crew->block == done)
			break;
		done = crew->block;
		pthread_mutex_unlock(&crew->lock);
		profile_block_thread(crew->run, me->i);
		pthread_mutex_lock(&crew->lock);
		if (--crew->busy == 0)
			pthread_cond_broadcast(&crew->moved);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

static int crew_make(struct profile_run *run)
{
	struct run_crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
		return -ENOMEM;
	crew->run = run;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->moved, NULL);
	run->crew = crew;
	for (unsigned i = 0; i < run->params.threads; i++) {
		crew->member[i] = (struct crew_member){ crew, i, 0 };
		if (pthread_create(&crew->member[i].thread, NULL, member_main, &crew->member[i]))
			return -EAGAIN;
		crew->started++;
	}
	return 0;
}

int run_crew_start(struct profile_run *run)
{
	int err;

	if (run->params.threads > PROFILE_CREW_MAX)
		return -EINVAL;
	err = run->crew ? 0 : crew_make(run);

	if (err)
		return err;
	pthread_mutex_lock(&run->crew->lock);
	run->crew->block++;
	run->crew->busy = run->params.threads;
	pthread_cond_broadcast(&run->crew->moved);
	pthread_mutex_unlock(&run->crew->lock);
	return 0;
}

void run_crew_wait(struct profile_run *run)
{
	pthread_mutex_lock(&run->crew->lock);
	while (run->crew->busy)
		pthread_cond_wait(&run->crew->moved, &run->crew->lock);
	pthread_mutex_unlock(&run->crew->lock);
}

void run_crew_end(struct profile_run *run)
{
	struct run_crew *crew = run->crew;

	if (!crew)
		return;
	pthread_mutex_lock(&crew->lock);
	crew->end = true;
	pthread_cond_broadcast(&crew->moved);
	pthread_mutex_unlock(&crew->lock);
	for (unsigned i = 0; i < crew->started; i++)
		pthread_join(crew->member[i].thread, NULL);
	pthread_mutex_destroy(&crew->lock);
	pthread_cond_destroy(&crew->moved);
	free(crew);
	run->crew = NULL;
}
