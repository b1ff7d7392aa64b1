/* SPDX-License-Identifier: MIT */
/* test_frame_row.c - functions of one row against the obvious ones, a bit at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/prng.h"
#include "vmmap/phys/frame_row.h"

static bool taken(uint64_t row, unsigned i) { return row >> i & 1; }

static unsigned slow_find(uint64_t row, unsigned order)
{
	for (unsigned at = 0; at < 64; at += 1u << order) {
		unsigned n = 0;

		while (n < 1u << order && !taken(row, at + n))
			n++;
		if (n == 1u << order)
			return at;
	}
	return 64;
}

static uint64_t slow_some(uint64_t row, unsigned n)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < 64 && n != 0; i++) {
		if (!taken(row, i)) {
			mask |= UINT64_C(1) << i;
			n--;
		}
	}
	return mask;
}

static void check_row(uint64_t row)
{
	unsigned free = 0;

	for (unsigned i = 0; i < 64; i++)
		free += !taken(row, i);
	assert_int_equal(frame_row_free(row), free);
	for (unsigned order = 0; order <= FRAME_ROW_ORDER; order++)
		assert_int_equal(frame_row_find(row, order), slow_find(row, order));
	for (unsigned n = 0; n <= 64; n++)
		assert_true(frame_row_some(row, n) == slow_some(row, n));
}

static void masks_and_ranges(void **state)
{
	(void)state;
	for (unsigned order = 0; order <= FRAME_ROW_ORDER; order++)
		assert_true(frame_row_mask(order) == slow_some(0, 1u << order));
	for (unsigned lo = 0; lo < 64; lo++)
		for (unsigned hi = lo + 1; hi <= 64; hi++)
			assert_true(frame_row_range(lo, hi) == (slow_some(0, hi) & ~slow_some(0, lo)));
}

/* All patterns of 12 bits at each place, the rest free or taken; runs with one hole. */
static void patterns(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 1u << 12; bits++) {
		unsigned at = bits % 53;

		check_row((uint64_t)bits << at);
		check_row(~((uint64_t)bits << at));
	}
	for (unsigned lo = 0; lo < 64; lo++) {
		for (unsigned hi = lo + 1; hi <= 64; hi++) {
			check_row(frame_row_range(lo, hi));
			check_row(~frame_row_range(lo, hi));
		}
	}
}

static void random_rows(void **state)
{
	struct prng rng = prng_seed(1, 0);

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t row = prng_next(&rng);

		for (unsigned k = (unsigned)prng_below(&rng, 4); k > 0; k--)
			row &= prng_next(&rng);
		check_row(i & 1 ? row : ~row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masks_and_ranges),
		cmocka_unit_test(patterns),
		cmocka_unit_test(random_rows),
	};

	return cmocka_run_group_tests_name("frame_row", tests, NULL, NULL);
}
