/* SPDX-License-Identifier: MIT */
/*
 * test_pitfalls_fork.c - what a fork's child has, and what its parent has afterwards. In the form of test_pitfalls.c.
 * Between begin() and end() calls meet the child.
 */
#include "tests/oracle/stage.h"

#define MAPERR OP_FAULT(FAULT_MAPERR)

static void begin(void) { assert_int_equal(run((struct op){ .call = OP_FORK }), 0); }
static void end(void)   { assert_int_equal(run((struct op){ .call = OP_EXIT }), 0); }

static int64_t put(uint64_t page, uint64_t value)
{
	return run((struct op){ .call = OP_WRITE, .addr = at(page), .value = value });
}

static void child_has_what_was_written(void **state)
{
	(void)state;
	fixed(0, 4, RW);
	write_pages(0, 2);
	begin();
	is("0-4 rw-p");
	assert_int_equal(read_page(0), 1000);
	assert_int_equal(read_page(2), 0);
	assert_int_equal(put(0, 7), 0);
	assert_int_equal(put(3, 8), 0);
	assert_int_equal(read_page(0), 7);
	assert_int_equal(read_page(1), 1001);
	end();
	assert_int_equal(read_page(0), 1000);
	assert_int_equal(read_page(3), 0);
	assert_int_equal(put(1, 9), 0);          /* alone again                                                    */
	begin();
	assert_int_equal(read_page(1), 9);
	end();
}

static void child_of_a_child(void **state)
{
	(void)state;
	fixed(0, 2, RW);
	write_pages(0, 2);
	begin();
	assert_int_equal(put(0, 7), 0);
	begin();
	assert_int_equal(read_page(0), 7);
	assert_int_equal(put(0, 8), 0);
	assert_int_equal(put(1, 9), 0);
	end();
	assert_int_equal(read_page(0), 7);
	assert_int_equal(read_page(1), 1001);
	end();
	assert_int_equal(read_page(0), 1000);
}

static void edits_of_a_child(void **state)
{
	(void)state;
	fixed(0, 6, RW);
	write_pages(0, 6);
	begin();
	assert_int_equal(unmap(0, 1), 0);
	assert_int_equal(protect(1, 1, R), 0);
	assert_int_equal(remap(2, 2, 2, MOVE, 10), 10);
	assert_int_equal(advise(4, 1, MADV_DONTNEED), 0);
	is("1-2 r--p, 4-6 rw-p, 10-12 rw-p");
	assert_int_equal(read_page(0), MAPERR);
	assert_int_equal(read_page(10), 1002);
	assert_int_equal(read_page(4), 0);
	assert_int_equal(put(11, 5), 0);
	end();
	is("0-6 rw-p");
	for (uint64_t page = 0; page < 6; page++)
		assert_int_equal(read_page(page), 1000 + (int64_t)page);
}

static void protection_of_what_is_shared(void **state)
{
	(void)state;
	fixed(0, 2, RW);
	write_pages(0, 2);
	protect(0, 2, PROT_NONE);
	begin();
	assert_int_equal(read_page(0), OP_FAULT(FAULT_ACCERR));
	protect(0, 2, RW);
	assert_int_equal(read_page(0), 1000);
	assert_int_equal(put(0, 7), 0);
	end();
	protect(0, 2, RW);
	assert_int_equal(read_page(0), 1000);
	assert_int_equal(put(0, 8), 0);
}

static void shared_memory_stays_shared(void **state)
{
	(void)state;
	map_file(0, 2, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, OBJECT_NONE, 0);
	map_file(4, 2, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, 0);
	assert_int_equal(put(0, 1), 0);
	begin();
	is("0-2 rw-s, 4-6 rw-s");
	assert_int_equal(read_page(0), 1);
	assert_int_equal(put(1, 2), 0);
	assert_int_equal(put(4, 3), 0);
	assert_int_equal(unmap(0, 1), 0);
	end();
	assert_int_equal(read_page(0), 1);
	assert_int_equal(read_page(1), 2);
	assert_int_equal(read_page(4), 3);
}

static void private_pages_of_a_file(void **state)
{
	(void)state;
	map_file(0, 4, RW, MAP_PRIVATE | MAP_FIXED, OBJECT_A, 0);
	map_file(8, 4, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, 0);
	assert_int_equal(put(8, 5), 0);
	write_pages(1, 1);
	assert_int_equal(read_page(0), 5);
	begin();
	assert_int_equal(read_page(0), 5);
	assert_int_equal(read_page(1), 1001);
	assert_int_equal(put(1, 6), 0);
	assert_int_equal(put(2, 7), 0);
	assert_int_equal(put(11, 9), 0);
	assert_int_equal(read_page(3), 9);
	end();
	assert_int_equal(read_page(1), 1001);
	assert_int_equal(read_page(2), 0);
	assert_int_equal(read_page(3), 9);
}

static void file_gets_shorter_in_a_child(void **state)
{
	(void)state;
	map_file(0, 4, RW, MAP_PRIVATE | MAP_FIXED, OBJECT_A, 0);
	write_pages(0, 4);
	begin();
	assert_int_equal(run((struct op){ .call = OP_RESIZE, .object = OBJECT_A, .len = 2 * PAGE }), 0);
	assert_int_equal(read_page(1), 1001);
	assert_int_equal(read_page(2), OP_FAULT(FAULT_BUS));
	end();
	assert_int_equal(read_page(1), 1001);
	assert_int_equal(read_page(2), OP_FAULT(FAULT_BUS));
}

static void advices(void **state)
{
	(void)state;
	fixed(0, 6, RW);
	write_pages(0, 6);
	assert_int_equal(advise(1, 1, MADV_DONTFORK), 0);
	assert_int_equal(advise(3, 1, MADV_WIPEONFORK), 0);
	begin();
	is("0-1 rw-p, 2-3 rw-p, 3-4 rw-p, 4-6 rw-p");
	assert_int_equal(read_page(1), MAPERR);
	assert_int_equal(read_page(3), 0);
	assert_int_equal(put(3, 7), 0);
	assert_int_equal(read_page(4), 1004);
	begin();
	assert_int_equal(read_page(3), 0);       /* the advice is inherited                                        */
	end();
	end();
	assert_int_equal(read_page(1), 1001);
	assert_int_equal(read_page(3), 1003);
}

static void locks_are_not_inherited(void **state)
{
	(void)state;
	fixed(0, 2, RW);
	assert_int_equal(run((struct op){ .call = OP_MLOCK, .addr = at(0), .len = 2 * PAGE }), 0);
	assert_int_equal(advise(0, 2, MADV_DONTNEED), -EINVAL);
	begin();
	assert_int_equal(advise(0, 2, MADV_DONTNEED), 0);
	end();
	assert_int_equal(advise(0, 2, MADV_DONTNEED), -EINVAL);
}

static void the_break(void **state)
{
	(void)state;
	assert_int_equal(brk_to(3 * PAGE + 5), 3 * PAGE + 5);
	write_pages(2, 1);
	begin();
	assert_int_equal(brk_to(3 * PAGE + 5), 3 * PAGE + 5);
	assert_int_equal(read_page(2), 1002);
	assert_int_equal(brk_to(6 * PAGE), 6 * PAGE);
	assert_int_equal(read_page(5), 0);       /* in the list: one VMA here, two in Linux (docs/semantics.md)      */
	end();
	is("0-4 rw-p");
	assert_int_equal(brk_to(5 * PAGE), 5 * PAGE);
}

#define ROW(f) cmocka_unit_test_setup(f, stage_reset)

static const struct CMUnitTest rows[] = {
	ROW(child_has_what_was_written),
	ROW(child_of_a_child),
	ROW(edits_of_a_child),
	ROW(protection_of_what_is_shared),
	ROW(shared_memory_stays_shared),
	ROW(private_pages_of_a_file),
	ROW(file_gets_shorter_in_a_child),
	ROW(advices),
	ROW(locks_are_not_inherited),
	ROW(the_break),
};

int main(int argc, char **argv)
{
	return stage_main(argc, argv, rows, sizeof(rows) / sizeof(*rows));
}
