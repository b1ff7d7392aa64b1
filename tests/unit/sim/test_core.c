/* SPDX-License-Identifier: MIT */
/* test_core.c - logical cores run the engine: accesses are told, cores switch anywhere, sleep, wake, and get stuck. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/park.h"
#include "base/prng.h"
#include "bench/sim/access.h"
#include "bench/sim/core.h"
#include "bench/sim/kernel.h"
#include "tests/unit/sim/section.h"
#include "vmmap/vmmap.h"

#define CORES 4
#define PAGE  UINT64_C(4096)
#define AREA  UINT64_C(0x40000000)

const long kernel_cpus = CORES;

static struct prng prng;
static uint64_t accesses, rmws, switches, wakes;
static uint32_t switch_one_in;

static struct core *any_ready(struct core *from)
{
	uint32_t first = (uint32_t)prng_below(&prng, core_count());

	for (uint32_t i = 0; i < core_count(); i++) {
		struct core *c = core_at((first + i) % core_count());

		if (c->state == CORE_READY && c != from)
			return c;
	}
	return NULL;
}

static void before(const struct access *a)
{
	struct core *to;

	accesses++;
	rmws += a->op == ACCESS_RMW;
	if (core_current->number == CORE_MAIN || switch_one_in == 0 || prng_below(&prng, switch_one_in) != 0)
		return;
	to = any_ready(core_current);
	if (to != NULL) {
		switches++;
		core_switch(to);
	}
}

static void call(enum core_call what, struct core *about, const void *at)
{
	(void)about;
	(void)at;
	wakes += what == CORE_CALL_WOKEN;
}

static const struct access_listener listener = { .before = before };
static const struct core_scheduler scheduler = { .call = call };

static void listen(uint64_t seed, uint32_t one_in)
{
	prng = prng_seed(seed, 0);
	accesses = rmws = switches = wakes = 0;
	switch_one_in = one_in;
	core_scheduler = &scheduler;
	access_listener = &listener;
}

static struct vmmap *map;

/* Overlapping areas: they wait for each other, cut, and join. */
static void churn(void *arg)
{
	uint64_t self = (uint64_t)(uintptr_t)arg, at = AREA + self * 8 * PAGE;

	for (uint64_t i = 0; i < 60; i++) {
		assert_int_equal(vmmap_mmap(map, at, 12 * PAGE, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0), at);
		(void)vmmap_fault(map, at + i % 12 * PAGE, PROT_WRITE, NULL);
		(void)vmmap_mprotect(map, at + PAGE, 4 * PAGE, PROT_READ);
		assert_int_equal(vmmap_munmap(map, at + i % 3 * PAGE, 9 * PAGE), 0);
	}
}

static void run_churn(const char *policy, uint64_t seed)
{
	struct vmmap_config config = VMMAP_CONFIG;

	config.policy = policy;
	assert_int_equal(vmmap_create(&map, &config), 0);
	listen(seed, 50);
	for (uint32_t i = 0; i < CORES; i++)
		core_give(i, churn, (void *)(uintptr_t)i);
	assert_int_equal(core_run(), 0);
	access_listener = NULL;
	core_settle(UINT64_C(50000000));
	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_destroy(map);
}

static void cores_share_a_map(void **state)
{
	static const char *const policy[] = { "vma", "vma-count", "rwsem", "pervma" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(policy); i++)
		for (uint64_t seed = 0; seed < 5; seed++) {
			run_churn(policy[i], seed);
			assert_true(accesses > 10000 && rmws > 100 && switches > 100);
		}
}

struct totals { uint64_t accesses, switches, wakes; };

/* In a child: what a run leaves behind (slots, the clock) changes the next one. */
static struct totals totals_of(uint64_t seed)
{
	struct totals t;
	int pipes[2], status;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		run_churn("vma", seed);
		t = (struct totals){ accesses, switches, wakes };
		_exit(write(pipes[1], &t, sizeof(t)) != (ssize_t)sizeof(t));
	}
	assert_int_equal(read(pipes[0], &t, sizeof(t)), sizeof(t));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(pipes[0]);
	close(pipes[1]);
	return t;
}

static void same_seed_same_run(void **state)
{
	struct totals first = totals_of(7), again = totals_of(7), other = totals_of(8);

	(void)state;
	assert_memory_equal(&first, &again, sizeof(first));
	assert_memory_not_equal(&first, &other, sizeof(first));
}

static atomic_u32 never;

static void sleep_for_ever(void *arg)
{
	(void)arg;
	while (atomic_load_acquire(&never) == 0)
		park_wait(&never, 0, PARK_FOREVER);
}

static void wake_all(void *arg)
{
	(void)arg;
	atomic_store_release(&never, 1);
	park_wake(&never, INT32_MAX);
}

static void who_cannot_be_woken_is_told(void **state)
{
	(void)state;
	listen(1, 0);
	core_give(0, sleep_for_ever, NULL);
	core_give(1, sleep_for_ever, NULL);
	assert_int_equal(core_run(), -EDEADLK);
	core_give(2, wake_all, NULL);
	assert_int_equal(core_run(), 0);
	assert_int_equal(wakes, 2);
}

static void sleep_until(void *arg)
{
	*(int *)arg = park_wait(&never, 1, core_now() + 1000);
}

static void time_jumps_when_nobody_can_run(void **state)
{
	int rc = 0;

	(void)state;
	core_give(0, sleep_until, &rc);
	assert_int_equal(core_run(), 0);
	assert_int_equal(rc, -ETIMEDOUT);
}

static void grace_period_waits_for_readers(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		section_reset();
		listen(seed, 3);
		core_give(0, section_read, NULL);
		core_give(1, section_retire, NULL);
		assert_int_equal(core_run(), 0);
		access_listener = NULL;
		assert_int_equal(section_reads_of_freed(), 0);
	}
}

static void leave(void *arg)
{
	*(uint32_t *)arg = thread_self()->number;
	core_thread_exit();
}

static void slots_are_given_back(void **state)
{
	uint32_t first, second;

	(void)state;
	core_give(3, leave, &first);
	assert_int_equal(core_run(), 0);
	core_give(3, leave, &second);
	assert_int_equal(core_run(), 0);
	assert_int_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cores_share_a_map),
		cmocka_unit_test(same_seed_same_run),
		cmocka_unit_test(who_cannot_be_woken_is_told),
		cmocka_unit_test(time_jumps_when_nobody_can_run),
		cmocka_unit_test(grace_period_waits_for_readers),
		cmocka_unit_test(slots_are_given_back),
	};

	core_begin(CORES);
	return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
