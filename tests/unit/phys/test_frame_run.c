/* SPDX-License-Identifier: MIT */
/*
 * test_frame_run.c - runs of frames from outside: of every order, what is wrong with a free, when nothing is left.
 *
 * mutant: frame_run_untold
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/point.h"
#include "base/prng.h"
#include "tests/unit/phys/crew.h"
#include "tests/unit/phys/fixture.h"
#include "vmmap/phys/frame_bits.h"

#define ORDERS 10u
#define SOON   UINT64_C(2000000000)

static struct physmem_run run_of_order(struct physmem *pm, unsigned order)
{
	struct physmem_run run = { 0 };

	assert_int_equal(physmem_run_alloc(pm, order, &run), 0);
	assert_int_equal(run.order, order);
	assert_int_equal(run.pfn % (1u << order), 0);
	return run;
}

static void every_order(void **state)
{
	struct physmem *pm = make(8192, 1);
	struct physmem_run run[ORDERS];
	uint64_t sum = 0;

	(void)state;
	for (unsigned order = 0; order < ORDERS; order++) {
		run[order] = run_of_order(pm, order);
		sum += UINT64_C(1) << order;
		memset(physmem_frame_bytes(pm, run[order].pfn), (int)order + 1, (size_t)PAGE_BYTES << order);
		assert_int_equal(usage(pm).owned, sum);
		assert_int_equal(physmem_audit(pm, stderr), 0);
	}
	for (unsigned order = 0; order < ORDERS; order++) {
		const unsigned char *bytes = physmem_frame_bytes(pm, run[order].pfn);

		for (size_t i = 0; i < (size_t)PAGE_BYTES << order; i += 512)
			assert_int_equal(bytes[i], order + 1);
		assert_int_equal(physmem_run_free(pm, &run[order]), 0);
		assert_int_equal(physmem_audit(pm, stderr), 0);
	}
	assert_int_equal(physmem_run_alloc(pm, ORDERS, &run[0]), -EINVAL);
	assert_clean(pm);
	physmem_destroy(pm);
}

static void frees_that_are_wrong(void **state)
{
	struct physmem_range seg[] = { { 512, 1024 }, { 4096, 512 } };
	struct physmem_config config = PHYSMEM_CONFIG;
	struct thread_slot *self = thread_self();
	struct physmem_run run, other;
	struct physmem *pm;
	uint64_t pfn;

	(void)state;
	config.segments = seg;
	config.nsegments = 2;
	assert_int_equal(physmem_create(&pm, &config), 0);
	run = run_of_order(pm, 3);
	assert_int_equal(physmem_frame_free(pm, run.pfn), -EINVAL);              /* another order              */
	other = run;
	other.order = 4;
	assert_int_equal(physmem_run_free(pm, &other), -EINVAL);
	other.order = 77;
	assert_int_equal(physmem_run_free(pm, &other), -EINVAL);
	other = run;
	other.pfn = 2048;                                                        /* a hole                     */
	assert_int_equal(physmem_run_free(pm, &other), -EINVAL);
	other.pfn = UINT64_C(1) << 50;
	assert_int_equal(physmem_run_free(pm, &other), -EINVAL);
	assert_int_equal(physmem_run_free(pm, &run), 0);
	assert_int_equal(physmem_run_free(pm, &run), -EALREADY);                 /* twice                      */
	other = run_of_order(pm, 3);
	assert_int_equal(other.pfn, run.pfn);
	assert_int_equal(other.generation, run.generation + 1);
	assert_int_equal(physmem_run_free(pm, &run), -ESTALE);                   /* somebody has it anew       */
	assert_int_equal(physmem_run_free(pm, &other), 0);
	pfn = frame_alloc_for(pm, self, FRAME_OWNER_OBJECT);
	run = (struct physmem_run){ pfn, 1, 0 };
	assert_int_equal(physmem_run_free(pm, &run), -EPERM);                    /* an object's                */
	assert_int_equal(physmem_frame_free(pm, pfn), -EPERM);
	frame_free_by(pm, self, pfn, FRAME_OWNER_OBJECT);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* Order 0 and a frame are the same thing. */
static void a_run_of_one(void **state)
{
	struct physmem *pm = make(1024, 0);
	struct physmem_run run = run_of_order(pm, 0);

	(void)state;
	assert_int_equal(physmem_frame_free(pm, run.pfn), 0);
	assert_int_equal(physmem_run_free(pm, &run), -EALREADY);
	run = run_of_order(pm, 0);
	assert_int_equal(physmem_run_free(pm, &run), 0);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* What lies in caches, depot and others' shelves is in no run's way. */
static void what_is_cached_is_gathered(void **state)
{
	const uint64_t n = 8192;
	struct physmem *pm = make(n, 0);
	struct thread_slot *self = thread_self();
	uint64_t *pfn = malloc(n * sizeof(*pfn));
	struct physmem_run run[16];

	(void)state;
	pm->spare_max = 64;
	pm->depot_max = 64;
	for (uint64_t i = 0; i < n; i++)
		assert_true((pfn[i] = frame_alloc(pm, self)) != PHYSMEM_NONE);
	assert_int_equal(physmem_run_alloc(pm, 1, &run[0]), -ENOMEM);
	for (uint64_t i = 0; i < n; i++)
		frame_free(pm, self, pfn[i]);
	for (unsigned i = 0; i < n / 512; i++)
		run[i] = run_of_order(pm, 9);
	assert_int_equal(usage(pm).owned, n);
	assert_int_equal(physmem_run_alloc(pm, 1, &run[0]), -ENOMEM);
	assert_true(physmem_frame_alloc(pm) == PHYSMEM_NONE);
	for (unsigned i = 0; i < n / 512; i++)
		assert_int_equal(physmem_run_free(pm, &run[i]), 0);
	assert_clean(pm);
	free(pfn);
	physmem_destroy(pm);
}

/* A run that lies in two segments which touch is one run for everybody. */
static void a_run_over_two_segments(void **state)
{
	struct physmem_range seg[] = { { 0, 300 }, { 300, 212 } };
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem_run run;
	struct physmem *pm;

	(void)state;
	config.segments = seg;
	config.nsegments = 2;
	assert_int_equal(physmem_create(&pm, &config), 0);
	for (unsigned order = 9; order >= 7; order--) {
		run = run_of_order(pm, order);
		assert_int_equal(physmem_audit(pm, stderr), 0);
		assert_int_equal(usage(pm).owned, UINT64_C(1) << order);
		assert_int_equal(physmem_run_free(pm, &run), 0);
		assert_clean(pm);
	}
	physmem_destroy(pm);
}

static void movable_segments_have_no_runs(void **state)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem_run run;
	struct physmem *pm;

	(void)state;
	config.pages = 512;
	config.limit = 4096;
	assert_int_equal(physmem_create(&pm, &config), 0);
	assert_int_equal(physmem_plug(pm, 1024, 2048, 1), 0);
	run = run_of_order(pm, 9);
	assert_int_equal(run.pfn, 0);
	assert_int_equal(physmem_run_alloc(pm, 2, &run), -ENOMEM);
	run = (struct physmem_run){ 0, 1, 9 };
	assert_int_equal(physmem_run_free(pm, &run), 0);
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- programs of three threads ---- */

struct program { struct physmem *pm; uint64_t seed; unsigned char *taken; uint64_t bad; };

static void mark(struct program *p, const struct physmem_run *run, unsigned char from, unsigned char to)
{
	for (uint64_t i = run->pfn; i < run->pfn + (UINT64_C(1) << run->order); i++) {
		p->bad += p->taken[i] != from;
		p->taken[i] = to;
	}
}

static void *program_main(void *arg)
{
	struct program *p = arg;
	struct prng rng = prng_seed(p->seed, 0);
	struct physmem_run run[64];
	unsigned n = 0;

	for (unsigned step = 0; step < 20000; step++) {
		if (n < 64 && prng_below(&rng, 2) == 0) {
			if (physmem_run_alloc(p->pm, (unsigned)prng_below(&rng, ORDERS), &run[n]) == 0)
				mark(p, &run[n++], 0, 1);
		} else if (n > 0) {
			unsigned i = (unsigned)prng_below(&rng, n);

			mark(p, &run[i], 1, 0);
			p->bad += physmem_run_free(p->pm, &run[i]) != 0;
			run[i] = run[--n];
		}
	}
	while (n > 0) {
		mark(p, &run[--n], 1, 0);
		p->bad += physmem_run_free(p->pm, &run[n]) != 0;
	}
	return NULL;
}

/* A byte for each frame, written by who has it: no frame is in two runs. */
static void no_frame_is_in_two_runs(void **state)
{
	struct physmem *pm = make(4096 + 77, 0);
	struct program p[3];
	unsigned char *taken = calloc(pm->span, 1);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		p[i] = (struct program){ pm, i + 1, taken, 0 };
	crew_run(3, program_main, p, sizeof(p[0]));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(p[i].bad, 0);
	assert_clean(pm);
	free(taken);
	physmem_destroy(pm);
}

/* ---- a run that is lost, and who looks for the last frame meanwhile ---- */

static struct physmem *machine;
static bool asks_at_once;
static uint64_t answer, spoiler;
static pthread_t asker;

static void *ask(void *arg)
{
	(void)arg;
	point_role("asker");
	answer = physmem_frame_alloc(machine);
	point_role(NULL);
	return NULL;
}

static void spoil(void *arg)
{
	(void)arg;
	assert_true(frame_bits_take_in(&machine->bits, 0, 0, FRAME_CLASS_UNMOVABLE, false, &spoiler));
}

static void look_meanwhile(void *arg)
{
	(void)arg;
	if (!asks_at_once)
		point_stop_nth("asker", "frame_refill_looked", NULL, NULL, 3);
	assert_int_equal(pthread_create(&asker, NULL, ask, NULL), 0);
	if (asks_at_once) {
		pthread_join(asker, NULL);
		return;
	}
	assert_true(point_wait_reached("asker", "frame_refill_looked", SOON));
	point_release("asker", "frame_refill_looked");
}

/* Nine frames are free, a run of eight and one more; it loses one to somebody, and gives seven permits back and one. */
static uint64_t answer_to_who_looks(const char *mutant)
{
	struct physmem_run run;
	uint64_t index;

	machine = make(64, 0);
	for (unsigned i = 0; i < 64; i++)
		assert_true(frame_bits_take_in(&machine->bits, 0, 0, FRAME_CLASS_UNMOVABLE, false, &index));
	assert_int_equal(frame_bits_give(&machine->bits, 0, 3), 0);
	assert_int_equal(frame_bits_give(&machine->bits, 63, 0), 0);
	asks_at_once = mutant != NULL;
	if (mutant)
		assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(point_call("run", "frame_bits_promised", spoil, NULL), 0);
	assert_int_equal(point_call("run", "frame_bits_lost", look_meanwhile, NULL), 0);
	point_role("run");
	assert_int_equal(physmem_run_alloc(machine, 3, &run), -ENOMEM);
	point_role(NULL);
	if (!mutant)
		pthread_join(asker, NULL);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	return answer;
}

static void the_last_frames_are_seen(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	point_reset();
	assert_true(answer_to_who_looks(getenv("VMMAP_MUTANT")) != PHYSMEM_NONE);
}

int main(void)
{
	const char *mutant = getenv("VMMAP_MUTANT");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order),
		cmocka_unit_test(frees_that_are_wrong),
		cmocka_unit_test(a_run_of_one),
		cmocka_unit_test(what_is_cached_is_gathered),
		cmocka_unit_test(a_run_over_two_segments),
		cmocka_unit_test(movable_segments_have_no_runs),
		cmocka_unit_test(no_frame_is_in_two_runs),
		cmocka_unit_test(the_last_frames_are_seen),
	};

	if (mutant && point_mutant_select(mutant))
		return 99;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
