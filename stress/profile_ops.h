/* SPDX-License-Identifier: MIT */
/*
 * profile_ops.h - what a profile is written with: its map, its threads, the calls it makes, meetings, the stop-watch.
 *
 * op_*   a call that must succeed: a failure is recorded, stops the run and is returned.
 * try_*  the same call; the profile deals with the answer.
 * Both go straight to the engine, or through the verifier where the run has one: one predictable branch.
 */
#ifndef STRESS_PROFILE_OPS_H
#define STRESS_PROFILE_OPS_H

#include <sys/mman.h>

#include "base/clock.h"
#include "stress/profile.h"
#include "stress/verify.h"

#define PROFILE_PAGE    ((uint64_t)VMMAP_PAGE_SIZE)
#define PROFILE_MIB     (UINT64_C(1) << 20)
#define PROFILE_GIB     (UINT64_C(1) << 30)
#define PROFILE_TIB     (UINT64_C(1) << 40)
#define PROFILE_BASE    (4 * PROFILE_TIB)        /* where profiles put what they place themselves                  */
#define PROFILE_BRK     (2 * PROFILE_TIB)
#define PROFILE_BATCH   64u                      /* calls of a step, unless one call is many                       */

#define PROFILE_ANON    (MAP_PRIVATE | MAP_ANONYMOUS)
#define PROFILE_RW      (PROT_READ | PROT_WRITE)

struct profile_meeting {                         /* word: meetings held << 16 | threads arrived                    */
	atomic_u64 word;
} PAIR_ALIGNED;

struct profile_map {
	const struct profile *profile;
	const struct profile_params *params;
	struct profile_run *run;
	struct vmmap *vm;
	struct physmem *pm;
	unsigned number, threads;                /* of this map                                                    */
	void *shared;                            /* the profile's; free()d with the run                            */
	struct profile_meeting meeting;
} PAIR_ALIGNED;

struct profile_thread {
	struct vmmap *vm;
	struct verify_thread *verify;            /* NULL: straight to the engine                                   */
	struct profile_map *at;
	struct profile_run *run;
	unsigned number, index;                  /* in the run; in its map                                         */
	struct prng prng;
	uint64_t next, count, round;             /* the profile's: where this thread stands                        */
	unsigned stage;                          /* the profile's: what the next step begins with                  */
	void *own;                               /* the profile's; free()d with the run                            */
	bool ready;                              /* thread_init has run                                            */
	uint64_t reset_from, reset_ns;           /* the stop-watch                                                 */
	bool stopped;                            /* ... stands still: a rest now is part of the reset              */
	atomic_u64 units;                        /* since open                                                     */
	struct profile_share share;
} PAIR_ALIGNED;

/* ---- the run, as a profile sees it ---- */

/* True: the block is over (or has failed): a wait inside a step must end and the step return. */
bool profile_over(const struct profile_thread *t);
/* One turn of a wait: pauses, then yields; rests while somebody looks at the quiet map. */
void profile_relax(struct profile_thread *t, unsigned *turns);
/* Waits until all threads of this map are here; the last one calls fn(map) (NULL: nothing) before any goes on.
 * False: the block ended first, this thread has withdrawn. fn: 0 or -errno, which fails the run. */
bool profile_meet(struct profile_thread *t, int (*fn)(struct profile_map *map));
/* Records the first failure of a run and stops it. Returns err. */
int  profile_fail(struct profile_thread *t, enum profile_call call, uint64_t addr, uint64_t len, int err);

/* What lies between the two is not on this thread's clock. */
static inline void profile_watch_stop(struct profile_thread *t)
{
	t->stopped = true;
	t->reset_from = clock_ns();
}

static inline void profile_watch_start(struct profile_thread *t)
{
	t->reset_ns += clock_ns() - t->reset_from;
	t->stopped = false;
}

/* n >> shrink, at least least. */
static inline uint64_t profile_size(const struct profile_map *map, uint64_t n, uint64_t least)
{
	uint64_t small = n >> map->params->shrink;

	return small < least ? least : small;
}

/* ---- a random order without memory ----
 * A bijection of [0, n): two rounds of (add, multiply by an odd number, xor with the upper half) on the next power of
 * two, applied again while the value falls outside (cycle walking: fewer than two applications on average). */
struct profile_shuffle { uint64_t n, mask, add, odd; unsigned half; };

static inline struct profile_shuffle profile_shuffle_make(uint64_t n, uint64_t seed)
{
	struct prng p = prng_seed(seed, 77);
	unsigned bits = 2;

	while ((UINT64_C(1) << bits) < n)
		bits++;
	return (struct profile_shuffle){ n, (UINT64_C(1) << bits) - 1, prng_next(&p), prng_next(&p) | 1, bits / 2 };
}

static inline uint64_t profile_shuffle_at(const struct profile_shuffle *s, uint64_t i)
{
	do {
		i = ((i + s->add) * s->odd) & s->mask;
		i ^= i >> s->half;
		i = (i * UINT64_C(0x9e3779b97f4a7c15)) & s->mask;
		i ^= i >> s->half;
	} while (unlikely(i >= s->n));
	return i;
}

/* ---- what a set-up or the leader of a meeting does to the whole map: unknown to the verifier ---- */

static inline int map_anew(struct profile_map *map, uint64_t addr, uint64_t len, int prot, int flags)
{
	int64_t got;
	int err;

	if (map->params->verify)
		verify_forget(map->params->verify, addr, len);
	err = vmmap_munmap(map->vm, addr, len);
	if (err)
		return err;
	got = vmmap_mmap(map->vm, addr, len, prot, flags | MAP_FIXED, NULL, 0);
	return got < 0 ? (int)got : 0;
}

static inline void assume_fresh(struct profile_thread *t, uint64_t addr, uint64_t len, int prot)
{
	if (t->verify)
		verify_assume_fresh(t->verify, addr, len, prot);
}

/* ---- calls ---- */

static inline int64_t try_mmap(struct profile_thread *t, uint64_t addr, uint64_t len, int prot, int flags)
{
	return likely(!t->verify) ? vmmap_mmap(t->vm, addr, len, prot, flags, NULL, 0)
				  : verify_mmap(t->verify, addr, len, prot, flags);
}

static inline int64_t try_within(struct profile_thread *t, uint64_t lo, uint64_t hi, uint64_t len, int prot)
{
	return likely(!t->verify) ? vmmap_mmap_within(t->vm, lo, hi, PROFILE_PAGE, 0, len, prot, PROFILE_ANON, NULL, 0)
				  : verify_within(t->verify, lo, hi, len, prot);
}

static inline int try_munmap(struct profile_thread *t, uint64_t addr, uint64_t len)
{
	return likely(!t->verify) ? vmmap_munmap(t->vm, addr, len) : verify_munmap(t->verify, addr, len);
}

static inline int try_mprotect(struct profile_thread *t, uint64_t addr, uint64_t len, int prot)
{
	return likely(!t->verify) ? vmmap_mprotect(t->vm, addr, len, prot)
				  : verify_mprotect(t->verify, addr, len, prot);
}

static inline int try_madvise(struct profile_thread *t, uint64_t addr, uint64_t len, int advice)
{
	return likely(!t->verify) ? vmmap_madvise(t->vm, addr, len, advice)
				  : verify_madvise(t->verify, addr, len, advice);
}

static inline int64_t try_mremap(struct profile_thread *t, struct verify_remap r)
{
	return likely(!t->verify) ? vmmap_mremap(t->vm, r.old_addr, r.old_len, r.new_len, r.flags, r.new_addr)
				  : verify_mremap(t->verify, r);
}

static inline int try_fault(struct profile_thread *t, uint64_t addr, int access)
{
	return likely(!t->verify) ? vmmap_fault(t->vm, addr, access, NULL) : verify_fault(t->verify, addr, access);
}

/* A program's store to a page: a write fault, which a page that is present answers at once. */
static inline int try_touch(struct profile_thread *t, uint64_t addr)
{
	return likely(!t->verify) ? vmmap_fault(t->vm, addr, PROT_WRITE, NULL) : verify_touch(t->verify, addr);
}

static inline int64_t op_mmap(struct profile_thread *t, uint64_t addr, uint64_t len, int prot, int flags)
{
	int64_t got = try_mmap(t, addr, len, prot, flags);

	if (unlikely(got < 0))
		profile_fail(t, CALL_MMAP, addr, len, (int)got);
	return got;
}

static inline int op_munmap(struct profile_thread *t, uint64_t addr, uint64_t len)
{
	int err = try_munmap(t, addr, len);

	return likely(!err) ? 0 : profile_fail(t, CALL_MUNMAP, addr, len, err);
}

static inline int op_mprotect(struct profile_thread *t, uint64_t addr, uint64_t len, int prot)
{
	int err = try_mprotect(t, addr, len, prot);

	return likely(!err) ? 0 : profile_fail(t, CALL_MPROTECT, addr, len, err);
}

static inline int op_madvise(struct profile_thread *t, uint64_t addr, uint64_t len, int advice)
{
	int err = try_madvise(t, addr, len, advice);

	return likely(!err) ? 0 : profile_fail(t, CALL_MADVISE, addr, len, err);
}

static inline int op_touch(struct profile_thread *t, uint64_t addr)
{
	int err = try_touch(t, addr);

	return likely(!err) ? 0 : profile_fail(t, CALL_FAULT, addr, PROFILE_PAGE, err);
}

#endif
