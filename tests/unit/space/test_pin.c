/* SPDX-License-Identifier: MIT */
/*
 * test_pin.c - pages that are pinned: in which frames they stay, through what, and who has these when the map has not:
 * one thread, every policy.
 * mutant: migrate_takes_pinned
 * mutant: unmap_frees_pinned
 * mutant: fork_shares_pinned
 * mutant: pin_keeps_name
 */
#include "tests/unit/space/pins.h"

/* One that was stored to, one that shows the zero page, one that nobody has touched; twice. */
static void test_counts(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t pfn[3], again;

	maps_fixed(map, 0, 4, RW, ANON);
	put(map, 0, 10);
	assert_int_equal(get(map, 1), 0);
	assert_int_equal(vmmap_pin(map, AT(0) + 100, 2 * PAGE, pfn), 0);         /* as far as page 2 */
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(pfn_of(map, i), pfn[i]);
		counts_are(pfn[i], 2, 1);
		put(map, i, 20 + i);
		assert_int_equal(*words_of(pfn[i]), 20 + i);
		assert_int_equal(moved(pfn[i]), FRAME_PINNED);
	}
	assert_int_equal(vmmap_pin(map, AT(1), 1, &again), 0);
	assert_int_equal(again, pfn[1]);
	counts_are(again, 3, 1);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(vmmap_unpin(map, pfn, 3), 0);
	counts_are(again, 2, 1);
	assert_int_equal(moved(again), FRAME_PINNED);
	assert_int_equal(vmmap_unpin(map, &again, 1), 0);
	assert_int_equal(vmmap_unpin(map, &again, 1), -EALREADY);
	counts_are(again, 1, 1);
	assert_int_equal(moved(again), FRAME_MOVED);
	assert_int_not_equal(pfn_of(map, 1), again);
	assert_int_equal(get(map, 1), 21);
	maps_free(map);
}

static void test_refused(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct vmmap_object *file;
	uint64_t pfn[8] = { 0 }, none = UINT64_C(1) << 30;

	maps_fixed(map, 0, 4, RW, ANON);
	maps_fixed(map, 4, 1, PROT_READ, ANON);
	assert_int_equal(vmmap_object_create(&file, maps_memory, "f", PAGE, NULL), 0);
	assert_int_equal(vmmap_mmap(map, AT(8), 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0), AT(8));
	assert_int_equal(vmmap_mmap(map, AT(10), 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, 0), AT(10));
	assert_int_equal(vmmap_pin(map, AT(0), 0, pfn), -EINVAL);
	assert_int_equal(vmmap_pin(map, AT(0), PAGE, NULL), -EINVAL);
	assert_int_equal(vmmap_pin(map, UINT64_MAX - 5, 100, pfn), -EINVAL);
	assert_int_equal(vmmap_pin(map, AT(1), UINT64_MAX - 5, pfn), -EINVAL);
	assert_int_equal(vmmap_pin(map, (UINT64_C(1) << 47) - PAGE, 2 * PAGE, pfn), -EFAULT);
	assert_int_equal(vmmap_pin(map, AT(2), 3 * PAGE, pfn), -EFAULT);         /* read only */
	assert_int_equal(vmmap_pin(map, AT(5), PAGE, pfn), -EFAULT);             /* a hole    */
	assert_int_equal(vmmap_pin(map, AT(9), PAGE, pfn), -EFAULT);             /* beyond the object's end */
	assert_int_equal(vmmap_pin(map, AT(10), 2 * PAGE, pfn), -EFAULT);
	counts_are(pfn_of(map, 2), 1, 1);                /* nothing is left of those that failed */
	counts_are(pfn_of(map, 3), 1, 1);
	counts_are(pfn_of(map, 10), 1, 1);
	assert_int_equal(vmmap_unpin(map, NULL, 1), -EINVAL);
	assert_int_equal(vmmap_unpin(map, NULL, 0), 0);
	assert_int_equal(vmmap_unpin(map, &none, 1), -EINVAL);
	pfn[0] = pfn_of(map, 2);
	pfn[1] = pfn_of(map, 8);                         /* the object's own                                       */
	assert_int_equal(vmmap_unpin(map, pfn, 2), -EALREADY);
	assert_int_equal(vmmap_pin(map, AT(3), PAGE, &pfn[1]), 0);
	assert_int_equal(vmmap_unpin(map, pfn, 2), -EALREADY);                   /* the other one has gone */
	counts_are(pfn[1], 1, 1);
	vmmap_object_put(file);
	maps_free(map);
}

/* What takes the page out of the map leaves the frame to its pin; nobody believes its name any more. */
static void test_unmap(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct frame_name name;
	uint64_t pfn[4];

	maps_fixed(map, 0, 8, RW, ANON);
	assert_int_equal(vmmap_pin(map, AT(0), 4 * PAGE, pfn), 0);
	for (uint64_t i = 0; i < 4; i++)
		put(map, i, 50 + i);
	assert_int_equal(maps_unmap(map, 0, 2), 0);
	assert_int_equal(vmmap_madvise(map, AT(2), PAGE, MADV_DONTNEED), 0);
	maps_fixed(map, 3, 1, RW, ANON);
	assert_int_equal(owned(), 4);
	maps_fixed(map, 0, 2, RW, ANON);
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(get(map, i), 0);
		put(map, i, 1);
		assert_int_not_equal(pfn_of(map, i), pfn[i]);
		assert_int_equal(*words_of(pfn[i]), 50 + i);
		counts_are(pfn[i], 1, 0);
		assert_false(frame_name(maps_memory, pfn[i], &name));
		assert_int_equal(moved(pfn[i]), FRAME_PINNED);
	}
	assert_int_equal(owned(), 8);
	assert_int_equal(vmmap_unpin(map, pfn, 4), 0);
	assert_int_equal(owned(), 4);
	assert_int_equal(vmmap_unpin(map, pfn, 4), -EALREADY);
	maps_free(map);
}

/* In the map's own memory the audit counts all frames. */
static void test_audit(void **state)
{
	struct vmmap_config config = VMMAP_CONFIG;
	struct vmmap *map;
	uint64_t pfn[2];

	config.policy = *state;
	assert_int_equal(vmmap_create(&map, &config), 0);
	maps_fixed(map, 0, 4, RW, ANON);
	assert_int_equal(vmmap_pin(map, AT(0), 2 * PAGE, pfn), 0);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(maps_unmap(map, 0, 1), 0);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	assert_int_equal(vmmap_unpin(map, pfn, 2), 0);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	vmmap_destroy(map);
}

static void test_protect(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t pfn, word = 3;

	maps_fixed(map, 0, 1, RW, ANON);
	assert_int_equal(vmmap_pin(map, AT(0), PAGE, &pfn), 0);
	assert_int_equal(maps_protect(map, 0, 1, PROT_READ), 0);
	assert_int_equal(vmmap_write(map, AT(0), &word, sizeof word), -EFAULT);
	words_of(pfn)[0] = 7;
	assert_int_equal(get(map, 0), 7);
	assert_int_equal(maps_protect(map, 0, 1, RW), 0);
	put(map, 0, 8);
	assert_int_equal(words_of(pfn)[0], 8);
	assert_int_equal(vmmap_mremap(map, AT(0), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(6)), AT(6));
	put(map, 6, 9);
	assert_int_equal(words_of(pfn)[0], 9);
	assert_int_equal(moved(pfn), FRAME_PINNED);
	assert_int_equal(vmmap_unpin(map, &pfn, 1), 0);
	assert_int_equal(moved(pfn), FRAME_MOVED);
	assert_int_equal(get(map, 6), 9);
	maps_free(map);
}

/* The parent keeps the frame, whoever stores first; the child has a copy, which it finds again by its own name. */
static void forked(struct vmmap *map, uint64_t page, uint64_t pfn)
{
	struct vmmap *child = maps_fork(map);

	counts_are(pfn, 2, 1);
	assert_int_not_equal(pfn_of(child, page), pfn);
	counts_are(pfn_of(child, page), 1, 1);
	put(map, page, 61);
	assert_int_equal(words_of(pfn)[0], 61);
	assert_int_equal(get(child, page), 60);
	put(child, page, 62);
	assert_int_equal(get(map, page), 61);
	assert_int_equal(moved(pfn_of(child, page)), FRAME_MOVED);
	assert_int_equal(get(child, page), 62);
	assert_int_equal(vmmap_audit(map, stderr), 0);
	maps_child_ends(child);
	assert_int_equal(words_of(pfn)[0], 61);
	put(map, page, 60);
}

static void test_fork(void **state)
{
	struct vmmap *map = maps_new(*state), *child;
	struct vmmap_object *file;
	uint64_t pfn[5], again;

	assert_int_equal(vmmap_object_create(&file, maps_memory, "f", 4 * PAGE, NULL), 0);
	maps_fixed(map, 0, 2, RW, ANON);
	maps_fixed(map, 4, 2, RW, ANON);
	put(map, 4, 1);
	assert_int_equal(vmmap_mremap(map, AT(4), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(2)), AT(2));
	assert_int_equal(vmmap_mmap(map, AT(8), 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, PAGE), AT(8));
	for (uint64_t page = 0; page < 10; page++)
		if (page < 4 || page > 7)
			put(map, page, 60);
	assert_int_equal(vmmap_pin(map, AT(0), 4 * PAGE, pfn), 0);
	assert_int_equal(vmmap_pin(map, AT(8), PAGE, &pfn[4]), 0);
	for (unsigned i = 0; i < 5; i++)
		forked(map, i < 4 ? i : 8, pfn[i]);
	assert_int_equal(vmmap_unpin(map, pfn, 5), 0);
	child = maps_fork(map);                            /* ... shares them now */
	counts_are(pfn[0], 2, 2);
	counts_are(pfn[4], 2, 2);
	assert_int_equal(vmmap_pin(child, AT(0), PAGE, &again), 0);
	assert_int_not_equal(again, pfn[0]);             /* a copy first */
	assert_int_equal(get(child, 0), 60);
	maps_child_ends(child);
	counts_are(again, 1, 0);
	assert_int_equal(vmmap_unpin(map, &again, 1), 0);        /* by another map of the same memory */
	vmmap_object_put(file);
	maps_free(map);
}

static void test_unplug(void **state)
{
	struct vmmap *map = maps_new(*state);
	struct physmem_unplug_result why;
	uint64_t pfn, block;

	maps_fixed(map, 0, 4, RW, ANON);
	for (uint64_t i = 0; i < 4; i++)
		put(map, i, 70 + i);
	assert_int_equal(vmmap_pin(map, AT(2), PAGE, &pfn), 0);
	block = pfn & ~UINT64_C(511);
	assert_int_equal(physmem_unplug(maps_memory, block, 512, NULL, &why), -EBUSY);
	assert_int_equal(why.reason, PHYSMEM_REASON_PINNED);
	assert_int_equal(why.first, pfn);
	assert_int_equal(why.left[PHYSMEM_REASON_PINNED], 1);
	assert_int_equal(physmem_poison(maps_memory, pfn), -EBUSY);
	assert_int_equal(pfn_of(map, 2), pfn);
	assert_int_equal(vmmap_unpin(map, &pfn, 1), 0);
	assert_int_equal(physmem_unplug(maps_memory, block, 512, NULL, &why), 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(get(map, i), 70 + i);
	assert_true(pfn_of(map, 2) < block || pfn_of(map, 2) >= block + 512);
	maps_free(map);
}

/* Whose frame has gone when the mover comes: that is no pin. */
static void test_gone(void **state)
{
	struct vmmap *map = maps_new(*state);
	uint64_t pfn[200];

	maps_fixed(map, 0, 200, RW, ANON);
	for (uint64_t i = 0; i < 200; i++) {
		put(map, i, i);
		pfn[i] = pfn_of(map, i);
	}
	assert_int_equal(maps_unmap(map, 0, 200), 0);
	for (unsigned i = 0; i < 200; i++)
		assert_int_not_equal(moved(pfn[i]), FRAME_PINNED);
	maps_free(map);
}

static struct CMUnitTest tests[] = {
	cmocka_unit_test(test_counts), cmocka_unit_test(test_refused), cmocka_unit_test(test_unmap),
	cmocka_unit_test(test_audit), cmocka_unit_test(test_protect), cmocka_unit_test(test_fork),
	cmocka_unit_test(test_unplug), cmocka_unit_test(test_gone),
};

int main(void)
{
	const char *mutant = getenv("VMMAP_MUTANT");
	int bad = 0;

	if (point_mutant_select(mutant && *mutant ? mutant : NULL))
		return 99;
	for (unsigned p = 0; vmmap_policy_name(p); p++)
		bad += maps_run(vmmap_policy_name(p), tests);
	return bad;
}
