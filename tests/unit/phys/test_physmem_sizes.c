/* SPDX-License-Identifier: MIT */
/* test_physmem_sizes.c - how much caches keep goes with the memory that there is: at boot, plugged, and unplugged. */
#include <pthread.h>

#include "base/park.h"
#include "base/point.h"
#include "tests/unit/phys/crew.h"
#include "tests/unit/phys/fixture.h"
#include "vmmap/physmem_hotplug.h"

#define LIMIT  (UINT64_C(1) << 17)
#define TINY   UINT64_C(512)
#define STAYS  UINT64_C(16384)                   /* low; above it is what goes                                      */
#define HALF   (FRAME_SPARE_MAX * FRAME_BATCH)   /* what a slot of a large machine keeps: as much as stays          */

struct sizes { uint32_t batch, defer_batch, spare_max, depot_max; };

static struct sizes sizes(struct physmem *pm)
{
	return (struct sizes){ atomic_load_relaxed(&pm->batch), atomic_load_relaxed(&pm->defer_batch),
			       atomic_load_relaxed(&pm->spare_max), atomic_load_relaxed(&pm->depot_max) };
}

static void assert_sizes(struct physmem *pm, struct sizes want)
{
	struct sizes got = sizes(pm);

	assert_memory_equal(&got, &want, sizeof(got));
}

static struct physmem *boot(uint64_t pages)
{
	struct physmem_range segment = { 0, pages };
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem *pm = NULL;

	config.segments = &segment;
	config.nsegments = 1;
	config.limit = LIMIT;
	assert_int_equal(physmem_create(&pm, &config), 0);
	return pm;
}

static struct sizes sizes_of(uint64_t pages)
{
	struct physmem *pm = boot(pages);
	struct sizes s = sizes(pm);

	physmem_destroy(pm);
	return s;
}

static int unplug(struct physmem *pm, uint64_t pfn, uint64_t pages)
{
	return physmem_unplug(pm, pfn, pages, NULL, NULL);
}

static uint64_t take_all(struct physmem *pm, uint64_t *pfn)
{
	uint64_t n = 0;

	while (n < LIMIT && (pfn[n] = frame_alloc(pm, thread_self())) != PHYSMEM_NONE)
		n++;
	return n;
}

/* Those in [lo, hi). */
static void give(struct physmem *pm, const uint64_t *pfn, uint64_t n, uint64_t lo, uint64_t hi)
{
	for (uint64_t i = 0; i < n; i++)
		if (pfn[i] >= lo && pfn[i] < hi)
			frame_free(pm, thread_self(), pfn[i]);
}

static void as_if_it_had_always_been(void **state)
{
	static const uint64_t more[] = { 1, 300, 1500, 2304, 8192, 100000 };
	uint64_t there = TINY;
	struct physmem *pm = boot(there);

	(void)state;
	assert_sizes(pm, (struct sizes){ 8, 16, 1, 8 });
	for (unsigned i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		assert_int_equal(physmem_plug(pm, there, more[i], 0), 0);
		there += more[i];
		assert_sizes(pm, sizes_of(there));
	}
	assert_sizes(pm, (struct sizes){ FRAME_BATCH, FRAME_DEFER_BATCH, FRAME_SPARE_MAX, 128 });
	for (unsigned i = sizeof(more) / sizeof(more[0]); i-- > 0;) {
		there -= more[i];
		assert_int_equal(unplug(pm, there, more[i]), 0);
		assert_sizes(pm, sizes_of(there));
	}
	assert_sizes(pm, (struct sizes){ 8, 16, 1, 8 });
	assert_clean(pm);
	physmem_destroy(pm);
}

/* What fails changes nothing for good. */
static void a_failure_changes_nothing(void **state)
{
	struct physmem_unplug_result result;
	struct physmem *pm = boot(LIMIT);
	struct sizes all = sizes(pm);
	uint64_t pfn = physmem_frame_alloc(pm);

	(void)state;
	assert_true(pfn != PHYSMEM_NONE);
	assert_int_equal(physmem_unplug(pm, 0, LIMIT - TINY, NULL, &result), -EBUSY);
	assert_int_equal(result.reason, PHYSMEM_REASON_HELD);
	assert_sizes(pm, all);
	assert_int_equal(physmem_plug(pm, 0, 1, 0), -EEXIST);
	assert_sizes(pm, all);
	assert_int_equal(physmem_frame_free(pm, pfn), 0);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* As munmap does it: some in a section, then tidy; and they have come home when the next ones are wanted. */
static void defer(struct physmem *pm, const uint64_t *pfn, uint64_t n)
{
	struct thread_slot *self = thread_self();

	for (uint64_t i = 0; i < n; i += 256) {
		rcu_enter(self);
		for (uint64_t k = i; k < i + 256; k++)
			frame_defer(pm, self, pfn[k]);
		rcu_leave(self);
		frame_tidy(pm, self);
	}
	(void)rcu_poll_wait(PARK_FOREVER);
}

/* A machine that was tiny when it booted: a thread uses its own frames again, and nothing passes the depot. */
static void own_come_back(bool defers)
{
	static const uint64_t n = HALF;
	struct physmem *pm = boot(TINY);
	struct thread_slot *self = thread_self();
	uint64_t *pfn = malloc(n * sizeof(*pfn)), depot = 0, block = 0;

	for (uint64_t i = 0; i < 100; i++)               /* it has caches, made by the sizes of then                */
		assert_true((pfn[i] = frame_alloc(pm, self)) != PHYSMEM_NONE);
	give(pm, pfn, 100, 0, LIMIT);
	assert_int_equal(physmem_plug(pm, TINY, LIMIT - TINY, 0), 0);
	for (int round = 0; round < 6; round++) {
		for (uint64_t i = 0; i < n; i++)
			assert_true((pfn[i] = frame_alloc(pm, self)) != PHYSMEM_NONE);
		if (defers)
			defer(pm, pfn, n);
		else
			give(pm, pfn, n, 0, LIMIT);
		if (round == 1) {
			depot = pm->depot[FRAME_MOVABLE].head;
			block = usage(pm).free;
		}
	}
	assert_int_equal(pm->depot[FRAME_MOVABLE].head, depot);
	assert_int_equal(usage(pm).free, block);
	assert_clean(pm);
	free(pfn);
	physmem_destroy(pm);
}

static void own_frames_come_back(void **state)
{
	(void)state;
	own_come_back(false);
	own_come_back(true);
}

/* ---- caches that were filled while there was more ---- */

struct idler { struct physmem *pm; pthread_t thread; atomic_u32 at; uint64_t *pfn, n; bool defers; };

static void wait_for(atomic_u32 *at, uint32_t what)
{
	struct park_spin spin = PARK_SPIN;

	while (atomic_load_acquire(at) < what)
		park_spin(&spin);
}

/* Has on its shelf all that stays, as far as there is room, and then does nothing. */
static void *fill_and_idle(void *arg)
{
	struct idler *i = arg;

	i->n = take_all(i->pm, i->pfn);
	if (i->defers) {
		rcu_enter(thread_self());
		for (uint64_t k = 0; k < i->n; k++)
			if (i->pfn[k] < STAYS)
				frame_defer(i->pm, thread_self(), i->pfn[k]);
		rcu_leave(thread_self());
		frame_tidy(i->pm, thread_self());
		(void)rcu_poll_wait(PARK_FOREVER);
		frame_give(i->pm, thread_self(), frame_take(i->pm, thread_self(), FRAME_OWNER_MAP), FRAME_OWNER_MAP);
	} else {
		give(i->pm, i->pfn, i->n, 0, STAYS);
	}
	give(i->pm, i->pfn, i->n, STAYS, LIMIT);
	atomic_store_release(&i->at, 1);
	wait_for(&i->at, 2);
	return NULL;
}

static uint64_t cached_when_most_has_gone(const char *mutant, bool defers)
{
	struct physmem *pm = boot(LIMIT);
	struct idler idler = { .pm = pm, .pfn = malloc(LIMIT * sizeof(uint64_t)), .defers = defers };
	uint64_t cached, n;

	assert_int_equal(pthread_create(&idler.thread, NULL, fill_and_idle, &idler), 0);
	wait_for(&idler.at, 1);
	assert_int_equal(idler.n, LIMIT);
	assert_in_range(usage(pm).cached, HALF, HALF + 2 * FRAME_BATCH + FRAME_DEFER_HELD * FRAME_DEFER_BATCH);
	point_mutant_select(mutant);
	assert_int_equal(unplug(pm, STAYS, LIMIT - STAYS), 0);
	point_mutant_select(NULL);
	cached = usage(pm).cached;
	assert_clean(pm);
	n = take_all(pm, idler.pfn);                     /* all but what the idle one has loaded                    */
	assert_in_range(n, STAYS - FRAME_BATCH - FRAME_DEFER_HELD * FRAME_DEFER_BATCH, STAYS);
	give(pm, idler.pfn, n, 0, STAYS);
	atomic_store_release(&idler.at, 2);
	pthread_join(idler.thread, NULL);
	free(idler.pfn);
	physmem_destroy(pm);
	return cached;
}

/* An idle thread, too, keeps half of what is left at most, and what it has loaded. */
static void idle_threads_give_up(void **state)
{
	const uint64_t most = STAYS / 2 + FRAME_BATCH + 2 * FRAME_DEFER_HELD * FRAME_DEFER_BATCH;

	(void)state;
	assert_in_range(cached_when_most_has_gone(NULL, false), 1, most);
	assert_in_range(cached_when_most_has_gone(NULL, true), 1, most);
	if (point_available())
		assert_in_range(cached_when_most_has_gone("unplug_keeps_sizes", false), most + 1, STAYS);
}

/* ---- while others use it ---- */

#define THREADS 2u
#define HOLDS   3000u

struct churner { struct physmem *pm; atomic_u32 *stop, rounds; bool failed; };

static void *churn(void *arg)
{
	struct churner *c = arg;
	struct thread_slot *self = thread_self();
	uint64_t pfn[HOLDS];

	for (uint32_t round = 1; !atomic_load_relaxed(c->stop); round++) {
		uint64_t n = 0;

		while (n < HOLDS && (pfn[n] = frame_take(c->pm, self, FRAME_OWNER_MAP)) != PHYSMEM_NONE)
			n++;
		c->failed |= n < HOLDS;
		while (n-- > 0)
			if (round % 2)
				frame_give_later(c->pm, self, pfn[n], FRAME_OWNER_MAP);
			else
				frame_give(c->pm, self, pfn[n], FRAME_OWNER_MAP);
		atomic_store_release(&c->rounds, round);
	}
	return NULL;
}

/* Sizes change under threads that use them; no allocation fails, no frame is lost. The frames are nobody's who could
 * move them, so an unplug waits until they have been given back. */
static void beside_users(void **state)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem *pm = boot(STAYS);
	struct churner churner[THREADS];
	atomic_u32 stop = 0;
	struct crew crew;

	(void)state;
	how.mode = PHYSMEM_UNPLUG_WAIT;
	for (unsigned i = 0; i < THREADS; i++)
		churner[i] = (struct churner){ pm, &stop, 0, false };
	crew = crew_start(THREADS, churn, churner, sizeof(churner[0]));
	for (uint32_t round = 1; round <= 20; round++) {
		assert_int_equal(physmem_plug(pm, STAYS, LIMIT - STAYS, 0), 0);
		for (unsigned i = 0; i < THREADS; i++)
			wait_for(&churner[i].rounds, 2 * round);
		assert_int_equal(physmem_unplug(pm, STAYS, LIMIT - STAYS, &how, NULL), 0);
	}
	atomic_store_relaxed(&stop, 1);
	crew_join(&crew);
	for (unsigned i = 0; i < THREADS; i++)
		assert_false(churner[i].failed);
	assert_sizes(pm, sizes_of(STAYS));
	assert_clean(pm);
	physmem_destroy(pm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_if_it_had_always_been),
		cmocka_unit_test(a_failure_changes_nothing),
		cmocka_unit_test(own_frames_come_back),
		cmocka_unit_test(idle_threads_give_up),
		cmocka_unit_test(beside_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
