/* SPDX-License-Identifier: MIT */
/*
 * pager.h - a pager for tests: its copy of a file in plain memory, calls counted, failing on demand, and stopping
 * before a call until somebody lets it go (an event, no time).
 */
#ifndef TESTS_PAGER_H
#define TESTS_PAGER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/atomic.h"
#include "vmmap/vmmap.h"

#define PAGER_PAGES 64u

struct pager {
	_Alignas(8) unsigned char copy[PAGER_PAGES * 4096];
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	uint64_t fail_read, fail_write;          /* each n-th call fails; 0: none                                  */
	bool stop_read, stop_write;              /* the next call waits for pager_go                               */
	bool stopped;                            /* one does                                                       */
	bool void_page[PAGER_PAGES];             /* cut off and not written since: the copy says nothing           */
	atomic_u64 reads, writes;                /* calls                                                          */
	atomic_u64 inside[PAGER_PAGES], twice;   /* writes of one page at one time: never two                      */
};

static inline void pager_init(struct pager *p)
{
	memset(p, 0, sizeof *p);
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->changed, NULL);
	for (uint64_t i = 0; i < PAGER_PAGES; i++)
		memset(p->copy + i * 4096, (int)(0x40 + i), 4096);
}

/* true: this call is to fail. */
static inline bool pager_call(struct pager *p, atomic_u64 *calls, uint64_t nth, bool *stop)
{
	uint64_t n = atomic_add_relaxed(calls, 1) + 1;

	pthread_mutex_lock(&p->mutex);
	if (*stop) {
		*stop = false;
		p->stopped = true;
		pthread_cond_broadcast(&p->changed);
		while (p->stopped)
			pthread_cond_wait(&p->changed, &p->mutex);
	}
	pthread_mutex_unlock(&p->mutex);
	return nth && n % nth == 0;
}

static inline int pager_read(void *self, uint64_t page, void *bytes)
{
	struct pager *p = self;

	if (pager_call(p, &p->reads, p->fail_read, &p->stop_read))
		return 1;
	pthread_mutex_lock(&p->mutex);
	memcpy(bytes, p->copy + page * 4096, 4096);
	pthread_mutex_unlock(&p->mutex);
	return 0;
}

static inline int pager_write(void *self, uint64_t page, const void *bytes)
{
	struct pager *p = self;
	bool fails;

	if (atomic_add_relaxed(&p->inside[page], 1))
		atomic_add_relaxed(&p->twice, 1);
	fails = pager_call(p, &p->writes, p->fail_write, &p->stop_write);
	pthread_mutex_lock(&p->mutex);
	if (!fails) {
		memcpy(p->copy + page * 4096, bytes, 4096);
		p->void_page[page] = false;
	}
	pthread_mutex_unlock(&p->mutex);
	atomic_sub_acqrel(&p->inside[page], 1);
	return fails;
}

static inline struct vmmap_pager pager_of(struct pager *p)
{
	return (struct vmmap_pager){ pager_read, pager_write, p };
}

/* 8 bytes of its copy. */
static inline uint64_t pager_peek(struct pager *p, uint64_t page, unsigned offset)
{
	uint64_t word;

	pthread_mutex_lock(&p->mutex);
	memcpy(&word, p->copy + page * 4096 + offset, sizeof word);
	pthread_mutex_unlock(&p->mutex);
	return word;
}

/* The page was cut off: what is left of it here must never be seen again. */
static inline void pager_cut(struct pager *p, uint64_t page)
{
	pthread_mutex_lock(&p->mutex);
	memset(p->copy + page * 4096, 0xee, 4096);
	p->void_page[page] = true;
	pthread_mutex_unlock(&p->mutex);
}

/* Returns when a call is stopped. */
static inline void pager_await(struct pager *p)
{
	pthread_mutex_lock(&p->mutex);
	while (!p->stopped)
		pthread_cond_wait(&p->changed, &p->mutex);
	pthread_mutex_unlock(&p->mutex);
}

static inline void pager_go(struct pager *p)
{
	pthread_mutex_lock(&p->mutex);
	p->stopped = false;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->mutex);
}

#endif
