/* SPDX-License-Identifier: MIT */
/* test_map.c - mmap, munmap, mprotect, madvise, brk: lists of VMAs after each call, under every policy. */
#include "tests/unit/space/maps.h"

static void test_split_and_merge(void **state)
{
	struct vmmap *map = maps_new(*state);

	assert_int_equal(maps_fixed(map, 0, 10, RW, NORES), BASE);
	maps_are(map, "0-10rw");
	assert_int_equal(maps_protect(map, 4, 2, PROT_READ), 0);
	maps_are(map, "0-4rw 4-6r 6-10rw");
	assert_int_equal(maps_protect(map, 0, 4, PROT_READ), 0);
	maps_are(map, "0-6r 6-10rw");
	assert_int_equal(maps_protect(map, 0, 6, RW), 0);
	maps_are(map, "0-10rw");
	assert_int_equal(maps_unmap(map, 3, 2), 0);
	maps_are(map, "0-3rw 5-10rw");
	assert_int_equal(maps_fixed(map, 3, 2, RW, NORES), BASE + 3 * PAGE);
	maps_are(map, "0-10rw");
	assert_int_equal(maps_fixed(map, 2, 4, PROT_READ, NORES), BASE + 2 * PAGE);
	maps_are(map, "0-2rw 2-6r 6-10rw");
	assert_int_equal(maps_unmap(map, 0, 20), 0);
	maps_are(map, "");
	maps_free(map);
}

static void test_holes(void **state)
{
	struct vmmap *map = maps_new(*state);

	maps_fixed(map, 0, 2, RW, NORES);
	maps_fixed(map, 4, 2, RW, NORES);
	assert_int_equal(maps_protect(map, 0, 6, PROT_READ), -ENOMEM);
	maps_are(map, "0-2r 4-6rw");                     /* the part before the hole is changed */
	assert_int_equal(maps_protect(map, 2, 4, PROT_READ), -ENOMEM);
	maps_are(map, "0-2r 4-6rw");
	assert_int_equal(vmmap_madvise(map, BASE, 6 * PAGE, MADV_DONTDUMP), -ENOMEM);
	maps_fixed(map, 2, 2, RW, NORES);
	maps_are(map, "0-2r 2-4rw 4-6rw");               /* advice differs */
	assert_int_equal(vmmap_madvise(map, BASE, 6 * PAGE, MADV_DODUMP), 0);
	maps_are(map, "0-2r 2-6rw");
	assert_int_equal(maps_unmap(map, 10, 5), 0);
	maps_free(map);
}

static void test_large(void **state)
{
	struct vmmap *map = maps_new(*state);

	/* the general form: many pages, many VMAs */
	maps_fixed(map, 0, 4096, RW, NORES);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(maps_protect(map, 2 * i, 1, PROT_READ), 0);
	for (unsigned i = 0; i < 4096; i += 64)
		assert_int_equal(vmmap_fault(map, BASE + i * PAGE, PROT_READ, NULL), 0);
	assert_int_equal(maps_touch(map, 1), 0);
	assert_int_equal(maps_protect(map, 1, 398, PROT_NONE), 0);
	maps_are(map, "0-1r 1-399n 399-4096rw");
	assert_int_equal(maps_protect(map, 0, 4096, RW), 0);
	maps_are(map, "0-4096rw");
	maps_fixed(map, 100, 3000, PROT_READ, NORES);
	maps_are(map, "0-100rw 100-3100r 3100-4096rw");
	assert_int_equal(maps_unmap(map, 50, 3000), 0);
	maps_are(map, "0-50rw 3050-3100r 3100-4096rw");
	maps_free(map);
}

static void test_noreplace_and_hint(void **state)
{
	struct vmmap *map = maps_new(*state);

	maps_fixed(map, 4, 2, RW, NORES);
	assert_int_equal(vmmap_mmap(map, BASE + 5 * PAGE, PAGE, RW, NORES | MAP_FIXED_NOREPLACE, NULL, 0), -EEXIST);
	assert_int_equal(vmmap_mmap(map, BASE + 3 * PAGE, 2 * PAGE, RW, NORES | MAP_FIXED_NOREPLACE, NULL, 0), -EEXIST);
	assert_int_equal(vmmap_mmap(map, BASE + 6 * PAGE, PAGE, RW, NORES | MAP_FIXED_NOREPLACE, NULL, 0),
			 BASE + 6 * PAGE);
	maps_are(map, "4-7rw");
	assert_int_equal(vmmap_mmap(map, BASE + 8 * PAGE, PAGE, PROT_READ, NORES, NULL, 0),
			 BASE + 8 * PAGE); /* free hint */
	assert_true(vmmap_mmap(map, BASE + 5 * PAGE, PAGE, PROT_READ, NORES, NULL, 0) > (int64_t)(BASE + (PAGE << 20)));
	maps_free(map);
}

static void test_topdown(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t top = (UINT64_C(1) << 47) - PAGE;
	int64_t a = vmmap_mmap(map, 0, 3 * PAGE, RW, NORES, NULL, 0),
		b = vmmap_mmap(map, 0, PAGE, PROT_READ, NORES, NULL, 0);

	assert_int_equal(a, top - 3 * PAGE);
	assert_int_equal(b, top - 4 * PAGE);
	assert_int_equal(vmmap_munmap(map, (uint64_t)a + PAGE, PAGE), 0);
	assert_int_equal(vmmap_mmap(map, 0, PAGE, PROT_NONE, NORES, NULL, 0), a + (int64_t)PAGE);
	assert_int_equal(vmmap_mmap_within(map, BASE, BASE + (UINT64_C(1) << 24), UINT64_C(1) << 21, PAGE, 5 * PAGE, RW,
					   NORES, NULL, 0),
			 BASE + (UINT64_C(7) << 21) + PAGE);
	assert_int_equal(vmmap_mmap_within(map, BASE, BASE + 4 * PAGE, PAGE, 0, 5 * PAGE, RW, NORES, NULL, 0), -ENOMEM);
	maps_free(map);
}

static void test_brk(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;

	config.policy = *state;
	config.brk_start = BASE;
	assert_int_equal(vmmap_create(&map, &config), 0);
	assert_int_equal(vmmap_brk(map, 0), BASE);
	assert_int_equal(vmmap_brk(map, BASE + 5000), BASE + 5000);
	maps_are(map, "0-2rw");
	maps_fixed(map, 4, 1, PROT_READ, NORES);
	assert_int_equal(vmmap_brk(map, BASE + 5 * PAGE), BASE + 5000);         /* in the way: unchanged */
	assert_int_equal(vmmap_brk(map, BASE + 10), BASE + 10);
	maps_are(map, "0-1rw 4-5r");
	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_destroy(map);
}

static void test_groups(void **state)
{
	struct vmmap *map = maps_new(*state);

	/* written A | written C, then B between them: merges to the left only */
	maps_fixed(map, 0, 1, RW, NORES);
	maps_fixed(map, 2, 1, RW, NORES);
	maps_touch(map, 0);
	maps_touch(map, 2);
	maps_fixed(map, 1, 1, RW, NORES);
	maps_are(map, "0-2rw 2-3rw");
	/* written, then an adjacent unwritten one: one VMA */
	maps_fixed(map, 3, 1, RW, NORES);
	maps_are(map, "0-2rw 2-4rw");
	maps_free(map);
}

static void test_account(void **state)
{
	struct vmmap *map = maps_new(*state);

	maps_fixed(map, 0, 1, RW, ANON);
	maps_fixed(map, 1, 1, PROT_READ, ANON);
	maps_touch(map, 0);
	assert_int_equal(maps_protect(map, 0, 1, PROT_READ), 0);
	maps_are(map, "0-1r 1-2r");                      /* VM_ACCOUNT sticks to what was written */
	maps_fixed(map, 4, 1, RW, ANON);
	maps_fixed(map, 5, 1, PROT_READ, ANON);
	assert_int_equal(maps_protect(map, 4, 1, PROT_READ), 0);
	maps_are(map, "0-1r 1-2r 4-6r");                 /* and is given back where nothing was */
	maps_fixed(map, 8, 1, RW, ANON);
	maps_fixed(map, 9, 1, RW, NORES);
	maps_are(map, "0-1r 1-2r 4-6r 8-9rw 9-10rw");
	maps_free(map);
}

int main(void);
static struct CMUnitTest tests[] = {
	cmocka_unit_test(test_split_and_merge), cmocka_unit_test(test_holes), cmocka_unit_test(test_large),
	cmocka_unit_test(test_noreplace_and_hint), cmocka_unit_test(test_topdown), cmocka_unit_test(test_brk),
	cmocka_unit_test(test_groups), cmocka_unit_test(test_account),
};
MAPS_MAIN(tests)
