/* SPDX-License-Identifier: MIT */
/*
 * test_physseg.c - segments call by call, under each index; and where we differ from NetBSD's uvm_physseg.c 1.9 on
 * purpose (the behaviour named in each such test is its).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "vmmap/phys/physseg_impl.h"

#define LIMIT 100000u

static const char *const indexes[] = { "bitmap", "cow-array", "rbtree", "array" };
static struct physseg_table t;
static const char *index_now;

#define each_index(i) (unsigned i = 0; i < ARRAY_SIZE(indexes) && open_table(indexes[i]); close_table(), i++)

static bool open_table(const char *index)
{
	index_now = index;
	assert_int_equal(physseg_table_init(&t, index, 0, LIMIT), 0);
	return true;
}

static void close_table(void)
{
	assert_int_equal(physseg_audit(&t, stderr), 0);
	physseg_table_fini(&t);
}

static bool same(struct physseg_handle a, struct physseg_handle b)
{
	return a.slot == b.slot && a.generation == b.generation;
}

static struct physseg_handle plug(uint64_t pfn, uint64_t pages)
{
	struct physseg_handle h = PHYSSEG_INVALID;

	assert_int_equal(physseg_plug(&t, pfn, pages, &h), 0);
	return h;
}

static struct physseg_handle load(uint64_t start, uint64_t end, uint64_t avail_start, uint64_t avail_end, unsigned list)
{
	struct physseg_handle h = PHYSSEG_INVALID;

	assert_int_equal(physseg_load(&t, start, end, avail_start, avail_end, list, &h), 0);
	return h;
}

static void assert_segment(struct physseg_handle h, uint64_t start, uint64_t end, uint64_t avail_start,
			   uint64_t avail_end)
{
	assert_true(physseg_valid(&t, h));
	assert_int_equal(physseg_start(&t, h), start);
	assert_int_equal(physseg_end(&t, h), end);
	assert_int_equal(physseg_avail_start(&t, h), avail_start);
	assert_int_equal(physseg_avail_end(&t, h), avail_end);
}

/* ---- the table ---- */

static void tables_have_a_range(void **state)
{
	(void)state;
	assert_int_equal(physseg_table_init(&t, "hash", 0, 100), -EINVAL);
	assert_int_equal(physseg_table_init(&t, NULL, 100, 100), -EINVAL);
	assert_int_equal(physseg_table_init(&t, NULL, 0, UINT64_C(1) << 32), -EINVAL);
	assert_int_equal(physseg_table_init(&t, NULL, 1 << 20, (1 << 20) + UINT64_C(0xffffffff)), 0);
	plug((1 << 20) + UINT64_C(0xfffffffe), 1);
	assert_int_equal(physseg_highest_frame(&t), (1 << 20) + UINT64_C(0xfffffffe));
	plug(1 << 20, 1);
	assert_int_equal(physseg_start(&t, physseg_first(&t)), 1 << 20);
	assert_true(same(physseg_next(&t, physseg_first(&t)), physseg_last(&t)));
	assert_true(same(physseg_prev(&t, physseg_last(&t)), physseg_first(&t)));
	close_table();
}

static void empty_tables_have_ends(void **state)
{
	(void)state;
	for each_index(i) {
		uint64_t offset = 7;

		assert_true(same(physseg_first(&t), PHYSSEG_EMPTY));
		assert_true(same(physseg_last(&t), PHYSSEG_EMPTY));
		assert_true(same(physseg_find(&t, 5, &offset), PHYSSEG_INVALID));
		assert_int_equal(offset, 7);
		assert_int_equal(physseg_highest_frame(&t), PHYSSEG_NONE);       /* there: a NULL pointer           */
		assert_int_equal(physseg_count(&t) + physseg_pages(&t), 0);
	}
}

static void nothing_is_said_of_what_is_no_segment(void **state)
{
	const struct physseg_handle none[] = {
		PHYSSEG_INVALID, PHYSSEG_EMPTY, PHYSSEG_OVERFLOW, { 5000, 1 }, { UINT32_MAX, UINT32_MAX }, { 0, 2 },
	};

	(void)state;
	for each_index(i) {
		plug(10, 10);
		for (unsigned k = 0; k < ARRAY_SIZE(none); k++) {
			uint64_t pfn;

			assert_false(physseg_valid(&t, none[k]));
			assert_int_equal(physseg_start(&t, none[k]), PHYSSEG_NONE);
			assert_int_equal(physseg_end(&t, none[k]), PHYSSEG_NONE);
			assert_int_equal(physseg_avail_start(&t, none[k]), PHYSSEG_NONE);
			assert_int_equal(physseg_avail_end(&t, none[k]), PHYSSEG_NONE);
			assert_int_equal(physseg_start_hint(&t, none[k]), PHYSSEG_NONE);
			assert_int_equal(physseg_free_list(&t, none[k]), -1);
			assert_null(physseg_md(&t, none[k]));
			assert_true(same(physseg_next(&t, none[k]), PHYSSEG_INVALID));
			assert_true(same(physseg_prev(&t, none[k]), PHYSSEG_INVALID));
			assert_int_equal(physseg_set_avail(&t, none[k], 10, 20), -EINVAL);
			assert_int_equal(physseg_set_start_hint(&t, none[k], 0), -EINVAL);
			assert_int_equal(physseg_set_md(&t, none[k], &t), -EINVAL);
			assert_int_equal(physseg_unload(&t, none[k], 0, &pfn), -EINVAL);
			assert_int_equal(physseg_unload_force(&t, none[k], &pfn), -EINVAL);
		}
	}
}

/* ---- handles ---- */

/* NetBSD's test of this name is expected to fail on its array, and so is ours. */
static void handle_immutable(void **state)
{
	(void)state;
	for each_index(i) {
		struct physseg_handle middle = plug(500, 50), low, high;
		bool places = strcmp(index_now, "array") == 0;

		low = plug(100, 10);
		high = plug(900, 10);
		if (places) {
			assert_segment(middle, 100, 110, 100, 110);
			assert_true(same(middle, low));
			continue;
		}
		assert_segment(middle, 500, 550, 500, 550);
		assert_int_equal(physseg_unplug(&t, 100, 10), 0);
		assert_int_equal(physseg_unplug(&t, 500, 5), 0);
		assert_int_equal(physseg_unplug(&t, 545, 5), 0);
		assert_segment(middle, 505, 545, 505, 545);
		assert_segment(high, 900, 910, 900, 910);
		assert_false(physseg_valid(&t, low));
	}
}

/* There: a use after free. */
static void stale_handles_are_never_valid(void **state)
{
	(void)state;
	for each_index(i) {
		struct physseg_handle stale[20];

		if (strcmp(index_now, "array") == 0)
			continue;
		plug(0, 1);
		for (unsigned k = 0; k < ARRAY_SIZE(stale); k++) {
			stale[k] = plug(50, 10);
			assert_int_equal(physseg_unplug(&t, 50, 10), 0);
			for (unsigned old = 0; old <= k; old++)
				assert_false(physseg_valid(&t, stale[old]));
		}
	}
}

/* A slot whose numbers have run out is not used again. */
static void generations_do_not_come_back(void **state)
{
	struct physseg_handle h, next;

	(void)state;
	open_table("bitmap");
	plug(0, 1);
	atomic_store_relaxed(&t.boot[1].generation, UINT32_MAX - 3);
	h = plug(50, 10);
	assert_int_equal(h.slot, 1);
	assert_int_equal(h.generation, UINT32_MAX - 2);
	assert_int_equal(physseg_unplug(&t, 50, 10), 0);
	next = plug(50, 10);
	assert_int_not_equal(next.slot, 1);
	assert_false(physseg_valid(&t, h));
	close_table();
}

static void boot_takes_no_memory(void **state)
{
	(void)state;
	open_table("bitmap");
	mem_fail_from(1);
	for (unsigned i = 0; i < PHYSSEG_BOOT_SLOTS; i++)
		plug(10 * i, 10);
	assert_int_equal(physseg_plug(&t, 50000, 10, NULL), -ENOMEM);
	assert_int_equal(physseg_unplug(&t, 15, 1), -ENOMEM);    /* a split wants a slot                            */
	assert_int_equal(physseg_count(&t), PHYSSEG_BOOT_SLOTS);
	assert_int_equal(physseg_unplug(&t, 10, 10), 0);
	mem_fail_nth(0);
	for (unsigned i = 0; i < 1000; i++)
		plug(50000 + 2 * i, 1);
	close_table();
}

/* Under each index: no call that wants for memory changes anything. */
static void want_of_memory_changes_nothing(void **state)
{
	(void)state;
	for each_index(i) {
		unsigned failed = 0;

		for (unsigned n = 0; n < 400; n++) {
			uint64_t count = physseg_count(&t);

			mem_fail_nth(1);
			if (physseg_plug(&t, 10 * n, 5, NULL) == -ENOMEM) {
				failed++;
				assert_int_equal(physseg_count(&t), count);
				assert_true(same(physseg_find(&t, 10 * n, NULL), PHYSSEG_INVALID));
				plug(10 * n, 5);
			}
			mem_fail_nth(0);
			assert_int_equal(physseg_count(&t), count + 1);
		}
		assert_true(failed > 0);
	}
}

static void an_array_can_be_full(void **state)
{
	struct physseg_table *big = calloc(1, sizeof(*big));

	(void)state;
	assert_int_equal(physseg_table_init(big, "array", 0, 1 << 20), 0);
	for (uint64_t n = 0; n < 1 << 17; n++)           /* from above: the array grows at its end                  */
		assert_int_equal(physseg_plug(big, 4 * n, 2, NULL), 0);
	assert_int_equal(physseg_plug(big, (1 << 20) - 1, 1, NULL), -ENOSPC);
	physseg_table_fini(big);
	free(big);
}

/* ---- fields ---- */

static void splits_hand_on_what_a_segment_has(void **state)
{
	(void)state;
	for each_index(i) {
		struct physseg_handle h = load(0, 256, 16, 240, 2), upper;
		int mine;

		assert_int_equal(physseg_set_md(&t, h, &mine), 0);
		assert_int_equal(physseg_set_start_hint(&t, h, 120), 0);
		assert_int_equal(physseg_unplug(&t, 100, 10), 0);
		upper = physseg_find(&t, 110, NULL);
		assert_segment(h, 0, 100, 16, 100);
		assert_segment(upper, 110, 256, 110, 240);       /* there: up to 256, on list 0                     */
		assert_int_equal(physseg_free_list(&t, upper), 2);
		assert_ptr_equal(physseg_md(&t, upper), &mine);
		assert_int_equal(physseg_start_hint(&t, h), 100);
		assert_int_equal(physseg_start_hint(&t, upper), 10);
		assert_int_equal(physseg_unplug(&t, 0, 8), 0);
		assert_segment(physseg_first(&t), 8, 100, 16, 100);      /* there: available from 8 on              */
		assert_int_equal(physseg_unplug(&t, 8, 20), 0);
		assert_segment(physseg_first(&t), 28, 100, 28, 100);
		assert_int_equal(physseg_unplug(&t, 230, 26), 0);
		assert_segment(physseg_last(&t), 110, 230, 110, 230);
	}
}

static void avail_parts_can_be_set(void **state)
{
	(void)state;
	for each_index(i) {
		struct physseg_handle h = plug(100, 100);

		assert_int_equal(physseg_set_avail(&t, h, 99, 150), -EINVAL);
		assert_int_equal(physseg_set_avail(&t, h, 150, 201), -EINVAL);
		assert_int_equal(physseg_set_avail(&t, h, 151, 150), -EINVAL);
		assert_int_equal(physseg_set_avail(&t, h, 150, 150), 0);
		assert_segment(h, 100, 200, 150, 150);
		assert_int_equal(physseg_set_avail(&t, h, 100, 200), 0);
		assert_int_equal(physseg_set_avail(&t, h, 110, 190), 0);
		assert_segment(h, 100, 200, 110, 190);
		assert_int_equal(physseg_set_start_hint(&t, h, 101), -EINVAL);
		assert_int_equal(physseg_set_start_hint(&t, h, 100), 0);
		assert_int_equal(physseg_unplug(&t, 150, 50), 0);
		assert_int_equal(physseg_start_hint(&t, h), 50);
	}
}

/* ---- boot ---- */

static void loads_say_what_is_wrong(void **state)
{
	(void)state;
	for each_index(i) {
		struct physseg_handle h = load(100, 200, 110, 190, PHYSSEG_FREE_LISTS - 1);
		uint64_t pfn;

		assert_segment(h, 100, 200, 110, 190);
		assert_int_equal(physseg_free_list(&t, h), PHYSSEG_FREE_LISTS - 1);
		assert_int_equal(physseg_load(&t, 300, 300, 300, 300, 0, NULL), -EINVAL);
		assert_int_equal(physseg_load(&t, 300, 400, 299, 400, 0, NULL), -EINVAL);
		assert_int_equal(physseg_load(&t, 300, 400, 300, 401, 0, NULL), -EINVAL);
		assert_int_equal(physseg_load(&t, 300, 400, 350, 340, 0, NULL), -EINVAL);
		assert_int_equal(physseg_load(&t, 300, 400, 300, 400, PHYSSEG_FREE_LISTS, NULL), -EINVAL);
		assert_int_equal(physseg_load(&t, LIMIT - 1, LIMIT + 1, LIMIT - 1, LIMIT, 0, NULL), -EINVAL);
		assert_int_equal(physseg_load(&t, 150, 250, 150, 250, 0, NULL), -EEXIST);
		physseg_boot_done(&t);                                   /* there: these three panic                */
		assert_int_equal(physseg_load(&t, 300, 400, 300, 400, 0, NULL), -EBUSY);
		assert_int_equal(physseg_unload(&t, h, 3, &pfn), -EBUSY);
		assert_int_equal(physseg_unload_force(&t, h, &pfn), -EBUSY);
		assert_segment(plug(300, 100), 300, 400, 300, 400);
	}
}

static void frames_are_stolen_from_the_ends(void **state)
{
	(void)state;
	for each_index(i) {
		struct physseg_handle h = load(100, 200, 100, 200, 1);
		uint64_t pfn = 0;

		assert_int_equal(physseg_unload(&t, h, 0, &pfn), -EINVAL);
		assert_int_equal(pfn, 0);
		assert_int_equal(physseg_unload(&t, h, 1, &pfn), 0);
		assert_int_equal(pfn, 100);
		assert_segment(h, 101, 200, 101, 200);
		assert_int_equal(physseg_set_avail(&t, h, 110, 200), 0);
		assert_int_equal(physseg_unload(&t, h, 1, &pfn), 0);
		assert_int_equal(pfn, 199);
		assert_segment(h, 101, 199, 110, 199);
		assert_int_equal(physseg_set_avail(&t, h, 110, 190), 0);
		assert_int_equal(physseg_unload(&t, h, 1, &pfn), -ENXIO);
		assert_int_equal(physseg_pages(&t), 98);
	}
}

/* There: the first one splits the segment, the second one fails. */
static void forced_steals_go_on(void **state)
{
	(void)state;
	for each_index(i) {
		struct physseg_handle h = load(0, 256, 16, 256, 2);
		uint64_t pfn;

		for (uint64_t n = 16; n < 256; n++) {
			assert_int_equal(physseg_unload_force(&t, h, &pfn), 0);
			assert_int_equal(pfn, n);
		}
		assert_int_equal(physseg_unload_force(&t, h, &pfn), -ENXIO);
		assert_segment(h, 0, 256, 256, 256);
		assert_int_equal(physseg_count(&t), 1);
	}
}

static void the_last_frame_is_not_stolen(void **state)
{
	(void)state;
	for each_index(i) {
		struct physseg_handle low = plug(10, 1), high = plug(20, 2);
		uint64_t pfn;

		assert_int_equal(physseg_unload(&t, low, 0, &pfn), 0);
		if (strcmp(index_now, "array") == 0)
			high = physseg_first(&t);
		else
			assert_false(physseg_valid(&t, low));
		assert_int_equal(physseg_unload_force(&t, high, &pfn), 0);
		assert_int_equal(pfn, 20);
		assert_int_equal(physseg_unload_force(&t, high, &pfn), -ENOMEM);
		assert_int_equal(physseg_unload(&t, high, 0, &pfn), -ENOMEM);
		assert_segment(high, 21, 22, 21, 22);
	}
}

/* ---- more where we differ ---- */

static void overlaps_are_refused_whole(void **state)
{
	(void)state;
	for each_index(i) {
		plug(256, 256);
		assert_int_equal(physseg_plug(&t, 300, 300, NULL), -EEXIST);     /* there: two that overlap         */
		assert_int_equal(physseg_plug(&t, 200, 100, NULL), -EEXIST);     /* there: a panic                  */
		assert_int_equal(physseg_plug(&t, 200, 1000, NULL), -EEXIST);
		assert_int_equal(physseg_count(&t), 1);
		assert_int_equal(physseg_unplug(&t, 356, 0), -EINVAL);           /* there: a split                  */
	}
}

static void sums_follow_hotplug(void **state)
{
	(void)state;
	for each_index(i) {
		struct physseg_handle h = plug(0, 256);

		assert_int_equal(physseg_unplug(&t, 255, 1), 0);
		assert_int_equal(physseg_pages(&t), 255);                        /* there: npages is -1             */
		physseg_boot_done(&t);
		plug(1000, 128);
		assert_int_equal(physseg_unplug(&t, 1000, 128), 0);
		assert_int_equal(physseg_pages(&t), 255);                        /* there: 128 more for ever        */
		plug(1000, 50000);                                               /* there: not more than there is   */
		plug(60000, 100);
		plug(60100, 100);
		assert_int_equal(physseg_unplug(&t, 60050, 100), 0);             /* there: not across two           */
		assert_int_equal(physseg_unplug(&t, 60040, 20), -ENXIO);
		assert_segment(h, 0, 255, 0, 255);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_have_a_range),
		cmocka_unit_test(empty_tables_have_ends),
		cmocka_unit_test(nothing_is_said_of_what_is_no_segment),
		cmocka_unit_test(handle_immutable),
		cmocka_unit_test(stale_handles_are_never_valid),
		cmocka_unit_test(generations_do_not_come_back),
		cmocka_unit_test(boot_takes_no_memory),
		cmocka_unit_test(want_of_memory_changes_nothing),
		cmocka_unit_test(an_array_can_be_full),
		cmocka_unit_test(splits_hand_on_what_a_segment_has),
		cmocka_unit_test(avail_parts_can_be_set),
		cmocka_unit_test(loads_say_what_is_wrong),
		cmocka_unit_test(frames_are_stolen_from_the_ends),
		cmocka_unit_test(forced_steals_go_on),
		cmocka_unit_test(the_last_frame_is_not_stolen),
		cmocka_unit_test(overlaps_are_refused_whole),
		cmocka_unit_test(sums_follow_hotplug),
	};

	return cmocka_run_group_tests_name("physseg", tests, NULL, NULL);
}
