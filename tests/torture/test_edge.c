/* SPDX-License-Identifier: MIT */
/*
 * test_edge.c - the last frame and the last gap, under threads: no call fails while there is room, and nobody gets more
 * than there is. A fixed amount of work; test_edge [--policy NAME] [--rounds N] [--seed N].
 *
 * FRAMES   Each thread maps, stores its own number into each page, has a neighbour look at some of them (so that their
 *          frames are deferred), compares, unmaps in pieces. ROOM: together they want no more than there is less what
 *          caches of slots may hold back (vmmap/physmem.h): nobody may be refused. SHORT: they want more: refusals, but
 *          what was stored is there, and when all is unmapped every frame can be had again.
 * GAPS     Units of one window, of a page and of 2^38 bytes. Each thread has its share, so that at each instant one is
 *          free when it asks for one: nobody may be refused. Then they want more than there are: refusals, and no unit
 *          has two owners.
 */
#include <pthread.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/point.h"
#include "base/prng.h"
#include "tests/options.h"
#include "tests/unit/space/maps.h"

#define THREADS 4
#define FRAMES  4096u
#define CACHES  5u                               /* batches of 64 that a slot holds back: 3 loaded, 2 deferred      */
#define ROOM    ((FRAMES - (THREADS - 1) * CACHES * 64 - THREADS) / THREADS)
#define REGION  UINT64_C(0x2000)                 /* pages between two threads' regions                             */
#define PIECE   64u                              /* unmapped at a time: deferred frames make chains of 128          */

static unsigned rounds = BUILT_WITH_TSAN ? 20 : 100;
static uint64_t seed = 1;
static struct vmmap *map;
static atomic_u64 refused, violations, looked;

struct worker {
	pthread_t thread;
	struct prng rng;
	uint64_t number, most;                   /* pages; units                                                   */
};

static void violation(const char *what, uint64_t a, uint64_t b)
{
	if (atomic_add_relaxed(&violations, 1) < 5)
		fprintf(stderr, "%s: %#llx, %#llx\n", what, (unsigned long long)a, (unsigned long long)b);
}

/* ---- frames ---- */

static uint64_t page_of(uint64_t thread, uint64_t page)
{
	return BASE + (thread * REGION + page) * PAGE;
}

/* Returns the pages that got a frame. */
static uint64_t fill(struct worker *w, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t mine = page_of(w->number, i), theirs = page_of((w->number + 1) % THREADS, i), word;
		ssize_t got = vmmap_write(map, mine, &mine, sizeof mine);

		if (got == -ENOMEM) {
			atomic_add_relaxed(&refused, 1);
			return i;
		}
		if (got != sizeof mine)
			violation("store", mine, (uint64_t)-got);
		if (vmmap_read(map, theirs, &word, sizeof word) == sizeof word && word) {
			atomic_add_relaxed(&looked, 1);
			if (word != theirs)
				violation("a neighbour's page", theirs, word);
		}
	}
	return pages;
}

static void empty(struct worker *w, uint64_t pages, uint64_t stored)
{
	for (uint64_t i = 0; i < pages; i += PIECE) {
		for (uint64_t k = i; k < i + PIECE && k < stored; k++) {
			uint64_t word = 0, want = page_of(w->number, k);

			if (vmmap_read(map, want, &word, sizeof word) != sizeof word || word != want)
				violation("my page", want, word);
		}
		if (vmmap_munmap(map, page_of(w->number, i), (pages - i < PIECE ? pages - i : PIECE) * PAGE))
			violation("munmap", page_of(w->number, i), pages);
	}
}

static void *churn_frames(void *arg)
{
	struct worker *w = arg;

	for (unsigned r = 0; r < rounds / 5; r++) {
		uint64_t most = r && w->most > FRAMES ? FRAMES / 2 : w->most, at = page_of(w->number, 0);
		uint64_t pages = r ? 1 + prng_below(&w->rng, most) : most;

		if (vmmap_mmap(map, at, pages * PAGE, RW, NORES | MAP_FIXED, NULL, 0) != (int64_t)at)
			violation("mmap", at, pages);
		empty(w, pages, fill(w, pages));
	}
	return NULL;
}

/* ---- gaps ---- */

#define UNITS 256u

static uint64_t unit;                            /* bytes                                                          */
static atomic_u32 owner[UNITS];

static bool take_unit(struct worker *w, uint64_t *at)
{
	int64_t got = vmmap_mmap_within(map, unit, unit * (UNITS + 1), unit, 0, unit, PROT_NONE + (int)(w->number & 1),
					NORES, NULL, 0);
	uint32_t nobody = 0;

	if (got == -ENOMEM) {
		atomic_add_relaxed(&refused, 1);
		return false;
	}
	*at = (uint64_t)got;
	if (got < (int64_t)unit || *at % unit || *at > unit * UNITS) {
		violation("a place outside", *at, unit);
		return false;
	}
	if (!atomic_cas_acqrel(&owner[*at / unit - 1], &nobody, (uint32_t)w->number + 1))
		violation("a unit has two owners", *at, nobody);
	return true;
}

static void give_unit(uint64_t at)
{
	atomic_store_release(&owner[at / unit - 1], 0);
	if (vmmap_munmap(map, at, unit))
		violation("munmap", at, unit);
}

static void *churn_gaps(void *arg)
{
	struct worker *w = arg;
	uint64_t at[UNITS + 1], n = 0;

	for (unsigned r = 0; r < rounds * 40; r++) {
		if (n < w->most && prng_below(&w->rng, 16)) {
			n += take_unit(w, &at[n]);
		} else if (n) {
			uint64_t i = prng_below(&w->rng, n);

			give_unit(at[i]);
			at[i] = at[--n];
		}
	}
	while (n)
		give_unit(at[--n]);
	return NULL;
}

/* ---- runs ---- */

static uint64_t run(void *(*work)(void *arg), uint64_t most)
{
	struct worker workers[THREADS];

	atomic_store_relaxed(&refused, 0);
	atomic_store_relaxed(&looked, 0);
	point_yield(64, seed);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .number = i, .most = most, .rng = prng_seed(seed, i) };
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	point_yield(0, 0);
	assert_int_equal(atomic_load_relaxed(&violations), 0);
	return atomic_load_relaxed(&refused);
}

static void map_make(const char *policy, uint64_t frames)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct physmem_config memory = PHYSMEM_CONFIG;

	memory.pages = frames;
	memory.bytes = 1;
	assert_int_equal(physmem_create(&maps_memory, &memory), 0);
	config.policy = policy;
	config.physmem = maps_memory;
	config.lo = PAGE;
	assert_int_equal(vmmap_create(&map, &config), 0);
	point_mutant_select(getenv("VMMAP_MUTANT"));     /* by hand: which of them does it find?                   */
}

static void test_frames_room(void **state)
{
	map_make(*state, FRAMES);
	assert_int_equal(run(churn_frames, ROOM), 0);
	assert_true(atomic_load_relaxed(&looked));
	maps_free(map);
}

static void test_frames_short(void **state)
{
	uint64_t pages = 0;

	map_make(*state, FRAMES);
	assert_true(run(churn_frames, FRAMES + 1));      /* one alone wants too many, whoever runs when            */
	assert_true(maps_fixed(map, 0, FRAMES + 1, RW, NORES) > 0);
	while (maps_touch(map, pages) == 0)
		pages++;
	assert_int_equal(pages, FRAMES);
	maps_free(map);
}

static void gaps(const char *policy, uint64_t bytes)
{
	unit = bytes;
	map_make(policy, 64);
	assert_int_equal(run(churn_gaps, UNITS / THREADS), 0);
	assert_true(run(churn_gaps, UNITS + 1));
	maps_free(map);
}

static void test_gaps(void **state) { gaps(*state, PAGE); }
static void test_huge_gaps(void **state) { gaps(*state, UINT64_C(1) << 38); }

int main(int argc, char **argv)
{
	struct CMUnitTest tests[] = { cmocka_unit_test(test_frames_room), cmocka_unit_test(test_frames_short),
				      cmocka_unit_test(test_gaps), cmocka_unit_test(test_huge_gaps) };
	const char *one = option_text(argc, argv, "--policy", NULL);
	int bad = 0;

	rounds = (unsigned)option_number(argc, argv, "--rounds", rounds);
	seed = option_number(argc, argv, "--seed", seed);
	for (unsigned p = 0; vmmap_policy_name(p); p++)
		if (vmmap_policy_threads(p) && (!one || !strcmp(one, vmmap_policy_name(p))))
			bad += maps_run(vmmap_policy_name(p), tests);
	return bad;
}
