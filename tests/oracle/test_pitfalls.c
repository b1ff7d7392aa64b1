/* SPDX-License-Identifier: MIT */
/*
 * test_pitfalls.c - what Linux does where history, contents or arguments make it surprising: one test a row.
 *
 * Each row is a small program and the map it leaves, written as "0-4 rw-p, 4-6 r--p" in pages from the region's start.
 * The rows run on the engine under every policy. `test_pitfalls kernel` runs the same rows on the running kernel, in a
 * child process: they were written down from what Linux 6.18 does, and that is how to check them again.
 */
#include "tests/oracle/stage.h"

/* ---- anonymous groups and VM_ACCOUNT: what a write leaves behind ---- */

static void between_two_written(void **state)
{
	(void)state;
	fixed(0, 2, RW), fixed(4, 2, RW);
	write_pages(0, 1), write_pages(4, 1);
	fixed(2, 2, RW);                         /* joins the left; two groups never join                          */
	is("0-4 rw-p, 4-6 rw-p");
}

static void unwritten_joins_written(void **state)
{
	(void)state;
	fixed(0, 2, RW);
	write_pages(0, 1);
	fixed(2, 2, RW);
	is("0-4 rw-p");
}

static void formerly_writable(void **state)
{
	(void)state;
	fixed(0, 2, RW);
	write_pages(0, 1);
	protect(0, 2, R);                        /* stays accounted                                                */
	fixed(2, 2, R);                          /* never was                                                      */
	is("0-2 r--p, 2-4 r--p");
}

static void formerly_writable_noreserve(void **state)
{
	(void)state;
	map(0, 2, RW, MAP_FIXED | MAP_NORESERVE);
	write_pages(0, 1);
	protect(0, 2, R);
	map(2, 2, R, MAP_FIXED | MAP_NORESERVE);
	is("0-4 r--p");
}

static void formerly_writable_unwritten(void **state)
{
	(void)state;
	fixed(0, 2, RW);
	protect(0, 2, R);                        /* anonymous and never written: the account is dropped             */
	fixed(2, 2, R);
	is("0-4 r--p");
}

static void formerly_writable_file(void **state)
{
	(void)state;
	map_file(0, 2, RW, MAP_PRIVATE | MAP_FIXED, OBJECT_A, 0);
	protect(0, 2, R);                        /* a private file mapping stays accounted, written or not          */
	map_file(2, 2, R, MAP_PRIVATE | MAP_FIXED, OBJECT_A, 2);
	is("0-2 r--p, 2-4 r--p");
}

static void noreserve_beside_normal(void **state)
{
	(void)state;
	fixed(0, 2, RW);
	map(2, 2, RW, MAP_FIXED | MAP_NORESERVE);
	is("0-2 rw-p, 2-4 rw-p");
}

static void written_piece_moved(void **state)
{
	(void)state;
	fixed(0, 4, RW);
	write_pages(0, 4);
	assert_int_equal(remap(0, 2, 2, MOVE, 4), 4);
	is("2-4 rw-p, 4-6 rw-p");                /* its page offset went along                                     */
	assert_int_equal(read_page(4), 1000);
	assert_int_equal(read_page(5), 1001);
}

static void unwritten_piece_moved(void **state)
{
	(void)state;
	fixed(0, 4, RW);
	assert_int_equal(remap(0, 2, 2, MOVE, 4), 4);
	is("2-6 rw-p");
}

static void written_pieces_rejoin(void **state)
{
	(void)state;
	fixed(0, 6, RW);
	write_pages(0, 6);
	protect(2, 2, R);
	is("0-2 rw-p, 2-4 r--p, 4-6 rw-p");
	protect(2, 2, RW);
	is("0-6 rw-p");
}

/* ---- partial effects ---- */

static void mprotect_over_hole(void **state)
{
	(void)state;
	fixed(0, 2, RW), fixed(4, 2, RW);
	assert_int_equal(protect(0, 6, R), -ENOMEM);
	is("0-2 r--p, 4-6 rw-p");
	assert_int_equal(protect(2, 4, R), -ENOMEM);     /* begins with a hole: nothing is done                       */
	is("0-2 r--p, 4-6 rw-p");
}

static void madvise_over_hole(void **state)
{
	(void)state;
	fixed(0, 2, RW), fixed(4, 2, RW);
	write_pages(0, 1), write_pages(4, 1);
	assert_int_equal(advise(0, 6, MADV_DONTNEED), -ENOMEM);
	assert_int_equal(read_page(0), 0);
	assert_int_equal(read_page(4), 0);
	assert_int_equal(advise(1, 4, MADV_DONTDUMP), -ENOMEM);
	is("0-1 rw-p, 1-2 rw-p, 4-5 rw-p, 5-6 rw-p");
}

static void madvise_stops_at_error(void **state)
{
	(void)state;
	fixed(0, 2, RW);
	map_file(2, 2, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, 0);
	fixed(4, 2, RW);
	assert_int_equal(advise(1, 4, MADV_WIPEONFORK), -EINVAL);
	is("0-1 rw-p, 1-2 rw-p, 2-4 rw-s, 4-6 rw-p");
}

static void munmap_over_holes(void **state)
{
	(void)state;
	fixed(1, 1, RW), fixed(3, 2, RW);
	assert_int_equal(unmap(0, 4), 0);
	is("4-5 rw-p");
	assert_int_equal(unmap(100, 4), 0);
}

static void populate_stops_at_hole(void **state)
{
	(void)state;
	map_file(0, 2, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, 0);
	assert_int_equal(advise(0, 3, MADV_POPULATE_READ), -ENOMEM);
	protect(0, 2, R);
	assert_int_equal(advise(0, 2, MADV_POPULATE_WRITE), -EINVAL);
	map_file(4, 2, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, OBJECT_PAGES - 1);
	assert_int_equal(advise(4, 2, MADV_POPULATE_READ), -EFAULT);
}

/* ---- mremap ---- */

static void move_takes_several(void **state)
{
	(void)state;
	fixed(0, 2, RW), fixed(2, 2, R), fixed(6, 2, RW), fixed(12, 4, RW | PROT_EXEC);
	assert_int_equal(remap(0, 8, 8, MOVE, 10),
			 10); /* holes go along, but spare what is mapped at their place     */
	is("10-12 rw-p, 12-14 r--p, 14-16 rwxp, 16-18 rw-p");
}

static void move_starts_with_hole(void **state)
{
	(void)state;
	fixed(1, 2, RW);
	assert_int_equal(remap(0, 3, 3, MOVE, 10), -EFAULT);
	is("1-3 rw-p");
}

static void grow_over_several(void **state)
{
	(void)state;
	fixed(0, 2, RW), fixed(2, 2, R);
	assert_int_equal(remap(0, 4, 6, MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(remap(0, 4, 3, MOVE, 10), -EFAULT);
	is("0-2 rw-p, 2-4 r--p");
}

static void grow_joins_next(void **state)
{
	(void)state;
	fixed(0, 2, RW), fixed(4, 2, RW);
	assert_int_equal(remap(0, 2, 4, 0, 0), 0);
	is("0-6 rw-p");
	assert_int_equal(remap(0, 2, 3, 0, 0),
			 -ENOMEM); /* not up to the VMA's end                                    */
}

static void dontunmap_takes_a_hint(void **state)
{
	(void)state;
	fixed(0, 2, RW);
	write_pages(0, 1);
	assert_int_equal(remap(0, 2, 2, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 20), 20);
	is("0-2 rw-p, 20-22 rw-p");
	assert_int_equal(read_page(0), 0);
	assert_int_equal(read_page(20), 1000);
	assert_int_equal(remap(0, 2, 2, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 1), -EINVAL); /* overlaps, hint or not    */
}

static void duplicate_shared(void **state)
{
	(void)state;
	map_file(0, 2, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, 3);
	write_pages(0, 2);
	assert_int_equal(remap(0, 0, 2, MOVE, 10), 10);
	is("0-2 rw-s, 10-12 rw-s");
	assert_int_equal(read_page(11), 1001);
	fixed(20, 1, RW);
	assert_int_equal(remap(20, 0, 1, MOVE, 30), -EINVAL);
}

/* ---- placement ---- */

static void hint_is_rounded_down(void **state)
{
	(void)state;
	assert_int_equal(
		run((struct op){.call = OP_MMAP, .addr = at(5) + 4095, .len = PAGE, .prot = R, .flags = ANON}),
		at(5));
}

static void busy_hint_goes_to_the_top(void **state)
{
	(void)state;
	fixed(5, 1, R);
	assert_int_equal(map(4, 2, R, 0), PAGES - 2);
	assert_int_equal(map(3, 2, R, 0), 3);
}

static void highest_gap_that_fits(void **state)
{
	(void)state;
	fixed(PAGES - 1, 1, RW), fixed(PAGES - 4, 1, RW), fixed(100, 1, RW);
	assert_int_equal(map(ANYWHERE, 3, R, 0), PAGES - 7);
	assert_int_equal(map(ANYWHERE, 2, R, 0), PAGES - 3);
}

static void huge_lengths_are_aligned(void **state)
{
	(void)state;
	fixed(PAGES - 1, 1, RW);
	assert_int_equal(map(ANYWHERE, 512, R, 0), PAGES - 1024);
	assert_int_equal(map(ANYWHERE, 511, R, 0),
			 PAGES - 512); /* not a multiple: the plain top              */
	assert_int_equal(map_file(ANYWHERE, 512, R, MAP_SHARED | MAP_ANONYMOUS, OBJECT_NONE, 0), PAGES - 1536);
}

static void no_room(void **state)
{
	(void)state;
	fixed(PAGES / 2, 1, RW);
	assert_int_equal(map(ANYWHERE, PAGES / 2 + 1, R, 0), -ENOMEM);
}

/* ---- arguments ---- */

static void argument_errors(void **state)
{
	const struct op mmap_op = {
		.call = OP_MMAP, .addr = at(0), .len = PAGE, .prot = R, .flags = ANON | MAP_FIXED_NOREPLACE};
	struct op op = mmap_op;

	(void)state;
	fixed(0, 2, RW);
	assert_int_equal(run(op), -EEXIST);
	op.flags &= ~MAP_PRIVATE;
	assert_int_equal(run(op), -EEXIST);      /* a busy place is told before a missing type                     */
	op.addr = at(10);
	assert_int_equal(run(op), -EINVAL);
	op = mmap_op, op.len = 0;
	assert_int_equal(run(op), -EINVAL);
	op = mmap_op, op.len = UINT64_MAX;
	assert_int_equal(run(op), -ENOMEM);
	op = mmap_op, op.addr = at(10) + 1;
	assert_int_equal(run(op), -EINVAL);
	op = mmap_op, op.offset = 1;             /* looked at for anonymous memory, too                            */
	assert_int_equal(run(op), -EINVAL);
	assert_int_equal(run((struct op){ .call = OP_MUNMAP, .addr = at(0), .len = 0 }), -EINVAL);
	assert_int_equal(run((struct op){ .call = OP_MUNMAP, .addr = at(0) + 1, .len = PAGE }), -EINVAL);
	assert_int_equal(run((struct op){ .call = OP_MPROTECT, .addr = at(0), .len = 0, .prot = 0x100 }), 0);
	assert_int_equal(run((struct op){ .call = OP_MPROTECT, .addr = at(0), .len = PAGE, .prot = 0x100 }), -EINVAL);
	assert_int_equal(run((struct op){ .call = OP_MPROTECT, .addr = at(0), .len = UINT64_MAX, .prot = R }), -ENOMEM);
	assert_int_equal(run((struct op){ .call = OP_MADVISE, .addr = at(0), .len = 0, .advice = 77 }), -EINVAL);
	assert_int_equal(
		run((struct op){.call = OP_MADVISE, .addr = at(0), .len = UINT64_MAX, .advice = MADV_NORMAL}),
		-EINVAL);
	assert_int_equal(remap(0, 1, 0, MREMAP_MAYMOVE, 0), -EINVAL);
	assert_int_equal(remap(0, 1, 1, MREMAP_FIXED, 10), -EINVAL);
	assert_int_equal(remap(50, 1, 2, MREMAP_MAYMOVE, 0), -EFAULT);
	is("0-2 rw-p");
}

static void file_offset_overflow(void **state)
{
	(void)state;
	assert_int_equal(map_file(0, 1, R, MAP_SHARED | MAP_FIXED, OBJECT_A, UINT64_C(0x7ffffffffffff)), -EOVERFLOW);
}

/* ---- brk ---- */

static void brk_needs_a_page_beyond(void **state)
{
	(void)state;
	fixed(4, 1, RW);
	assert_int_equal(brk_to(4 * PAGE), 0);   /* refused: the break stays                                       */
	assert_int_equal(brk_to(3 * PAGE), 3 * PAGE);
	is("0-3 rw-p, 4-5 rw-p");
}

static void brk_over_a_hole(void **state)
{
	(void)state;
	assert_int_equal(brk_to(6 * PAGE), 6 * PAGE);
	unmap(2, 4);
	assert_int_equal(brk_to(3 * PAGE), 6 * PAGE);    /* nothing there to give back: refused                       */
	assert_int_equal(brk_to(1 * PAGE), 1 * PAGE);
	is("0-1 rw-p");
}

/* ---- advices ---- */

static void flag_advices_split_and_merge(void **state)
{
	static const int pair[][2] = {
		{MADV_HUGEPAGE, MADV_NOHUGEPAGE},   {MADV_DONTDUMP, MADV_DODUMP},
		{MADV_SEQUENTIAL, MADV_NORMAL},     {MADV_DONTFORK, MADV_DOFORK},
		{MADV_WIPEONFORK, MADV_KEEPONFORK}, {MADV_MERGEABLE, MADV_UNMERGEABLE},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(pair) / sizeof(*pair); i++) {
		fixed(0, 6, RW);
		assert_int_equal(advise(2, 2, pair[i][0]), 0);
		is("0-2 rw-p, 2-4 rw-p, 4-6 rw-p");
		assert_int_equal(advise(0, 6, pair[i][1]), 0);
		is("0-6 rw-p");
	}
}

static void mergeable_is_for_private(void **state)
{
	(void)state;
	map_file(0, 4, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, 0);
	assert_int_equal(advise(1, 1, MADV_MERGEABLE), 0);
	is("0-4 rw-s");
}

static void faults_have_codes(void **state)
{
	(void)state;
	fixed(0, 1, PROT_NONE), fixed(1, 1, R);
	map_file(2, 2, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, OBJECT_PAGES - 1);
	assert_int_equal(read_page(0), OP_FAULT(FAULT_ACCERR));
	assert_int_equal(run((struct op){ .call = OP_WRITE, .addr = at(1), .value = 1 }), OP_FAULT(FAULT_ACCERR));
	assert_int_equal(read_page(1), 0);
	assert_int_equal(read_page(2), 0);
	assert_int_equal(read_page(3), OP_FAULT(FAULT_BUS));
	assert_int_equal(read_page(4), OP_FAULT(FAULT_MAPERR));
}

static void private_copies(void **state)
{
	(void)state;
	map_file(0, 2, RW, MAP_SHARED | MAP_FIXED, OBJECT_A, 0);
	map_file(4, 2, RW, MAP_PRIVATE | MAP_FIXED, OBJECT_A, 0);
	write_pages(0, 1);
	assert_int_equal(read_page(4), 1000);    /* not copied yet: the file shows through                         */
	write_pages(4, 1);
	assert_int_equal(read_page(0), 1000);
	assert_int_equal(advise(4, 1, MADV_DONTNEED), 0);
	assert_int_equal(read_page(4), 1000);    /* the copy is gone, the file is back                             */
}

/* ---- */

#define ROW(f) cmocka_unit_test_setup(f, stage_reset)

static const struct CMUnitTest rows[] = {
	ROW(between_two_written),
	ROW(unwritten_joins_written),
	ROW(formerly_writable),
	ROW(formerly_writable_noreserve),
	ROW(formerly_writable_unwritten),
	ROW(formerly_writable_file),
	ROW(noreserve_beside_normal),
	ROW(written_piece_moved),
	ROW(unwritten_piece_moved),
	ROW(written_pieces_rejoin),
	ROW(mprotect_over_hole),
	ROW(madvise_over_hole),
	ROW(madvise_stops_at_error),
	ROW(munmap_over_holes),
	ROW(populate_stops_at_hole),
	ROW(move_takes_several),
	ROW(move_starts_with_hole),
	ROW(grow_over_several),
	ROW(grow_joins_next),
	ROW(dontunmap_takes_a_hint),
	ROW(duplicate_shared),
	ROW(hint_is_rounded_down),
	ROW(busy_hint_goes_to_the_top),
	ROW(highest_gap_that_fits),
	ROW(huge_lengths_are_aligned),
	ROW(no_room),
	ROW(argument_errors),
	ROW(file_offset_overflow),
	ROW(brk_needs_a_page_beyond),
	ROW(brk_over_a_hole),
	ROW(flag_advices_split_and_merge),
	ROW(mergeable_is_for_private),
	ROW(faults_have_codes),
	ROW(private_copies),
};

int main(int argc, char **argv)
{
	return stage_main(argc, argv, rows, sizeof(rows) / sizeof(*rows));
}
