/* SPDX-License-Identifier: MIT */
/*
 * replay.c - see replay.h.
 *
 * Order: `done` has one byte per step; who waits looks at it under the mutex `lock` after a short spin, and sleeps on
 * `moved`. Steps are marked done under the lock, so that the frontier (all steps below it are done) only grows.
 *
 * Placement: an mmap goes to the address that the log gives, with MAP_FIXED_NOREPLACE, so that later calls match; an
 * mremap that moved goes to its recorded place, which must be free.
 */
#include "stress/replay/replay.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/atomic.h"
#include "base/clock.h"

#define LOWEST UINT64_C(65536)
#define HIGHEST ((UINT64_C(1) << 47) - 4096)
#define SPINS 2000

struct crew {
	struct replay *r;
	struct physmem *physmem;
	struct vmmap *map;
	struct vmmap_object **object;
	atomic_u8 *done;
	atomic_u32 frontier, sleepers;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	pthread_barrier_t start;
};

struct worker { struct crew *crew; uint32_t thread; pthread_t id; };

/* ---- order ---- */

static bool may_run(struct crew *c, const struct step *s)
{
	if (!c->r->fast)
		return atomic_load_acquire(&c->frontier) >= s->prefix;
	for (uint32_t k = 0; k < s->deps; k++) {
		if (!atomic_load_seqcst(&c->done[c->r->plan->dep[s->first_dep + k]]))
			return false;
	}
	return true;
}

static void wait_turn(struct crew *c, const struct step *s)
{
	for (int i = 0; i < SPINS; i++) {
		if (may_run(c, s))
			return;
		atomic_pause();
	}
	pthread_mutex_lock(&c->lock);
	atomic_add_seqcst(&c->sleepers, 1);
	while (!may_run(c, s))
		pthread_cond_wait(&c->moved, &c->lock);
	atomic_sub_acqrel(&c->sleepers, 1);
	pthread_mutex_unlock(&c->lock);
}

static void mark_done(struct crew *c, uint32_t step)
{
	uint32_t at;

	if (c->r->fast) {                        /* no shared lock on this way unless somebody sleeps             */
		atomic_store_seqcst(&c->done[step], 1);
		if (!atomic_load_seqcst(&c->sleepers))
			return;
		pthread_mutex_lock(&c->lock);
	} else {
		pthread_mutex_lock(&c->lock);
		atomic_store_seqcst(&c->done[step], 1);
		for (at = atomic_load_relaxed(&c->frontier);
		     at < c->r->plan->steps && atomic_load_relaxed(&c->done[at]); at++)
			;
		atomic_store_release(&c->frontier, at);
	}
	pthread_cond_broadcast(&c->moved);
	pthread_mutex_unlock(&c->lock);
}

/* ---- calls ---- */

static int64_t run_mmap(struct crew *c, const struct record *r)
{
	int flags = r->flags & (MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_ANONYMOUS |
				MAP_NORESERVE);
	struct vmmap_object *object = r->file ? c->object[r->file - 1] : NULL;

	if (r->result < 0)
		return vmmap_mmap(c->map, r->addr, r->len, r->prot, flags, object, r->offset);
	if (!(flags & MAP_FIXED))
		flags |= MAP_FIXED_NOREPLACE;
	return vmmap_mmap(c->map, (uint64_t)r->result, r->len, r->prot, flags, object, r->offset);
}

static bool is_free(struct vmmap *map, uint64_t addr, uint64_t len)
{
	struct vmmap_vma vma;

	return vmmap_query(map, addr, &vma) || vma.start >= addr + len;
}

static int64_t run_mremap(struct crew *c, const struct record *r)
{
	uint64_t to = (uint64_t)r->result;
	int flags = r->flags;

	if (r->result >= 0 && to != r->addr && !(flags & MREMAP_FIXED)) {
		if (!is_free(c->map, to, r->new_len))
			return -EEXIST;
		return vmmap_mremap(c->map, r->addr, r->len, r->new_len, flags | MREMAP_MAYMOVE | MREMAP_FIXED, to);
	}
	if (r->result >= 0 && to == r->addr)
		flags &= ~MREMAP_MAYMOVE;        /* it grew in place: so must this                                 */
	return vmmap_mremap(c->map, r->addr, r->len, r->new_len, flags, r->new_addr);
}

static int64_t run_call(struct crew *c, const struct record *r)
{
	switch (r->call) {
	case CALL_MMAP: return run_mmap(c, r);
	case CALL_MUNMAP: return vmmap_munmap(c->map, r->addr, r->len);
	case CALL_MPROTECT: return vmmap_mprotect(c->map, r->addr, r->len, r->prot);
	case CALL_MREMAP: return run_mremap(c, r);
	case CALL_MADVISE: return vmmap_madvise(c->map, r->addr, r->len, r->advice);
	default: return vmmap_brk(c->map, r->addr);
	}
}

static void mismatch(struct crew *c, uint32_t step, int64_t got)
{
	struct replay *r = c->r;

	pthread_mutex_lock(&c->lock);
	if (r->mismatches < 10)
		r->first[r->mismatches] = (struct mismatch){ step, got };
	r->mismatches++;
	pthread_mutex_unlock(&c->lock);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct crew *c = w->crew;
	const struct plan *p = c->r->plan;

	pthread_barrier_wait(&c->start);
	for (uint32_t i = 0; i < p->steps; i++) {
		const struct step *s = &p->step[i];
		int64_t got;

		if (s->thread != w->thread && !c->r->one_thread)
			continue;
		if (!c->r->one_thread)
			wait_turn(c, s);
		got = run_call(c, &s->r);
		if (got != s->r.result)
			mismatch(c, i, got);
		mark_done(c, i);
	}
	return NULL;
}

/* ---- set-up ---- */

static int open_map(struct crew *c, uint64_t *numbers)
{
	const struct log *log = c->r->plan->log;
	struct vmmap_config config = VMMAP_CONFIG;
	struct physmem_config memory = PHYSMEM_CONFIG;
	int err;

	config.policy = c->r->policy;
	config.lo = LOWEST;
	config.hi = HIGHEST;
	config.brk_start = c->r->plan->brk_start;
	err = physmem_create(&c->physmem, &memory);
	if (err)
		return err;
	config.physmem = c->physmem;
	err = vmmap_create(&c->map, &config);
	for (uint32_t i = 0; i < log->files && !err; i++) {
		err = vmmap_object_create(&c->object[i], c->physmem, log->file[i].name, log->file[i].size, NULL);
		numbers[i] = err ? 0 : vmmap_object_number(c->object[i]);
	}
	return err;
}

static void close_map(struct crew *c)
{
	if (c->map)
		vmmap_destroy(c->map);
	for (uint32_t i = 0; c->object && i < c->r->plan->log->files; i++) {
		if (c->object[i])
			vmmap_object_put(c->object[i]);
	}
	if (c->physmem)
		physmem_destroy(c->physmem);
}

static int run_threads(struct crew *c)
{
	uint32_t n = c->r->one_thread ? 1 : c->r->plan->threads, started = 0;
	struct worker *w = calloc(n, sizeof(*w));
	uint64_t begin;

	if (!w)
		return -ENOMEM;
	pthread_barrier_init(&c->start, NULL, n + 1);
	for (; started < n; started++) {
		w[started] = (struct worker){ .crew = c, .thread = started };
		if (pthread_create(&w[started].id, NULL, work, &w[started]))
			abort();                 /* the others already wait for it at the barrier                  */
	}
	begin = clock_ns();
	pthread_barrier_wait(&c->start);
	for (uint32_t i = 0; i < n; i++)
		pthread_join(w[i].id, NULL);
	c->r->seconds_ns = clock_ns() - begin;
	pthread_barrier_destroy(&c->start);
	free(w);
	return 0;
}

static uint64_t difference(const struct maps *have, const struct spans *want)
{
	uint64_t mapped = maps_bytes(have), both = maps_covered(have, want);

	return mapped - both + spans_bytes(want) - both;
}

int replay_run(struct replay *r)
{
	const struct plan *p = r->plan;
	struct crew c = { .r = r };
	uint64_t *numbers = calloc(p->log->files + 1, sizeof(*numbers));
	int err;

	c.object = calloc(p->log->files + 1, sizeof(*c.object));
	c.done = calloc(p->steps + 1, sizeof(*c.done));
	err = numbers && c.object && c.done ? open_map(&c, numbers) : -ENOMEM;
	if (!err) {
		pthread_mutex_init(&c.lock, NULL);
		pthread_cond_init(&c.moved, NULL);
		err = run_threads(&c);
		r->calls = p->steps;
		if (!err)
			err = maps_engine(&r->maps, c.map, numbers, p->log);
		r->unplanned_bytes = err ? 0 : difference(&r->maps, &p->mapped);
		r->audit = vmmap_audit(c.map, stderr);
		pthread_mutex_destroy(&c.lock);
		pthread_cond_destroy(&c.moved);
	}
	close_map(&c);
	free(numbers);
	free(c.object);
	free(c.done);
	return err;
}
