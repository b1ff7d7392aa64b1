/* SPDX-License-Identifier: MIT */
/* test_mem.c - zeroed, aligned, counted by purpose, failing when told. */
#include "base/mem.h"
#include "base/thread.h"
#include "tests/unit/base/crew.h"

static bool all_zero(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void memory_is_zeroed_aligned_and_counted(void **state)
{
	(void)state;
	for (size_t align = 1; align <= 4096; align *= 2) {
		for (size_t bytes = 1; bytes < 3000; bytes = bytes * 3 + 1) {
			uint64_t before = mem_bytes(MEM_NODE), other = mem_bytes(MEM_VMA);
			unsigned char *p = mem_alloc(MEM_NODE, bytes, align);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % align, 0);
			assert_true(all_zero(p, bytes));
			assert_int_equal(mem_bytes(MEM_NODE), before + bytes);
			assert_int_equal(mem_bytes(MEM_VMA), other);
			memset(p, 0xa5, bytes);          /* the next one must be zeroed again */
			mem_free(MEM_NODE, p, bytes);
			assert_int_equal(mem_bytes(MEM_NODE), before);
		}
	}
	mem_free(MEM_NODE, NULL, 100);
}

static void reserve_is_lazy(void **state)
{
	size_t bytes = (size_t)1 << 36;
	uint64_t before = mem_bytes(MEM_FRAME);
	unsigned char *p = mem_reserve(MEM_FRAME, bytes);

	(void)state;
	assert_non_null(p);
	assert_int_equal(mem_bytes(MEM_FRAME), before + bytes);
	assert_int_equal(p[0], 0);
	assert_int_equal(p[bytes - 1], 0);
	p[bytes / 2] = 1;
	mem_unreserve(MEM_FRAME, p, bytes);
	mem_unreserve(MEM_FRAME, NULL, bytes);
	assert_int_equal(mem_bytes(MEM_FRAME), before);
}

static void the_nth_fails_once(void **state)
{
	uint64_t before = mem_bytes(MEM_OTHER);

	(void)state;
	for (uint64_t nth = 1; nth <= 5; nth++) {
		void *p[6];

		mem_fail_nth(nth);
		assert_false(mem_fail_fired());
		for (uint64_t i = 1; i <= 6; i++) {
			p[i - 1] = i % 2 ? mem_alloc(MEM_OTHER, 40, 8) : mem_reserve(MEM_OTHER, 4096);
			assert_int_equal(p[i - 1] == NULL, i == nth);
			assert_int_equal(mem_fail_fired(), i >= nth);
		}
		for (uint64_t i = 1; i <= 6; i++) {
			if (i % 2)
				mem_free(MEM_OTHER, p[i - 1], 40);
			else
				mem_unreserve(MEM_OTHER, p[i - 1], 4096);
		}
		assert_int_equal(mem_bytes(MEM_OTHER), before);
	}
	mem_fail_nth(3);
	mem_fail_nth(0);
	assert_false(mem_fail_fired());
}

struct worker { uint32_t failures; void *left[10]; };

static void *alloc_many(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < 2000; i++) {
		void *p = mem_alloc(MEM_TABLE, 64, 64);

		w->failures += p == NULL;
		mem_free(MEM_TABLE, p, 64);
	}
	for (size_t i = 0; i < ARRAY_SIZE(w->left); i++)
		w->left[i] = mem_alloc(MEM_TABLE, 100, 8);
	return NULL;
}

static void orders_to_fail_and_counts_are_per_thread(void **state)
{
	struct worker w[3] = { { 0 } };
	uint64_t before = mem_bytes(MEM_TABLE);
	pthread_t t[3];
	void *p;

	(void)state;
	mem_fail_nth(1);
	for (int i = 0; i < 3; i++)
		t[i] = crew_start(alloc_many, &w[i]);
	for (int i = 0; i < 3; i++)
		crew_join(t[i]);
	assert_int_equal(w[0].failures + w[1].failures + w[2].failures, 0);
	assert_int_equal(mem_bytes(MEM_TABLE), before + 3 * 10 * 100);
	for (int i = 0; i < 3; i++)                              /* freed by another than who allocated */
		for (size_t k = 0; k < ARRAY_SIZE(w[i].left); k++)
			mem_free(MEM_TABLE, w[i].left[k], 100);
	assert_int_equal(mem_bytes(MEM_TABLE), before);
	p = mem_alloc(MEM_TABLE, 8, 8);
	assert_null(p);
	assert_true(mem_fail_fired());
}

static unsigned allocs, frees;

static void *own_alloc(size_t align, size_t bytes)
{
	void *p = NULL;

	allocs++;
	if (bytes == 666 || posix_memalign(&p, align, bytes) != 0)
		return NULL;
	memset(p, 0xff, bytes);
	return p;
}

static void own_free(void *p, size_t bytes)
{
	frees += bytes == 77;
	free(p);
}

static void functions_can_be_replaced(void **state)
{
	const struct mem_functions own = { own_alloc, own_free };
	uint64_t before = mem_bytes(MEM_OBJECT);
	unsigned char *p;

	(void)state;
	mem_set_functions(&own);
	p = mem_alloc(MEM_OBJECT, 77, 32);
	assert_non_null(p);
	assert_true(all_zero(p, 77));
	mem_free(MEM_OBJECT, p, 77);
	assert_null(mem_alloc(MEM_OBJECT, 666, 8));
	mem_set_functions(NULL);
	p = mem_alloc(MEM_OBJECT, 10, 8);
	mem_free(MEM_OBJECT, p, 10);
	assert_int_equal(allocs, 2);
	assert_int_equal(frees, 1);
	assert_int_equal(mem_bytes(MEM_OBJECT), before);
}

static void sizes_that_do_not_fit_fail(void **state)
{
	(void)state;
	assert_null(mem_alloc(MEM_OTHER, SIZE_MAX - 10, 64));
}

static void purposes_have_distinct_names(void **state)
{
	(void)state;
	for (int i = 0; i < MEM_PURPOSES; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(mem_purpose_name(i), mem_purpose_name(k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_aligned_and_counted),
		cmocka_unit_test(reserve_is_lazy),
		cmocka_unit_test(the_nth_fails_once),
		cmocka_unit_test(orders_to_fail_and_counts_are_per_thread),
		cmocka_unit_test(functions_can_be_replaced),
		cmocka_unit_test(sizes_that_do_not_fit_fail),
		cmocka_unit_test(purposes_have_distinct_names),
	};

	crew_mutant();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
