/* SPDX-License-Identifier: MIT */
/* test_vtree.c - single-threaded: sections, random programs against a page array, splits, joins, separators, memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/mem.h"
#include "tests/unit/vma/reference.h"

#define PAGES(n) ((uint64_t)(n) * PAGE_BYTES)
#define BLOCK    (UINT64_C(1) << VTREE_BLOCK_SHIFT)
#define SLOWER   (BUILT_WITH_TSAN ? 8 : 1)

static struct vtree tree;
static struct vma_pool pool;

static int setup(void **state)
{
	(void)state;
	return vtree_init(&tree) != 0 || vma_pool_init(&pool, 0) != 0;
}

static int teardown(void **state)
{
	(void)state;
	vtree_fini(&tree);
	vma_pool_fini(&pool);
	rcu_drain();
	return mem_bytes(MEM_NODE) != 0 || mem_bytes(MEM_VMA) != 0;
}

static void empty_tree(void **state)
{
	struct vtree_seen seen;
	struct vtree_listed listed;

	(void)state;
	rcu_enter(thread_self());
	vtree_find(&tree, PAGES(5), &seen);
	assert_null(seen.vma);
	assert_int_equal(seen.r.lo, 0);
	assert_int_equal(seen.r.hi, BLOCK);
	vtree_find(&tree, ADDRESS_END - PAGE_BYTES, &seen);
	assert_int_equal(seen.r.lo, 7 * BLOCK);
	assert_int_equal(seen.r.hi, ADDRESS_END);
	assert_false(vtree_next(&tree, 0, ADDRESS_END, &seen));
	assert_false(vtree_list(&tree, 0, ADDRESS_END, &listed));
	rcu_leave(thread_self());
	assert_int_equal(vtree_audit(&tree, stderr), 0);
}

static void one_section(void **state)
{
	struct vma *a = ref_vma(&pool, 1, VMA_READ), *b = ref_vma(&pool, 2, VMA_WRITE);
	struct vtree_section s;
	struct vtree_seen seen;

	(void)state;
	vtree_enter(&tree, thread_self(), PAGES(10), &s);
	assert_int_equal(vtree_room(&s), VTREE_ROOM);
	vtree_add(&s, PAGES(10), PAGES(20), a);
	vtree_add(&s, PAGES(20), PAGES(30), b);
	assert_int_equal(vtree_slot_over(&s, PAGES(9)), -1);
	assert_int_equal(vtree_slot_over(&s, PAGES(10)), vtree_slot_ending(&s, PAGES(20)));
	assert_int_equal(vtree_slot_ending(&s, PAGES(15)), -1);
	assert_int_equal(vtree_slot_ending(&s, PAGES(0)), -1);
	assert_int_equal(__builtin_popcount(vtree_meets(&s, PAGES(19), PAGES(21))), 2);
	assert_int_equal(vtree_meets(&s, PAGES(30), PAGES(40)), 0);
	assert_ptr_equal(vtree_slot_at(&s, vtree_lowest(&s, vtree_meets(&s, 0, BLOCK))).vma, a);
	vtree_find(&tree, PAGES(10), &seen);
	assert_null(seen.vma);                                   /* not published yet */
	vtree_leave(&s);
	rcu_enter(thread_self());
	vtree_find(&tree, PAGES(19), &seen);
	assert_ptr_equal(seen.vma, a);
	assert_int_equal(seen.lk, 2);
	assert_int_equal(seen.r.lo, PAGES(10));
	assert_int_equal(seen.r.hi, PAGES(20));
	assert_ptr_equal(vtree_lookup(&tree, PAGES(20)), b);
	assert_true(vtree_next(&tree, 0, ADDRESS_END, &seen));
	assert_ptr_equal(seen.vma, a);
	rcu_leave(thread_self());
	assert_int_equal(vtree_audit(&tree, stderr), 0);
}

/* A full leaf: one slot is free, so that dropping one makes room for one, but not for a second one. */
static void full_leaf(void **state)
{
	struct vtree_section s;

	(void)state;
	vtree_enter(&tree, thread_self(), 0, &s);
	for (unsigned i = 0; i < VTREE_ROOM; i++)
		vtree_add(&s, PAGES(2 * i), PAGES(2 * i + 1), ref_vma(&pool, i, VMA_READ));
	assert_int_equal(vtree_room(&s), 0);
	vtree_leave(&s);
	vtree_enter(&tree, thread_self(), 0, &s);
	assert_int_equal(vtree_room(&s), 0);
	vtree_drop(&s, 3);
	assert_int_equal(vtree_room(&s), 1);
	vtree_drop(&s, 4);
	assert_int_equal(vtree_room(&s), 1);             /* readers may still look at slots 3 and 4 */
	vtree_add(&s, PAGES(100), PAGES(101), ref_vma(&pool, 100, VMA_READ));
	assert_int_equal(vtree_room(&s), 0);
	vtree_leave(&s);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
	assert_int_equal(vtree_enter_room(&tree, thread_self(), 0, 8, &s), 0);
	assert_true(vtree_room(&s) >= 8);
	assert_true(lock_range_holds(s.r, 0));
	vtree_leave(&s);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
}

/* Ranges of a window that lies across a block border get VMAs, dummies or nothing; sometimes leaves are joined. */
static void random_program(uint64_t seed, size_t pages, unsigned steps, unsigned longest)
{
	struct ref ref = ref_make(BLOCK - PAGES(pages / 2), pages);
	struct prng rnd = prng_seed(seed, 1);
	struct vtree_stats stats;

	for (unsigned step = 0; step < steps; step++) {
		uint64_t len = PAGES(1 + prng_below(&rnd, longest));
		uint64_t lo = ref.base + PAGES(prng_below(&rnd, pages - len / PAGE_BYTES));
		unsigned kind = (unsigned)prng_below(&rnd, 8);
		struct vma *vma = kind < 3 ? NULL : ref_vma(&pool, step + 1, kind == 3 ? VMA_GAP : VMA_READ);

		ref_set(&tree, lo, lo + len, vma);
		ref_note(&ref, lo, lo + len, vma);
		if (kind == 0)
			vtree_join(&tree, thread_self(), (struct lock_range){ lo, lo + len });
		if (step % (steps / 8) == 0) {
			assert_int_equal(vtree_audit(&tree, stderr), 0);
			assert_int_equal(ref_differences(&ref, &tree), 0);
		}
	}
	assert_int_equal(vtree_audit(&tree, stderr), 0);
	assert_int_equal(ref_differences(&ref, &tree), 0);
	ref_set(&tree, ref.base, ref.base + PAGES(pages), NULL);
	for (unsigned i = 0; i < 40; i++)                /* patience ends */
		vtree_join(&tree, thread_self(), (struct lock_range){ 0, ADDRESS_END });
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.slots, 0);
	assert_int_equal(stats.leaves, VTREE_BLOCKS);
	assert_int_equal(stats.inners, 0);
	assert_int_equal(stats.splits, stats.joins);
	assert_true(stats.splits > 4);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
	free(ref.at);
}

static void random_dense(void **state)
{
	(void)state;
	random_program(1, 4096, 20000 / SLOWER, 4);
}

static void random_sparse(void **state)
{
	(void)state;
	random_program(2, 16384, 20000 / SLOWER, 200);
}

static void random_deep(void **state)
{
	(void)state;
	random_program(3, 65536 / SLOWER, 60000 / SLOWER, 2);
}

static void separators(void **state)
{
	struct vtree_section s;
	struct vtree_stats stats;
	struct vma *wide = ref_vma(&pool, 7, VMA_READ);

	(void)state;
	ref_set(&tree, PAGES(100), PAGES(5000), wide);
	for (unsigned i = 1; i <= 64; i++)
		assert_int_equal(vtree_separate(&tree, thread_self(), PAGES(i * 64)), 0);
	assert_int_equal(vtree_separate(&tree, thread_self(), PAGES(64)), 0);
	assert_int_equal(vtree_separate(&tree, thread_self(), BLOCK), 0);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
	for (unsigned i = 0; i < 64; i++)
		vtree_join(&tree, thread_self(), (struct lock_range){ 0, ADDRESS_END });
	vtree_enter(&tree, thread_self(), PAGES(130), &s);
	assert_int_equal(s.r.lo, PAGES(128));
	assert_int_equal(s.r.hi, PAGES(192));
	assert_ptr_equal(vtree_slot_at(&s, 0).vma, wide);        /* the same VMA in each leaf */
	assert_int_equal(vtree_slot_at(&s, 0).r.lo, PAGES(128));
	vtree_leave(&s);
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.leaves, VTREE_BLOCKS + 64);
	assert_int_equal(stats.joins, 0);
}

/* What was a plain border becomes permanent without a new split. */
static void separator_on_a_border(void **state)
{
	struct vtree_section s;
	uint64_t border;
	struct vtree_stats before, after;

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		ref_set(&tree, PAGES(2 * i), PAGES(2 * i + 1), ref_vma(&pool, i + 1, VMA_READ));
	vtree_enter(&tree, thread_self(), PAGES(79), &s);
	border = s.r.lo;
	vtree_leave(&s);
	assert_true(border > 0);
	vtree_get_stats(&tree, &before);
	assert_int_equal(vtree_separate(&tree, thread_self(), border), 0);
	ref_set(&tree, 0, PAGES(100), NULL);
	for (unsigned i = 0; i < 40; i++)
		vtree_join(&tree, thread_self(), (struct lock_range){ 0, ADDRESS_END });
	vtree_get_stats(&tree, &after);
	assert_int_equal(after.splits, before.splits);
	assert_int_equal(after.leaves, VTREE_BLOCKS + 1);
	vtree_enter(&tree, thread_self(), border, &s);
	assert_int_equal(s.r.lo, border);
	vtree_leave(&s);
}

/* Each failing allocation leaves the tree as it was; then the same edit succeeds. */
static void no_memory(void **state)
{
	struct ref ref = ref_make(0, 8192);
	unsigned failed = 0;

	(void)state;
	for (unsigned i = 0; i < 4000; i++) {
		uint64_t lo = PAGES(2 * (i * 1664525u % 4096));
		struct vma *vma = ref_vma(&pool, i + 1, VMA_READ);
		struct vtree_section s;
		int r;

		mem_fail_nth(1);
		r = vtree_enter_room(&tree, thread_self(), lo, 3, &s);
		mem_fail_nth(0);
		if (r != 0) {
			assert_int_equal(r, -ENOMEM);
			assert_false(rcu_inside(thread_self()));
			failed++;
			assert_int_equal(vtree_audit(&tree, stderr), 0);
			assert_int_equal(vtree_enter_room(&tree, thread_self(), lo, 3, &s), 0);
		}
		ref_replace(&s, lo, lo + PAGE_BYTES, vma);
		vtree_leave(&s);
		ref_note(&ref, lo, lo + PAGE_BYTES, vma);
	}
	assert_true(failed > 3);
	assert_int_equal(ref_differences(&ref, &tree), 0);
	free(ref.at);
}

/* Ascending and descending insertions leave well-filled leaves. */
static void filling(void **state)
{
	struct vtree_stats stats;

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		ref_set(&tree, PAGES(2 * i), PAGES(2 * i + 1), ref_vma(&pool, i + 1, VMA_READ));
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.slots, 20000);
	assert_true(stats.leaves < 20000 / 19);
	for (unsigned i = 0; i < 20000; i++)
		ref_set(&tree, BLOCK + PAGES(50000 - 2 * i), BLOCK + PAGES(50001 - 2 * i),
			ref_vma(&pool, i + 1, VMA_READ));
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.slots, 40000);
	assert_true(stats.leaves < 40000 / 19);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(empty_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(one_section, setup, teardown),
		cmocka_unit_test_setup_teardown(full_leaf, setup, teardown),
		cmocka_unit_test_setup_teardown(random_dense, setup, teardown),
		cmocka_unit_test_setup_teardown(random_sparse, setup, teardown),
		cmocka_unit_test_setup_teardown(random_deep, setup, teardown),
		cmocka_unit_test_setup_teardown(separators, setup, teardown),
		cmocka_unit_test_setup_teardown(separator_on_a_border, setup, teardown),
		cmocka_unit_test_setup_teardown(no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(filling, setup, teardown),
	};

	return cmocka_run_group_tests_name("vtree", tests, NULL, NULL);
}
