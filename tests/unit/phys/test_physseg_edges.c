/* SPDX-License-Identifier: MIT */
/*
 * test_physseg_edges.c - where we differ from NetBSD's uvm_physseg.c 1.9 on purpose: a test for each of its sharp
 * edges, under each index. What it does there stands over the test (docs/physmem.md has the list).
 */
#include "base/mem.h"
#include "tests/unit/phys/physseg_tables.h"

#define LIMIT 100000u

static struct physseg_table *t;

#define each_kind(i) (unsigned i = 0; i < ARRAY_SIZE(kinds) && open_table(&kinds[i]); table_end(t), i++)

static int open_table(const struct kind *kind)
{
	t = table_of(kind, 0, LIMIT);
	return 1;
}

/* 1. At boot the sum of frames becomes -1: it counts down what it never counted up. */
static void unplug_counts_what_plug_counted(void **state)
{
	(void)state;
	for each_kind(i) {
		plug(t, 0, 256);
		assert_int_equal(physseg_unplug(t, 255, 1), 0);
		assert_int_equal(physseg_pages(t), 255);
	}
}

/* 2. The first overlap is accepted, the second panics: only the first frame is looked at. */
static void overlaps_are_refused(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle h = plug(t, 256, 256);

		assert_int_equal(physseg_plug(t, 300, 300, NULL), -EEXIST);
		assert_int_equal(physseg_plug(t, 200, 100, NULL), -EEXIST);
		assert_int_equal(physseg_plug(t, 200, 1000, NULL), -EEXIST);
		assert_int_equal(physseg_plug(t, 511, 1, NULL), -EEXIST);
		assert_int_equal(physseg_count(t), 1);
		assert_int_equal(physseg_pages(t), 256);
		assert_segment(t, h, RUN(256, 512, 256, 512));
		assert_null(physseg_phys_to_frame(t, 255 * PAGE_BYTES));
		assert_null(physseg_phys_to_frame(t, 512 * PAGE_BYTES));
	}
}

/* 3. Nothing is unplugged, and that splits the segment. */
static void no_frames_are_no_range(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle h = plug(t, 0, 256);

		assert_int_equal(physseg_unplug(t, 100, 0), -EINVAL);
		assert_int_equal(physseg_plug(t, 1000, 0, NULL), -EINVAL);
		assert_segment(t, h, RUN(0, 256, 0, 256));
		assert_int_equal(physseg_count(t), 1);
	}
}

/* 4. What is above the cut becomes available to its end, and loses its list and data. */
static void splits_keep_what_is_reserved(void **state)
{
	int mine;

	(void)state;
	for each_kind(i) {
		struct physseg_handle h = load(t, BOOT(0, 256, 16, 240, 2)), upper;

		assert_int_equal(physseg_set_md(t, h, &mine), 0);
		assert_int_equal(physseg_unplug(t, 100, 10), 0);
		upper = physseg_find(t, 110, NULL);
		assert_segment(t, upper, BOOT(110, 256, 110, 240, 2));
		assert_segment(t, physseg_first(t), BOOT(0, 100, 16, 100, 2));
		assert_ptr_equal(physseg_md(t, upper), &mine);
	}
}

/* 5. The reserved frames behind the cut become available. */
static void cuts_keep_what_is_reserved(void **state)
{
	(void)state;
	for each_kind(i) {
		load(t, BOOT(0, 256, 16, 240, 2));
		assert_int_equal(physseg_unplug(t, 0, 8), 0);
		assert_segment(t, physseg_first(t), BOOT(8, 256, 16, 240, 2));
		assert_int_equal(physseg_unplug(t, 250, 6), 0);
		assert_segment(t, physseg_first(t), BOOT(8, 250, 16, 240, 2));
	}
}

/* 6. The first forced steal splits the segment, the second fails, though 239 frames are left. */
static void forced_steals_go_on(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle h = load(t, BOOT(0, 256, 16, 256, 2));
		uint64_t pfn;

		for (uint64_t n = 16; n < 256; n++) {
			assert_int_equal(physseg_unload_force(t, h, &pfn), 0);
			assert_int_equal(pfn, n);
		}
		assert_int_equal(physseg_unload_force(t, h, &pfn), -ENXIO);
		assert_segment(t, h, BOOT(0, 256, 256, 256, 2));
		assert_int_equal(physseg_count(t), 1);
	}
}

/* 7. 128 frames more, for ever. */
static void sums_come_back(void **state)
{
	(void)state;
	for each_kind(i) {
		plug(t, 0, 256);
		physseg_boot_done(t);
		plug(t, 1000, 128);
		assert_int_equal(physseg_pages(t), 256 + 128);
		assert_int_equal(physseg_unplug(t, 1000, 128), 0);
		assert_int_equal(physseg_pages(t), 256);
		assert_int_equal(physseg_count(t), 1);
	}
}

/* 8. No more can be plugged than is there already. */
static void more_can_be_plugged_than_there_is(void **state)
{
	(void)state;
	for each_kind(i) {
		plug(t, 0, 256);
		physseg_boot_done(t);
		plug(t, 1000, 257);
		plug(t, 2000, 50000);
		assert_int_equal(physseg_pages(t), 256 + 257 + 50000);
		assert_non_null(physseg_phys_to_frame(t, 51999 * PAGE_BYTES));
	}
}

/* 9. What spans two segments cannot be unplugged. Here it can, at once; over a hole it cannot, and nothing goes. */
static void neighbours_go_together(void **state)
{
	(void)state;
	for each_kind(i) {
		plug(t, 0, 100);
		plug(t, 200, 56);
		plug(t, 256, 100);
		assert_int_equal(physseg_unplug(t, 200, 100), 0);
		assert_segment(t, physseg_last(t), RUN(300, 356, 300, 356));
		assert_int_equal(physseg_count(t), 2);
		assert_int_equal(physseg_unplug(t, 50, 300), -ENXIO);
		assert_segment(t, physseg_first(t), RUN(0, 100, 0, 100));
		assert_int_equal(physseg_pages(t), 156);
	}
}

/* 10. A NULL pointer is followed. */
static void empty_tables_have_no_highest_frame(void **state)
{
	(void)state;
	for each_kind(i) {
		assert_int_equal(physseg_highest_frame(t), PHYSSEG_NONE);
		assert_true(same(physseg_first(t), PHYSSEG_EMPTY));
		assert_true(same(physseg_last(t), PHYSSEG_EMPTY));
	}
}

/* Asked for a handle whose segment was unplugged, it reads memory that was freed. */
static void stale_handles_are_never_valid(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle stale[20];

		if (kinds[i].places)
			continue;
		plug(t, 0, 1);
		for (unsigned k = 0; k < ARRAY_SIZE(stale); k++) {
			stale[k] = plug(t, 50, 10);
			assert_int_equal(physseg_unplug(t, 50, 10), 0);
			for (unsigned old = 0; old <= k; old++)
				assert_false(physseg_valid(t, stale[old]));
		}
	}
}

/* Without memory for a node it loses the frames' slab. Here each allocation of a plug fails once, and nothing goes. */
static void plug_is_all_or_nothing(void **state)
{
	(void)state;
	for each_kind(i) {
		unsigned failed = 0;

		for (uint64_t n = 0; n < 300; n++) {
			uint64_t count = physseg_count(t), pages = physseg_pages(t);

			for (uint64_t nth = 1;; nth++, failed++) {
				int err;

				mem_fail_nth(nth);
				err = physseg_plug(t, 300 * n, 5, NULL);
				if (err == 0)
					break;
				assert_int_equal(err, -ENOMEM);
				assert_int_equal(physseg_count(t), count);
				assert_int_equal(physseg_pages(t), pages);
				assert_null(physseg_phys_to_frame(t, 300 * n * PAGE_BYTES));
				assert_int_equal(physseg_audit(t, stderr), 0);
			}
			mem_fail_nth(0);
		}
		assert_true(failed > 0);
	}
}

/* Panics: loading and unloading after boot, no such list, the last segment. */
static void what_cannot_be_is_an_error(void **state)
{
	(void)state;
	for each_kind(i) {
		struct physseg_handle h = load(t, BOOT(100, 200, 100, 200, 3));
		uint64_t pfn = 7;

		assert_int_equal(physseg_load(t, BOOT(300, 400, 300, 400, PHYSSEG_FREE_LISTS), NULL), -EINVAL);
		assert_int_equal(physseg_load(t, BOOT(400, 400, 400, 400, 0), NULL), -EINVAL);
		assert_int_equal(physseg_unplug(t, 100, 100), -ENOMEM);
		physseg_boot_done(t);
		assert_int_equal(physseg_load(t, BOOT(300, 400, 300, 400, 0), NULL), -EBUSY);
		assert_int_equal(physseg_unload(t, h, 3, &pfn), -EBUSY);
		assert_int_equal(physseg_unload_force(t, h, &pfn), -EBUSY);
		assert_int_equal(pfn, 7);
		assert_segment(t, h, BOOT(100, 200, 100, 200, 3));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unplug_counts_what_plug_counted),
		cmocka_unit_test(overlaps_are_refused),
		cmocka_unit_test(no_frames_are_no_range),
		cmocka_unit_test(splits_keep_what_is_reserved),
		cmocka_unit_test(cuts_keep_what_is_reserved),
		cmocka_unit_test(forced_steals_go_on),
		cmocka_unit_test(sums_come_back),
		cmocka_unit_test(more_can_be_plugged_than_there_is),
		cmocka_unit_test(neighbours_go_together),
		cmocka_unit_test(empty_tables_have_no_highest_frame),
		cmocka_unit_test(stale_handles_are_never_valid),
		cmocka_unit_test(plug_is_all_or_nothing),
		cmocka_unit_test(what_cannot_be_is_an_error),
	};

	return cmocka_run_group_tests_name("physseg_edges", tests, NULL, NULL);
}
