/* SPDX-License-Identifier: MIT */
/*
 * test_pitfall_limits.c - limits and mlock as Linux has them, on every policy and on the running kernel; as
 * test_pitfalls.c. "limits(as, locked, vmas)": from here on so many pages, locked pages, VMAs; 0: no limit. Stacks end
 * in the middle of the region: test_pitfalls_stack.c.
 */
#include "tests/oracle/stage.h"

static void limits_of(struct op op)
{
	int64_t got;

	op.call = OP_LIMIT;
	got = run(op);
	if (got == -ENOSYS)
		skip();
	assert_int_equal(got, 0);
}

static void limits(uint64_t as, uint64_t locked, uint64_t vmas)
{
	limits_of((struct op){ .len = as, .new_len = locked, .addr = vmas });
}

static int64_t lock(uint64_t page, uint64_t n)
{
	return run((struct op){ .call = OP_MLOCK, .addr = at(page), .len = n * PAGE, .flags = MLOCK_ONFAULT });
}

static int64_t unlock(uint64_t page, uint64_t n)
{
	return run((struct op){ .call = OP_MUNLOCK, .addr = at(page), .len = n * PAGE });
}

/* ---- VMAs: max_map_count ---- */

static void count_of_mmap(void **state)
{
	(void)state;
	limits(0, 0, 3);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(fixed(2 * i, 1, RW), 2 * i);    /* one above the limit                               */
	assert_int_equal(fixed(20, 1, RW), -ENOMEM);
	assert_int_equal(fixed(1, 1, RW), -ENOMEM);      /* it would join two                                         */
	assert_int_equal(fixed(0, 1, RW), -ENOMEM);      /* it would replace one                                      */
	assert_int_equal(map(0, 1, RW, MAP_FIXED_NOREPLACE), -ENOMEM);
	assert_int_equal(map(0, 1, RW, MAP_LOCKED | MAP_FIXED), -ENOMEM);
	assert_int_equal(run((struct op){ .call = OP_MMAP, .addr = at(0) + 1, .len = PAGE, .prot = R,
					  .flags = ANON | MAP_FIXED }), -ENOMEM);
	assert_int_equal(map(ANYWHERE, 1, RW, 0), -ENOMEM);
	assert_int_equal(brk_to(PAGE), 0);
	unmap(6, 1);
	assert_int_equal(fixed(1, 1, RW), 1);
	is("0-3 rw-p, 4-5 rw-p");
}

static void count_of_splits(void **state)
{
	(void)state;
	limits(0, 0, 3);
	fixed(0, 8, RW);
	assert_int_equal(protect(0, 2, R), 0);
	assert_int_equal(protect(7, 1, R), 0);
	assert_int_equal(protect(6, 1, R), 0);           /* moves a border                                            */
	assert_int_equal(protect(3, 1, R), -ENOMEM);
	assert_int_equal(protect(2, 1, PROT_NONE), -ENOMEM);
	assert_int_equal(advise(0, 1, MADV_DONTDUMP), -EAGAIN);
	assert_int_equal(lock(0, 1), -ENOMEM);
	assert_int_equal(lock(6, 2), 0);                 /* a whole VMA                                               */
	assert_int_equal(unlock(6, 1), -ENOMEM);
	assert_int_equal(unmap(3, 1), -ENOMEM);
	assert_int_equal(fixed(3, 1, R), -ENOMEM);
	assert_int_equal(fixed(2, 1, R), 2);
	is("0-3 r--p, 3-6 rw-p, 6-8 r--p");
	assert_int_equal(unmap(3, 1), 0);
	assert_int_equal(unmap(1, 6), 0);
	is("0-1 r--p, 7-8 r--p");
}

static void count_of_mremap(void **state)
{
	(void)state;
	limits(0, 0, 8);
	fixed(0, 1, RW), fixed(2, 1, RW), fixed(4, 1, RW);
	assert_int_equal(remap(0, 1, 1, MOVE, 20), -ENOMEM);     /* a target: 3 + 2 >= 8 - 3                          */
	assert_int_equal(remap(0, 1, 1, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0), -EINVAL);
	unmap(4, 1);
	assert_int_equal(remap(0, 1, 1, MOVE, 20), 20);
	fixed(8, 1, RW), fixed(10, 1, RW), fixed(3, 1, R);
	assert_int_equal(remap(2, 1, 2, MREMAP_MAYMOVE, 0), -ENOMEM);    /* to move: 5 >= 8 - 3                       */
	unmap(10, 1);
	assert_int_equal(remap(2, 1, 2, MREMAP_MAYMOVE, 0), PAGES - 2);
	assert_int_equal(remap(8, 1, 2, 0, 0), 8);       /* in place                                                  */
}

/* ---- address space: RLIMIT_AS ---- */

static void space_of_mmap(void **state)
{
	(void)state;
	limits(12, 0, 0);
	fixed(0, 10, RW);
	assert_int_equal(fixed(20, 3, RW), -ENOMEM);
	assert_int_equal(fixed(20, 2, RW), 20);
	assert_int_equal(fixed(20, 1, R), 20);           /* what goes is set off                                      */
	assert_int_equal(fixed(0, 13, R), -ENOMEM);
	assert_int_equal(fixed(0, 10, R), 0);
	assert_int_equal(map(ANYWHERE, 1, PROT_NONE, MAP_NORESERVE), -ENOMEM);
	assert_int_equal(map_file(30, 1, R, MAP_SHARED | MAP_FIXED, OBJECT_A, 0), -ENOMEM);
	assert_int_equal(map(0, 1, RW, MAP_FIXED_NOREPLACE), -EEXIST);
	assert_int_equal(brk_to(PAGE), 0);
	is("0-10 r--p, 20-21 r--p, 21-22 rw-p");
}

static void space_of_brk(void **state)
{
	(void)state;
	limits(2, 0, 0);
	assert_int_equal(brk_to(3 * PAGE), 0);
	assert_int_equal(brk_to(2 * PAGE), 2 * PAGE);
}

static void space_of_mremap(void **state)
{
	(void)state;
	limits(12, 0, 0);
	fixed(0, 10, RW), fixed(20, 2, R);
	assert_int_equal(remap(0, 10, 12, MREMAP_MAYMOVE, 0), -ENOMEM);
	assert_int_equal(remap(0, 10, 12, 0, 0), -ENOMEM);
	assert_int_equal(remap(0, 10, 10, MOVE, 30), 30);
	assert_int_equal(remap(30, 2, 3, MOVE, 50), -ENOMEM);
	assert_int_equal(remap(30, 2, 3, MOVE, 20), -ENOMEM);    /* growth is looked at before the target is cleared  */
	assert_int_equal(remap(30, 2, 2, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 50), -ENOMEM);
	assert_int_equal(remap(30, 2, 2, MOVE | MREMAP_DONTUNMAP, 20), 20);      /* this one after that               */
	is("20-22 rw-p, 30-40 rw-p");
}

/* ---- locked memory: RLIMIT_MEMLOCK ---- */

static void locked_once(void **state)
{
	(void)state;
	limits(0, 10, 0);
	fixed(0, 8, RW);
	assert_int_equal(lock(0, 8), 0);
	assert_int_equal(lock(0, 8), 0);
	assert_int_equal(lock(2, 9), -ENOMEM);           /* pages in holes count                                      */
	assert_int_equal(map(8, 2, RW, MAP_FIXED | MAP_LOCKED), 8);
	is("0-8 rw-p, 8-10 rw-p");                       /* one of them on fault                                      */
	assert_int_equal(lock(8, 2), 0);
	assert_int_equal(map(10, 1, RW, MAP_FIXED | MAP_LOCKED), -EAGAIN);
	assert_int_equal(map(0, 1, RW, MAP_FIXED | MAP_LOCKED), -EAGAIN);
	assert_int_equal(map(0, 1, RW, MAP_FIXED_NOREPLACE | MAP_LOCKED), -EEXIST);
	assert_int_equal(remap(8, 2, 3, 0, 0), -EAGAIN);
	assert_int_equal(remap(8, 2, 3, MREMAP_MAYMOVE, 0), -EAGAIN);
	assert_int_equal(unlock(2, 4), 0);
	assert_int_equal(lock(2, 2), 0);
	assert_int_equal(lock(1, 5), 0);
	assert_int_equal(fixed(0, 4, RW), 0);            /* not locked any more                                       */
	assert_int_equal(lock(20, 4), -ENOMEM);
	assert_int_equal(map(20, 4, RW, MAP_FIXED | MAP_LOCKED), 20);
}

static void locked_over_holes(void **state)
{
	(void)state;
	limits(0, 10, 0);
	fixed(0, 2, RW), fixed(4, 2, RW);
	assert_int_equal(lock(0, 6), -ENOMEM);           /* the part before the hole is                               */
	assert_int_equal(advise(0, 2, MADV_DONTNEED), -EINVAL);
	assert_int_equal(advise(4, 2, MADV_DONTNEED), 0);
	assert_int_equal(unlock(0, 6), -ENOMEM);
	assert_int_equal(advise(0, 2, MADV_DONTNEED), 0);
	assert_int_equal(lock(4, 7), -ENOMEM);
	assert_int_equal(advise(4, 2, MADV_FREE), -EINVAL);
	assert_int_equal(lock(0, 11), -ENOMEM);          /* above the limit: nothing is                               */
	assert_int_equal(advise(0, 2, MADV_FREE), 0);
	is("0-2 rw-p, 4-6 rw-p");
}

static void locked_bits_split(void **state)
{
	(void)state;
	fixed(0, 8, RW);
	assert_int_equal(lock(2, 4), 0);
	is("0-2 rw-p, 2-6 rw-p, 6-8 rw-p");
	assert_int_equal(run((struct op){ .call = OP_MLOCK, .addr = at(3) + 5, .len = PAGE }), 0);
	is("0-2 rw-p, 2-3 rw-p, 3-5 rw-p, 5-6 rw-p, 6-8 rw-p");
	assert_int_equal(unlock(0, 8), 0);
	is("0-8 rw-p");
}

static void locked_but_not_touched(void **state)
{
	(void)state;
	fixed(0, 2, PROT_NONE), fixed(2, 2, R);
	map_file(4, 2, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, OBJECT_PAGES - 1);
	assert_int_equal(run((struct op){ .call = OP_MLOCK, .addr = at(0), .len = 4 * PAGE }), -ENOMEM);
	assert_int_equal(run((struct op){ .call = OP_MLOCK, .addr = at(2), .len = 2 * PAGE }), 0);
	assert_int_equal(run((struct op){ .call = OP_MLOCK, .addr = at(4), .len = 2 * PAGE }), -ENOMEM);
	assert_int_equal(advise(0, 1, MADV_DONTNEED), -EINVAL);
	assert_int_equal(advise(5, 1, MADV_DONTNEED), -EINVAL);
}

static void locked_and_duplicated(void **state)
{
	(void)state;
	limits(0, 6, 0);
	map_file(0, 4, RW, MAP_SHARED | MAP_FIXED | MAP_LOCKED, OBJECT_A, 0);
	assert_int_equal(remap(0, 0, 4, MOVE, 10), -EAGAIN);
	assert_int_equal(remap(0, 0, 2, MOVE, 10), 10);
	assert_int_equal(advise(10, 1, MADV_DONTNEED), -EINVAL);
	assert_int_equal(remap(0, 0, 1, 0, 0), -EAGAIN);
}

/* ---- stacks: a refused growth is MAPERR, whatever refused it ---- */

#define STACK (MAP_FIXED | MAP_GROWSDOWN)
#define REFUSED OP_FAULT(FAULT_MAPERR)

static void stack_has_a_limit(void **state)
{
	(void)state;
	limits_of((struct op){ .new_addr = 64 });
	map(1500, 4, RW, STACK);
	assert_int_equal(read_page(1439), REFUSED);
	assert_int_equal(read_page(1440), 0);
	assert_int_equal(read_page(1439), REFUSED);
	assert_int_equal(protect(1502, 2, R), 0);        /* of the VMA that grows, not of what it was cut from        */
	assert_int_equal(read_page(1438), 0);
	assert_int_equal(remap(1502, 2, 100, 0, 0), 1502);       /* no growth of a stack                              */
	is("1438-1502 rw-p, 1502-1602 r--p");
}

static void space_of_stacks(void **state)
{
	(void)state;
	limits(12, 0, 0);
	map(1500, 4, RW, STACK);
	assert_int_equal(read_page(1491), REFUSED);
	assert_int_equal(read_page(1492), 0);
	assert_int_equal(fixed(0, 1, R), -ENOMEM);
	is("1492-1504 rw-p");
}

static void locked_stacks(void **state)
{
	(void)state;
	limits(0, 12, 0);
	map(1500, 4, RW, STACK);
	assert_int_equal(lock(1500, 4), 0);
	assert_int_equal(read_page(1491), REFUSED);
	assert_int_equal(read_page(1492), 0);
	assert_int_equal(advise(1493, 1, MADV_DONTNEED), -EINVAL);
	assert_int_equal(map(0, 1, RW, MAP_FIXED | MAP_LOCKED), -EAGAIN);
	assert_int_equal(unlock(1492, 4), 0);
	assert_int_equal(read_page(1480), 0);
	is("1480-1496 rw-p, 1496-1504 rw-p");
}

/* Growth makes no VMA more; growth up to another stack is a border less only where the two may be one. */
static void count_of_stacks(void **state)
{
	(void)state;
	limits(0, 0, 3);
	map(1500, 4, RW, STACK), fixed(1900, 1, R), fixed(1902, 1, R), fixed(1904, 1, R);
	assert_int_equal(read_page(1492), 0);
	assert_int_equal(protect(1900, 1, RW), 0);
	assert_int_equal(protect(1500, 1, R), -ENOMEM);
	assert_int_equal(fixed(1, 1, R), -ENOMEM);
	is("1492-1504 rw-p, 1900-1901 rw-p, 1902-1903 r--p, 1904-1905 r--p");
}

static void locked_stack_protected_from_its_start(void **state)
{
	struct op sync = { .call = OP_MSYNC, .addr = at(1504), .len = PAGE, .flags = MS_INVALIDATE };

	(void)state;
	map(1500, 8, R, STACK);
	assert_int_equal(lock(1500, 8), 0);
	assert_int_equal(protect(1504, 2, PROT_NONE | PROT_GROWSDOWN), 0);
	assert_int_equal(run(sync), -EBUSY);
	is("1500-1506 ---p, 1506-1508 r--p");
}

/* ---- msync ---- */

static void msync_of_locked_memory(void **state)
{
	struct op op = { .call = OP_MSYNC, .addr = at(0), .len = 8 * PAGE, .flags = MS_INVALIDATE };

	(void)state;
	fixed(0, 2, RW), fixed(4, 4, RW);
	assert_int_equal(run(op), -ENOMEM);              /* a hole is told at the end ...                             */
	assert_int_equal(lock(6, 2), 0);
	assert_int_equal(run(op), -EBUSY);               /* ... so a locked VMA above it is met                       */
	op.flags = MS_SYNC | MS_INVALIDATE;
	assert_int_equal(run(op), -EBUSY);
	op.flags = MS_ASYNC | MS_INVALIDATE;
	assert_int_equal(run(op), -EBUSY);
	op.flags = MS_ASYNC;
	assert_int_equal(run(op), -ENOMEM);
	op.flags = MS_SYNC;
	assert_int_equal(run(op), -ENOMEM);
	op.len = 2 * PAGE, op.flags = MS_INVALIDATE;
	assert_int_equal(run(op), 0);
	assert_int_equal(unlock(6, 2), 0);
	op.addr = at(4), op.len = 4 * PAGE;
	assert_int_equal(run(op), 0);
}

static void lock_arguments(void **state)
{
	struct op op = { .call = OP_MLOCK, .addr = at(0), .len = PAGE, .flags = 2 };

	(void)state;
	fixed(0, 2, RW);
	assert_int_equal(run(op), -EINVAL);
	op.flags = MLOCK_ONFAULT;
	op.len = 0;
	assert_int_equal(run(op), 0);
	op.len = UINT64_MAX;
	assert_int_equal(run(op), 0);                    /* rounds up to 0                                            */
	is("0-2 rw-p");
	op.addr = UINT64_C(1) << 47, op.len = PAGE;
	assert_int_equal(run(op), -ENOMEM);
	op.call = OP_MUNLOCK, op.addr = 0 - PAGE;
	assert_int_equal(run(op), -EINVAL);
}

#define ROW(f) cmocka_unit_test_setup(f, stage_reset)

static const struct CMUnitTest rows[] = {
	ROW(count_of_mmap),
	ROW(count_of_splits),
	ROW(count_of_mremap),
	ROW(space_of_mmap),
	ROW(space_of_brk),
	ROW(space_of_mremap),
	ROW(locked_once),
	ROW(locked_over_holes),
	ROW(locked_bits_split),
	ROW(locked_but_not_touched),
	ROW(locked_and_duplicated),
	ROW(stack_has_a_limit),
	ROW(space_of_stacks),
	ROW(locked_stacks),
	ROW(count_of_stacks),
	ROW(locked_stack_protected_from_its_start),
	ROW(msync_of_locked_memory),
	ROW(lock_arguments),
};

int main(int argc, char **argv)
{
	return stage_main(argc, argv, rows, sizeof(rows) / sizeof(*rows));
}
