/* SPDX-License-Identifier: MIT */
/* test_vtree_list.c - next and whole VMAs for listings: over leaf borders, pieces put together, one instant. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "tests/unit/vma/fixture.h"

#define BLOCK    (UINT64_C(1) << VTREE_BLOCK_SHIFT)

static bool listed(uint64_t addr, struct vtree_listed *out)
{
	bool found;

	rcu_enter(thread_self());
	found = vtree_list(&tree, addr, ADDRESS_END, out);
	rcu_leave(thread_self());
	return found;
}

static void expect(uint64_t addr, uint64_t lo, uint64_t hi, uint64_t bits)
{
	struct vtree_listed out;

	assert_true(listed(addr, &out));
	assert_int_equal(out.r.lo, lo);
	assert_int_equal(out.r.hi, hi);
	assert_int_equal(out.bits, bits);
}

static void next_over_leaves_and_blocks(void **state)
{
	struct vma *a = ref_vma(&pool, 1, VMA_READ), *z = ref_vma(&pool, 3, VMA_READ);
	struct vma *gap = ref_vma(&pool, 2, VMA_GAP);
	struct vtree_seen seen;

	(void)state;
	for (unsigned i = 1; i < 20; i++)
		assert_int_equal(vtree_separate(&tree, thread_self(), PAGES(i * 1000)), 0);
	ref_set(&tree, PAGES(5), PAGES(6), a);
	ref_set(&tree, PAGES(15500), PAGES(15501), gap);
	ref_set(&tree, ADDRESS_END - PAGE_BYTES, ADDRESS_END, z);
	rcu_enter(thread_self());
	assert_true(vtree_next(&tree, 0, ADDRESS_END, &seen) && seen.vma == a && seen.lk == 2);
	assert_true(vtree_next(&tree, PAGES(5), ADDRESS_END, &seen) && seen.vma == a);
	assert_true(vtree_next(&tree, PAGES(6), ADDRESS_END, &seen) && seen.vma == gap && seen.r.lo == PAGES(15500));
	assert_true(vtree_next(&tree, PAGES(15501), ADDRESS_END, &seen) && seen.vma == z && seen.r.hi == ADDRESS_END);
	assert_false(vtree_next(&tree, PAGES(6), PAGES(15500), &seen));          /* it begins there */
	assert_true(vtree_next(&tree, PAGES(6), PAGES(15501), &seen) && seen.vma == gap);
	assert_false(vtree_next(&tree, PAGES(6), PAGES(6), &seen));
	rcu_leave(thread_self());
	ref_set(&tree, ADDRESS_END - PAGE_BYTES, ADDRESS_END, NULL);
	assert_false(vtree_next(&tree, PAGES(15501), ADDRESS_END, &seen));
}

/* What covers the address, or begins below the bound; whole in any case. */
static void lists_up_to_a_bound(void **state)
{
	struct vma *a = ref_vma(&pool, 1, VMA_READ), *gap = ref_vma(&pool, 2, VMA_GAP);
	struct vtree_listed out;

	(void)state;
	assert_int_equal(vtree_separate(&tree, thread_self(), PAGES(105)), 0);
	ref_set(&tree, PAGES(50), PAGES(51), gap);
	ref_set(&tree, PAGES(100), PAGES(110), a);
	rcu_enter(thread_self());
	assert_false(vtree_list(&tree, 0, PAGES(100), &out));
	assert_false(vtree_above(&tree, 0, PAGES(100), &out));
	assert_true(vtree_list(&tree, 0, PAGES(101), &out) && out.r.lo == PAGES(100) && out.r.hi == PAGES(110));
	assert_true(vtree_above(&tree, 0, PAGES(101), &out) && out.r.lo == PAGES(100) && out.r.hi == PAGES(105));
	assert_true(vtree_list(&tree, PAGES(107), PAGES(108), &out) && out.r.lo == PAGES(100));
	assert_false(vtree_list(&tree, PAGES(110), UINT64_MAX, &out));
	rcu_leave(thread_self());
}

static void pieces_are_put_together(void **state)
{
	struct vma *a = ref_vma(&pool, 1, VMA_READ), *same = ref_vma(&pool, 1, VMA_READ);
	struct vma *other = ref_vma(&pool, 1, VMA_WRITE);
	struct vtree_listed out;

	(void)state;
	ref_set(&tree, PAGES(100), PAGES(300), a);
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(vtree_separate(&tree, thread_self(), PAGES(i * 64)), 0);
	ref_set(&tree, PAGES(300), PAGES(400), same);            /* a lock split, or a pending merge */
	ref_set(&tree, PAGES(400), PAGES(410), other);
	ref_set(&tree, PAGES(410), PAGES(420), ref_vma(&pool, 4, VMA_GAP));
	ref_set(&tree, PAGES(420), PAGES(430), ref_vma(&pool, 5, VMA_READ));
	expect(0, PAGES(100), PAGES(400), VMA_READ);
	expect(PAGES(350), PAGES(100), PAGES(400), VMA_READ);
	expect(PAGES(400), PAGES(400), PAGES(410), VMA_WRITE);
	expect(PAGES(410), PAGES(420), PAGES(430), VMA_READ);    /* the dummy is left out */
	assert_false(listed(PAGES(430), &out));
	atomic_store_release(&a->anon, 9);
	expect(PAGES(350), PAGES(100), PAGES(400), VMA_READ);    /* one group, or none yet */
	atomic_store_release(&same->anon, 11);
	expect(PAGES(350), PAGES(300), PAGES(400), VMA_READ);    /* two groups */
}

static void over_a_block_border(void **state)
{
	(void)state;
	ref_set(&tree, BLOCK - PAGES(7), 3 * BLOCK + PAGES(3), ref_vma(&pool, 1, VMA_READ));
	expect(0, BLOCK - PAGES(7), 3 * BLOCK + PAGES(3), VMA_READ);
	expect(2 * BLOCK, BLOCK - PAGES(7), 3 * BLOCK + PAGES(3), VMA_READ);
}

/* ---- window: a VMA of two leaves is replaced while a listing has read one of them ---- */

static void *lister(void *arg)
{
	point_role("lister");
	CHECK(listed(PAGES(150), arg));
	point_role(NULL);
	return NULL;
}

static bool replaced_meanwhile(void)
{
	struct vtree_listed out;
	pthread_t t;

	CHECK(vtree_separate(&tree, thread_self(), PAGES(200)) == 0);
	ref_set(&tree, PAGES(100), PAGES(300), ref_vma(&pool, 1, VMA_READ));
	point_stop("lister", "vtree_list_first_piece", NULL, NULL);
	pthread_create(&t, NULL, lister, &out);
	CHECK(point_wait_reached("lister", "vtree_list_first_piece", 2 * SECOND));
	ref_set(&tree, PAGES(100), PAGES(300), ref_vma(&pool, 2, VMA_WRITE));
	point_release("lister", "vtree_list_first_piece");
	pthread_join(t, NULL);
	return out.r.lo == PAGES(100) && out.r.hi == PAGES(300);
}

static void window_one_instant(void **state)
{
	if (!point_available())
		skip();
	assert_true(replaced_meanwhile());
	teardown(state);
	setup(state);
	assert_int_equal(point_mutant_select("vtree_list_single_collect"), 0);
	assert_false(replaced_meanwhile());
	assert_int_equal(point_timeouts(), 0);
}

/* A VMA of three leaves is replaced again and again, leaf by leaf; another one never changes. Each answer must be a VMA
 * that stood: the pieces of one round, or whole. */
static atomic_u32 stop;

static void *replacer(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < (BUILT_WITH_TSAN ? 5000 : 50000); i++)
		ref_set(&tree, PAGES(100), PAGES(700), ref_vma(&pool, i + 2, i % 2 ? VMA_READ : VMA_WRITE));
	atomic_store_release(&stop, 1);
	return NULL;
}

static void never_a_mix(void **state)
{
	struct vtree_listed out;
	pthread_t t;
	size_t looked = 0;

	(void)state;
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(vtree_separate(&tree, thread_self(), PAGES(i * 200)), 0);
	ref_set(&tree, PAGES(100), PAGES(700), ref_vma(&pool, 1, VMA_READ));
	ref_set(&tree, PAGES(800), PAGES(900), ref_vma(&pool, 0, VMA_EXEC));
	atomic_store_release(&stop, 0);
	point_yield(100, 4);
	pthread_create(&t, NULL, replacer, NULL);
	for (; !atomic_load_acquire(&stop); looked++) {
		bool ok = listed(PAGES(300), &out) && out.r.lo <= PAGES(300) && out.r.hi > PAGES(300);

		ok = ok && (out.r.lo == PAGES(100) || out.r.lo == PAGES(200));
		ok = ok && (out.r.hi == PAGES(400) || out.r.hi == PAGES(600) || out.r.hi == PAGES(700));
		/* Replaced from below: a VMA that does not begin at its beginning must reach its end. */
		ok = ok && (out.r.lo == PAGES(100) || out.r.hi == PAGES(700));
		ok = ok && listed(PAGES(700), &out) && out.bits == VMA_EXEC && out.r.lo == PAGES(800);
		if (!ok)
			break;
	}
	pthread_join(t, NULL);
	point_yield(0, 0);
	assert_int_equal(atomic_load_relaxed(&stop), 1);
	assert_true(looked > 10);
	expect(PAGES(100), PAGES(100), PAGES(700), VMA_READ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(next_over_leaves_and_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(lists_up_to_a_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(pieces_are_put_together, setup, teardown),
		cmocka_unit_test_setup_teardown(over_a_block_border, setup, teardown),
		cmocka_unit_test_setup_teardown(window_one_instant, setup, teardown),
		cmocka_unit_test_setup_teardown(never_a_mix, setup, teardown),
	};

	return cmocka_run_group_tests_name("vtree_list", tests, NULL, NULL);
}
