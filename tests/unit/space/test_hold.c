/* SPDX-License-Identifier: MIT */
/* test_hold.c - a range that is held is held as a whole: each VMA and each gap of it, however they fill the leaves. */
#include <pthread.h>

#include "base/point.h"
#include "base/site.h"
#include "tests/unit/space/maps.h"

#define MANY 64u                                 /* VMAs of a page, with gaps of a page: more than two leaves       */

static struct vmmap *map;

/* From another thread: how many of the first 2 * n pages may be edited. */
static void *count_free(void *arg)
{
	uint64_t n = (uint64_t)(uintptr_t)arg, not_held = 0;

	for (uint64_t page = 0; page < 2 * n; page++) {
		int64_t got = vmmap_mmap_until(map, BASE + page * PAGE, PAGE, PROT_READ, NORES | MAP_FIXED, NULL, 0,
					       VMMAP_TRY);

		not_held += got != -EAGAIN;
	}
	return (void *)(uintptr_t)not_held;
}

static uint64_t not_held(const char *policy, uint64_t n)
{
	struct vmmap_held held;
	pthread_t thread;
	void *pages;

	map = maps_new(policy);
	for (uint64_t i = 0; i < n; i++)
		assert_true(maps_fixed(map, 2 * i, 1, RW, NORES) > 0);
	assert_int_equal(vmmap_hold(map, BASE, 2 * n * PAGE, &held), 0);
	assert_int_equal(pthread_create(&thread, NULL, count_free, (void *)(uintptr_t)n), 0);
	pthread_join(thread, &pages);
	vmmap_release(map, &held);
	maps_free(map);
	return (uint64_t)(uintptr_t)pages;
}

static void test_whole(void **state)
{
	for (uint64_t n = 1; n <= MANY; n++)
		assert_int_equal(not_held(*state, n), 0);
}

static void test_mutant(void **state)
{
	uint64_t pages = 0;

	(void)state;
	assert_int_equal(point_mutant_select("claim_skips_gap"), 0);
	for (uint64_t n = 1; n <= MANY && !pages; n++)
		pages = not_held("vma", n);
	point_mutant_select(NULL);
	assert_true(pages > 0);
}

/* A VMA over the border of an arena stands in two leaves. Holding a part of it fails at its n-th need: what was cut at
 * the upper border by then is joined again. Returns the audit's violations. */
static uint64_t after_failures(void)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap_held held;
	uint64_t border, bad = 0;
	int err = -ENOMEM;

	assert_int_equal(vmmap_create(&map, &config), 0);
	border = (uint64_t)vmmap_mmap(map, 0, PAGE, RW, NORES, NULL, 0) + PAGE;
	assert_true(vmmap_mmap(map, border - 16 * PAGE, 32 * PAGE, RW, NORES | MAP_FIXED, NULL, 0) > 0);
	for (uint64_t n = 1; err == -ENOMEM; n++) {
		site_refuse_nth(n, false);
		err = vmmap_hold(map, border - 8 * PAGE, 16 * PAGE, &held);
		site_refuse_nth(0, false);
		assert_true(err || n > 4);
		if (err)
			bad += vmmap_audit(map, NULL);
	}
	assert_int_equal(err, 0);
	vmmap_release(map, &held);
	bad += vmmap_audit(map, NULL);
	vmmap_destroy(map);
	return bad;
}

static void test_cut_undone(void **state)
{
	(void)state;
	assert_int_equal(after_failures(), 0);
	assert_int_equal(point_mutant_select("take_forgets_cut"), 0);
	assert_true(after_failures() > 0);
	point_mutant_select(NULL);
}

int main(void)
{
	struct CMUnitTest each[] = { cmocka_unit_test(test_whole) };
	const struct CMUnitTest once[] = { cmocka_unit_test(test_mutant), cmocka_unit_test(test_cut_undone) };
	int bad = 0;

	for (unsigned p = 0; vmmap_policy_name(p); p++)
		if (vmmap_policy_threads(p))
			bad += maps_run(vmmap_policy_name(p), each);
	return bad + cmocka_run_group_tests_name("once", once, NULL, NULL);
}
