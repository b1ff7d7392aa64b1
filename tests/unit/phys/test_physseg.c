/* SPDX-License-Identifier: MIT */
/* test_physseg.c - segments call by call, under each index. Where we differ from NetBSD: test_physseg_edges.c. */
#include <stdlib.h>

#include "base/mem.h"
#include "tests/unit/phys/physseg_tables.h"
#include "vmmap/phys/physseg_impl.h"

#define LIMIT 100000u

static struct physseg_table *t;
static const struct kind *kind_now;

#define each_kind(i) (unsigned i = 0; i < ARRAY_SIZE(kinds) && open_table(&kinds[i]); table_end(t), i++)

static bool open_table(const struct kind *kind)
{
	kind_now = kind;
	t = table_of(kind, 0, LIMIT);
	return true;
}

/* ---- the table ---- */

static int created(const char *index, uint64_t base, uint64_t limit)
{
	struct physseg_config config = PHYSSEG_CONFIG;

	config.index = index;
	config.base = base;
	config.limit = limit;
	return physseg_create(&t, &config);
}

static void tables_have_a_range(void **state)
{
	const uint64_t high = (UINT64_C(1) << 40) - UINT64_C(0xffffffff);

	(void)state;
	assert_int_equal(physseg_create(NULL, NULL), -EINVAL);
	assert_int_equal(physseg_create(&t, &(struct physseg_config){ .size = 8 }), -EINVAL);
	assert_int_equal(created("hash", 0, 100), -EINVAL);
	assert_int_equal(created(NULL, 100, 100), -EINVAL);
	assert_int_equal(created(NULL, 0, UINT64_C(1) << 32), -EINVAL);
	assert_int_equal(created(NULL, high, (UINT64_C(1) << 40) + 1), -EINVAL);
	assert_int_equal(created(NULL, UINT64_MAX, 0), -EINVAL);
	assert_int_equal(created(NULL, high, UINT64_C(1) << 40), 0);
	plug(t, (UINT64_C(1) << 40) - 1, 1);
	assert_int_equal(physseg_highest_frame(t), (UINT64_C(1) << 40) - 1);
	plug(t, high, 1);
	assert_int_equal(physseg_start(t, physseg_first(t)), high);
	assert_true(same(physseg_next(t, physseg_first(t)), physseg_last(t)));
	assert_true(same(physseg_prev(t, physseg_last(t)), physseg_first(t)));
	table_end(t);
	physseg_destroy(NULL);
}

static void defaults_are_a_terabyte(void **state)
{
	(void)state;
	assert_int_equal(physseg_create(&t, NULL), 0);
	plug(t, (1 << 28) - 1, 1);
	assert_int_equal(physseg_plug(t, 1 << 28, 1, NULL), -EINVAL);
	table_end(t);
}

static void empty_tables_have_ends(void **state)
{
	(void)state;
	for each_kind(i) {
		uint64_t offset = 7;

		assert_true(same(physseg_first(t), PHYSSEG_EMPTY));
		assert_true(same(physseg_last(t), PHYSSEG_EMPTY));
		assert_true(same(physseg_find(t, 5, &offset), PHYSSEG_INVALID));
		assert_int_equal(offset, 7);
		assert_int_equal(physseg_highest_frame(t), PHYSSEG_NONE);
		assert_int_equal(physseg_count(t) + physseg_pages(t), 0);
	}
}

static void nothing_is_said_of_what_is_no_segment(void **state)
{
	const struct physseg_handle none[] = {
		PHYSSEG_INVALID, PHYSSEG_EMPTY, PHYSSEG_OVERFLOW, { 5000, 1 }, { UINT32_MAX, UINT32_MAX }, { 0, 2 },
	};

	(void)state;
	for each_kind(i) {
		plug(t, 10, 10);
		for (unsigned k = 0; k < ARRAY_SIZE(none); k++) {
			uint64_t pfn;

			assert_false(physseg_valid(t, none[k]));
			assert_int_equal(physseg_start(t, none[k]), PHYSSEG_NONE);
			assert_int_equal(physseg_end(t, none[k]), PHYSSEG_NONE);
			assert_int_equal(physseg_avail_start(t, none[k]), PHYSSEG_NONE);
			assert_int_equal(physseg_avail_end(t, none[k]), PHYSSEG_NONE);
			assert_int_equal(physseg_start_hint(t, none[k]), PHYSSEG_NONE);
			assert_int_equal(physseg_free_list(t, none[k]), -1);
			assert_null(physseg_md(t, none[k]));
			assert_true(same(physseg_next(t, none[k]), PHYSSEG_INVALID));
			assert_true(same(physseg_prev(t, none[k]), PHYSSEG_INVALID));
			assert_int_equal(physseg_set_avail(t, none[k], 10, 20), -EINVAL);
			assert_int_equal(physseg_set_start_hint(t, none[k], 0), -EINVAL);
			assert_int_equal(physseg_set_md(t, none[k], t), -EINVAL);
			assert_int_equal(physseg_unload(t, none[k], 0, &pfn), -EINVAL);
			assert_int_equal(physseg_unload_force(t, none[k], &pfn), -EINVAL);
		}
	}
}

/* ---- handles ---- */

/* What a handle names stays what it is while lower and higher segments come. */
static bool immutable(void)
{
	struct physseg_handle middle = plug(t, 500, 50);

	plug(t, 100, 10);
	plug(t, 900, 10);
	return physseg_start(t, middle) == 500 && physseg_end(t, middle) == 550;
}

/* As in the paper: expected to fail on `array`, whose handles are places. */
static void handle_immutable(void **state)
{
	(void)state;
	for each_kind(i)
		assert_int_equal(immutable(), !kind_now->places);
}

static void handles_name_what_is_left(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle middle = plug(t, 500, 50), low = plug(t, 100, 10), high = plug(t, 900, 10);

		if (kind_now->places)
			continue;
		assert_segment(t, middle, RUN(500, 550, 500, 550));
		assert_int_equal(physseg_unplug(t, 100, 10), 0);
		assert_int_equal(physseg_unplug(t, 500, 5), 0);
		assert_int_equal(physseg_unplug(t, 545, 5), 0);
		assert_segment(t, middle, RUN(505, 545, 505, 545));
		assert_segment(t, high, RUN(900, 910, 900, 910));
		assert_false(physseg_valid(t, low));
	}
}

/* A slot whose numbers have run out is not used again. */
static void generations_do_not_come_back(void **state)
{
	struct physseg_handle h, next;

	(void)state;
	open_table(&kinds[0]);
	plug(t, 0, 1);
	atomic_store_relaxed(&t->boot[1].generation, UINT32_MAX - 3);
	h = plug(t, 50, 10);
	assert_int_equal(h.slot, 1);
	assert_int_equal(h.generation, UINT32_MAX - 2);
	assert_int_equal(physseg_unplug(t, 50, 10), 0);
	next = plug(t, 50, 10);
	assert_int_not_equal(next.slot, 1);
	assert_false(physseg_valid(t, h));
	table_end(t);
}

static void boot_takes_no_memory(void **state)
{
	(void)state;
	open_table(&kinds[0]);
	mem_fail_from(1);
	for (unsigned i = 0; i < PHYSSEG_BOOT_SLOTS; i++)
		plug(t, 10 * i, 10);
	assert_int_equal(physseg_plug(t, 50000, 10, NULL), -ENOMEM);
	assert_int_equal(physseg_unplug(t, 15, 1), -ENOMEM);    /* a split wants a slot                            */
	assert_int_equal(physseg_count(t), PHYSSEG_BOOT_SLOTS);
	assert_int_equal(physseg_unplug(t, 10, 10), 0);
	mem_fail_nth(0);
	for (unsigned i = 0; i < 1000; i++)
		plug(t, 50000 + 2 * i, 1);
	table_end(t);
}

/* Under each index: no call that wants for memory changes anything. */
static void want_of_memory_changes_nothing(void **state)
{
	(void)state;
	for each_kind(i) {
		unsigned failed = 0;

		for (unsigned n = 0; n < 400; n++) {
			uint64_t count = physseg_count(t);

			mem_fail_nth(1);
			if (physseg_plug(t, 10 * n, 5, NULL) == -ENOMEM) {
				failed++;
				assert_int_equal(physseg_count(t), count);
				assert_true(same(physseg_find(t, 10 * n, NULL), PHYSSEG_INVALID));
				plug(t, 10 * n, 5);
			}
			mem_fail_nth(0);
			assert_int_equal(physseg_count(t), count + 1);
		}
		assert_true(failed > 0);
	}
}

static void an_array_can_be_full(void **state)
{
	(void)state;
	assert_int_equal(created("array", 0, 1 << 20), 0);
	for (uint64_t n = 0; n < 1 << 17; n++)
		assert_int_equal(physseg_plug(t, 4 * n, 2, NULL), 0);
	assert_int_equal(physseg_plug(t, (1 << 20) - 1, 1, NULL), -ENOSPC);
	table_end(t);
}

/* ---- fields ---- */

static void splits_hand_on_what_a_segment_has(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle h = load(t, BOOT(0, 256, 16, 240, 2)), upper;
		int mine;

		assert_int_equal(physseg_set_md(t, h, &mine), 0);
		assert_int_equal(physseg_set_start_hint(t, h, 120), 0);
		assert_int_equal(physseg_unplug(t, 100, 10), 0);
		upper = physseg_find(t, 110, NULL);
		assert_segment(t, h, BOOT(0, 100, 16, 100, 2));
		assert_segment(t, upper, BOOT(110, 256, 110, 240, 2));
		assert_ptr_equal(physseg_md(t, upper), &mine);
		assert_int_equal(physseg_start_hint(t, h), 100);
		assert_int_equal(physseg_start_hint(t, upper), 10);
		assert_int_equal(physseg_unplug(t, 0, 8), 0);
		assert_segment(t, physseg_first(t), BOOT(8, 100, 16, 100, 2));
		assert_int_equal(physseg_unplug(t, 8, 20), 0);
		assert_segment(t, physseg_first(t), BOOT(28, 100, 28, 100, 2));
		assert_int_equal(physseg_unplug(t, 230, 26), 0);
		assert_segment(t, physseg_last(t), BOOT(110, 230, 110, 230, 2));
	}
}

static void avail_parts_can_be_set(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle h = plug(t, 100, 100);

		assert_int_equal(physseg_set_avail(t, h, 99, 150), -EINVAL);
		assert_int_equal(physseg_set_avail(t, h, 150, 201), -EINVAL);
		assert_int_equal(physseg_set_avail(t, h, 151, 150), -EINVAL);
		assert_int_equal(physseg_set_avail(t, h, 150, 150), 0);
		assert_segment(t, h, RUN(100, 200, 150, 150));
		assert_int_equal(physseg_set_avail(t, h, 100, 200), 0);
		assert_int_equal(physseg_set_avail(t, h, 110, 190), 0);
		assert_segment(t, h, RUN(100, 200, 110, 190));
		assert_int_equal(physseg_set_start_hint(t, h, 101), -EINVAL);
		assert_int_equal(physseg_set_start_hint(t, h, 100), 0);
		assert_int_equal(physseg_unplug(t, 150, 50), 0);
		assert_int_equal(physseg_start_hint(t, h), 50);
	}
}

/* ---- boot ---- */

static void loads_say_what_is_wrong(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle h = load(t, BOOT(100, 200, 110, 190, PHYSSEG_FREE_LISTS - 1));
		uint64_t pfn;

		assert_segment(t, h, BOOT(100, 200, 110, 190, PHYSSEG_FREE_LISTS - 1));
		assert_int_equal(physseg_load(t, BOOT(300, 300, 300, 300, 0), NULL), -EINVAL);
		assert_int_equal(physseg_load(t, BOOT(300, 400, 299, 400, 0), NULL), -EINVAL);
		assert_int_equal(physseg_load(t, BOOT(300, 400, 300, 401, 0), NULL), -EINVAL);
		assert_int_equal(physseg_load(t, BOOT(300, 400, 350, 340, 0), NULL), -EINVAL);
		assert_int_equal(physseg_load(t, BOOT(300, 400, 300, 400, PHYSSEG_FREE_LISTS), NULL), -EINVAL);
		assert_int_equal(physseg_load(t, BOOT(LIMIT - 1, LIMIT + 1, LIMIT - 1, LIMIT, 0), NULL), -EINVAL);
		assert_int_equal(physseg_load(t, BOOT(150, 250, 150, 250, 0), NULL), -EEXIST);
		physseg_boot_done(t);
		assert_int_equal(physseg_load(t, BOOT(300, 400, 300, 400, 0), NULL), -EBUSY);
		assert_int_equal(physseg_unload(t, h, 3, &pfn), -EBUSY);
		assert_int_equal(physseg_unload_force(t, h, &pfn), -EBUSY);
		assert_segment(t, plug(t, 300, 100), RUN(300, 400, 300, 400));
	}
}

static void frames_are_stolen_from_the_ends(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle h = load(t, BOOT(100, 200, 100, 200, 1));
		uint64_t pfn = 0;

		assert_int_equal(physseg_unload(t, h, 0, &pfn), -EINVAL);
		assert_int_equal(pfn, 0);
		assert_int_equal(physseg_unload(t, h, 1, &pfn), 0);
		assert_int_equal(pfn, 100);
		assert_segment(t, h, BOOT(101, 200, 101, 200, 1));
		assert_int_equal(physseg_set_avail(t, h, 110, 200), 0);
		assert_int_equal(physseg_unload(t, h, 1, &pfn), 0);
		assert_int_equal(pfn, 199);
		assert_segment(t, h, BOOT(101, 199, 110, 199, 1));
		assert_int_equal(physseg_set_avail(t, h, 110, 190), 0);
		assert_int_equal(physseg_unload(t, h, 1, &pfn), -ENXIO);
		assert_int_equal(physseg_pages(t), 98);
	}
}

static void the_last_frame_is_not_stolen(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle low = plug(t, 10, 1), high = plug(t, 20, 2);
		uint64_t pfn;

		assert_int_equal(physseg_unload(t, low, 0, &pfn), 0);
		if (kind_now->places)
			high = physseg_first(t);
		else
			assert_false(physseg_valid(t, low));
		assert_int_equal(physseg_unload_force(t, high, &pfn), 0);
		assert_int_equal(pfn, 20);
		assert_int_equal(physseg_unload_force(t, high, &pfn), -ENOMEM);
		assert_int_equal(physseg_unload(t, high, 0, &pfn), -ENOMEM);
		assert_segment(t, high, RUN(21, 22, 21, 22));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_have_a_range),
		cmocka_unit_test(defaults_are_a_terabyte),
		cmocka_unit_test(empty_tables_have_ends),
		cmocka_unit_test(nothing_is_said_of_what_is_no_segment),
		cmocka_unit_test(handle_immutable),
		cmocka_unit_test(handles_name_what_is_left),
		cmocka_unit_test(generations_do_not_come_back),
		cmocka_unit_test(boot_takes_no_memory),
		cmocka_unit_test(want_of_memory_changes_nothing),
		cmocka_unit_test(an_array_can_be_full),
		cmocka_unit_test(splits_hand_on_what_a_segment_has),
		cmocka_unit_test(avail_parts_can_be_set),
		cmocka_unit_test(loads_say_what_is_wrong),
		cmocka_unit_test(frames_are_stolen_from_the_ends),
		cmocka_unit_test(the_last_frame_is_not_stolen),
	};

	return cmocka_run_group_tests_name("physseg", tests, NULL, NULL);
}
