/* SPDX-License-Identifier: MIT */
/*
 * test_atfork_maps.c - the host forks: what a child may do with the maps of its parent, and that the parent feels
 * nothing of it.
 * mutant: fork_keeps_readers
 */
#include "tests/atfork/calls.h"

static struct ground the_ground(void **state)
{
	struct ground g = { .policy = *state };

	assert_int_equal(ground_make(&g), 0);
	return g;
}

static int child_calls(void *arg)
{
	return calls_all(arg);
}

static int child_calls_and_forks(void *arg)
{
	CHILD_EXPECT(child_run(child_calls, arg) == 0);
	return calls_all(arg);
}

static void child_has_a_snapshot(void **state)
{
	struct ground g = the_ground(state);

	assert_int_equal(child_run(child_calls_and_forks, &g), 0);
	assert_int_equal(calls_all(&g), 0);
}

/* ---- threads at work elsewhere ---- */

enum { WORKERS = 3, FORKS = 6 };

/* The workers used the map before, so that their slots keep some of its frames, VMAs and tables; then each goes to a
 * map of its own. */
static void others_work_on_other_maps(void **state)
{
	struct ground g, own[WORKERS];
	struct caller c[WORKERS];
	atomic_u32 stop = 0;
	pthread_t t[WORKERS];

	if (!CHILD_BESIDE_ALLOCATIONS)
		skip();
	g = the_ground(state);
	for (int i = 0; i < WORKERS; i++) {
		own[i] = the_ground(state);
		c[i] = (struct caller){ .map = own[i].map, .at = BASE + 1024 * PAGE, .stop = &stop };
	}
	for (int i = 0; i < WORKERS; i++) {
		struct caller first = { .map = g.map, .at = BASE + 1024 * PAGE };

		crew_join(crew_start(calls_once, &first));
		assert_false(first.failed);
		t[i] = crew_start(calls_until_told, &c[i]);
	}
	for (int i = 0; i < FORKS; i++)
		assert_int_equal(child_run(i ? child_calls : child_calls_and_forks, &g), 0);
	atomic_store_relaxed(&stop, 1);
	for (int i = 0; i < WORKERS; i++) {
		crew_join(t[i]);
		assert_false(c[i].failed);
		assert_int_equal(ground_holds(&own[i]) | ground_end(&own[i]), 0);
	}
	assert_int_equal(calls_all(&g), 0);
}

static int child_of_its_own(void *arg)
{
	struct ground fresh = { .policy = arg };

	CHILD_EXPECT(ground_make(&fresh) == 0);
	return calls_all(&fresh);
}

/* The map is in use when the process forks: the child leaves it alone and works on one that it makes. */
static void others_work_on_this_map(void **state)
{
	struct ground g;
	struct caller c[WORKERS];
	atomic_u32 stop = 0;
	pthread_t t[WORKERS];
	int workers = strcmp(*state, "none") == 0 ? 1 : WORKERS;

	if (!CHILD_BESIDE_ALLOCATIONS)
		skip();
	g = the_ground(state);
	for (int i = 0; i < workers; i++) {
		c[i] = (struct caller){ .map = g.map, .at = BASE + (uint64_t)(1 + i) * 4096 * PAGE, .stop = &stop };
		t[i] = crew_start(calls_until_told, &c[i]);
	}
	for (int i = 0; i < FORKS; i++)
		assert_int_equal(child_run(child_of_its_own, *state), 0);
	atomic_store_relaxed(&stop, 1);
	for (int i = 0; i < workers; i++) {
		crew_join(t[i]);
		assert_false(c[i].failed);
	}
	assert_int_equal(calls_all(&g), 0);
}

/* ---- limits: what the other threads' slots have set aside ---- */

enum { LIMIT_PAGES = 1000 };

struct keeper { struct caller c; atomic_u32 done; };

static void *calls_then_stays(void *arg)
{
	struct keeper *k = arg;

	calls_once(&k->c);
	atomic_store_release(&k->done, 1);
	while (!crew_await(k->c.stop, 1))
		;
	return NULL;
}

/* To the page: what is mapped, and no page more. */
static int meets_limit(void *arg)
{
	struct ground *g = arg;
	struct vmmap_usage usage;
	uint64_t free;

	vmmap_get_usage(g->map, &usage);
	free = LIMIT_PAGES - usage.mapped_bytes / PAGE;
	CHILD_EXPECT(free > 128);
	CHILD_EXPECT(vmmap_mmap(g->map, HEAP, (free + 1) * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == -ENOMEM);
	CHILD_EXPECT(vmmap_mmap(g->map, HEAP, free * PAGE, RW, ANON | MAP_FIXED, NULL, 0) == (int64_t)HEAP);
	CHILD_EXPECT(vmmap_mmap(g->map, HEAP + 4096 * PAGE, PAGE, RW, ANON | MAP_FIXED, NULL, 0) == -ENOMEM);
	CHILD_EXPECT(vmmap_mlock(g->map, HEAP, LIMIT_PAGES / 2 * PAGE, MLOCK_ONFAULT) == 0);
	CHILD_EXPECT(vmmap_mlock(g->map, HEAP, (LIMIT_PAGES / 2 + 1) * PAGE, MLOCK_ONFAULT) == -ENOMEM);
	CHILD_EXPECT(vmmap_munmap(g->map, HEAP, free * PAGE) == 0);
	return ground_end(g);
}

static void child_meets_limits(void **state)
{
	struct ground g = { .policy = *state };
	struct vmmap_config limits = VMMAP_CONFIG;
	struct keeper k[WORKERS];
	atomic_u32 stop = 0;
	pthread_t t[WORKERS];

	limits.limit_as = LIMIT_PAGES * PAGE;
	limits.limit_locked = LIMIT_PAGES / 2 * PAGE;
	limits.limit_vmas = limits.limit_commit = 100000;
	assert_int_equal(ground_make_limited(&g, limits), 0);
	for (int i = 0; i < WORKERS; i++) {
		k[i] = (struct keeper){ .c = { .map = g.map, .at = BASE + 1024 * PAGE, .stop = &stop } };
		t[i] = crew_start(calls_then_stays, &k[i]);
		while (!crew_await(&k[i].done, 1))
			;
		assert_false(k[i].c.failed);
	}
	assert_int_equal(child_run(meets_limit, &g), 0);
	atomic_store_release(&stop, 1);
	for (int i = 0; i < WORKERS; i++)
		crew_join(t[i]);
	assert_int_equal(meets_limit(&g), 0);
}

/* ---- the forking thread is inside a call, or holds a range ---- */

static int fork_in_walk(const struct vmmap_vma *vma, void *arg)
{
	pid_t *pid = arg;

	(void)vma;
	if (*pid < 0)
		*pid = fork();
	return 0;
}

static void fork_in_a_callback(void **state)
{
	struct ground g = the_ground(state);
	pid_t pid = -1;

	assert_int_equal(vmmap_walk(g.map, 0, UINT64_C(1) << 47, fork_in_walk, &pid), 0);
	if (pid == 0)
		child_be(child_calls, &g);
	assert_int_equal(child_status(pid), 0);
	assert_int_equal(calls_all(&g), 0);
}

/* (Not under `rwlock`: glibc's belongs to the thread number of who locked it, and the child's thread has another.) */
static void fork_with_a_range_held(void **state)
{
	struct ground g = the_ground(state);
	struct vmmap_held held;
	pid_t pid;

	if (strcmp(g.policy, "rwlock") == 0) {
		assert_int_equal(ground_end(&g), 0);
		return;
	}
	assert_int_equal(vmmap_hold(g.map, BASE + 2 * PAGE, 4 * PAGE, &held), 0);
	pid = fork();
	assert_true(pid >= 0);
	vmmap_release(g.map, &held);
	if (pid == 0)
		child_be(child_calls, &g);
	assert_int_equal(child_status(pid), 0);
	assert_int_equal(calls_all(&g), 0);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		cmocka_unit_test(child_has_a_snapshot),
		cmocka_unit_test(others_work_on_other_maps),
		cmocka_unit_test(others_work_on_this_map),
		cmocka_unit_test(child_meets_limits),
		cmocka_unit_test(fork_in_a_callback),
		cmocka_unit_test(fork_with_a_range_held),
	};
	int bad = 0;

	crew_mutant();
	for (unsigned p = 0; vmmap_policy_name(p); p++) {
		for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
			tests[i].initial_state = (void *)(uintptr_t)vmmap_policy_name(p);
		bad += cmocka_run_group_tests_name(vmmap_policy_name(p), tests, NULL, NULL);
	}
	return bad;
}
