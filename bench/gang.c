/* SPDX-License-Identifier: MIT */
/* gang.c - see gang.h. One mutex and two conditions for coming and going; a spin with yields lines them up. */
#include "bench/gang.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "bench/noise.h"

#define MOST 256

struct member { struct gang *gang; pthread_t thread; unsigned index; };

struct gang {
	pthread_mutex_t mutex;
	pthread_cond_t come, gone;               /* a new run (or the end); the last member is done                */
	unsigned long run;                       /* counts runs                                          [mutex]  */
	unsigned wanted, busy;                   /* members of this run; not yet done                    [mutex]  */
	int quit;                                /*                                                      [mutex]  */
	void (*fn)(void *arg, unsigned i);       /*                                                      [mutex]  */
	void *arg;
	atomic_u32 lined_up;                     /* members of this run that have woken up                         */
	unsigned size;
	struct member member[MOST];
};

static void line_up(struct gang *g, unsigned n)
{
	atomic_add_acqrel(&g->lined_up, 1);
	for (unsigned spins = 0; atomic_load_acquire(&g->lined_up) < n; spins++) {
		if (spins & 1023)
			atomic_pause();
		else
			sched_yield();
	}
}

static void *live(void *arg)
{
	struct member *m = arg;
	struct gang *g = m->gang;
	unsigned long seen = 0;

	noise_pin(m->index);
	pthread_mutex_lock(&g->mutex);
	for (;;) {
		void (*fn)(void *, unsigned);
		unsigned n;

		while (!g->quit && (g->run == seen || (g->run != seen && m->index >= g->wanted))) {
			seen = g->run;
			pthread_cond_wait(&g->come, &g->mutex);
		}
		if (g->quit)
			break;
		seen = g->run;
		fn = g->fn;
		arg = g->arg;
		n = g->wanted;
		pthread_mutex_unlock(&g->mutex);
		line_up(g, n);
		fn(arg, m->index);
		pthread_mutex_lock(&g->mutex);
		if (--g->busy == 0)
			pthread_cond_signal(&g->gone);
	}
	pthread_mutex_unlock(&g->mutex);
	return NULL;
}

struct gang *gang_create(unsigned n)
{
	struct gang *g = calloc(1, sizeof(*g));

	CHECK(g != NULL && n >= 1 && n <= MOST);
	pthread_mutex_init(&g->mutex, NULL);
	pthread_cond_init(&g->come, NULL);
	pthread_cond_init(&g->gone, NULL);
	g->size = n;
	for (unsigned i = 0; i < n; i++) {
		g->member[i].gang = g;
		g->member[i].index = i;
		CHECK(pthread_create(&g->member[i].thread, NULL, live, &g->member[i]) == 0);
	}
	return g;
}

void gang_run(struct gang *g, unsigned n, void (*fn)(void *arg, unsigned i), void *arg)
{
	CHECK(n >= 1 && n <= g->size);
	pthread_mutex_lock(&g->mutex);
	g->fn = fn;
	g->arg = arg;
	g->wanted = g->busy = n;
	atomic_store_release(&g->lined_up, 0);
	g->run++;
	pthread_cond_broadcast(&g->come);
	while (g->busy)
		pthread_cond_wait(&g->gone, &g->mutex);
	pthread_mutex_unlock(&g->mutex);
}

void gang_destroy(struct gang *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->mutex);
	g->quit = 1;
	pthread_cond_broadcast(&g->come);
	pthread_mutex_unlock(&g->mutex);
	for (unsigned i = 0; i < g->size; i++)
		pthread_join(g->member[i].thread, NULL);
	pthread_cond_destroy(&g->come);
	pthread_cond_destroy(&g->gone);
	pthread_mutex_destroy(&g->mutex);
	free(g);
}
