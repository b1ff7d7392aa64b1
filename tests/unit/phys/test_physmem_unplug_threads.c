/* SPDX-License-Identifier: MIT */
/* test_physmem_unplug_threads.c - memory goes beside who uses it, and beside other memory that goes. */
#include <pthread.h>

#include "base/point.h"
#include "base/prng.h"
#include "tests/unit/phys/hotplug_fixture.h"

/* ---- two at a time: the second runs between two attempts of the first (R7) ---- */

static bool still_claimed;

static int others(void *arg)
{
	struct asked *a = arg;

	assert_int_equal(unplug(a->pm, a->pfn, 1), -EBUSY);
	assert_int_equal(unplug(a->pm, a->pfn - a->pfn % 512, 512), -EBUSY);
	assert_int_equal(unplug(a->pm, a->pfn - a->pfn % 512, 600), -EBUSY);
	still_claimed = frame_bits_word(&a->pm->bits, a->pfn / 512) & FRAME_BLOCK_OFFLINE;
	if (!still_claimed)                              /* the mutant */
		assert_true(frame_bits_step(&a->pm->bits, a->pfn / 512, frame_block_offline));
	assert_int_equal(unplug(a->pm, 4096, 1000), 0);
	assert_int_equal(physmem_plug(a->pm, 4096, 1000, 0), 0);
	assert_int_equal(physmem_plug(a->pm, a->pfn, 1, 0), -EEXIST);
	assert_int_equal(physmem_frame_free(a->pm, a->pfn), 0);
	return 0;
}

static bool the_claim_holds(void)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem *pm = two_segments();
	struct asked asked = { .pm = pm, .pfn = physmem_frame_alloc(pm) };

	assert_in_range(asked.pfn, 0, 2047);
	how.mode = PHYSMEM_UNPLUG_WAIT;
	how.cancelled = others;
	how.arg = &asked;
	assert_int_equal(physmem_unplug(pm, asked.pfn - asked.pfn % 512, 512, &how, NULL), 0);
	assert_int_equal(usage(pm).frames, 4096 - 512);
	assert_clean(pm);
	physmem_destroy(pm);
	return still_claimed;
}

static void two_unplugs(void **state)
{
	(void)state;
	assert_true(the_claim_holds());
	if (!point_available())
		skip();
	assert_int_equal(point_mutant_select("unplug_claims_twice"), 0);
	assert_false(the_claim_holds());
	point_mutant_select(NULL);
}

/* A part of the range goes before it is claimed. */
static struct physmem *machine;
static int answer;

static void *unplug_late(void *arg)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;

	(void)arg;
	how.attempts = 3;
	point_role("late");
	answer = physmem_unplug(machine, 0, 512, &how, NULL);
	point_role(NULL);
	return NULL;
}

static int answer_after_another(const char *mutant)
{
	pthread_t thread;

	machine = two_segments();
	point_reset();
	if (mutant)
		assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(point_stop("late", "unplug_before_claim", NULL, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, unplug_late, NULL), 0);
	assert_true(point_wait_reached("late", "unplug_before_claim", UINT64_C(2000000000)));
	assert_int_equal(unplug(machine, 100, 50), 0);
	point_release("late", "unplug_before_claim");
	pthread_join(thread, NULL);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	assert_clean(machine);
	physmem_destroy(machine);
	return answer;
}

static void what_is_claimed_is_there(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(answer_after_another(NULL), -ENXIO);
	assert_int_not_equal(answer_after_another("unplug_looks_early"), -ENXIO);
}

/* Half of the memory goes, and comes again, while another unplug of it looks whether that is all there is: it never
 * was. */
static int answer_of_a_look(const char *mutant)
{
	pthread_t thread;

	machine = two_segments();
	point_reset();
	if (mutant)
		assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(unplug(machine, 512, 1536), 0);
	assert_int_equal(unplug(machine, 4096 + 512, 1536), 0);
	assert_int_equal(unplug(machine, 0, 512), 0);
	assert_int_equal(point_stop("late", "unplug_summed", NULL, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, unplug_late, NULL), 0);
	assert_true(point_wait_reached("late", "unplug_summed", UINT64_C(2000000000)));
	assert_int_equal(physmem_plug(machine, 0, 512, 0), 0);
	point_release("late", "unplug_summed");
	pthread_join(thread, NULL);
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	assert_int_equal(usage(machine).frames, answer == 0 ? 512 : 1024);
	assert_clean(machine);
	physmem_destroy(machine);
	return answer;
}

static void it_was_never_all(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(answer_of_a_look(NULL), 0);
	assert_int_equal(answer_of_a_look("unplug_sums_alone"), -ENOMEM);
}

/* Another unplug cuts the segment that was found, below what is looked for: that is in another one then. */
static int middle_goes;

static void unplug_the_middle(void *arg)
{
	(void)arg;
	middle_goes = unplug(machine, 512, 512);
}

static int answer_beside_a_cut(const char *mutant)
{
	int err;

	machine = two_segments();
	point_reset();
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(point_call("upper", "unplug_found", unplug_the_middle, NULL), 0);
	point_role("upper");
	err = unplug(machine, 1024, 512);
	point_role(NULL);
	assert_int_equal(middle_goes, 0);
	assert_int_equal(usage(machine).frames, 4096 - 512 - (err == 0 ? 512 : 0));
	assert_int_equal(point_timeouts(), 0);
	point_reset();
	assert_clean(machine);
	physmem_destroy(machine);
	return err;
}

static void what_is_there_is_found(void **state)
{
	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(answer_beside_a_cut(NULL), 0);
	assert_int_equal(answer_beside_a_cut("unplug_trusts_handle"), -ENXIO);
}

/* ---- a frame that its thread frees and takes again whenever it is looked for ---- */

struct round { struct physmem *pm; uint64_t held, runs; bool out; };

/* Its place is behind that of what is held: it is freed just before it is looked at. */
static void lets_go(void *arg, uint64_t pfn, uint64_t pages)
{
	struct round *r = arg;

	assert_int_equal(pfn, r->held);
	assert_int_equal(pages, 1);
	if (r->out)
		frame_give(r->pm, thread_self(), r->runs, FRAME_OWNER_MAP);
	else
		assert_int_equal(physmem_frame_free(r->pm, r->held), 0);
	r->out = false;
}

static int takes_again(void *arg)
{
	struct round *r = arg;
	uint64_t pfn = frame_take(r->pm, thread_self(), FRAME_OWNER_MAP);

	assert_true(pfn != PHYSMEM_NONE);
	r->out = pfn == r->runs;
	if (!r->out)
		frame_give(r->pm, thread_self(), pfn, FRAME_OWNER_MAP);
	return 0;
}

static int ends_in_spite_of_it(const char *mutant)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem *pm = two_segments();
	struct round r = { .pm = pm, .held = physmem_frame_alloc(pm), .out = true };
	int err;

	if (mutant)
		assert_int_equal(point_mutant_select(mutant), 0);
	r.runs = frame_take(pm, thread_self(), FRAME_OWNER_MAP);
	how.mode = PHYSMEM_UNPLUG_REVOKE;
	how.revoke = lets_go;
	how.cancelled = takes_again;
	how.arg = &r;
	how.attempts = 10;
	assert_true(r.held < r.runs && r.held / 512 + 1 == r.runs / 512);
	err = physmem_unplug(pm, r.held - r.held % 512, 1024, &how, NULL);
	point_mutant_select(NULL);
	if (r.out)
		frame_give(pm, thread_self(), r.runs, FRAME_OWNER_MAP);
	if (err != 0)
		assert_int_equal(physmem_frame_free(pm, r.held), 0);
	assert_clean(pm);
	physmem_destroy(pm);
	return err;
}

static void what_goes_round_is_caught(void **state)
{
	(void)state;
	assert_int_equal(ends_in_spite_of_it(NULL), 0);
	if (!point_available())
		skip();
	assert_int_equal(ends_in_spite_of_it("unplug_keeps_open"), -EBUSY);
}

/* ---- a frame that is out of use, and had again while it goes ---- */

static int unpoison_and_give_up(void *arg)
{
	struct asked *a = arg;

	assert_int_equal(usage(a->pm).poisoned, 0);
	a->times = physmem_unpoison(a->pm, a->pfn) == 0;
	return 1;
}

/* What an unplug has that fails can be had again, if somebody has said so meanwhile. Returns whether that was said. */
static bool unpoisoned_meanwhile(const char *mutant)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem *pm = two_segments();
	uint64_t held = physmem_frame_alloc(pm), lo = held - held % 512;
	struct asked asked = { .pm = pm, .pfn = lo + 502 };

	for (uint64_t pfn = lo + 511; pfn > lo + 500; pfn--)
		assert_int_equal(physmem_poison(pm, pfn), 0);
	how.mode = PHYSMEM_UNPLUG_WAIT;
	how.cancelled = unpoison_and_give_up;
	how.arg = &asked;
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(physmem_unplug(pm, lo, 512, &how, NULL), -ECANCELED);
	point_mutant_select(NULL);
	assert_int_equal(usage(pm).poisoned, asked.times ? 10 : 11);
	assert_int_equal(physmem_unpoison(pm, asked.pfn), asked.times ? -EINVAL : 0);
	for (uint64_t pfn = lo + 511; pfn > lo + 500; pfn--)
		assert_int_equal(physmem_unpoison(pm, pfn), pfn == asked.pfn ? -EINVAL : 0);
	assert_int_equal(physmem_frame_free(pm, held), 0);
	assert_clean(pm);
	physmem_destroy(pm);
	return asked.times != 0;
}

static void what_was_poisoned_comes_back(void **state)
{
	(void)state;
	assert_true(unpoisoned_meanwhile(NULL));
	if (point_available())
		assert_false(unpoisoned_meanwhile("unpoison_denies"));
}

/* ---- a generation does not come again ---- */

static void generations_are_kept(void **state)
{
	struct physmem *pm = two_segments();
	struct physmem_run run, again;

	(void)state;
	assert_int_equal(physmem_run_alloc(pm, 9, &run), 0);
	assert_int_equal(physmem_run_free(pm, &run), 0);
	assert_int_equal(unplug(pm, run.pfn, 512), 0);
	assert_int_equal(physmem_run_free(pm, &run), -EINVAL);
	assert_int_equal(physmem_plug(pm, run.pfn, 512, 0), 0);
	assert_int_equal(physmem_run_free(pm, &run), -EALREADY);
	do
		assert_int_equal(physmem_run_alloc(pm, 9, &again), 0);
	while (again.pfn != run.pfn);
	assert_int_equal(physmem_run_free(pm, &run), -ESTALE);
	for (uint64_t pfn = 0; pfn < LIMIT; pfn += 512) {
		again = (struct physmem_run){ pfn, (uint32_t)(pm->word[pfn] >> FRAME_LIVES_SHIFT), 9 };
		(void)!physmem_run_free(pm, &again);
	}
	assert_clean(pm);
	physmem_destroy(pm);
}

/* ---- beside others ---- */

struct user { struct physmem *pm; atomic_u32 *stop; uint64_t seed, bad, steps; };

/* Takes and frees, and looks whether what it has is its own. */
static void *use(void *arg)
{
	struct user *u = arg;
	struct thread_slot *self = thread_self();
	struct prng rng = prng_seed(u->seed, 0);
	uint64_t pfn[300], fixed[20];
	unsigned n = 0, m = 0;

	while (!atomic_load_relaxed(u->stop)) {
		uint64_t what = prng_below(&rng, 8), is;

		if (what < 4 && n < 300 && (pfn[n] = frame_alloc(u->pm, self)) != PHYSMEM_NONE) {
			is = pfn[n] << 8 | u->seed;
			frame_write(u->pm, pfn[n++], 0, &is, 8);
		} else if (what == 4 && m < 20 && (fixed[m] = physmem_frame_alloc(u->pm)) != PHYSMEM_NONE) {
			m++;
		} else if (what == 5 && m > 0) {
			u->bad += physmem_frame_free(u->pm, fixed[--m]) != 0;
		} else if (what > 5 && n > 0) {
			frame_read(u->pm, pfn[--n], 0, &is, 8);
			u->bad += is != (pfn[n] << 8 | u->seed);
			if (what == 6)
				frame_free(u->pm, self, pfn[n]);
			else
				frame_defer(u->pm, self, pfn[n]);
		}
		u->steps++;
	}
	while (n > 0)
		frame_free(u->pm, self, pfn[--n]);
	while (m > 0)
		u->bad += physmem_frame_free(u->pm, fixed[--m]) != 0;
	return NULL;
}

/* What they have is held or waited for: some go through, some do not; no frame is lost. */
static void beside_users(void **state)
{
	struct physmem_unplug_options how = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem *pm = two_segments();
	atomic_u32 stop = 0;
	struct user user[2];
	pthread_t thread[2];
	unsigned went = 0;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		user[i] = (struct user){ .pm = pm, .stop = &stop, .seed = i + 1 };
		assert_int_equal(pthread_create(&thread[i], NULL, use, &user[i]), 0);
	}
	how.mode = PHYSMEM_UNPLUG_WAIT;
	how.attempts = 20;
	for (unsigned round = 0; round < 120; round++) {
		uint64_t pfn = (round % 3) * 512 + (round % 2) * 4096 + (round % 5) * 10;
		uint64_t pages = 512 - (round % 3) * 90;
		int err = physmem_unplug(pm, pfn, pages, round % 3 ? &how : NULL, NULL);

		assert_true(err == 0 || err == -EBUSY);
		went += err == 0;
		if (err == 0)
			assert_int_equal(physmem_plug(pm, pfn, pages, 0), 0);
	}
	atomic_store_relaxed(&stop, 1);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(user[i].bad, 0);
	}
	assert_int_equal(usage(pm).frames, 4096);
	assert_clean(pm);
	assert_int_not_equal(went, 0);
	physmem_destroy(pm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_unplugs),
		cmocka_unit_test(what_is_claimed_is_there),
		cmocka_unit_test(it_was_never_all),
		cmocka_unit_test(what_is_there_is_found),
		cmocka_unit_test(what_goes_round_is_caught),
		cmocka_unit_test(what_was_poisoned_comes_back),
		cmocka_unit_test(generations_are_kept),
		cmocka_unit_test(beside_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
