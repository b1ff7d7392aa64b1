/* SPDX-License-Identifier: MIT */
/* test_fault.c - faults and accesses: zero page, copy-on-write, objects, BUS, permissions, contents. */
#include "tests/unit/space/maps.h"

static uint64_t word_at(struct vmmap *map, uint64_t addr)
{
	uint64_t word = 99;

	assert_int_equal(vmmap_read(map, addr, &word, sizeof word), sizeof word);
	return word;
}

static void put(struct vmmap *map, uint64_t addr, uint64_t word)
{
	assert_int_equal(vmmap_write(map, addr, &word, sizeof word), sizeof word);
}

static void test_anonymous(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_fault_info info;

	assert_int_equal(vmmap_fault(map, BASE, PROT_READ, &info), -EFAULT);
	assert_int_equal(info.code, VMMAP_MAPERR);
	maps_fixed(map, 0, 4, RW, NORES);
	assert_int_equal(vmmap_fault(map, BASE, PROT_READ, &info), 0);
	assert_int_equal(info.how, VMMAP_ZERO);
	assert_true(info.pfn == PHYSMEM_NONE);
	assert_int_equal(vmmap_fault(map, BASE, PROT_WRITE, &info), 0);
	assert_int_equal(info.how, VMMAP_COW);
	assert_int_equal(vmmap_fault(map, BASE, PROT_WRITE, &info), 0);
	assert_int_equal(info.how, VMMAP_PRESENT);
	assert_int_equal(vmmap_fault(map, BASE + PAGE, PROT_WRITE, &info), 0);
	assert_int_equal(info.how, VMMAP_ANON);
	assert_int_equal(vmmap_fault(map, BASE, PROT_EXEC, &info), -EFAULT);
	assert_int_equal(info.code, VMMAP_ACCERR);
	put(map, BASE + 8, 7);
	assert_int_equal(word_at(map, BASE + 8), 7);
	assert_int_equal(word_at(map, BASE + 2 * PAGE), 0);
	assert_int_equal(maps_protect(map, 0, 1, PROT_READ), 0);
	assert_int_equal(vmmap_write(map, BASE + 8, "x", 1), -EFAULT);
	assert_int_equal(word_at(map, BASE + 8), 7);
	assert_int_equal(maps_protect(map, 0, 1, PROT_NONE), 0);
	assert_int_equal(vmmap_read(map, BASE + 8, &info, 1), -EFAULT);
	assert_int_equal(maps_protect(map, 0, 1, RW), 0);
	assert_int_equal(word_at(map, BASE + 8), 7);
	assert_int_equal(vmmap_madvise(map, BASE, PAGE, MADV_DONTNEED), 0);
	assert_int_equal(word_at(map, BASE + 8), 0);
	maps_free(map);
}

static void test_access_across_pages(void **state)
{
	struct vmmap *map = maps_new(*state);
	char out[3 * 4096], in[3 * 4096];

	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (char)(i * 7);
	maps_fixed(map, 0, 3, RW, NORES);
	assert_int_equal(vmmap_write(map, BASE + 100, out, sizeof out), sizeof out - 100);      /* stops at the end */
	assert_int_equal(vmmap_read(map, BASE + 100, in, sizeof in - 100), sizeof in - 100);
	assert_memory_equal(in, out, sizeof in - 100);
	assert_int_equal(vmmap_read(map, BASE + 3 * PAGE, in, 1), -EFAULT);
	maps_free(map);
}

static void test_objects(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_fault_info info;
	struct vmmap_object *file;

	assert_int_equal(vmmap_object_create(&file, maps_memory, "file", 8 * PAGE, NULL), 0);
	assert_int_equal(vmmap_mmap(map, BASE, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 2 * PAGE), BASE);
	assert_int_equal(vmmap_mmap(map, BASE + 8 * PAGE, 10 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, 0),
			 BASE + 8 * PAGE);
	/* MAP_ANONYMOUS: the object is not looked at, as mmap(2) ignores the descriptor */
	assert_int_equal(vmmap_mmap(map, BASE + 64 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, file, 0),
			 BASE + 64 * PAGE);
	assert_int_equal(vmmap_fault(map, BASE + 64 * PAGE, PROT_WRITE, &info), 0);
	assert_int_equal(info.how, VMMAP_ANON);
	assert_int_equal(vmmap_munmap(map, BASE + 64 * PAGE, PAGE), 0);
	vmmap_object_put(file);                          /* the VMAs hold it */
	maps_are(map, "0-4rwso2 8-18rwo0");
	put(map, BASE, 11);                              /* page 2 of the file */
	assert_int_equal(word_at(map, BASE + 10 * PAGE), 11);
	put(map, BASE + 10 * PAGE, 12);                  /* copy-on-write */
	assert_int_equal(word_at(map, BASE), 11);
	assert_int_equal(word_at(map, BASE + 10 * PAGE), 12);
	assert_int_equal(vmmap_madvise(map, BASE + 10 * PAGE, PAGE, MADV_DONTNEED), 0);
	assert_int_equal(word_at(map, BASE + 10 * PAGE), 11);   /* the file's page again */
	assert_int_equal(vmmap_fault(map, BASE + 16 * PAGE, PROT_READ, &info), -EFAULT);
	assert_int_equal(info.code, VMMAP_BUS);
	assert_int_equal(maps_unmap(map, 1, 1), 0);
	maps_are(map, "0-1rwso2 2-4rwso4 8-18rwo0");
	maps_free(map);
}

static void test_shared_anonymous(void **state)
{
	struct vmmap *map = maps_new(*state);

	assert_int_equal(vmmap_mmap(map, BASE, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0), BASE);
	assert_int_equal(
		vmmap_mmap(map, BASE + 2 * PAGE, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, NULL, 0),
		BASE + 2 * PAGE);
	maps_are(map, "0-2rwso0 2-4rwso0");              /* objects of their own never merge */
	put(map, BASE + PAGE, 5);
	assert_int_equal(vmmap_madvise(map, BASE, 2 * PAGE, MADV_DONTNEED), 0);
	assert_int_equal(word_at(map, BASE + PAGE), 5);  /* the object keeps it */
	assert_int_equal(vmmap_madvise(map, BASE, PAGE, MADV_FREE), -EINVAL);
	maps_free(map);
}

static void test_remap(void **state)
{
	struct vmmap *map = maps_new(*state);
	int64_t at;

	maps_fixed(map, 0, 4, RW, NORES);
	put(map, BASE + PAGE, 21);
	assert_int_equal(vmmap_mremap(map, BASE, 4 * PAGE, 2 * PAGE, 0, 0), BASE);
	maps_are(map, "0-2rw");
	assert_int_equal(vmmap_mremap(map, BASE, 2 * PAGE, 6 * PAGE, 0, 0), BASE);
	maps_are(map, "0-6rw");
	maps_fixed(map, 6, 1, PROT_READ, NORES);
	assert_int_equal(vmmap_mremap(map, BASE, 6 * PAGE, 8 * PAGE, 0, 0), -ENOMEM);
	at = vmmap_mremap(map, BASE, 6 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, 0);
	assert_true(at > 0 && at != (int64_t)BASE);
	assert_int_equal(word_at(map, (uint64_t)at + PAGE), 21);
	maps_are(map, "6-7r");
	assert_int_equal(
		vmmap_mremap(map, (uint64_t)at, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 4 * PAGE),
		BASE + 4 * PAGE);
	maps_are(map, "4-12rw");
	assert_int_equal(word_at(map, BASE + 5 * PAGE), 21);
	assert_int_equal(vmmap_mremap(map, BASE + 4 * PAGE, 2 * PAGE, 2 * PAGE,
				      MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, BASE),
			 BASE);
	assert_int_equal(word_at(map, BASE + PAGE), 21);
	assert_int_equal(word_at(map, BASE + 5 * PAGE), 0);
	assert_int_equal(vmmap_mremap(map, BASE + 100 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0), -EFAULT);
	maps_free(map);
}

static void test_populate(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_usage usage;

	maps_fixed(map, 0, 8, RW, NORES | MAP_POPULATE);
	vmmap_get_usage(map, &usage);
	assert_int_equal(usage.resident_pages, 8);
	maps_fixed(map, 10, 2, PROT_READ, NORES);
	assert_int_equal(vmmap_madvise(map, BASE + 10 * PAGE, 2 * PAGE, 23), -EINVAL);
	assert_int_equal(vmmap_madvise(map, BASE + 10 * PAGE, 4 * PAGE, 22), -ENOMEM);
	assert_int_equal(vmmap_madvise(map, BASE + 2 * PAGE, 2 * PAGE, MADV_FREE), 0);
	vmmap_get_usage(map, &usage);
	assert_int_equal(usage.resident_pages, 6);
	maps_free(map);
}

static struct CMUnitTest tests[] = {
	cmocka_unit_test(test_anonymous), cmocka_unit_test(test_access_across_pages), cmocka_unit_test(test_objects),
	cmocka_unit_test(test_shared_anonymous), cmocka_unit_test(test_remap), cmocka_unit_test(test_populate),
};
MAPS_MAIN(tests)
