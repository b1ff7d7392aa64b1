/* SPDX-License-Identifier: MIT */
/* test_grow.c - stacks: growth by faults, the guard gap of placements, PROT_GROWSDOWN, full leaves, leaf borders. */
#include "tests/unit/space/maps.h"
#include "vmmap/space/space.h"

#define STACK (NORES | MAP_GROWSDOWN)
#define GUARD 256u

static int64_t page_of(int64_t addr)
{
	return addr < 0 ? addr : (addr - (int64_t)BASE) / (int64_t)PAGE;
}

/* A fault at a page: 1: a stack grew for it; 0: none did; -1: MAPERR; -2: ACCERR, -3: ACCERR after growth. */
static int touch(struct vmmap *map, uint64_t page, int access)
{
	struct vmmap_fault_info info;
	int err = vmmap_fault(map, BASE + page * PAGE + 77, access, &info);

	if (!err)
		return (int)info.grew;
	assert_int_equal(err, -EFAULT);
	if (info.code == VMMAP_MAPERR)
		assert_int_equal(info.grew, 0);
	return info.code == VMMAP_MAPERR ? -1 : -2 - (int)info.grew;
}

static void test_growth(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_vma v;

	maps_fixed(map, 4000, 2, RW, STACK);
	assert_int_equal(vmmap_query(map, BASE, &v), 0);
	assert_int_equal(v.flags, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_GROWSDOWN);
	assert_int_equal(touch(map, 3999, PROT_READ), 1);
	assert_int_equal(touch(map, 3999, PROT_WRITE), 0);
	assert_int_equal(touch(map, 3990, PROT_WRITE), 1);
	assert_int_equal(touch(map, 3995, PROT_WRITE), 0);
	assert_int_equal(touch(map, 900, PROT_READ), 1);         /* no limit on the distance */
	assert_int_equal(touch(map, 4002, PROT_READ), -1);
	maps_are(map, "900-4002rw");
	assert_int_equal(vmmap_query(map, BASE, &v), 0);
	assert_true(v.flags & MAP_GROWSDOWN);
	maps_free(map);
}

static void test_accesses_grow(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t word = 7, back = 0;
	char long_one[3 * 4096] = { 1 };

	maps_fixed(map, 100, 1, RW, STACK);
	assert_int_equal(vmmap_write(map, BASE + 50 * PAGE, &word, sizeof word), sizeof word);
	assert_int_equal(vmmap_read(map, BASE + 49 * PAGE, long_one, sizeof long_one), sizeof long_one);
	memcpy(&back, long_one + PAGE, sizeof back);
	assert_int_equal(back, 7);
	maps_are(map, "49-101rw");
	/* populating is no access: it finds a hole */
	assert_int_equal(vmmap_madvise(map, BASE + 40 * PAGE, PAGE, MADV_POPULATE_WRITE), -ENOMEM);
	maps_are(map, "49-101rw");
	maps_free(map);
}

static void test_protection_after_growth(void **state)
{
	struct vmmap *map = maps_new(*state);

	maps_fixed(map, 100, 1, PROT_READ, STACK);
	assert_int_equal(touch(map, 98, PROT_WRITE), -3);
	maps_are(map, "98-101r");
	maps_fixed(map, 500, 1, PROT_NONE, STACK);
	assert_int_equal(touch(map, 498, PROT_READ), -3);
	maps_are(map, "98-101r 498-501n");
	maps_free(map);
}

static void test_guard_below(void **state)
{
	struct vmmap *map = maps_new(*state);

	maps_fixed(map, 1000, 1, RW, STACK);
	maps_fixed(map, 500, 2, PROT_READ, NORES);
	assert_int_equal(touch(map, 502 + GUARD - 1, PROT_READ), -1);
	assert_int_equal(touch(map, 502 + GUARD, PROT_READ), 1);
	assert_int_equal(touch(map, 502 + GUARD - 1, PROT_READ), -1);
	maps_protect(map, 500, 2, PROT_NONE);    /* what may not be accessed needs no distance */
	assert_int_equal(touch(map, 502, PROT_READ), 1);
	maps_are(map, "500-502n 502-1001rw");
	maps_unmap(map, 502, 498);
	maps_protect(map, 500, 2, PROT_EXEC);
	assert_int_equal(touch(map, 600, PROT_READ), -1);
	maps_fixed(map, 500, 2, RW, STACK);      /* nor does another stack; merged where Linux leaves two */
	assert_int_equal(touch(map, 502, PROT_READ), 1);
	maps_are(map, "500-1001rw");
	maps_free(map);
}

static void test_lowest_address(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;

	config.policy = *state;
	config.lo = BASE;
	assert_int_equal(vmmap_create(&map, &config), 0);
	maps_fixed(map, 10, 1, RW, STACK);
	assert_int_equal(touch(map, 0, PROT_WRITE), 1);
	assert_int_equal(vmmap_fault(map, BASE - 1, PROT_WRITE, NULL), -EFAULT);
	maps_are(map, "0-11rw");
	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_destroy(map);
}

static void test_edits_keep_the_flag(void **state)
{
	struct vmmap *map = maps_new(*state);

	maps_fixed(map, 1000, 8, RW, STACK);
	maps_unmap(map, 1002, 1);
	maps_protect(map, 1005, 1, PROT_READ);
	maps_are(map, "1000-1002rw 1003-1005rw 1005-1006r 1006-1008rw");
	maps_protect(map, 1000, 2, PROT_READ);
	assert_int_equal(touch(map, 1002, PROT_WRITE), 1);       /* the upper piece is a stack, as before */
	assert_int_equal(touch(map, 999, PROT_READ), 1);
	maps_are(map, "999-1002r 1002-1005rw 1005-1006r 1006-1008rw");
	assert_int_equal(page_of(vmmap_mremap(map, BASE + 1006 * PAGE, 2 * PAGE, 2 * PAGE,
					      MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 3000 * PAGE)), 3000);
	assert_int_equal(touch(map, 2990, PROT_WRITE), 1);
	maps_are(map, "999-1002r 1002-1005rw 1005-1006r 2990-3002rw");
	maps_free(map);
}

static void test_moved_offsets(void **state)
{
	struct vmmap *map = maps_new(*state);

	/* written memory keeps its offset when it moves, and an offset does not fall below 0 */
	assert_true(vmmap_mmap(map, 32 * PAGE, PAGE, RW, STACK | MAP_FIXED, NULL, 0) == (int64_t)(32 * PAGE));
	assert_int_equal(vmmap_fault(map, 32 * PAGE, PROT_WRITE, NULL), 0);
	assert_int_equal(page_of(vmmap_mremap(map, 32 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
					      BASE + 1000 * PAGE)), 1000);
	assert_int_equal(touch(map, 1000 - 32, PROT_WRITE), 1);
	assert_int_equal(touch(map, 1000 - 33, PROT_WRITE), -1);
	maps_free(map);
}

static void test_group_by_growth(void **state)
{
	struct vmmap *map = maps_new(*state);

	maps_fixed(map, 100, 2, RW, STACK);
	maps_fixed(map, 90, 2, RW, STACK);
	assert_int_equal(touch(map, 90, PROT_WRITE), 0);
	assert_int_equal(touch(map, 98, PROT_READ), 1);          /* no write, but growth makes the group */
	maps_fixed(map, 92, 6, RW, STACK);       /* joins the left; two groups never join */
	maps_are(map, "90-98rw 98-102rw");
	maps_free(map);
}

/* ---- places ---- */

static int64_t hint(struct vmmap *map, uint64_t page, uint64_t pages)
{
	return page_of(vmmap_mmap(map, BASE + page * PAGE, pages * PAGE, RW, NORES, NULL, 0));
}

static int64_t within(struct vmmap *map, uint64_t lo, uint64_t hi, uint64_t align, uint64_t pages)
{
	return page_of(vmmap_mmap_within(map, BASE + lo * PAGE, BASE + hi * PAGE, align * PAGE, 0, pages * PAGE, RW,
					 NORES, NULL, 0));
}

static void test_guard_in_places(void **state)
{
	struct vmmap *map = maps_new(*state);

	maps_fixed(map, 1000, 1, RW, STACK);
	assert_true(hint(map, 999, 1) != 999);
	assert_true(hint(map, 1000 - GUARD, 1) != 1000 - GUARD);
	assert_int_equal(hint(map, 1000 - GUARD - 2, 2), 1000 - GUARD - 2);
	assert_int_equal(maps_unmap(map, 1000 - GUARD - 2, 2), 0);
	assert_int_equal(within(map, 0, 1000, 1, 3), 1000 - GUARD - 3);
	assert_int_equal(within(map, 0, 1000, 64, 1), 704);
	assert_int_equal(within(map, 1000 - GUARD, 1000, 1, 1), -ENOMEM);
	assert_int_equal(page_of(maps_fixed(map, 900, 1, RW, NORES)), 900);      /* who says where is let */
	assert_int_equal(page_of(vmmap_mmap(map, BASE + 902 * PAGE, PAGE, RW, NORES | MAP_FIXED_NOREPLACE, NULL, 0)),
			 902);
	assert_int_equal(page_of(vmmap_mremap(map, BASE + 902 * PAGE, PAGE, 4 * PAGE, 0, 0)), 902);
	assert_int_equal(within(map, 0, 902, 1, 1), 901);        /* the next above is no stack */
	maps_free(map);
}

static void test_guard_of_a_moved_place(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t top;

	maps_fixed(map, 0, 1, RW, NORES);
	top = (uint64_t)vmmap_mmap(map, 0, PAGE, RW, STACK, NULL, 0);
	assert_int_equal(vmmap_mremap(map, BASE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0), BASE);      /* it fits in place */
	maps_fixed(map, 2, 1, PROT_NONE, NORES);
	assert_int_equal(vmmap_mremap(map, BASE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE, 0), top - (GUARD + 3) * PAGE);
	/* a hint of DONTUNMAP */
	assert_int_equal(vmmap_mremap(map, top - (GUARD + 3) * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
				      top - 5 * PAGE), top - (GUARD + 4) * PAGE);
	maps_free(map);
}

static void test_guard_in_arenas(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;
	uint64_t last = 0;

	config.policy = *state;
	assert_int_equal(vmmap_create(&map, &config), 0);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t stack = (uint64_t)vmmap_mmap(map, 0, PAGE, RW, STACK, NULL, 0), plain;

		assert_true(!last || stack + (GUARD + 1) * PAGE <= last || stack > last);
		plain = (uint64_t)vmmap_mmap(map, 0, 3 * PAGE, RW, NORES, NULL, 0);
		assert_true(plain + (GUARD + 3) * PAGE <= stack || plain > stack);
		last = stack;
	}
	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_destroy(map);
}

static void test_guard_of_the_break(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;

	config.policy = *state;
	config.brk_start = BASE;
	assert_int_equal(vmmap_create(&map, &config), 0);
	maps_fixed(map, 1000, 1, RW, STACK);
	assert_int_equal(vmmap_brk(map, BASE + (1000 - GUARD) * PAGE), BASE);
	assert_int_equal(vmmap_brk(map, BASE + (1000 - GUARD - 1) * PAGE), BASE + (1000 - GUARD - 1) * PAGE);
	assert_int_equal(vmmap_brk(map, BASE + (1000 - GUARD) * PAGE), BASE + (1000 - GUARD - 1) * PAGE);
	vmmap_destroy(map);
}

static void test_no_room_but_guards(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;

	config.policy = *state;
	config.placement = VMMAP_TOPDOWN;
	config.lo = BASE;
	config.hi = BASE + 300 * PAGE;
	assert_int_equal(vmmap_create(&map, &config), 0);
	maps_fixed(map, 299, 1, RW, STACK);
	assert_int_equal(vmmap_mmap(map, 0, 44 * PAGE, RW, NORES, NULL, 0), -ENOMEM);
	assert_int_equal(page_of(vmmap_mmap(map, 0, 43 * PAGE, RW, NORES, NULL, 0)), 0);
	vmmap_destroy(map);
}

/* ---- PROT_GROWSDOWN ---- */

static void test_protect_down(void **state)
{
	struct vmmap *map = maps_new(*state);

	maps_fixed(map, 100, 8, RW, STACK);
	assert_int_equal(maps_protect(map, 104, 1, PROT_READ | PROT_GROWSDOWN), 0);
	maps_are(map, "100-105r 105-108rw");
	assert_int_equal(maps_protect(map, 100, 8, RW), 0);
	/* the hole below is no matter */
	assert_int_equal(maps_protect(map, 96, 6, PROT_READ | PROT_GROWSDOWN), 0);
	maps_are(map, "100-102r 102-108rw");
	assert_int_equal(maps_protect(map, 96, 4, PROT_READ | PROT_GROWSDOWN), -ENOMEM);
	assert_int_equal(maps_protect(map, 106, 4, PROT_READ | PROT_GROWSDOWN), -ENOMEM);        /* the hole above is */
	maps_are(map, "100-108r");
	maps_free(map);
}

/* ---- the tree ---- */

static void test_full_leaves(void **state)
{
	struct vmmap *map = maps_new(*state);

	for (unsigned crowd = 20; crowd < 34; crowd++) {
		uint64_t stack = 1000 * crowd;

		/* what stands in the gap is held by the growth, and fills its leaf */
		for (unsigned i = 0; i < crowd; i++)
			maps_fixed(map, stack - 10 - 2 * i, 1, PROT_NONE, NORES);
		maps_fixed(map, stack, 1, RW, STACK);
		for (unsigned i = 1; i < 10; i++)
			assert_int_equal(touch(map, stack - i, PROT_WRITE), 1);
		assert_int_equal(vmmap_audit(map, stderr), 0);
		maps_unmap(map, stack - 200, 201);
	}
	maps_are(map, "");
	maps_free(map);
}

static void test_leaf_borders(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t border = BASE + 512 * PAGE;

	assert_int_equal(vtree_separate(&map->tree, thread_self(), border), 0);
	assert_int_equal(vtree_separate(&map->tree, thread_self(), border - 20 * PAGE), 0);
	maps_fixed(map, 520, 4, RW, STACK);
	assert_int_equal(touch(map, 512, PROT_WRITE), 1);        /* to a border */
	assert_int_equal(touch(map, 511, PROT_WRITE), 1);        /* over it */
	assert_int_equal(touch(map, 400, PROT_WRITE), 1);        /* over a whole leaf */
	maps_are(map, "400-524rw");
	assert_ptr_equal(vtree_lookup(&map->tree, BASE + 400 * PAGE), vtree_lookup(&map->tree, BASE + 520 * PAGE));
	maps_protect(map, 500, 10, PROT_READ);
	maps_are(map, "400-500rw 500-510r 510-524rw");
	maps_free(map);
}

static struct CMUnitTest tests[] = {
	cmocka_unit_test(test_growth), cmocka_unit_test(test_accesses_grow),
	cmocka_unit_test(test_protection_after_growth), cmocka_unit_test(test_guard_below),
	cmocka_unit_test(test_lowest_address), cmocka_unit_test(test_edits_keep_the_flag),
	cmocka_unit_test(test_moved_offsets), cmocka_unit_test(test_group_by_growth),
	cmocka_unit_test(test_guard_in_places), cmocka_unit_test(test_guard_of_a_moved_place),
	cmocka_unit_test(test_guard_in_arenas), cmocka_unit_test(test_guard_of_the_break),
	cmocka_unit_test(test_no_room_but_guards), cmocka_unit_test(test_protect_down),
	cmocka_unit_test(test_full_leaves), cmocka_unit_test(test_leaf_borders),
};

MAPS_MAIN(tests)
