/* SPDX-License-Identifier: MIT */
/*
 * test_pitfalls_stack.c - what Linux does with stacks (MAP_GROWSDOWN) and their guard gaps: as test_pitfalls.c, one
 * test a row, on the engine and on the running kernel. (Its limit is RLIMIT_STACK: the rows stay below 8 MiB.)
 */
#include "tests/oracle/stage.h"

#define STACK (MAP_FIXED | MAP_GROWSDOWN)
#define GUARD 256u

static int64_t write_page(uint64_t page)
{
	return run((struct op){ .call = OP_WRITE, .addr = at(page), .value = 1000 + page });
}

static void stack_grows_by_any_access(void **state)
{
	(void)state;
	map(1500, 1, RW, STACK);
	assert_int_equal(read_page(1400), 0);
	is("1400-1501 rw-p");
	assert_int_equal(write_page(1000), 0);
	assert_int_equal(read_page(1000), 2000);
	is("1000-1501 rw-p");
}

static void stack_grows_before_it_is_refused(void **state)
{
	(void)state;
	map(1500, 1, R, STACK), map(900, 1, PROT_NONE, STACK);
	assert_int_equal(write_page(1498), OP_FAULT(FAULT_ACCERR));
	assert_int_equal(read_page(890), OP_FAULT(FAULT_ACCERR));
	is("890-901 ---p, 1498-1501 r--p");
}

static void stack_keeps_its_distance(void **state)
{
	(void)state;
	map(1500, 1, RW, STACK), fixed(1000, 1, R);
	assert_int_equal(read_page(1000 + GUARD), OP_FAULT(FAULT_MAPERR));
	assert_int_equal(read_page(1001 + GUARD), 0);
	is("1000-1001 r--p, 1257-1501 rw-p");
}

static void stack_grows_up_to_what_allows_nothing(void **state)
{
	(void)state;
	map(1500, 1, RW, STACK), fixed(1000, 1, PROT_NONE), fixed(998, 1, RW);
	assert_int_equal(read_page(1001), 0);
	is("998-999 rw-p, 1000-1001 ---p, 1001-1501 rw-p");
}

static void stack_grows_up_to_a_stack(void **state)
{
	(void)state;
	map(1500, 1, RW, STACK), map(1000, 1, R, STACK);
	assert_int_equal(read_page(1001), 0);
	is("1000-1001 r--p, 1001-1501 rw-p");
}

static void pieces_of_a_stack_are_stacks(void **state)
{
	(void)state;
	map(1500, 8, RW, STACK);
	assert_int_equal(unmap(1502, 1), 0);
	assert_int_equal(protect(1505, 1, R), 0);
	assert_int_equal(protect(1500, 2, R), 0);
	assert_int_equal(write_page(1502), 0);
	is("1500-1502 r--p, 1502-1505 rw-p, 1505-1506 r--p, 1506-1508 rw-p");
	assert_int_equal(remap(1506, 2, 2, MOVE, 1800), 1800);
	assert_int_equal(write_page(1790), 0);
	is("1500-1502 r--p, 1502-1505 rw-p, 1505-1506 r--p, 1790-1802 rw-p");
}

static void growth_makes_a_group(void **state)
{
	(void)state;
	map(1500, 2, RW, STACK), map(1490, 2, RW, STACK);
	assert_int_equal(write_page(1490), 0);
	assert_int_equal(read_page(1498), 0);    /* not written, but grown: its own group                          */
	map(1492, 6, RW, STACK);
	is("1490-1498 rw-p, 1498-1502 rw-p");
}

static void populating_does_not_grow(void **state)
{
	(void)state;
	map(1500, 1, RW, STACK);
	assert_int_equal(advise(1490, 2, MADV_POPULATE_READ), -ENOMEM);
	assert_int_equal(advise(1490, 2, MADV_POPULATE_WRITE), -ENOMEM);
	is("1500-1501 rw-p");
}

static void guard_gap_of_hints(void **state)
{
	(void)state;
	map(1500, 1, RW, STACK);
	assert_int_equal(map(1499, 1, R, 0), PAGES - 1);
	assert_int_equal(map(1500 - GUARD, 1, R, 0), PAGES - 2);
	assert_int_equal(map(1499 - GUARD, 1, R, 0), 1499 - GUARD);
	assert_int_equal(map(1499, 1, R, MAP_FIXED_NOREPLACE), 1499);
	assert_int_equal(map(1400, 1, R, MAP_FIXED), 1400);
	assert_int_equal(map(1398, 1, R, 0), 1398);      /* what is next above is no stack any more                 */
}

static void guard_gap_of_places(void **state)
{
	(void)state;
	map(PAGES - 2, 2, RW, STACK), map(PAGES - 700, 1, RW, STACK);
	assert_int_equal(map(ANYWHERE, 1, R, 0), PAGES - 3 - GUARD);
	assert_int_equal(map(ANYWHERE, 440, R, 0), PAGES - 699);         /* between its stack and that place        */
	assert_int_equal(map(ANYWHERE, 440, R, 0), PAGES - 700 - GUARD - 440);
	assert_int_equal(map(ANYWHERE, 512, R, 0), 140); /* no room to align it below the guard gap               */
	assert_int_equal(map(ANYWHERE, 1, R, MAP_GROWSDOWN), 139);
}

static void guard_gap_of_mremap(void **state)
{
	(void)state;
	map(PAGES - 1, 1, RW, STACK), fixed(0, 2, R), fixed(2, 1, RW);
	assert_int_equal(remap(0, 2, 3, MREMAP_MAYMOVE, 0), PAGES - 4 - GUARD);
	assert_int_equal(remap(2, 1, 1, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, PAGES - 9), PAGES - 5 - GUARD);
	assert_int_equal(remap(2, 1, 1, MREMAP_MAYMOVE | MREMAP_FIXED, PAGES - 9), PAGES - 9);
	assert_int_equal(remap(PAGES - 9, 1, 8, 0, 0), PAGES - 9);       /* growth in place may use all of the gap  */
}

static void guard_gap_of_the_break(void **state)
{
	(void)state;
	map(1000, 1, RW, STACK);
	assert_int_equal(brk_to((1000 - GUARD) * PAGE), 0);
	assert_int_equal(brk_to((999 - GUARD) * PAGE), (999 - GUARD) * (int64_t)PAGE);
}

static void mprotect_growsdown(void **state)
{
	(void)state;
	map(1500, 8, RW, STACK), fixed(100, 1, RW);
	assert_int_equal(protect(1504, 1, R | PROT_GROWSDOWN), 0);
	is("100-101 rw-p, 1500-1505 r--p, 1505-1508 rw-p");
	assert_int_equal(protect(1500, 8, RW), 0);
	assert_int_equal(protect(1496, 6, R | PROT_GROWSDOWN), 0);       /* a hole below does not matter              */
	is("100-101 rw-p, 1500-1502 r--p, 1502-1508 rw-p");
	assert_int_equal(protect(1496, 4, R | PROT_GROWSDOWN), -ENOMEM);
	assert_int_equal(protect(1506, 4, R | PROT_GROWSDOWN), -ENOMEM); /* one above is told when the rest is done */
	is("100-101 rw-p, 1500-1508 r--p");
	assert_int_equal(protect(100, 1, R | PROT_GROWSDOWN), -EINVAL);
	assert_int_equal(protect(1500, 1, RW | PROT_GROWSUP), -EINVAL);
	assert_int_equal(protect(1499, 2, RW | PROT_GROWSUP), -ENOMEM);
	assert_int_equal(protect(1500, 1, RW | PROT_GROWSUP | PROT_GROWSDOWN), -EINVAL);
	is("100-101 rw-p, 1500-1508 r--p");
}

static void stacks_are_private_and_anonymous(void **state)
{
	(void)state;
	assert_int_equal(map_file(0, 1, RW, MAP_SHARED | MAP_ANONYMOUS | STACK, OBJECT_NONE, 0), -EINVAL);
	assert_int_equal(map_file(0, 1, RW, MAP_PRIVATE | STACK, OBJECT_A, 0), -EINVAL);
	assert_int_equal(map_file(0, 1, RW, MAP_SHARED | STACK, OBJECT_A, 0), -EINVAL);
	is("");
}

#define ROW(f) cmocka_unit_test_setup(f, stage_reset)

static const struct CMUnitTest rows[] = {
	ROW(stack_grows_by_any_access),
	ROW(stack_grows_before_it_is_refused),
	ROW(stack_keeps_its_distance),
	ROW(stack_grows_up_to_what_allows_nothing),
	ROW(stack_grows_up_to_a_stack),
	ROW(pieces_of_a_stack_are_stacks),
	ROW(growth_makes_a_group),
	ROW(populating_does_not_grow),
	ROW(guard_gap_of_hints),
	ROW(guard_gap_of_places),
	ROW(guard_gap_of_mremap),
	ROW(guard_gap_of_the_break),
	ROW(mprotect_growsdown),
	ROW(stacks_are_private_and_anonymous),
};

int main(int argc, char **argv)
{
	return stage_main(argc, argv, rows, sizeof(rows) / sizeof(*rows));
}
