/* SPDX-License-Identifier: MIT */
/* test_scavenge.c - what a thread leaves behind where it unmaps: tables, bounded; and nothing that is still in use. */
#include "base/point.h"
#include "base/rcu.h"
#include "tests/unit/space/maps.h"
#include "vmmap/space/space.h"

#define SPAN  UINT64_C(512)                      /* pages of a table                                               */
#define WIDE  (SPAN * 512)                       /* pages of a table of tables                                     */
#define TRIPS (3 * SCAVENGE_PLACES)

static uint64_t tables(struct vmmap *map)
{
	struct pt_stats stats;

	pt_get_stats(&map->pt, &stats);
	return stats.tables;
}

/* Maps, writes and unmaps a few pages at TRIPS places. Returns the tables that are there in the end. */
static uint64_t after_trips(struct vmmap *map, uint64_t stride)
{
	for (uint64_t i = 0; i < TRIPS; i++) {
		assert_true(maps_fixed(map, 3 * SPAN + i * stride, 4, RW, NORES) > 0);
		assert_int_equal(maps_touch(map, 3 * SPAN + i * stride + 1), 0);
		assert_int_equal(maps_unmap(map, 3 * SPAN + i * stride, 4), 0);
	}
	return tables(map);
}

static void test_bound(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t before = tables(map);

	assert_in_range(after_trips(map, SPAN), before + 1, before + SCAVENGE_PLACES + 4);
	maps_free(map);
	map = maps_new(*state);                          /* far apart: the tables above go, too                    */
	assert_in_range(after_trips(map, WIDE), before + 1, before + 2 * SCAVENGE_PLACES + 4 + TRIPS / 512);
	maps_free(map);
}

static void test_bound_of_moves(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t before = tables(map), home = 1;

	for (uint64_t i = 0; i < TRIPS; i++) {
		uint64_t from = BASE + (3 + i) * SPAN * PAGE;

		assert_true(maps_fixed(map, (3 + i) * SPAN, 4, RW, NORES) > 0);
		assert_int_equal(maps_touch(map, (3 + i) * SPAN + 1), 0);
		assert_int_equal(vmmap_mremap(map, from, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
					      BASE + home * PAGE),
				 BASE + home * PAGE);
	}
	assert_in_range(tables(map), before + 1, before + SCAVENGE_PLACES + 5);
	maps_free(map);
}

/* The same place, over and over: it keeps its table. */
static void test_home_stays(void **state)
{
	struct vmmap *map = maps_new(*state);
	atomic_u64 *entry = NULL;

	for (unsigned i = 0; i < TRIPS; i++) {
		assert_true(maps_fixed(map, 7, 4, RW, NORES) > 0);
		assert_int_equal(maps_touch(map, 8), 0);
		assert_int_equal(maps_unmap(map, 7, 4), 0);
		rcu_enter(thread_self());
		assert_true(i == 0 || pt_find(&map->pt, BASE + 8 * PAGE) == entry);
		entry = pt_find(&map->pt, BASE + 8 * PAGE);
		rcu_leave(thread_self());
		assert_non_null(entry);
	}
	maps_free(map);
}

/* Two for each set on the average, and round once more: they keep their tables. */
static void test_rounds_stay(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t places = 2 * SCAVENGE_SETS, entries[2 * SCAVENGE_SETS];

	for (uint64_t i = 0; i < 4 * places; i++) {
		uint64_t page = 3 * SPAN + i % places * SPAN * 3;
		uint64_t entry;

		assert_true(maps_fixed(map, page, 4, RW, NORES) > 0);
		assert_int_equal(maps_touch(map, page + 1), 0);
		assert_int_equal(maps_unmap(map, page, 4), 0);
		rcu_enter(thread_self());
		entry = (uint64_t)(uintptr_t)pt_find(&map->pt, BASE + (page + 1) * PAGE);
		rcu_leave(thread_self());
		assert_true(i < places || entry == entries[i % places]);
		entries[i % places] = entry;
		assert_int_not_equal(entry, 0);
	}
	maps_free(map);
}

/* One page of each span stays mapped: it keeps what was written to it. */
static void test_rest_stays(void **state)
{
	struct vmmap *map = maps_new(*state);

	for (uint64_t i = 0; i < TRIPS; i++) {
		assert_true(maps_fixed(map, i * SPAN, 4, RW, NORES) > 0);
		assert_int_equal(vmmap_write(map, BASE + (i * SPAN + 2) * PAGE, &i, sizeof i), sizeof i);
		assert_int_equal(maps_unmap(map, i * SPAN, 2), 0);
	}
	for (uint64_t i = 0; i < TRIPS; i++) {
		uint64_t word = UINT64_MAX;

		assert_int_equal(vmmap_read(map, BASE + (i * SPAN + 2) * PAGE, &word, sizeof word), sizeof word);
		assert_int_equal(word, i);
	}
	maps_free(map);
}

static void test_mutant(void **state)
{
	struct vmmap *map = maps_new("vma");

	(void)state;
	if (!point_available())
		skip();
	assert_int_equal(point_mutant_select("scavenge_nothing"), 0);
	assert_true(after_trips(map, SPAN) >= TRIPS);
	point_mutant_select(NULL);
	maps_free(map);
}

int main(void)
{
	struct CMUnitTest each[] = { cmocka_unit_test(test_bound), cmocka_unit_test(test_bound_of_moves),
				     cmocka_unit_test(test_home_stays), cmocka_unit_test(test_rounds_stay),
				     cmocka_unit_test(test_rest_stays) };
	const struct CMUnitTest once[] = { cmocka_unit_test(test_mutant) };
	int bad = 0;

	for (unsigned p = 0; vmmap_policy_name(p); p++)
		bad += maps_run(vmmap_policy_name(p), each);
	return bad + cmocka_run_group_tests_name("once", once, NULL, NULL);
}
