/* SPDX-License-Identifier: MIT */
/* test_physmem_balloon.c - the balloon of an instance: whose its frames are, and who gets them back. */
#include <pthread.h>
#include <string.h>

#include "base/park.h"
#include "base/point.h"
#include "base/prng.h"
#include "tests/unit/phys/fixture.h"
#include "vmmap/phys/frame_bits.h"
#include "vmmap/phys/physmem_balloon.h"
#include "vmmap/physmem_host.h"
#include "vmmap/physmem_hotplug.h"

#define BLOCK  UINT64_C(512)
#define BLOCKS 8u
#define FRAMES (BLOCKS * BLOCK)

static struct physmem *pm;
static struct {
	unsigned char has[FRAMES];
	uint64_t refuse;                 /* every so many runs; 0: none                                            */
	uint64_t runs, calls;
	void (*meanwhile)(void);
	atomic_u64 wrong;
} host;

static void inflate(void *arg, struct physmem_told *run, unsigned n)
{
	(void)arg;
	host.calls++;
	for (unsigned i = 0; i < n; i++) {
		run[i].verdict = host.refuse && ++host.runs % host.refuse == 0 ? PHYSMEM_REFUSED : PHYSMEM_ACCEPTED;
		for (uint64_t f = run[i].pfn; f < run[i].pfn + (UINT64_C(1) << run[i].order); f++) {
			if (host.has[f])
				(void)atomic_add_relaxed(&host.wrong, 1);
			host.has[f] = run[i].verdict == PHYSMEM_ACCEPTED;
		}
	}
	if (host.meanwhile != NULL)
		host.meanwhile();
}

static void deflate(void *arg, const struct physmem_told *run, unsigned n)
{
	(void)arg;
	host.calls++;
	for (unsigned i = 0; i < n; i++)
		for (uint64_t f = run[i].pfn; f < run[i].pfn + (UINT64_C(1) << run[i].order); f++) {
			if (!host.has[f])
				(void)atomic_add_relaxed(&host.wrong, 1);
			host.has[f] = 0;
		}
}

static struct physmem_balloon_config config(void)
{
	struct physmem_balloon_config c = PHYSMEM_BALLOON_CONFIG;

	c.inflate = inflate;
	c.deflate = deflate;
	c.low = 0;
	return c;
}

static void start(struct physmem_balloon_config c)
{
	memset(&host, 0, sizeof(host));
	pm = make(FRAMES, 0);
	assert_int_equal(physmem_balloon_start(pm, &c), 0);
}

static void end(void)
{
	assert_clean(pm);
	physmem_balloon_stop(pm);
	assert_clean(pm);
	assert_int_equal(usage(pm).balloon, 0);
	assert_int_equal(atomic_load_relaxed(&host.wrong), 0);
	physmem_destroy(pm);
}

static void errors(void **state)
{
	struct physmem_balloon_config c = config(), bad = c;

	(void)state;
	pm = make(FRAMES, 0);
	assert_int_equal(physmem_balloon_inflate(pm, 1), 0);
	assert_int_equal(physmem_balloon_deflate(pm, 1), 0);
	physmem_balloon_stop(pm);
	assert_int_equal(physmem_balloon_start(pm, NULL), -EINVAL);
	bad.size++;
	assert_int_equal(physmem_balloon_start(pm, &bad), -EINVAL);
	bad = c;
	bad.deflate = NULL;
	assert_int_equal(physmem_balloon_start(pm, &bad), -EINVAL);
	bad = c;
	bad.order = 10;
	assert_int_equal(physmem_balloon_start(pm, &bad), -EINVAL);
	bad = c;
	bad.most = PHYSMEM_TOLD_MOST + 1;
	assert_int_equal(physmem_balloon_start(pm, &bad), -EINVAL);
	assert_int_equal(physmem_balloon_inflate(pm, 1), 0);
	assert_int_equal(physmem_balloon_start(pm, &c), 0);
	assert_int_equal(physmem_balloon_start(pm, &c), -EBUSY);
	physmem_balloon_stop(pm);
	assert_int_equal(physmem_balloon_inflate(pm, 1), 0);
	physmem_destroy(pm);
}

/* Its frames are counted, are nobody's to free, and those who want them all have them back. */
static void what_it_has_is_not_free(void **state)
{
	uint64_t pfn;

	(void)state;
	start(config());
	assert_int_equal(physmem_balloon_inflate(pm, 3 * BLOCK + 5), 3 * BLOCK + 5);
	assert_int_equal(physmem_balloon_size(pm), 3 * BLOCK + 5);
	assert_int_equal(usage(pm).balloon, 3 * BLOCK + 5);
	assert_int_equal(usage(pm).owned, 0);
	assert_clean(pm);
	for (pfn = 0; !host.has[pfn]; pfn++)
		;
	assert_int_equal(physmem_frame_free(pm, pfn), -EPERM);
	assert_true(physmem_balloon_deflate(pm, 5) >= 5);
	assert_clean(pm);
	assert_int_equal(physmem_balloon_deflate(pm, UINT64_MAX), usage(pm).frames - usage(pm).free - usage(pm).cached);
	end();
}

/* What idles in caches is no reason to be small; low is left. */
static void what_is_cached_is_gathered(void **state)
{
	struct physmem_balloon_config c = config();
	uint64_t *pfn = calloc(FRAMES, sizeof(*pfn));

	(void)state;
	c.low = BLOCK;
	start(c);
	for (uint64_t i = 0; i < FRAMES; i++)
		assert_true((pfn[i] = physmem_frame_alloc(pm)) != PHYSMEM_NONE);
	for (uint64_t i = 0; i < FRAMES; i++)
		assert_int_equal(physmem_frame_free(pm, pfn[i]), 0);
	assert_int_equal(physmem_balloon_inflate(pm, FRAMES), FRAMES - BLOCK);
	free(pfn);
	end();
}

static void refused_runs_stay(void **state)
{
	(void)state;
	start(config());
	host.refuse = 2;
	assert_true(physmem_balloon_inflate(pm, 4 * BLOCK) <= 4 * BLOCK);
	assert_clean(pm);
	end();
}

/* The one that fails is the first. */
static void nobody_is_served(void)
{
	struct physmem_run run;

	start(config());
	assert_int_equal(physmem_balloon_inflate(pm, FRAMES), FRAMES);
	assert_int_equal(point_mutant_select("frame_short_keeps_balloon"), 0);
	assert_true(physmem_frame_alloc(pm) == PHYSMEM_NONE);
	assert_int_equal(physmem_run_alloc(pm, 9, &run), -ENOMEM);
	point_reset();
	end();
}

/* All frames can be had, one by one and as runs, though the balloon had them. */
static void who_is_short_is_served(void **state)
{
	struct physmem_run run[BLOCKS], more;
	uint64_t pfn[FRAMES];

	(void)state;
	point_reset();
	if (point_available())
		nobody_is_served();
	start(config());
	assert_int_equal(physmem_balloon_inflate(pm, FRAMES), FRAMES);
	for (uint64_t i = 0; i < FRAMES; i++)
		assert_true((pfn[i] = physmem_frame_alloc(pm)) != PHYSMEM_NONE);
	assert_int_equal(physmem_balloon_size(pm), 0);
	assert_true(physmem_frame_alloc(pm) == PHYSMEM_NONE);
	for (uint64_t i = 0; i < FRAMES; i++)
		assert_int_equal(physmem_frame_free(pm, pfn[i]), 0);
	assert_int_equal(physmem_balloon_inflate(pm, FRAMES), FRAMES);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(physmem_run_alloc(pm, 9, &run[i]), 0);
	assert_int_equal(physmem_run_alloc(pm, 9, &more), -ENOMEM);
	for (unsigned i = 0; i < BLOCKS; i++)
		assert_int_equal(physmem_run_free(pm, &run[i]), 0);
	end();
}

/* For an unplug: a frame in the middle of a run is left, too. */
static void it_leaves_what_is_wanted(void **state)
{
	(void)state;
	start(config());
	assert_int_equal(physmem_balloon_inflate(pm, 2 * BLOCK), 2 * BLOCK);
	for (uint64_t block = 0; block < BLOCKS; block++) {
		uint64_t first = block * BLOCK;

		if (!host.has[first])
			continue;
		assert_true(frame_bits_step(&pm->bits, block, frame_block_offline));
		assert_int_equal(physmem_balloon_leave(pm, first + 7, first + 8), BLOCK);
		assert_false(host.has[first + 7]);
		assert_true(frame_block_all_free(frame_bits_word(&pm->bits, block)));
		assert_true(frame_bits_step(&pm->bits, block, frame_block_online));
		break;
	}
	assert_int_equal(physmem_balloon_size(pm), 2 * BLOCK);                   /* it went elsewhere          */
	end();
}

/* ---- R11: it shrinks while a block goes ---- */

static pthread_t other;
static atomic_u32 other_done;
static int other_err;

static void *unplug_first(void *arg)
{
	struct physmem_unplug_options options = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem_unplug_result out;

	(void)arg;
	(void)thread_self();
	options.attempts = 1;
	other_err = physmem_unplug(pm, 0, BLOCK, &options, &out);
	atomic_store_release(&other_done, 1);
	return NULL;
}

/* Returns when the unplug waits, or has ended. */
static void unplug_meanwhile(void *arg)
{
	uint64_t before = park_blocked_total();

	(void)arg;
	atomic_store_relaxed(&other_done, 0);
	assert_int_equal(pthread_create(&other, NULL, unplug_first, NULL), 0);
	while (atomic_load_acquire(&other_done) == 0 && park_blocked_total() == before)
		sched_yield();
}

/* Frames that are on their way back from the host are no reason for a failure; and the host has none of what went. */
static int unplugged_while_it_shrinks(void)
{
	start(config());
	assert_int_equal(physmem_balloon_inflate(pm, FRAMES), FRAMES);
	assert_int_equal(point_call("deflate", "frame_balloon_before_deflate", unplug_meanwhile, NULL), 0);
	point_role("deflate");
	assert_true(physmem_balloon_deflate(pm, 2 * BLOCK) >= 2 * BLOCK);
	point_role(NULL);
	pthread_join(other, NULL);
	for (uint64_t f = 0; f < BLOCK; f++)
		assert_true(other_err != 0 || !host.has[f]);
	assert_int_equal(usage(pm).frames, FRAMES - (other_err ? 0 : BLOCK));
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	end();
	return other_err;
}

static void an_unplug_while_it_shrinks(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_int_equal(unplugged_while_it_shrinks(), 0);
	assert_int_equal(point_mutant_select("unplug_room_forgets"), 0);
	assert_int_equal(unplugged_while_it_shrinks(), -EBUSY);
}

/* ---- beside others ---- */

#define THREADS 3u
#define ROUNDS  400u

static atomic_u64 none;

static void *churn(void *arg)
{
	struct prng rng = prng_seed(5, (unsigned)(uintptr_t)arg);
	uint64_t pfn[256];

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned n = (unsigned)prng_below(&rng, 256);

		for (unsigned i = 0; i < n; i++) {
			pfn[i] = physmem_frame_alloc(pm);
			if (pfn[i] == PHYSMEM_NONE)
				(void)atomic_add_relaxed(&none, 1);
			else if (host.has[pfn[i]])
				(void)atomic_add_relaxed(&host.wrong, 1);
		}
		for (unsigned i = 0; i < n; i++)
			if (pfn[i] != PHYSMEM_NONE && physmem_frame_free(pm, pfn[i]) != 0)
				(void)atomic_add_relaxed(&host.wrong, 1);
	}
	return NULL;
}

/* It grows all the time, starts and stops; nobody fails for it, and nobody has what it has. */
static void beside_all_that(void **state)
{
	struct physmem_balloon_config c = config();
	pthread_t thread[THREADS];

	(void)state;
	start(c);
	atomic_store_relaxed(&none, 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, churn, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < 60; i++) {
		(void)physmem_balloon_inflate(pm, FRAMES);
		if (i % 8 != 7)
			continue;
		physmem_balloon_stop(pm);
		c.most = 1 + i;
		c.order = i % 4;
		assert_int_equal(physmem_balloon_start(pm, &c), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(atomic_load_relaxed(&none), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors),
		cmocka_unit_test(what_it_has_is_not_free),
		cmocka_unit_test(what_is_cached_is_gathered),
		cmocka_unit_test(refused_runs_stay),
		cmocka_unit_test(who_is_short_is_served),
		cmocka_unit_test(it_leaves_what_is_wanted),
		cmocka_unit_test(an_unplug_while_it_shrinks),
		cmocka_unit_test(beside_all_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
