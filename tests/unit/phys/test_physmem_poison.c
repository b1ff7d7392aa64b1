/* SPDX-License-Identifier: MIT */
/* test_physmem_poison.c - a frame goes out of use, whoever has it; and what each frame is, for a picture. */
#include <pthread.h>
#include <string.h>

#include "base/park.h"
#include "base/point.h"
#include "base/prng.h"
#include "tests/unit/phys/fixture.h"
#include "tests/unit/phys/outside.h"
#include "vmmap/phys/frame_bits.h"
#include "vmmap/phys/frame_mover.h"
#include "vmmap/phys/physmem_poison.h"
#include "vmmap/physmem_host.h"

#define BLOCK  UINT64_C(512)
#define BLOCKS 4u
#define FRAMES (BLOCKS * BLOCK)

static struct physmem *pm;

/* ---- a map of one page, as far as a mover knows it ---- */

static atomic_u64 page;                          /* the frame it has                                               */
static unsigned busy;                            /* how often it cannot be moved                                   */

static enum frame_moved move(struct physmem *machine, struct thread_slot *self, uint64_t pfn, struct frame_left *left)
{
	uint64_t to;

	assert_null(left);                               /* nobody gathers them                                    */
	if (atomic_load_acquire(&page) != pfn)
		return FRAME_GONE;
	if (busy != 0) {
		busy--;
		return FRAME_BUSY;
	}
	to = frame_alloc(machine, self);
	if (to == PHYSMEM_NONE)
		return FRAME_NO_MEMORY;
	if (!atomic_cas_acqrel(&page, &pfn, to)) {
		frame_free(machine, self, to);
		return FRAME_GONE;
	}
	frame_defer(machine, self, pfn);
	return FRAME_MOVED;
}

static const struct frame_mover mover = { move };

static void start(void)
{
	pm = make(FRAMES, 0);
	busy = 0;
}

static void end(void)
{
	assert_int_equal(physmem_audit(pm, stderr), 0);
	physmem_destroy(pm);
}

/* All frames but those that are poisoned, and each once. */
static void assert_never_handed_out(uint64_t pfn, uint64_t frames)
{
	uint64_t *all = calloc(FRAMES, sizeof(*all)), n = 0;

	while (n < FRAMES && (all[n] = physmem_frame_alloc(pm)) != PHYSMEM_NONE) {
		assert_true(all[n] != pfn);
		n++;
	}
	assert_int_equal(n, frames);
	while (n > 0)
		assert_int_equal(physmem_frame_free(pm, all[--n]), 0);
	free(all);
}

static void a_free_frame(void **state)
{
	(void)state;
	start();
	assert_int_equal(physmem_poison(pm, FRAMES), -EINVAL);
	assert_int_equal(physmem_poison(pm, PHYSMEM_NONE), -EINVAL);
	assert_int_equal(physmem_unpoison(pm, 5), -EINVAL);
	assert_int_equal(physmem_unpoison(pm, PHYSMEM_NONE), -EINVAL);
	assert_int_equal(physmem_poison(pm, 777), 0);
	assert_int_equal(physmem_poison(pm, 777), 0);
	assert_int_equal(usage(pm).poisoned, 1);
	assert_int_equal(physmem_frame_free(pm, 777), -EPERM);
	assert_never_handed_out(777, FRAMES - 1);
	assert_int_equal(physmem_poison(pm, 777), 0);
	assert_int_equal(physmem_unpoison(pm, 777), 0);
	assert_int_equal(physmem_unpoison(pm, 777), -EINVAL);
	assert_never_handed_out(PHYSMEM_NONE, FRAMES);
	end();
}

/* In the caller's own cache, on its shelf, in the depot. */
static void a_cached_frame(void **state)
{
	uint64_t pfn[FRAMES];

	(void)state;
	start();
	for (uint64_t i = 0; i < FRAMES; i++)
		pfn[i] = physmem_frame_alloc(pm);
	assert_int_equal(physmem_poison(pm, pfn[9]), -EBUSY);                    /* who has it keeps it        */
	for (uint64_t i = 0; i < FRAMES; i++)
		assert_int_equal(physmem_frame_free(pm, pfn[i]), 0);
	for (uint64_t i = 0; i < FRAMES; i += 97)
		assert_int_equal(physmem_poison(pm, pfn[i]), 0);
	assert_int_equal(usage(pm).poisoned, (FRAMES + 96) / 97);
	for (uint64_t i = 0; i < FRAMES; i += 97)
		assert_int_equal(physmem_unpoison(pm, pfn[i]), 0);
	end();
}

/* What a map has is moved, however often that takes a second look; what cannot be moved stays. */
static void a_used_frame(void **state)
{
	struct thread_slot *self = thread_self();
	uint64_t pfn;

	(void)state;
	start();
	pfn = frame_alloc(pm, self);
	atomic_store_relaxed(&page, pfn);
	assert_int_equal(physmem_poison(pm, pfn), -EBUSY);                       /* there is no mover          */
	physmem_set_mover(pm, &mover);
	busy = 3;
	assert_int_equal(physmem_poison(pm, pfn), 0);
	assert_true(atomic_load_relaxed(&page) != pfn);
	assert_int_equal(usage(pm).owned, 1);
	assert_never_handed_out(pfn, FRAMES - 2);
	busy = 1000;
	assert_int_equal(physmem_poison(pm, atomic_load_relaxed(&page)), -EBUSY);
	frame_free(pm, self, atomic_load_relaxed(&page));
	end();
}

static void take(void *arg, struct physmem_told *run, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++)
		run[i].verdict = PHYSMEM_ACCEPTED;
}

static void give(void *arg, const struct physmem_told *run, unsigned n) { (void)arg, (void)run, (void)n; }

static void a_frame_of_the_balloon(void **state)
{
	struct physmem_balloon_config c = PHYSMEM_BALLOON_CONFIG;

	(void)state;
	start();
	c.inflate = take;
	c.deflate = give;
	c.low = 0;
	assert_int_equal(physmem_balloon_start(pm, &c), 0);
	assert_int_equal(physmem_balloon_inflate(pm, FRAMES), FRAMES);
	assert_int_equal(physmem_poison(pm, 1000), 0);
	assert_int_equal(usage(pm).balloon, FRAMES - BLOCK);
	assert_int_equal(usage(pm).poisoned, 1);
	end();
}

/* A frame of a block that is offline is its unplug's. And what an unplug does with those that are poisoned. */
static void beside_an_unplug(void **state)
{
	(void)state;
	start();
	assert_int_equal(physmem_poison(pm, 600), 0);
	assert_true(frame_bits_step(&pm->bits, 1, frame_block_offline));
	assert_int_equal(physmem_poison(pm, 700), -EBUSY);
	assert_true(physmem_poison_is(pm, 600) && !physmem_poison_is(pm, 700));
	assert_int_equal(frame_bits_claim(&pm->bits, BLOCK, 2 * BLOCK), BLOCK - 1);
	assert_true(physmem_poison_leaves(pm, 600));
	assert_false(physmem_poison_leaves(pm, 600));
	assert_int_equal(physmem_poison(pm, 600), -EBUSY);
	assert_int_equal(physmem_frame_free(pm, 600), -EPERM);
	assert_int_equal(usage(pm).poisoned, 0);
	assert_true(physmem_poison_stays(pm, 600));
	assert_true(physmem_poison_is(pm, 600) && usage(pm).poisoned == 1);
	assert_true(physmem_poison_leaves(pm, 600));
	assert_int_equal(physmem_unpoison(pm, 600), 0);
	assert_int_equal(physmem_unpoison(pm, 600), -EINVAL);
	assert_false(physmem_poison_stays(pm, 600));
	assert_int_equal(usage(pm).poisoned, 0);
	for (uint64_t i = BLOCK; i < 2 * BLOCK; i++)
		assert_int_equal(frame_bits_give(&pm->bits, i, 0), 0);
	assert_true(frame_bits_step(&pm->bits, 1, frame_block_online));
	end();
}

/* ---- R12: while it is moved ---- */

static void move_away(void *arg)
{
	struct thread_slot *self = thread_self();
	uint64_t from = atomic_load_relaxed(&page), to = frame_alloc(pm, self);

	(void)arg;
	atomic_store_release(&page, to);
	frame_defer(pm, self, from);
}

/* Somebody else moves it, between the look and ours. Is it out of use, if that is the answer? */
static bool true_though_it_moves(void)
{
	struct thread_slot *self = thread_self();
	uint64_t pfn;
	bool said;

	start();
	physmem_set_mover(pm, &mover);
	pfn = frame_alloc(pm, self);
	atomic_store_relaxed(&page, pfn);
	assert_int_equal(point_call("poison", "physmem_poison_looked", move_away, NULL), 0);
	point_role("poison");
	said = physmem_poison(pm, pfn) == 0;                             /* -EBUSY if readers may be there          */
	point_role(NULL);
	assert_true(atomic_load_relaxed(&page) != pfn);
	said = said && usage(pm).poisoned == 0;
	rcu_synchronize();
	assert_int_equal(physmem_poison(pm, pfn), 0);
	assert_int_equal(usage(pm).poisoned, 1);
	frame_free(pm, self, atomic_load_relaxed(&page));
	point_reset();
	end();
	return !said;
}

static void it_moves_by_itself(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_true(true_though_it_moves());
	assert_int_equal(point_mutant_select("physmem_poison_trusts"), 0);
	assert_false(true_though_it_moves());
}

/* ---- R8: while the host is being told of its block ---- */

static pthread_t other;
static atomic_u32 other_done;
static int other_err;

static void *poison_it(void *arg)
{
	(void)arg;
	(void)thread_self();
	other_err = physmem_poison(pm, 33);
	atomic_store_release(&other_done, 1);
	return NULL;
}

/* Returns when the other thread waits, or has ended. */
static void start_the_other(void *(*fn)(void *))
{
	uint64_t before = park_blocked_total();

	atomic_store_relaxed(&other_done, 0);
	assert_int_equal(pthread_create(&other, NULL, fn, NULL), 0);
	while (atomic_load_acquire(&other_done) == 0 && park_blocked_total() == before)
		sched_yield();
}

static void tell(void *arg, struct physmem_told *told, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++)
		told[i].verdict = PHYSMEM_ACCEPTED;
	start_the_other(poison_it);
}

static int poisoned_beside_a_report(void)
{
	struct physmem_report_config c = PHYSMEM_REPORT_CONFIG;

	start();
	c.tell = tell;
	c.low = 0;
	assert_int_equal(physmem_report_start(pm, &c), 0);
	assert_int_equal(physmem_report_pass(pm, PHYSMEM_REPORT_NOW, NULL), 0);
	pthread_join(other, NULL);
	assert_int_equal(point_timeouts(), 0);
	end();
	return other_err;
}

static void it_is_being_told(void **state)
{
	(void)state;
	point_reset();
	assert_int_equal(poisoned_beside_a_report(), 0);
	if (!point_available())
		return;
	assert_int_equal(point_mutant_select("physmem_poison_hurries"), 0);
	assert_int_equal(poisoned_beside_a_report(), -EBUSY);
	point_reset();
}

/* ---- while somebody wants the last frame ---- */

static void *want_one(void *arg)
{
	uint64_t pfn = physmem_frame_alloc(pm);

	(void)arg;
	other_err = pfn == PHYSMEM_NONE ? -ENOMEM : physmem_frame_free(pm, pfn);
	atomic_store_release(&other_done, 1);
	return NULL;
}

static void somebody_wants_one(void *arg)
{
	(void)arg;
	start_the_other(want_one);
}

/* All that is free lies in the block that is offline for one frame of it. */
static int wanted_beside_a_poison(void)
{
	pm = make(BLOCK, 0);
	assert_int_equal(point_call("poison", "physmem_poison_offline", somebody_wants_one, NULL), 0);
	point_role("poison");
	assert_int_equal(physmem_poison(pm, 44), 0);
	point_role(NULL);
	pthread_join(other, NULL);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	end();
	return other_err;
}

static void the_last_frame_is_wanted(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_int_equal(wanted_beside_a_poison(), 0);
	assert_int_equal(point_mutant_select("frame_short_poisoned"), 0);
	assert_int_equal(wanted_beside_a_poison(), -ENOMEM);
}

/* ---- beside others ---- */

#define THREADS 3u

static atomic_u64 out[FRAMES], wrong;
static atomic_u32 over;

static void *churn(void *arg)
{
	uint64_t pfn[64];

	(void)arg;
	while (atomic_load_acquire(&over) == 0) {
		for (unsigned i = 0; i < 64; i++) {
			pfn[i] = physmem_frame_alloc(pm);
			if (pfn[i] != PHYSMEM_NONE && atomic_swap_acqrel(&out[pfn[i]], 1) != 0)
				(void)atomic_add_relaxed(&wrong, 1);
		}
		for (unsigned i = 0; i < 64; i++) {
			if (pfn[i] == PHYSMEM_NONE)
				continue;
			atomic_store_release(&out[pfn[i]], 0);
			if (physmem_frame_free(pm, pfn[i]) != 0)
				(void)atomic_add_relaxed(&wrong, 1);
		}
	}
	return NULL;
}

static void beside_all_that(void **state)
{
	struct prng rng = prng_seed(3, 4);
	pthread_t thread[THREADS];
	unsigned done = 0;

	(void)state;
	start();
	atomic_store_relaxed(&over, 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, churn, NULL), 0);
	for (unsigned i = 0; i < 3000 || done == 0; i++) {
		uint64_t pfn = prng_below(&rng, FRAMES);

		if (physmem_poison(pm, pfn) != 0)
			continue;
		done++;
		if (atomic_swap_acqrel(&out[pfn], 1) != 0)
			(void)atomic_add_relaxed(&wrong, 1);
		sched_yield();
		atomic_store_release(&out[pfn], 0);
		assert_int_equal(physmem_unpoison(pm, pfn), 0);
	}
	atomic_store_release(&over, 1);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(atomic_load_relaxed(&wrong), 0);
	assert_clean(pm);
	end();
}

/* ---- pictures ---- */

static struct { struct physmem_stretch at[64]; unsigned n, most; } seen;

static int see(void *arg, const struct physmem_stretch *stretch)
{
	assert_ptr_equal(arg, &seen);
	seen.at[seen.n++] = *stretch;
	return seen.n == seen.most ? 7 : 0;
}

static void assert_seen(unsigned i, uint64_t pfn, uint64_t pages, enum physmem_state state)
{
	assert_true(i < seen.n);
	assert_int_equal(seen.at[i].pfn, pfn);
	assert_int_equal(seen.at[i].pages, pages);
	assert_int_equal(seen.at[i].state, state);
}

static void what_each_frame_is(void **state)
{
	struct physmem_range boot[] = { { 512, 4 * 512 }, { 4096, 100 } };
	struct physmem_config c = PHYSMEM_CONFIG;
	struct thread_slot *self = thread_self();
	struct physmem_run run;
	uint64_t mine, maps;

	(void)state;
	c.segments = boot;
	c.nsegments = 2;
	c.base = 0;
	c.limit = 8192;
	assert_int_equal(physmem_create(&pm, &c), 0);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(physmem_walk(pm, 0, UINT64_MAX, see, &seen), 0);
	assert_int_equal(seen.n, 5);
	assert_seen(0, 0, 512, PHYSMEM_ABSENT);
	assert_seen(1, 512, 2048, PHYSMEM_FREE);
	assert_seen(2, 2560, 1536, PHYSMEM_ABSENT);
	assert_seen(3, 4096, 100, PHYSMEM_FREE);
	assert_seen(4, 4196, 8192 - 4196, PHYSMEM_ABSENT);
	assert_int_equal(physmem_run_alloc(pm, 9, &run), 0);
	assert_int_equal(physmem_poison(pm, 4100), 0);
	maps = frame_alloc(pm, self);
	mine = physmem_frame_alloc(pm);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(physmem_walk(pm, run.pfn + 3, 500, see, &seen), 0);
	assert_seen(0, run.pfn + 3, 500, PHYSMEM_UNMOVABLE);
	assert_int_equal(physmem_walk(pm, 4100, 1, see, &seen), 0);
	assert_seen(1, 4100, 1, PHYSMEM_POISONED);
	assert_int_equal(physmem_walk(pm, maps, 2, see, &seen), 0);
	assert_seen(2, maps, 1, PHYSMEM_MOVABLE);
	assert_seen(3, maps + 1, 1, PHYSMEM_CACHED);
	assert_int_equal(physmem_walk(pm, mine, 1, see, &seen), 0);
	assert_seen(4, mine, 1, PHYSMEM_UNMOVABLE);
	seen.most = 6;
	assert_int_equal(physmem_walk(pm, 0, 8192, see, &seen), 7);
	assert_int_equal(seen.n, 6);
	frame_free(pm, self, maps);
	assert_int_equal(physmem_frame_free(pm, mine), 0);
	assert_int_equal(physmem_run_free(pm, &run), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_free_frame),
		cmocka_unit_test(a_cached_frame),
		cmocka_unit_test(a_used_frame),
		cmocka_unit_test(a_frame_of_the_balloon),
		cmocka_unit_test(beside_an_unplug),
		cmocka_unit_test(it_moves_by_itself),
		cmocka_unit_test(it_is_being_told),
		cmocka_unit_test(the_last_frame_is_wanted),
		cmocka_unit_test(beside_all_that),
		cmocka_unit_test(what_each_frame_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
