/* SPDX-License-Identifier: MIT */
/* test_physmem_report.c - an instance tells its host what is free: what is told, when, and beside whom. */
#include <pthread.h>
#include <string.h>

#include "base/park.h"
#include "base/point.h"
#include "tests/unit/phys/fixture.h"
#include "tests/unit/phys/outside.h"
#include "vmmap/phys/frame_depot.h"
#include "vmmap/physmem_host.h"
#include "vmmap/physmem_hotplug.h"

#define BLOCK  UINT64_C(512)
#define BLOCKS 16u
#define BASE   (UINT64_C(8) * BLOCK)

static struct physmem *pm;
static struct physmem_report_result result;
static struct {
	enum physmem_verdict says;
	atomic_u64 told, calls;
	uint64_t bank_blocks;
	void (*meanwhile)(void);
	bool wrong;
} host;

static void tell(void *arg, struct physmem_told *told, unsigned n)
{
	(void)atomic_add_relaxed(&host.calls, 1);
	for (unsigned i = 0; i < n; i++) {
		host.wrong |= arg != &host || told[i].pfn % BLOCK != 0 || told[i].pfn < BASE || told[i].order != 9 ||
			      told[i].verdict != PHYSMEM_LATER || (i > 0 && told[i].pfn <= told[i - 1].pfn);
		told[i].verdict = host.says;
		(void)atomic_add_relaxed(&host.told, 1);
	}
	if (host.meanwhile != NULL)
		host.meanwhile();
}

static uint64_t bank(void *arg, uint64_t pfn)
{
	(void)arg;
	return (pfn - BASE) / BLOCK / host.bank_blocks;
}

static struct physmem_report_config config(void)
{
	struct physmem_report_config c = PHYSMEM_REPORT_CONFIG;

	c.tell = tell;
	c.arg = &host;
	c.low = 0;
	return c;
}

static void machine(uint64_t blocks)
{
	struct physmem_range boot = { BASE, blocks * BLOCK };
	struct physmem_config c = PHYSMEM_CONFIG;

	memset(&host, 0, sizeof(host));
	host.says = PHYSMEM_ACCEPTED;
	c.segments = &boot;
	c.nsegments = 1;
	assert_int_equal(physmem_create(&pm, &c), 0);
}

static void start(void)
{
	struct physmem_report_config c = config();

	assert_int_equal(physmem_report_start(pm, &c), 0);
}

static void end(void)
{
	assert_false(host.wrong);
	assert_clean(pm);
	physmem_destroy(pm);
}

static void pass(enum physmem_report_how how) { assert_int_equal(physmem_report_pass(pm, how, &result), 0); }

static struct physmem_report_state state_of(void)
{
	struct physmem_report_state s;

	physmem_get_report(pm, &s);
	return s;
}

/* ---- rules ---- */

static void errors(void **state)
{
	struct physmem_report_config c = config(), bad = c;

	(void)state;
	machine(BLOCKS);
	assert_int_equal(physmem_report_pass(pm, PHYSMEM_REPORT_ALL, NULL), -ENXIO);
	assert_int_equal(physmem_report_run(pm), -ENXIO);
	physmem_report_stop(pm);
	assert_int_equal(physmem_report_start(pm, NULL), -EINVAL);
	bad.size--;
	assert_int_equal(physmem_report_start(pm, &bad), -EINVAL);
	bad = c;
	bad.tell = NULL;
	assert_int_equal(physmem_report_start(pm, &bad), -EINVAL);
	bad = c;
	bad.most = PHYSMEM_TOLD_MOST + 1;
	assert_int_equal(physmem_report_start(pm, &bad), -EINVAL);
	bad = c;
	bad.capture = 3;
	assert_int_equal(physmem_report_start(pm, &bad), -EINVAL);
	assert_int_equal(physmem_report_pass(pm, PHYSMEM_REPORT_ALL, NULL), -ENXIO);
	assert_int_equal(physmem_report_start(pm, &c), 0);
	assert_int_equal(physmem_report_start(pm, &c), -EBUSY);
	assert_int_equal(physmem_report_pass(pm, (enum physmem_report_how)3, NULL), -EINVAL);
	physmem_report_stop(pm);
	assert_int_equal(physmem_report_pass(pm, PHYSMEM_REPORT_ALL, NULL), -ENXIO);
	end();
}

static void what_is_free_is_told(void **state)
{
	uint64_t pfn;

	(void)state;
	machine(BLOCKS);
	start();
	assert_int_equal(state_of().reportable, BLOCKS * BLOCK);
	pass(PHYSMEM_REPORT_SOME);
	assert_int_equal(result.accepted, BLOCKS);
	assert_int_equal(state_of().reported, BLOCKS * BLOCK);
	pfn = physmem_frame_alloc(pm);
	assert_int_equal(state_of().reported, (BLOCKS - 1) * BLOCK);
	assert_int_equal(physmem_frame_free(pm, pfn), 0);
	pass(PHYSMEM_REPORT_ALL);                                                /* it has been in use         */
	assert_int_equal(result.put_off, 1);
	pass(PHYSMEM_REPORT_ALL);
	assert_int_equal(state_of().reported, BLOCKS * BLOCK);
	assert_true(state_of().on && state_of().passes == 3 && state_of().accepted == BLOCKS + 1);
	end();
}

static void verdicts(void **state)
{
	(void)state;
	machine(BLOCKS);
	start();
	host.says = PHYSMEM_LATER;
	pass(PHYSMEM_REPORT_NOW);
	assert_int_equal(result.later, BLOCKS);
	host.says = PHYSMEM_REFUSED;
	pass(PHYSMEM_REPORT_NOW);
	assert_int_equal(result.refused, BLOCKS);
	host.says = PHYSMEM_ACCEPTED;
	pass(PHYSMEM_REPORT_NOW);
	assert_int_equal(result.accepted, 0);
	assert_int_equal(state_of().reported, 0);
	end();
}

static void banks_are_told_apart(void **state)
{
	struct physmem_report_config c = config();

	(void)state;
	machine(BLOCKS);
	host.bank_blocks = 4;
	c.bank = bank;
	assert_int_equal(physmem_report_start(pm, &c), 0);
	pass(PHYSMEM_REPORT_NOW);
	assert_int_equal(result.calls, BLOCKS / 4);
	end();
}

/* What became free before the start, or while it was off, is told all the same. */
static bool told_after_a_start(void)
{
	struct physmem_report_config c = config();
	struct physmem_run run;
	bool all;

	machine(BLOCKS);
	start();
	pass(PHYSMEM_REPORT_NOW);
	assert_int_equal(physmem_run_alloc(pm, 9, &run), 0);
	physmem_report_stop(pm);
	assert_int_equal(physmem_run_free(pm, &run), 0);
	c.capture = 2;
	assert_int_equal(physmem_report_start(pm, &c), 0);
	pass(PHYSMEM_REPORT_NOW);
	all = state_of().reported == BLOCKS * BLOCK;
	end();
	return all;
}

static void a_start_looks_at_all(void **state)
{
	(void)state;
	point_reset();
	assert_true(told_after_a_start());
	if (!point_available())
		return;
	assert_int_equal(point_mutant_select("frame_report_begins_late"), 0);
	assert_false(told_after_a_start());
	point_reset();
}

/* ---- what threads keep ---- */

static atomic_u32 gone;                          /* how many have freed all, and idle                               */
static atomic_u32 over;

#define IDLERS 3

/* Takes a quarter of the machine, gives it back (half of it deferred), and idles. */
static void *idler(void *arg)
{
	struct thread_slot *self = thread_self();
	uint64_t pfn[BLOCKS * 512 / 4];

	(void)arg;
	for (unsigned i = 0; i < BLOCKS * 512 / 4; i++)
		CHECK((pfn[i] = frame_alloc(pm, self)) != PHYSMEM_NONE);
	for (unsigned i = 0; i < BLOCKS * 512 / 4; i++) {
		if (i % 2 != 0)
			frame_defer(pm, self, pfn[i]);
		else
			frame_free(pm, self, pfn[i]);
	}
	(void)atomic_add_acqrel(&gone, 1);
	park_wake(&gone, 1);
	while (atomic_load_acquire(&over) == 0)
		(void)park_wait(&over, 0, PARK_FOREVER);
	return NULL;
}

/* T9. Returns how many blocks are told at the end of the second pass for ALL, while threads idle. */
static uint64_t told_beside_idlers(void)
{
	pthread_t thread[IDLERS];
	uint64_t told;
	uint32_t n;

	machine(BLOCKS);
	start();
	atomic_store_relaxed(&gone, 0);
	atomic_store_relaxed(&over, 0);
	for (unsigned i = 0; i < IDLERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, idler, NULL), 0);
	while ((n = atomic_load_acquire(&gone)) < IDLERS)
		(void)park_wait(&gone, n, PARK_FOREVER);
	rcu_synchronize();
	pass(PHYSMEM_REPORT_ALL);
	pass(PHYSMEM_REPORT_ALL);
	told = state_of().reported / BLOCK;
	(void)point_mutant_select(NULL);
	atomic_store_release(&over, 1);
	park_wake(&over, IDLERS);
	for (unsigned i = 0; i < IDLERS; i++)
		pthread_join(thread[i], NULL);
	rcu_synchronize();
	pass(PHYSMEM_REPORT_ALL);
	pass(PHYSMEM_REPORT_ALL);
	assert_int_equal(state_of().reported, BLOCKS * BLOCK);
	end();
	return told;
}

static void idle_caches_hold_nothing_back(void **state)
{
	(void)state;
	point_reset();
	assert_int_equal(told_beside_idlers(), BLOCKS);
	if (!point_available())
		return;
	assert_int_equal(point_mutant_select("physmem_report_gathers_not"), 0);
	assert_in_range(told_beside_idlers(), 0, BLOCKS - 1);
	assert_int_equal(point_mutant_select("physmem_report_spares_idle"), 0);
	assert_in_range(told_beside_idlers(), 0, BLOCKS - 1);
	point_reset();
}

/* ---- R8: while the host is being told ---- */

static pthread_t other;
static atomic_u32 other_done;
static bool other_got;

static void *want_a_frame(void *arg)
{
	struct thread_slot *self = thread_self();
	uint64_t pfn;

	(void)arg;
	pfn = frame_alloc(pm, self);
	other_got = pfn != PHYSMEM_NONE;
	if (other_got)
		frame_free(pm, self, pfn);
	atomic_store_release(&other_done, 1);
	return NULL;
}

static void *want_a_run(void *arg)
{
	struct physmem_run run;

	(void)arg;
	(void)thread_self();
	other_got = physmem_run_alloc(pm, 9, &run) == 0 && physmem_run_free(pm, &run) == 0;
	atomic_store_release(&other_done, 1);
	return NULL;
}

/* The upper block of the machine goes, in one attempt. */
static void *unplug_it(void *arg)
{
	struct physmem_unplug_options options = PHYSMEM_UNPLUG_OPTIONS;
	struct physmem_unplug_result out;

	(void)arg;
	(void)thread_self();
	options.attempts = 1;
	other_got = physmem_unplug(pm, BASE + BLOCK, BLOCK, &options, &out) == 0;
	atomic_store_release(&other_done, 1);
	return NULL;
}

static void *(*beside)(void *);

/* Returns when the other thread waits, or has ended. */
static void start_the_other(void)
{
	uint64_t before = park_blocked_total();

	host.meanwhile = NULL;
	atomic_store_relaxed(&other_done, 0);
	assert_int_equal(pthread_create(&other, NULL, beside, NULL), 0);
	while (atomic_load_acquire(&other_done) == 0 && park_blocked_total() == before)
		sched_yield();
}

static bool succeeds_beside(void *(*fn)(void *), uint64_t blocks)
{
	machine(blocks);
	start();
	beside = fn;
	host.meanwhile = start_the_other;
	pass(PHYSMEM_REPORT_NOW);
	pthread_join(other, NULL);
	assert_int_equal(result.accepted, blocks);
	assert_int_equal(point_timeouts(), 0);
	end();
	return other_got;
}

static void no_allocation_fails_for_it(void **state)
{
	(void)state;
	point_reset();
	assert_true(succeeds_beside(want_a_frame, 1));
	assert_true(succeeds_beside(want_a_run, 1));
	if (!point_available())
		return;
	assert_int_equal(point_mutant_select("frame_short_lets"), 0);
	assert_false(succeeds_beside(want_a_frame, 1));
	assert_false(succeeds_beside(want_a_run, 1));
	point_reset();
}

static void no_unplug_fails_for_it(void **state)
{
	(void)state;
	point_reset();
	assert_true(succeeds_beside(unplug_it, 2));
	if (!point_available())
		return;
	assert_int_equal(point_mutant_select("unplug_trusts_host"), 0);
	assert_false(succeeds_beside(unplug_it, 2));
	point_reset();
}

static int refill_err;

static void refill_with_no_time(void)
{
	struct thread_slot *self = thread_self();
	uint64_t before = thread_deadline(self, PARK_TRY);

	refill_err = frame_refill(pm, self);
	(void)thread_deadline(self, before);
}

/* An allocation with a deadline does not wait for the host beyond that. */
static void a_deadline_ends_the_wait(void **state)
{
	(void)state;
	machine(1);
	start();
	host.meanwhile = refill_with_no_time;
	pass(PHYSMEM_REPORT_NOW);
	host.meanwhile = NULL;
	assert_int_equal(refill_err, -ETIMEDOUT);
	assert_int_equal(physmem_report_pass(pm, PHYSMEM_REPORT_NOW, &result), 0);       /* nobody holds            */
	end();
}

/* ---- who reports ---- */

static void *reporter(void *arg)
{
	*(int *)arg = physmem_report_run(pm);
	return NULL;
}

/* From `begin` blocks on somebody is woken; the rest is told at the end of an age; a stop ends it, and a start begins
 * it again. */
static void a_thread_reports(void **state)
{
	struct physmem_report_config c = config();
	pthread_t thread;
	uint64_t calls;
	int err;

	(void)state;
	machine(BLOCKS);
	c.begin = 4;
	c.age_ns = 1000000;
	for (unsigned round = 0; round < 20; round++) {
		struct physmem_run run[4];

		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(physmem_run_alloc(pm, 9, &run[i]), 0);
		c.capture = round % 3;
		assert_int_equal(physmem_report_start(pm, &c), 0);
		err = 1;
		assert_int_equal(pthread_create(&thread, NULL, reporter, &err), 0);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(physmem_run_free(pm, &run[i]), 0);
		while (state_of().reported != BLOCKS * BLOCK)
			sched_yield();
		assert_int_equal(physmem_report_run(pm), -EBUSY);
		physmem_report_stop(pm);
		calls = atomic_load_relaxed(&host.calls);
		pthread_join(thread, NULL);
		assert_int_equal(err, 0);
		assert_int_equal(atomic_load_relaxed(&host.calls), calls);
		assert_int_equal(state_of().on, 0);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors),
		cmocka_unit_test(what_is_free_is_told),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(banks_are_told_apart),
		cmocka_unit_test(a_start_looks_at_all),
		cmocka_unit_test(idle_caches_hold_nothing_back),
		cmocka_unit_test(no_allocation_fails_for_it),
		cmocka_unit_test(no_unplug_fails_for_it),
		cmocka_unit_test(a_deadline_ends_the_wait),
		cmocka_unit_test(a_thread_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
