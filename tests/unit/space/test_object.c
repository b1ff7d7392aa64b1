/* SPDX-License-Identifier: MIT */
/* test_object.c - memory objects: size, pager, sync, msync; one thread, every policy. */
#include "tests/pager.h"
#include "tests/unit/space/maps.h"

#define FILE_PAGES 8u
#define SHARED (MAP_SHARED | MAP_FIXED)
#define PRIVATE (MAP_PRIVATE | MAP_FIXED)

static struct vmmap_object *file;
static struct pager pager;

static void plain_file(uint64_t size)
{
	assert_int_equal(vmmap_object_create(&file, maps_memory, "plain", size, NULL), 0);
}

static void paged_file(uint64_t size)
{
	struct vmmap_pager calls = pager_of(&pager);

	pager_init(&pager);
	assert_int_equal(vmmap_object_create(&file, maps_memory, "paged", size, &calls), 0);
}

static uint64_t at(uint64_t page) { return BASE + page * PAGE; }

static void map_file(struct vmmap *map, uint64_t page, uint64_t pages, int prot, int flags, uint64_t from)
{
	assert_int_equal(vmmap_mmap(map, at(page), pages * PAGE, prot, flags, file, from * PAGE), at(page));
}

/* A byte, or why not as a negative number. */
static int byte_at(struct vmmap *map, uint64_t addr)
{
	struct vmmap_fault_info info;
	unsigned char byte;

	if (vmmap_read(map, addr, &byte, 1) == 1)
		return byte;
	return vmmap_fault(map, addr, PROT_READ, &info) == -EFAULT ? -(int)info.code : -1000;
}

static int put_byte(struct vmmap *map, uint64_t addr, unsigned char byte)
{
	struct vmmap_fault_info info;

	if (vmmap_write(map, addr, &byte, 1) == 1)
		return 0;
	return vmmap_fault(map, addr, PROT_WRITE, &info) == -EFAULT ? -(int)info.code : -1000;
}

static uint64_t owned(void)
{
	struct physmem_usage usage;

	physmem_get_usage(maps_memory, &usage);
	return usage.owned;
}

static void finish(struct vmmap *map)
{
	vmmap_object_put(file);
	maps_free(map);
}

/* ---- size ---- */

static void test_cut_and_grow(void **state)
{
	struct vmmap *map = maps_new(*state);

	plain_file(FILE_PAGES * PAGE);
	map_file(map, 0, 10, RW, SHARED, 0);
	for (unsigned i = 0; i < FILE_PAGES; i++)
		assert_int_equal(put_byte(map, at(i) + 5, (unsigned char)(i + 1)), 0);
	assert_int_equal(byte_at(map, at(8)), -VMMAP_BUS);
	assert_int_equal(vmmap_object_resize(file, 3 * PAGE), 0);
	assert_int_equal(vmmap_object_size(file), 3 * PAGE);
	assert_int_equal(byte_at(map, at(2) + 5), 3);
	assert_int_equal(byte_at(map, at(3) + 5), -VMMAP_BUS);
	assert_int_equal(put_byte(map, at(7), 1), -VMMAP_BUS);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(owned(), 3);                    /* what was cut off is free */
	assert_int_equal(vmmap_object_resize(file, 10 * PAGE), 0);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(byte_at(map, at(i) + 5), i < 3 ? (int)i + 1 : 0);
	assert_int_equal(vmmap_object_resize(file, 0), 0);
	assert_int_equal(byte_at(map, at(0) + 5), -VMMAP_BUS);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(owned(), 0);
	assert_int_equal(vmmap_object_resize(file, 1), 0);
	assert_int_equal(byte_at(map, at(0) + 5), 0);
	finish(map);
}

static void test_tail(void **state)
{
	struct vmmap *map = maps_new(*state);

	plain_file(2 * PAGE);
	map_file(map, 0, 2, RW, SHARED, 0);
	assert_int_equal(put_byte(map, at(1) + 99, 1), 0);
	assert_int_equal(put_byte(map, at(1) + 100, 2), 0);
	assert_int_equal(put_byte(map, at(1) + 4095, 3), 0);
	assert_int_equal(vmmap_object_resize(file, PAGE + 100), 0);
	assert_int_equal(byte_at(map, at(1) + 99), 1);
	assert_int_equal(byte_at(map, at(1) + 100), 0);
	assert_int_equal(byte_at(map, at(1) + 4095), 0);
	assert_int_equal(put_byte(map, at(1) + 200, 7), 0);      /* beyond the end, in the last page */
	assert_int_equal(vmmap_object_resize(file, 2 * PAGE), 0);
	assert_int_equal(byte_at(map, at(1) + 200), 7);          /* as in Linux (tmpfs) */
	assert_int_equal(byte_at(map, at(1) + 100), 0);
	finish(map);
}

static void test_private_copies_go(void **state)
{
	struct vmmap *map = maps_new(*state);

	plain_file(4 * PAGE);
	map_file(map, 0, 4, RW, PRIVATE, 0);
	assert_int_equal(put_byte(map, at(1), 11), 0);
	assert_int_equal(put_byte(map, at(2), 12), 0);
	assert_int_equal(put_byte(map, at(2) + 4000, 13), 0);
	assert_int_equal(vmmap_object_resize(file, 2 * PAGE + 100), 0);
	assert_int_equal(byte_at(map, at(2)), 12);
	assert_int_equal(byte_at(map, at(2) + 4000), 13);        /* a private copy keeps its rest */
	assert_int_equal(vmmap_object_resize(file, PAGE), 0);
	assert_int_equal(byte_at(map, at(1)), -VMMAP_BUS);
	assert_int_equal(vmmap_object_resize(file, 4 * PAGE), 0);
	assert_int_equal(byte_at(map, at(1)), 0);
	assert_int_equal(byte_at(map, at(2)), 0);
	finish(map);
}

/* Splits, merges, moves, a second mapping elsewhere, and one in another map: all of them are found. */
static void test_everywhere(void **state)
{
	struct vmmap *map = maps_new(*state), *other;
	struct vmmap_config config = VMMAP_CONFIG;

	plain_file(FILE_PAGES * PAGE);
	config.policy = *state;
	config.physmem = maps_memory;
	assert_int_equal(vmmap_create(&other, &config), 0);
	map_file(map, 0, 4, RW, SHARED, 0);
	map_file(map, 4, 4, RW, SHARED, 4);                      /* merges with the one below */
	maps_are(map, "0-8rwso0");
	map_file(map, 100, 2, PROT_READ, PRIVATE, 6);
	map_file(other, 50, 3, RW, SHARED, 5);
	assert_int_equal(maps_protect(map, 2, 1, PROT_READ), 0);
	assert_int_equal(maps_unmap(map, 5, 1), 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(byte_at(map, at(i)), i == 5 ? -VMMAP_MAPERR : 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(byte_at(map, at(100 + i)), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(byte_at(other, at(50 + i)), 0);
	assert_int_equal(vmmap_mremap(map, at(6), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(200)), at(200));
	assert_int_equal(vmmap_mremap(map, at(0), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED,
				      at(300)), at(300));
	assert_int_equal(vmmap_mremap(map, at(201), PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0), at(201));
	assert_int_equal(byte_at(map, at(202)), -VMMAP_BUS);
	assert_int_equal(vmmap_object_resize(file, 0), 0);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(vmmap_audit(other, stderr), 0);
	assert_int_equal(owned(), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(byte_at(map, at(i)), i == 5 ? -VMMAP_MAPERR : -VMMAP_BUS);
	assert_int_equal(byte_at(map, at(100)), -VMMAP_BUS);
	assert_int_equal(byte_at(map, at(201)), -VMMAP_BUS);
	assert_int_equal(byte_at(map, at(301)), -VMMAP_BUS);
	assert_int_equal(byte_at(other, at(52)), -VMMAP_BUS);
	vmmap_destroy(other);
	assert_int_equal(vmmap_object_resize(file, PAGE), 0);
	finish(map);
}

/* ---- pager ---- */

static void test_reads(void **state)
{
	struct vmmap *map = maps_new(*state);

	paged_file(3 * PAGE + 10);
	map_file(map, 0, 6, RW, SHARED, 0);
	map_file(map, 10, 4, RW, PRIVATE, 0);
	assert_int_equal(byte_at(map, at(1)), 0x41);
	assert_int_equal(put_byte(map, at(11), 1), 0);           /* a copy of what is cached */
	assert_int_equal(put_byte(map, at(12) + 1, 1), 0);       /* a copy of what has to be read */
	assert_int_equal(byte_at(map, at(12)), 0x42);
	assert_int_equal(byte_at(map, at(2) + 1), 0x42);
	assert_int_equal(byte_at(map, at(3) + 9), 0x43);
	assert_int_equal(byte_at(map, at(3) + 10), 0);           /* the rest of the last page */
	assert_int_equal(byte_at(map, at(4)), -VMMAP_BUS);
	assert_int_equal(atomic_load_relaxed(&pager.reads), 3);
	assert_int_equal(vmmap_object_resize(file, PAGE + 1), 0);
	assert_int_equal(vmmap_object_resize(file, 6 * PAGE), 0);
	assert_int_equal(byte_at(map, at(1)), 0x41);
	assert_int_equal(byte_at(map, at(1) + 1), 0);
	for (unsigned i = 2; i < 6; i++)
		assert_int_equal(byte_at(map, at(i)), 0);        /* cut off: nobody asks the pager any more */
	assert_int_equal(atomic_load_relaxed(&pager.reads), 3);
	finish(map);
}

static void test_unread_rest(void **state)
{
	struct vmmap *map = maps_new(*state);

	paged_file(2 * PAGE);
	map_file(map, 0, 2, RW, SHARED, 0);
	assert_int_equal(vmmap_object_resize(file, PAGE + 7), 0);        /* its last page is not cached */
	assert_int_equal(vmmap_object_resize(file, 2 * PAGE), 0);
	assert_int_equal(byte_at(map, at(1) + 6), 0x41);
	assert_int_equal(byte_at(map, at(1) + 7), 0);
	finish(map);
}

static void test_failing_reads(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_fault_info info;
	unsigned failed = 0;

	paged_file(60 * PAGE);
	pager.fail_read = 3;
	map_file(map, 0, 60, RW, SHARED, 0);
	for (unsigned i = 0; i < 60; i++) {
		int err = vmmap_fault(map, at(i), i % 2 ? PROT_READ : PROT_WRITE, &info);

		if (err) {
			assert_int_equal(err, -EFAULT);
			assert_int_equal(info.code, VMMAP_BUS);
			failed++;
			err = vmmap_fault(map, at(i), PROT_WRITE, &info);        /* asks again */
		}
		assert_int_equal(err, 0);
		assert_int_equal(byte_at(map, at(i)), 0x40 + (int)i);
	}
	assert_int_equal(failed, 29);
	assert_int_equal(atomic_load_relaxed(&pager.reads), 89);
	pager.fail_read = 1;
	assert_int_equal(vmmap_object_resize(file, 61 * PAGE), 0);
	assert_int_equal(vmmap_madvise(map, at(0), 60 * PAGE, MADV_POPULATE_READ), 0);
	finish(map);
}

static void test_sync(void **state)
{
	struct vmmap *map = maps_new(*state);

	paged_file(FILE_PAGES * PAGE);
	map_file(map, 0, 8, RW, SHARED, 0);
	map_file(map, 20, 8, RW, SHARED, 0);
	assert_int_equal(put_byte(map, at(1), 1), 0);
	assert_int_equal(put_byte(map, at(22), 2), 0);
	assert_int_equal(byte_at(map, at(3)), 0x43);
	assert_int_equal(vmmap_object_sync(file, 0, PAGE), 0);
	assert_int_equal(atomic_load_relaxed(&pager.writes), 0);
	assert_int_equal(vmmap_object_sync(file, PAGE + 17, 1), 0);
	assert_int_equal(atomic_load_relaxed(&pager.writes), 1);
	assert_int_equal(pager.copy[PAGE], 1);
	assert_int_equal(pager.copy[PAGE + 1], 0x41);
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(atomic_load_relaxed(&pager.writes), 2);
	assert_int_equal(pager.copy[2 * PAGE], 2);
	assert_int_equal(put_byte(map, at(21) + 3, 5), 0);       /* through the other mapping */
	assert_int_equal(put_byte(map, at(1) + 4, 6), 0);
	assert_int_equal(maps_protect(map, 0, 8, PROT_READ), 0);
	assert_int_equal(maps_protect(map, 0, 8, RW), 0);        /* gives no right to store unnoticed */
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(pager.copy[PAGE + 3], 5);
	assert_int_equal(pager.copy[PAGE + 4], 6);
	assert_int_equal(atomic_load_relaxed(&pager.writes), 3);
	assert_int_equal(maps_protect(map, 0, 8, PROT_READ), 0);
	assert_int_equal(maps_protect(map, 0, 8, RW), 0);
	assert_int_equal(put_byte(map, at(1), 7), 0);
	assert_int_equal(vmmap_mremap(map, at(1), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(40)), at(40));
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(pager.copy[PAGE], 7);
	assert_int_equal(put_byte(map, at(40), 8), 0);
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(pager.copy[PAGE], 8);
	finish(map);
}

static void test_failing_writes(void **state)
{
	struct vmmap *map = maps_new(*state);

	paged_file(FILE_PAGES * PAGE);
	map_file(map, 0, 8, RW, SHARED, 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(put_byte(map, at(i), (unsigned char)i), 0);
	pager.fail_write = 3;
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), -EIO);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(pager.copy[i * PAGE], i == 2 || i == 5 ? 0x40 + i : i);
	assert_int_equal(atomic_load_relaxed(&pager.writes), 8);
	pager.fail_write = 0;
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(atomic_load_relaxed(&pager.writes), 10);
	assert_int_equal(pager.copy[2 * PAGE], 2);
	assert_int_equal(pager.copy[5 * PAGE], 5);
	finish(map);
}

static void test_sync_of_the_last_page(void **state)
{
	struct vmmap *map = maps_new(*state);

	paged_file(2 * PAGE);
	map_file(map, 0, 2, RW, SHARED, 0);
	assert_int_equal(put_byte(map, at(1), 9), 0);
	assert_int_equal(vmmap_object_resize(file, PAGE + 50), 0);
	assert_int_equal(put_byte(map, at(1) + 60, 9), 0);
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(pager.copy[PAGE], 9);
	assert_int_equal(pager.copy[PAGE + 49], 0x41);
	for (unsigned i = 50; i < PAGE; i++)
		assert_int_equal(pager.copy[PAGE + i], 0);
	finish(map);
}

static void test_msync(void **state)
{
	struct vmmap *map = maps_new(*state);

	paged_file(FILE_PAGES * PAGE);
	map_file(map, 0, 4, RW, SHARED, 0);
	map_file(map, 6, 2, RW, SHARED, 6);
	map_file(map, 8, 1, RW, PRIVATE, 0);
	for (unsigned i = 0; i < 9; i++)
		if (i < 4 || i > 5)
			assert_int_equal(put_byte(map, at(i), (unsigned char)(i + 1)), 0);
	assert_int_equal(vmmap_msync(map, at(0), 9 * PAGE, MS_ASYNC), -ENOMEM);
	assert_int_equal(vmmap_msync(map, at(0), 4 * PAGE, MS_ASYNC), 0);
	assert_int_equal(vmmap_msync(map, at(0), 4 * PAGE, MS_INVALIDATE), 0);
	assert_int_equal(atomic_load_relaxed(&pager.writes), 0);
	assert_int_equal(vmmap_msync(map, at(1), PAGE + 1, MS_SYNC), 0);
	assert_int_equal(atomic_load_relaxed(&pager.writes), 2);
	assert_int_equal(pager.copy[0], 0x40);
	assert_int_equal(pager.copy[2 * PAGE], 3);
	assert_int_equal(vmmap_msync(map, at(0), 12 * PAGE, MS_SYNC), -ENOMEM);  /* told at the end */
	assert_int_equal(atomic_load_relaxed(&pager.writes), 6);
	assert_int_equal(pager.copy[0], 1);                      /* not 9: a private page stays private */
	assert_int_equal(pager.copy[7 * PAGE], 8);
	assert_int_equal(put_byte(map, at(0), 33), 0);
	assert_int_equal(put_byte(map, at(7), 34), 0);
	pager.fail_write = 1;
	assert_int_equal(vmmap_msync(map, at(0), 8 * PAGE, MS_SYNC), -EIO);      /* ends there */
	assert_int_equal(atomic_load_relaxed(&pager.writes), 7);
	pager.fail_write = 0;
	assert_int_equal(vmmap_msync(map, at(6), 2 * PAGE, MS_SYNC), 0);
	assert_int_equal(vmmap_msync(map, at(0), 4 * PAGE, MS_SYNC), 0);
	assert_int_equal(pager.copy[0], 33);
	assert_int_equal(pager.copy[7 * PAGE], 34);
	finish(map);
}

/* A pager holds nothing: it may use the map that it is asked for, other pages of its object included. */
static struct vmmap *nested_map;

static int nested_read(void *self, uint64_t page, void *bytes)
{
	unsigned char first = 0;

	assert_int_equal(maps_fixed(nested_map, 100, 1, RW, NORES), at(100));
	assert_int_equal(put_byte(nested_map, at(100), 1), 0);
	assert_int_equal(maps_protect(nested_map, 0, 1, PROT_READ), 0);
	if (page < 3)
		assert_int_equal(vmmap_read(nested_map, at(page + 1), &first, 1), 1);
	assert_int_equal(maps_unmap(nested_map, 100, 1), 0);
	memset(bytes, first + 1, PAGE);
	return pager_read(self, page, (unsigned char[PAGE]){ 0 });
}

static int nested_write(void *self, uint64_t page, const void *bytes)
{
	assert_int_equal(vmmap_object_sync(file, (page + 1) * PAGE, UINT64_MAX), 0);
	assert_int_equal(put_byte(nested_map, at(page), 77), 0); /* dirty again */
	return pager_write(self, page, bytes);
}

static void test_nested(void **state)
{
	struct vmmap_pager calls = { nested_read, nested_write, &pager };

	nested_map = maps_new(*state);
	pager_init(&pager);
	assert_int_equal(vmmap_object_create(&file, maps_memory, "nested", 4 * PAGE, &calls), 0);
	map_file(nested_map, 0, 4, RW, SHARED, 0);
	assert_int_equal(byte_at(nested_map, at(0)), 4);
	assert_int_equal(atomic_load_relaxed(&pager.reads), 4);
	assert_int_equal(maps_protect(nested_map, 0, 4, RW), 0);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(put_byte(nested_map, at(i), 5), 0);
	assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
	assert_int_equal(pager.copy[PAGE], 5);
	assert_int_equal(byte_at(nested_map, at(1)), 77);
	calls = (struct vmmap_pager){ 0 };                       /* it was copied */
	assert_int_equal(vmmap_object_resize(file, 0), 0);
	finish(nested_map);
}

/* Who holds a range cannot wait for itself: told where it is noticed, and the size is as it was. */
static void test_held(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_held held;
	int cut, sync;

	paged_file(2 * PAGE);
	map_file(map, 0, 2, RW, SHARED, 0);
	assert_int_equal(put_byte(map, at(1), 7), 0);
	assert_int_equal(vmmap_hold(map, at(1), PAGE, &held), 0);
	sync = vmmap_object_sync(file, 0, UINT64_MAX);
	cut = vmmap_object_resize(file, PAGE);
	vmmap_release(map, &held);
	if (strcmp(*state, "none")) {                    /* one thread, no locks: nothing to notice */
		assert_int_equal(sync, -EDEADLK);
		assert_int_equal(cut, -EDEADLK);
		assert_int_equal(vmmap_object_size(file), 2 * PAGE);
		assert_int_equal(byte_at(map, at(1)), 7);
		assert_int_equal(vmmap_object_sync(file, 0, UINT64_MAX), 0);
		assert_int_equal(pager.copy[PAGE], 7);
	}
	finish(map);
}

/* Hulls follow what is mapped under them; a map that goes takes its hints along. */
static void test_hints(void **state)
{
	struct vmmap *map = maps_new(*state);

	plain_file(FILE_PAGES * PAGE);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t page = i % 8;

		map_file(map, page, 1, i % 3 ? RW : PROT_READ, i % 5 ? SHARED : PRIVATE, page);
		assert_int_equal(byte_at(map, at(page)), 0);
		if (i % 7 == 0)
			assert_int_equal(maps_unmap(map, (i / 7) % 8, 2), 0);
		if (i % 11 == 0)
			assert_int_equal(vmmap_object_resize(file, (i % 9) * PAGE), 0);
		else
			assert_int_equal(vmmap_object_resize(file, FILE_PAGES * PAGE), 0);
		assert_int_equal(vmmap_audit(map, stderr), 0);
		assert_int_equal(vmmap_object_resize(file, FILE_PAGES * PAGE), 0);
	}
	finish(map);
}

int main(void);
static struct CMUnitTest tests[] = {
	cmocka_unit_test(test_cut_and_grow), cmocka_unit_test(test_tail), cmocka_unit_test(test_private_copies_go),
	cmocka_unit_test(test_everywhere), cmocka_unit_test(test_reads), cmocka_unit_test(test_unread_rest),
	cmocka_unit_test(test_failing_reads), cmocka_unit_test(test_sync), cmocka_unit_test(test_failing_writes),
	cmocka_unit_test(test_sync_of_the_last_page), cmocka_unit_test(test_msync), cmocka_unit_test(test_held),
	cmocka_unit_test(test_nested),
	cmocka_unit_test(test_hints),
};
MAPS_MAIN(tests)
