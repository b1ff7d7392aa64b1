/* SPDX-License-Identifier: MIT */
/*
 * test_object_pitfalls.c - what Linux does with a file (memfd) that changes its size under its mappings, and msync.
 * As test_pitfalls.c: the same rows on the engine under every policy, and with the argument `kernel` on the kernel.
 */
#include "tests/oracle/stage.h"

#define BUS OP_FAULT(FAULT_BUS)

static int64_t cut(uint64_t bytes)
{
	return run((struct op){ .call = OP_RESIZE, .object = OBJECT_A, .len = bytes });
}

static int64_t sync_pages(uint64_t page, uint64_t n, int flags)
{
	return run((struct op){ .call = OP_MSYNC, .addr = at(page), .len = n * PAGE, .flags = flags });
}

static int64_t word(uint64_t page, uint64_t offset)
{
	return run((struct op){ .call = OP_READ, .addr = at(page) + offset });
}

static int64_t put(uint64_t page, uint64_t offset, uint64_t value)
{
	return run((struct op){ .call = OP_WRITE, .addr = at(page) + offset, .value = value });
}

static void cut_and_grown(void **state)
{
	(void)state;
	map_file(0, 4, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, 0);
	write_pages(0, 4);
	assert_int_equal(cut(2 * PAGE), 0);
	assert_int_equal(read_page(1), 1001);
	assert_int_equal(read_page(2), BUS);
	assert_int_equal(put(3, 0, 1), BUS);
	assert_int_equal(cut(4 * PAGE), 0);
	assert_int_equal(read_page(2), 0);
	is("0-4 rw-s");                          /* no VMA changes */
}

static void private_copies_go(void **state)
{
	(void)state;
	map_file(0, 3, RW, MAP_PRIVATE | MAP_FIXED, OBJECT_A, 0);
	write_pages(0, 3);
	assert_int_equal(cut(PAGE + 100), 0);
	assert_int_equal(read_page(1), 1001);
	assert_int_equal(read_page(2), BUS);
	assert_int_equal(cut(PAGE), 0);
	assert_int_equal(cut(3 * PAGE), 0);
	assert_int_equal(read_page(0), 1000);
	assert_int_equal(read_page(1), 0);
	assert_int_equal(read_page(2), 0);
	map_file(3, 1, RW, MAP_PRIVATE | MAP_FIXED, OBJECT_A, 3);
	is("0-4 rw-p");                          /* the group of the written ones stays, and takes this along */
}

static void rest_of_the_last_page(void **state)
{
	(void)state;
	map_file(0, 1, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, 0);
	map_file(4, 1, RW, MAP_PRIVATE | MAP_FIXED, OBJECT_A, 0);
	assert_int_equal(put(0, 64, 1), 0);
	assert_int_equal(put(0, 2048, 2), 0);
	assert_int_equal(put(4, 2048, 3), 0);
	assert_int_equal(cut(1024), 0);
	assert_int_equal(word(0, 64), 1);
	assert_int_equal(word(0, 2048), 0);
	assert_int_equal(word(4, 2048), 3);      /* a private copy keeps it */
	assert_int_equal(put(0, 3000, 4), 0);    /* beyond the end, but not beyond its page */
	assert_int_equal(cut(4096), 0);
	assert_int_equal(word(0, 3000), 4);
}

static void cut_moved_and_split(void **state)
{
	(void)state;
	map_file(0, 6, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, 0);
	write_pages(0, 6);
	assert_int_equal(remap(2, 2, 2, MOVE, 20), 20);
	assert_int_equal(remap(4, 1, 1, MOVE | MREMAP_DONTUNMAP, 30), 30);
	assert_int_equal(cut(3 * PAGE), 0);
	assert_int_equal(read_page(20), 1002);
	assert_int_equal(read_page(21), BUS);
	assert_int_equal(read_page(30), BUS);
	assert_int_equal(read_page(5), BUS);
	assert_int_equal(read_page(1), 1001);
	assert_int_equal(advise(20, 2, MADV_POPULATE_READ), -EFAULT);
}

static void msync_rules(void **state)
{
	(void)state;
	map_file(0, 2, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, 0);
	fixed(4, 1, R);
	assert_int_equal(sync_pages(0, 2, MS_SYNC), 0);
	assert_int_equal(sync_pages(4, 1, MS_SYNC | MS_INVALIDATE), 0);
	assert_int_equal(sync_pages(0, 2, 0), 0);
	assert_int_equal(sync_pages(0, 5, MS_SYNC), -ENOMEM);
	assert_int_equal(sync_pages(0, 5, MS_ASYNC), -ENOMEM);
	assert_int_equal(sync_pages(2, 1, 0), -ENOMEM);
	assert_int_equal(sync_pages(2, 0, MS_SYNC), 0);
	assert_int_equal(sync_pages(0, 1, MS_SYNC | MS_ASYNC), -EINVAL);
	assert_int_equal(sync_pages(2, 1, 8), -EINVAL);
	assert_int_equal(run((struct op){ .call = OP_MSYNC, .addr = at(0) + 1, .len = 1, .flags = MS_SYNC }), -EINVAL);
	assert_int_equal(run((struct op){ .call = OP_MSYNC, .addr = at(0), .len = UINT64_MAX, .flags = MS_SYNC }), 0);
	assert_int_equal(run((struct op){ .call = OP_MSYNC, .addr = at(0), .len = UINT64_MAX - PAGE }), -ENOMEM);
	assert_int_equal(cut(PAGE), 0);
	assert_int_equal(sync_pages(0, 2, MS_SYNC), 0);  /* beyond the end there is nothing to write */
}

#define ROW(name) cmocka_unit_test_setup(name, stage_reset)

int main(int argc, char **argv)
{
	const struct CMUnitTest rows[] = {
		ROW(cut_and_grown), ROW(private_copies_go), ROW(rest_of_the_last_page), ROW(cut_moved_and_split),
		ROW(msync_rules),
	};

	return stage_main(argc, argv, rows, sizeof(rows) / sizeof(*rows));
}
