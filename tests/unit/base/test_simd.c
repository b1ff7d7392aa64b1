/* SPDX-License-Identifier: MIT */
/* test_simd.c - both forms of each compare, and the count, against arithmetic: edges of 32 bits, and at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/prng.h"
#include "base/simd.h"

static struct { atomic_u32 first[SIMD_KEYS] LINE_ALIGNED, last[SIMD_KEYS] LINE_ALIGNED; } keys;

static uint32_t edge(struct prng *rnd)
{
	static const uint32_t edges[] = { 0, 1, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff };
	uint64_t k = prng_below(rnd, 14);

	return k < 7 ? edges[k] : (uint32_t)prng_next(rnd) >> prng_below(rnd, 32);
}

static void against_arithmetic(void **state)
{
	struct prng rnd = prng_seed(1, 1);

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		uint32_t a = edge(&rnd), b = edge(&rnd), lo = a < b ? a : b, hi = a < b ? b : a;
		uint32_t below = 0, meets = 0, equal = 0, bits = 0;

		for (unsigned i = 0; i < SIMD_KEYS; i++) {
			uint32_t c = edge(&rnd), d = edge(&rnd), f = c < d ? c : d, l = c < d ? d : c;

			atomic_store_relaxed(&keys.first[i], simd_bias(f));
			atomic_store_relaxed(&keys.last[i], simd_bias(l));
			below |= (uint32_t)(f < lo) << i;
			equal |= (uint32_t)(f == lo) << i;
			meets |= (uint32_t)(f <= hi && l >= lo) << i;
		}
		for (uint32_t rest = hi; rest; rest &= rest - 1)
			bits++;
		assert_int_equal(simd_count(hi), bits);
		assert_int_equal(simd_below_scalar(keys.first, lo), below);
		assert_int_equal(simd_equal_scalar(keys.first, lo), equal);
		assert_int_equal(simd_meets_scalar(keys.first, keys.last, lo, hi), meets);
#if SIMD_HAVE_VECTOR
		assert_int_equal(simd_below_vector(keys.first, lo), below);
		assert_int_equal(simd_equal_vector(keys.first, lo), equal);
		assert_int_equal(simd_meets_vector(keys.first, keys.last, lo, hi), meets);
#endif
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(against_arithmetic) };

	return cmocka_run_group_tests_name("simd", tests, NULL, NULL);
}
