/* SPDX-License-Identifier: MIT */
/* until.h - for the tests of deadlines: a map with something of everything, and a thread that holds a part of it. */
#ifndef TESTS_UNIT_SPACE_UNTIL_H
#define TESTS_UNIT_SPACE_UNTIL_H

#include <pthread.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/park.h"
#include "tests/badargs/unchanged.h"

#define BREAK   (BASE + 1000 * PAGE)
#define AT(page) (BASE + (uint64_t)(page) * PAGE)
#define SOME_MS UINT64_C(3000000)

/* 0-8 rw, written; 8-12 gap; 12-20 r; 20-24 gap; 24-32 shared; 70-76 locked; 100-116 rw, written; the break 8
 * pages up. */
static inline struct vmmap *until_map(const char *policy)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap_object *file;
	struct vmmap *map;

	config.brk_start = BREAK;
	map = maps_limited(policy, config);
	maps_fixed(map, 0, 8, RW, NORES);
	maps_fixed(map, 12, 8, PROT_READ, NORES);
	assert_int_equal(vmmap_object_create(&file, maps_memory, "file", 8 * PAGE, NULL), 0);
	assert_true(vmmap_mmap(map, BASE + 24 * PAGE, 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0) > 0);
	vmmap_object_put(file);
	maps_fixed(map, 70, 6, RW, NORES);
	assert_int_equal(vmmap_mlock(map, AT(70), 6 * PAGE, MLOCK_ONFAULT), 0);
	maps_fixed(map, 100, 16, RW, NORES);
	assert_int_equal(vmmap_brk(map, BREAK + 8 * PAGE), BREAK + 8 * PAGE);
	for (uint64_t page = 1; page < 120; page += 4)
		vmmap_write(map, BASE + page * PAGE, &page, sizeof page);        /* where it can                   */
	return map;
}

struct spot { unsigned lo, hi; };                /* where the other thread holds, in pages                           */

struct holder { pthread_t thread; struct vmmap *map; struct spot spot; atomic_u32 state; };

enum { HOLDER_HOLDS = 1, HOLDER_LETS_GO };

static inline void *holder_main(void *arg)
{
	struct holder *h = arg;
	struct vmmap_held held;

	if (vmmap_hold(h->map, AT(h->spot.lo), (h->spot.hi - h->spot.lo) * PAGE, &held))
		abort();
	atomic_store_release(&h->state, HOLDER_HOLDS);
	park_wake(&h->state, 1);
	while (atomic_load_acquire(&h->state) == HOLDER_HOLDS)
		park_wait(&h->state, HOLDER_HOLDS, PARK_FOREVER);
	vmmap_release(h->map, &held);
	return NULL;
}

static inline void holder_start(struct holder *h, struct vmmap *map, struct spot spot)
{
	*h = (struct holder){ .map = map, .spot = spot };
	assert_int_equal(pthread_create(&h->thread, NULL, holder_main, h), 0);
	while (!atomic_load_acquire(&h->state))
		park_wait(&h->state, 0, PARK_FOREVER);
}

static inline void holder_end(struct holder *h)
{
	atomic_store_release(&h->state, HOLDER_LETS_GO);
	park_wake(&h->state, 1);
	pthread_join(h->thread, NULL);
}

/* Runs each test once per policy that threads may share. After a failure somebody may hold for ever: the end. */
#define UNTIL_MAIN(tests) \
	int main(void) \
	{ \
		int bad = 0; \
		setenv("CMOCKA_TEST_ABORT", "1", 1); \
		for (unsigned p = 0; vmmap_policy_name(p); p++) \
			if (vmmap_policy_threads(p)) \
				bad += maps_run(vmmap_policy_name(p), tests); \
		return bad; \
	}

#endif
