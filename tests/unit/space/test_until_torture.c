/* SPDX-License-Identifier: MIT */
/*
 * test_until_torture.c - all calls at random on a few pages, by four threads, under every policy: all of them tries;
 * deadlines of 0 to 50 us among plain calls; and plain holders between tries. Whoever gives up gives up at every place
 * of the protocol, with grants on their way. Afterwards the map is sound and canonical, nobody sleeps for ever, and
 * what the two errors promise has been kept: a thread's own pages are as its successful calls left them.
 */
#include <pthread.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/point.h"
#include "base/prng.h"
#include "tests/unit/space/maps.h"
#include "vmmap/space/space.h"

#define THREADS 4
#define PAGES   40                               /* all threads'; a leaf ends in the middle                         */
#define OWN     8                                /* pages of each thread alone, right after them                    */
#define ROUNDS  3
#define RUN_NS  UINT64_C(120000000)

enum mix { MIX_TRY, MIX_SHORT, MIX_HOLDERS, MIXES };

struct worker {
	pthread_t thread;
	struct vmmap *map;
	enum mix mix;
	bool edits;                              /* mmap and mprotect only: a border changes with each of them     */
	unsigned number;
	struct prng prng;
	uint64_t end, calls, gave_up, wrong;
};

static uint64_t some_deadline(struct worker *w)
{
	unsigned dice = (unsigned)prng_below(&w->prng, 8);

	if (w->mix == MIX_TRY || (w->mix == MIX_HOLDERS && dice < 6))
		return VMMAP_TRY;
	if (w->mix == MIX_HOLDERS || dice < 2)
		return VMMAP_FOREVER;
	return clock_ns() + prng_below(&w->prng, 50000);
}

static int some_prot(struct worker *w) { return prng_below(&w->prng, 3) ? RW : PROT_READ; }

static int64_t some_remap(struct worker *w, uint64_t addr, uint64_t len, uint64_t until)
{
	uint64_t to = BASE + prng_below(&w->prng, PAGES - 8) * PAGE, new_len = (1 + prng_below(&w->prng, 8)) * PAGE;
	int flags = prng_below(&w->prng, 4) ? MREMAP_MAYMOVE | MREMAP_FIXED : MREMAP_MAYMOVE;
	int64_t got;

	if (prng_below(&w->prng, 3) == 0)
		new_len = len;
	got = vmmap_mremap_until(w->map, addr, len, new_len, flags, flags & MREMAP_FIXED ? to : 0, until);
	if (got >= 0 && !(flags & MREMAP_FIXED) && (uint64_t)got >= BASE + PAGES * PAGE)
		vmmap_munmap(w->map, (uint64_t)got, new_len);
	return got;
}

static int64_t some_hold(struct worker *w, uint64_t addr, uint64_t len, uint64_t until)
{
	struct vmmap_held held;
	int64_t got = vmmap_hold_until(w->map, addr, len, &held, until);

	if (got)
		return got;
	if (prng_below(&w->prng, 4) == 0)
		usleep((useconds_t)prng_below(&w->prng, 60));
	vmmap_release(w->map, &held);
	return 0;
}

static int64_t some_call(struct worker *w, uint64_t until)
{
	static const int advices[] = { MADV_DONTNEED, MADV_FREE, MADV_DONTDUMP, MADV_DODUMP, MADV_POPULATE_READ };
	uint64_t page = prng_below(&w->prng, PAGES), n = 1 + prng_below(&w->prng, 6), addr, len, word;

	n = n < PAGES - page ? n : PAGES - page;
	addr = BASE + page * PAGE;
	len = n * PAGE;
	switch (w->edits ? 3 * prng_below(&w->prng, 2) : prng_below(&w->prng, 12)) {
	case 0:
	case 1:  return vmmap_mmap_until(w->map, addr, len, some_prot(w), NORES | MAP_FIXED, NULL, 0, until);
	case 2:  return vmmap_munmap_until(w->map, addr, len, until);
	case 3:
	case 4:  return vmmap_mprotect_until(w->map, addr, len, some_prot(w), until);
	case 5:  return some_remap(w, addr, len, until);
	case 6:
		return vmmap_madvise_until(w->map, addr, len, advices[prng_below(&w->prng, ARRAY_SIZE(advices))],
					   until);
	case 7:  return vmmap_fault_until(w->map, addr, PROT_WRITE, NULL, until);
	case 8:  return vmmap_read_until(w->map, addr, &word, sizeof word, until);
	case 9:  return vmmap_mlock_until(w->map, addr, len, page & 1 ? MLOCK_ONFAULT : 0, until);
	case 10: return vmmap_munlock_until(w->map, addr, len, until);
	default: return some_hold(w, addr, len, until);
	}
}

static bool gave_up(int64_t got, uint64_t until)
{
	return got == (until == VMMAP_TRY ? -EAGAIN : -ETIMEDOUT);
}

/* On pages that nobody else uses, beside those that all use: refused, a protection is the old one; else the new one. */
static void own_call(struct worker *w, uint64_t until, int *prot)
{
	uint64_t addr = BASE + (PAGES + w->number * OWN) * PAGE;
	int next = *prot == RW ? PROT_READ : RW;
	int got = vmmap_mprotect_until(w->map, addr, OWN * PAGE, next, until);
	struct vmmap_vma v;

	if (got && !gave_up(got, until))
		w->wrong++;
	*prot = got ? *prot : next;
	w->wrong += vmmap_query(w->map, addr, &v) || v.start > addr || v.end < addr + OWN * PAGE || v.prot != *prot;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int prot = RW;

	while (clock_ns() < w->end) {
		uint64_t until = some_deadline(w);
		int64_t got = some_call(w, until);

		w->calls++;
		w->gave_up += gave_up(got, until);
		w->wrong += (got == -EAGAIN || got == -ETIMEDOUT) && !gave_up(got, until);
		own_call(w, some_deadline(w), &prot);
	}
	return NULL;
}

static void one_round(const char *policy, enum mix mix, bool edits, uint64_t seed, struct vmmap_config limits)
{
	struct vmmap *map = maps_limited(policy, limits);
	struct worker w[THREADS];
	uint64_t calls = 0, given_up = 0;

	assert_int_equal(vtree_separate(&map->tree, thread_self(), BASE + PAGES / 2 * PAGE), 0);
	assert_int_equal(vtree_separate(&map->tree, thread_self(), BASE + PAGES * PAGE), 0);
	assert_true(maps_fixed(map, 0, PAGES + THREADS * OWN, RW, NORES) > 0);
	for (unsigned i = 0; i < THREADS; i++) {
		w[i] = (struct worker){ .map = map, .mix = mix, .edits = edits, .number = i,
					.prng = prng_seed(seed, i), .end = clock_ns() + RUN_NS };
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].wrong, 0);
		calls += w[i].calls;
		given_up += w[i].gave_up;
	}
	print_message("%s: %llu calls, %llu gave up\n", policy, (unsigned long long)calls,
		      (unsigned long long)given_up);
	maps_free(map);
}

static void test_all_give_up(void **state)
{
	const struct vmmap_config none = VMMAP_CONFIG;

	for (unsigned i = 0; i < ROUNDS; i++)
		for (enum mix mix = 0; mix < MIXES; mix++)
			one_round(*state, mix, false, 100 * i + mix, none);
}

/* The same, where each edit opens a window, and the VMAs seldom suffice for what all threads want to reserve. */
static void test_with_limits(void **state)
{
	struct vmmap_config limits = VMMAP_CONFIG;

	limits.limit_vmas = 120;
	limits.limit_as = limits.limit_locked = 1000 * PAGE;
	for (enum mix mix = 0; mix < MIXES; mix++) {
		one_round(*state, mix, false, 1000 + mix, limits);
		one_round(*state, mix, true, 2000 + mix, limits);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = { cmocka_unit_test(test_all_give_up), cmocka_unit_test(test_with_limits) };
	int bad = 0;

	setenv("CMOCKA_TEST_ABORT", "1", 1);
	point_yield(24, 7);                      /* so that threads meet inside each other's steps               */
	for (unsigned p = 0; vmmap_policy_name(p); p++)
		if (vmmap_policy_threads(p))
			bad += maps_run(vmmap_policy_name(p), tests);
	return bad;
}
