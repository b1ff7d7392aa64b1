/* SPDX-License-Identifier: MIT */
/* test_physmem.c - instances: configuration, segments, errors of the public calls, usage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>

#include "base/mem.h"
#include "tests/unit/phys/outside.h"

static struct physmem *make(const struct physmem_range *segments, unsigned n, uint64_t pages, int bytes)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem *pm = NULL;

	config.segments = segments;
	config.nsegments = n;
	config.pages = pages;
	config.bytes = bytes;
	assert_int_equal(physmem_create(&pm, &config), 0);
	assert_non_null(pm);
	return pm;
}

static void assert_usage(struct physmem *pm, uint64_t owned)
{
	struct physmem_usage u;

	physmem_get_usage(pm, &u);
	assert_int_equal(u.owned, owned);
	assert_int_equal(u.free + u.cached + u.deferred + u.owned, u.frames);
	assert_int_equal(physmem_audit(pm, stderr), 0);
}

static void test_config_errors(void **state)
{
	static const struct physmem_range bad[][2] = {
		{ { 0, 16 }, { 8, 16 } },                         /* overlap */
		{ { 100, 16 }, { 0, 16 } },                       /* descending */
		{ { 0, 16 }, { 16, 0 } },                         /* empty */
		{ { 0, 1 }, { UINT64_C(1) << 40, 1 } },           /* beyond what an entry holds */
		{ { 0, 1 }, { (UINT64_C(1) << 40) - 1, 2 } },
		{ { 0, 1 }, { UINT64_C(1) << 33, 1 } },           /* span of more than 16 TiB */
		{ { 5, UINT64_MAX }, { 8, 1 } },                  /* wraps */
	};
	struct physmem_config config = PHYSMEM_CONFIG;
	struct physmem *pm = NULL;

	(void)state;
	assert_int_equal(physmem_create(NULL, NULL), -EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		config.segments = bad[i];
		config.nsegments = 2;
		assert_int_equal(physmem_create(&pm, &config), -EINVAL);
	}
	config.nsegments = 0;
	assert_int_equal(physmem_create(&pm, &config), -EINVAL);
	config = (struct physmem_config)PHYSMEM_CONFIG;
	config.size--;
	assert_int_equal(physmem_create(&pm, &config), -EINVAL);
	assert_null(pm);
	physmem_destroy(NULL);
}

static void test_no_memory_leaves_nothing(void **state)
{
	struct physmem_config config = PHYSMEM_CONFIG;
	uint64_t before = mem_bytes(MEM_FRAME);
	struct physmem *pm = NULL;
	int failed = 0;

	(void)state;
	config.bytes = 1;
	for (uint64_t nth = 1;; nth++) {
		int err;

		mem_fail_nth(nth);
		err = physmem_create(&pm, &config);
		if (!mem_fail_fired()) {
			mem_fail_nth(0);
			assert_int_equal(err, 0);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(mem_bytes(MEM_FRAME), before);
		failed++;
	}
	assert_true(failed >= 5);
	physmem_destroy(pm);
	assert_int_equal(mem_bytes(MEM_FRAME), before);
}

static void test_default_is_one_gib(void **state)
{
	struct physmem *pm = NULL;
	struct physmem_usage u;

	(void)state;
	assert_int_equal(physmem_create(&pm, NULL), 0);
	physmem_get_usage(pm, &u);
	assert_int_equal(u.frames, 1 << 18);
	assert_int_equal(u.free, 1 << 18);
	assert_null(physmem_frame_bytes(pm, 0));
	physmem_destroy(pm);
}

/* Every frame of every segment exactly once, none of a hole. */
static void test_segments_hand_out_each_frame_once(void **state)
{
	static const struct physmem_range seg[] = {
		{ 1000, 3 }, { 1003, 61 }, { 1100, 130 }, { 70000, 1 }, { 70064, 64 },
	};
	struct physmem *pm = make(seg, 5, 0, 0);
	unsigned total = 3 + 61 + 130 + 1 + 64;
	unsigned char *got = calloc(70200, 1);
	struct physmem_usage u;

	(void)state;
	for (unsigned i = 0; i < total; i++) {
		uint64_t pfn = physmem_frame_alloc(pm);

		assert_true(pfn < 70200);
		assert_int_equal(got[pfn]++, 0);
	}
	assert_true(physmem_frame_alloc(pm) == PHYSMEM_NONE);
	assert_usage(pm, total);
	for (unsigned s = 0; s < 5; s++)
		for (uint64_t i = 0; i < seg[s].pages; i++)
			assert_int_equal(got[seg[s].pfn + i], 1);
	for (uint64_t pfn = 0; pfn < 70200; pfn++)
		assert_int_equal(physmem_frame_free(pm, pfn), got[pfn] ? 0 : -EINVAL);
	assert_usage(pm, 0);
	physmem_get_usage(pm, &u);
	assert_int_equal(u.frames, total);
	physmem_destroy(pm);
	free(got);
}

static void test_double_and_foreign_frees(void **state)
{
	static const struct physmem_range seg[] = { { 64, 64 }, { 256, 64 } };
	struct physmem *pm = make(seg, 2, 0, 0);
	uint64_t a = physmem_frame_alloc(pm), b = physmem_frame_alloc(pm);

	(void)state;
	assert_int_equal(physmem_frame_free(pm, a), 0);
	assert_int_equal(physmem_frame_free(pm, a), -EALREADY);          /* double */
	assert_int_equal(physmem_frame_free(pm, 0), -EINVAL);            /* below */
	assert_int_equal(physmem_frame_free(pm, 130), -EINVAL);          /* hole */
	assert_int_equal(physmem_frame_free(pm, 320), -EINVAL);          /* above */
	assert_int_equal(physmem_frame_free(pm, PHYSMEM_NONE), -EINVAL);
	assert_int_equal(physmem_frame_free(pm, 300), -EALREADY);        /* never handed out */
	frame_defer_by(pm, thread_self(), b, FRAME_OWNER_CALLER);
	assert_int_equal(physmem_frame_free(pm, b), -EALREADY);          /* deferred */
	assert_usage(pm, 0);
	physmem_destroy(pm);
}

static void test_a_terabyte_costs_little(void **state)
{
	struct physmem *pm = make(NULL, 0, UINT64_C(1) << 28, 0);
	struct thread_slot *self = thread_self();
	uint64_t pfn[1000];

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true((pfn[i] = frame_alloc(pm, self)) < UINT64_C(1) << 28);
	for (int i = 0; i < 1000; i++)
		frame_free(pm, self, pfn[i]);
	assert_usage(pm, 0);
	physmem_destroy(pm);
}

static void test_two_instances_do_not_mix(void **state)
{
	struct physmem *a = make(NULL, 0, 256, 0), *b = make(NULL, 0, 256, 0);
	uint64_t pfn = physmem_frame_alloc(a);

	(void)state;
	assert_int_equal(physmem_frame_free(b, pfn), -EALREADY);
	assert_usage(a, 1);
	assert_usage(b, 0);
	assert_int_equal(physmem_frame_free(a, pfn), 0);
	physmem_destroy(a);
	physmem_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_errors),
		cmocka_unit_test(test_no_memory_leaves_nothing),
		cmocka_unit_test(test_default_is_one_gib),
		cmocka_unit_test(test_segments_hand_out_each_frame_once),
		cmocka_unit_test(test_double_and_foreign_frees),
		cmocka_unit_test(test_a_terabyte_costs_little),
		cmocka_unit_test(test_two_instances_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
