/* SPDX-License-Identifier: MIT */
/*
 * test_vtree_gap.c - the highest fit: against a page array and against the scan without bounds; runs over leaf and
 * block borders; bounds that are lowered, raised, copied by splits: each race window with its mutant.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "tests/unit/vma/fixture.h"
#include "vmmap/vma/vtree_impl.h"

#define BLOCK    (UINT64_C(1) << VTREE_BLOCK_SHIFT)
#define SLOWER   (BUILT_WITH_TSAN ? 4 : 1)

static void compare(const struct ref *ref, struct prng *rnd)
{
	static const uint64_t longest[] = { 2, 6, 40, 400 };
	uint64_t size = PAGES(ref->pages), lo = ref->base + PAGES(prng_below(rnd, ref->pages / 2));
	struct vtree_want want = { .within = { lo, lo + PAGES(prng_below(rnd, ref->pages)) } };
	uint64_t below = ref->base + PAGES(prng_below(rnd, 2 * ref->pages));
	bool dummies_free = prng_below(rnd, 2);
	struct lock_range a = { 0, 0 }, b = { 0, 0 }, c = { 0, 0 };
	int ra, rb, rc;

	if (prng_below(rnd, 4) == 0)
		want.within = (struct lock_range){ ref->base, ref->base + size };
	if (want.within.hi > ref->base + size)
		want.within.hi = ref->base + size;
	want.len = PAGES(1 + prng_below(rnd, longest[prng_below(rnd, 4)]));
	if (prng_below(rnd, 3) == 0) {
		want.align = PAGE_BYTES << prng_below(rnd, 6);
		want.phase = PAGES(prng_below(rnd, want.align / PAGE_BYTES));
	}
	ra = vtree_gap(&tree, thread_self(), &want, below, dummies_free, &a);
	rb = ref_gap(ref, &want, below, dummies_free, &b);
	assert_int_equal(ra == 0, rb == 0);
	assert_int_equal(a.lo, b.lo);
	assert_int_equal(a.hi, b.hi);
	if (below < want.within.hi)
		want.within.hi = below;
	rc = vtree_gap_scan(&tree, &want, dummies_free, &c);
	assert_int_equal(rc == 0, rb == 0);
	assert_int_equal(c.lo, b.lo);
}

/* Fills up to what `full` of 16 asks for, then goes on at that level, comparing all the time. */
static void random_program(uint64_t seed, size_t pages, unsigned steps, unsigned longest, unsigned full)
{
	struct ref ref = ref_make(BLOCK - PAGES(pages / 2), pages);
	struct prng rnd = prng_seed(seed, 2);

	for (unsigned step = 0; step < steps; step++) {
		uint64_t len = PAGES(1 + prng_below(&rnd, longest));
		uint64_t lo = ref.base + PAGES(prng_below(&rnd, pages - len / PAGE_BYTES));
		struct vma *vma = prng_below(&rnd, 16) >= full ? NULL :
				  ref_vma(&pool, step + 1, prng_below(&rnd, 8) == 0 ? VMA_GAP : VMA_READ);

		ref_set(&tree, lo, lo + len, vma);
		ref_note(&ref, lo, lo + len, vma);
		if (vma == NULL && prng_below(&rnd, 4) == 0)
			vtree_join(&tree, thread_self(), (struct lock_range){ lo, lo + len });
		if (step % 16 == 0)
			compare(&ref, &rnd);
		if (step % (steps / 8) == 0)
			assert_int_equal(vtree_audit(&tree, stderr), 0);
	}
	for (unsigned i = 0; i < 300; i++)
		compare(&ref, &rnd);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
	free(ref.at);
}

static void dense(void **state)
{
	(void)state;
	random_program(1, 4096 / SLOWER, 40000 / SLOWER, 3, 13);
}

static void half(void **state)
{
	(void)state;
	random_program(2, 8192 / SLOWER, 30000 / SLOWER, 6, 8);
}

static void sparse(void **state)
{
	(void)state;
	random_program(3, 16384 / SLOWER, 20000 / SLOWER, 60, 3);
}

/* Runs that cross leaves which others own, up to the whole address space. */
static void wide_runs(void **state)
{
	struct vtree_want want = { .within = { PAGE_BYTES, ADDRESS_END }, .len = ADDRESS_END - PAGE_BYTES };
	struct lock_range fit;

	(void)state;
	assert_int_equal(vtree_gap(&tree, thread_self(), &want, UINT64_MAX, true, &fit), 0);
	assert_int_equal(fit.lo, PAGE_BYTES);
	for (unsigned i = 1; i < 100; i++)
		assert_int_equal(vtree_separate(&tree, thread_self(), i * PAGES(1 << 20)), 0);
	assert_int_equal(vtree_gap(&tree, thread_self(), &want, UINT64_MAX, false, &fit), 0);
	want.len = ADDRESS_END;
	assert_int_equal(vtree_gap(&tree, thread_self(), &want, UINT64_MAX, false, &fit), -ENOENT);
	want.len = 3 * BLOCK;
	ref_set(&tree, 4 * BLOCK - PAGE_BYTES, 4 * BLOCK + PAGE_BYTES, ref_vma(&pool, 1, VMA_READ));
	assert_int_equal(vtree_gap(&tree, thread_self(), &want, UINT64_MAX, false, &fit), 0);
	assert_int_equal(fit.lo, 5 * BLOCK);
	assert_int_equal(vtree_gap(&tree, thread_self(), &want, 7 * BLOCK, false, &fit), 0);
	assert_int_equal(fit.hi, 4 * BLOCK - PAGE_BYTES);
	want.align = BLOCK;                      /* the run that would do has no aligned place                      */
	assert_int_equal(vtree_gap(&tree, thread_self(), &want, 7 * BLOCK, false, &fit), -ENOENT);
	want.len = 2 * BLOCK;
	assert_int_equal(vtree_gap(&tree, thread_self(), &want, 7 * BLOCK, false, &fit), 0);
	assert_int_equal(fit.lo, 5 * BLOCK);
	assert_int_equal(vtree_gap(&tree, thread_self(), &want, 7 * BLOCK - PAGE_BYTES, false, &fit), 0);
	assert_int_equal(fit.lo, BLOCK);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
}

/* 4,000 one-page VMAs one page apart: no hole of two pages until two neighbours go. */
static void comb(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ref_set(&tree, PAGES(2 * i), PAGES(2 * i + 1), ref_vma(&pool, i + 1, VMA_READ));
}

static bool hole_found(uint64_t at)
{
	struct vtree_want want = { .within = { 0, PAGES(8000) }, .len = PAGES(3) };
	struct lock_range fit;

	return vtree_gap(&tree, thread_self(), &want, PAGES(8000) - PAGES(2), true, &fit) == 0 && fit.lo == at;
}

static void stale_bounds_are_lowered(void **state)
{
	struct vtree_want want = { .within = { 0, PAGES(8000) }, .len = PAGES(3) };
	struct lock_range fit;

	(void)state;
	comb(4000);
	for (unsigned i = 0; i < 4; i++) {
		assert_false(hole_found(0));
		ref_set(&tree, PAGES(2000), PAGES(2001), NULL);
		assert_true(hole_found(PAGES(1999)));
		ref_set(&tree, PAGES(2000), PAGES(2001), ref_vma(&pool, 1, VMA_READ));
		assert_int_equal(vtree_gap(&tree, thread_self(), &want, PAGES(7998), true, &fit), -ENOENT);
	}
	assert_int_equal(vtree_audit(&tree, stderr), 0);
}

/* ---- race windows: a second thread, stopped by a script ---- */

static void free_page(uint64_t page)
{
	struct vtree_section s;

	vtree_enter(&tree, thread_self(), PAGES(page), &s);
	vtree_drop(&s, (unsigned)vtree_slot_over(&s, PAGES(page)));
	vtree_leave(&s);
}

static void free_page_2000(void) { free_page(2000); }

static void *freer(void *arg)
{
	(void)arg;
	point_role("freer");
	free_page_2000();
	point_role(NULL);
	return NULL;
}

static void *searcher(void *arg)
{
	point_role("searcher");
	*(bool *)arg = hole_found(0);
	point_role(NULL);
	return NULL;
}

/* A split of the leaf of page 2000's neighbour replaces their parent. */
static void *splitter(void *arg)
{
	(void)arg;
	point_role("splitter");
	CHECK(vtree_separate(&tree, thread_self(), PAGES(1900)) == 0);
	point_role(NULL);
	return NULL;
}

/* All bounds exact: a search that wants more than there is goes everywhere once. */
static void make_bounds_exact(void)
{
	struct vtree_want want = { .within = { 0, PAGES(8000) } };
	struct lock_range fit;

	for (unsigned len = 4; len >= 2; len--) {
		want.len = PAGES(len);
		vtree_gap(&tree, thread_self(), &want, PAGES(7998), true, &fit);
	}
}

/* Each runs one window; returns whether the hole was found afterwards and the audit was silent. */
static bool plain_raise(void)
{
	comb(4000);
	make_bounds_exact();
	free_page_2000();
	return hole_found(PAGES(1999)) && vtree_audit(&tree, NULL) == 0;
}

/* The freer has found its way; the parent is replaced; the freer stores into the old one. */
static bool raise_into_dead_parent(void)
{
	pthread_t a, b;

	comb(4000);
	make_bounds_exact();
	point_stop("freer", "vtree_raise_before_store", NULL, NULL);
	pthread_create(&a, NULL, freer, NULL);
	CHECK(point_wait_reached("freer", "vtree_raise_before_store", 2 * SECOND));
	pthread_create(&b, NULL, splitter, NULL);
	pthread_join(b, NULL);
	point_release("freer", "vtree_raise_before_store");
	pthread_join(a, NULL);
	return hole_found(PAGES(1999)) && vtree_audit(&tree, NULL) == 0;
}

/* The splitter has copied the bounds; the freer raises the old ones; the old node goes. */
static bool raise_after_the_copy(void)
{
	pthread_t a, b;

	comb(4000);
	make_bounds_exact();
	point_stop("splitter", "vtree_graft_before_link", NULL, NULL);
	pthread_create(&b, NULL, splitter, NULL);
	CHECK(point_wait_reached("splitter", "vtree_graft_before_link", 2 * SECOND));
	pthread_create(&a, NULL, freer, NULL);
	pthread_join(a, NULL);
	point_release("splitter", "vtree_graft_before_link");
	pthread_join(b, NULL);
	return hole_found(PAGES(1999)) && vtree_audit(&tree, NULL) == 0;
}

/* The last VMA of a leaf at or above page 2000 whose right neighbour has the same parent, below another inner node. */
static uint64_t before_border(void)
{
	struct vtree_place at, next;
	struct vtree_leaf *leaf = vtree_descend(&tree, 0, 2000, &at);

	CHECK(atomic_load_relaxed(&tree.root[0]) != (uintptr_t)at.parent);
	for (;;) {
		uint32_t limit = leaf->limit;

		leaf = vtree_descend(&tree, 0, limit + 1, &next);
		if (next.parent == at.parent)
			return limit & ~UINT32_C(1);
		at = next;
	}
}

static uint64_t left_page;

static void *left_freer(void *arg)
{
	(void)arg;
	point_role("freer");
	free_page(left_page);
	point_role(NULL);
	return NULL;
}

/* Two pages beside a border of leaves are freed: a run of five. Who raises last sees what the other has raised. */
static bool raise_both_sides(void)
{
	struct vtree_want want = { .within = { 0, PAGES(8000) }, .len = PAGES(5) };
	struct lock_range fit = { 0, 0 };
	pthread_t a;

	comb(4000);
	make_bounds_exact();
	left_page = before_border();
	point_stop("freer", "vtree_raise_before_store", NULL, NULL);
	pthread_create(&a, NULL, left_freer, NULL);
	CHECK(point_wait_reached("freer", "vtree_raise_before_store", 2 * SECOND));
	free_page(left_page + 2);
	point_release("freer", "vtree_raise_before_store");
	pthread_join(a, NULL);
	return vtree_gap(&tree, thread_self(), &want, PAGES(7998), true, &fit) == 0 &&
	       fit.lo == PAGES(left_page - 1) && vtree_audit(&tree, NULL) == 0;
}

/* A searcher has read the leaf and is about to lower its bound, which is too high; then the page is freed. */
static bool lower_against_free(void)
{
	pthread_t a;
	bool found;

	comb(4000);
	make_bounds_exact();
	free_page_2000();
	ref_set(&tree, PAGES(2000), PAGES(2001), ref_vma(&pool, 9, VMA_READ));   /* the bound stays high */
	point_stop("searcher", "vtree_lower_before_store", NULL, NULL);
	pthread_create(&a, NULL, searcher, &found);
	CHECK(point_wait_reached("searcher", "vtree_lower_before_store", 2 * SECOND));
	free_page_2000();
	point_release("searcher", "vtree_lower_before_store");
	pthread_join(a, NULL);
	return hole_found(PAGES(1999)) && vtree_audit(&tree, NULL) == 0;
}

static void window_not_raised(void **state) { (void)state; window(plain_raise, "vtree_bound_not_raised"); }
static void window_no_recheck(void **state) { (void)state; window(raise_into_dead_parent, "vtree_raise_no_recheck"); }
static void window_not_carried(void **state) { (void)state; window(raise_after_the_copy, "vtree_raise_not_carried"); }
static void window_alone(void **state) { (void)state; window(raise_both_sides, "vtree_raise_alone"); }
static void window_lower(void **state) { (void)state; window(lower_against_free, "vtree_lower_no_recheck"); }

/* ---- stress: threads churn in their parts; at rest the bounds must hold and search must equal scan ---- */

struct churn { uint64_t base; uint64_t seed; unsigned steps; };

static void *churn(void *arg)
{
	struct churn *c = arg;
	struct prng rnd = prng_seed(c->seed, 5);
	struct thread_slot *self = thread_self();

	for (unsigned i = 0; i < c->steps; i++) {
		uint64_t lo = c->base + PAGES(prng_below(&rnd, 2000)), len = PAGES(1 + prng_below(&rnd, 5));
		struct vtree_want want = { .within = { c->base, c->base + PAGES(2010) }, .len = len };
		struct lock_range fit;

		if (prng_below(&rnd, 3) == 0) {
			if (vtree_gap(&tree, self, &want, UINT64_MAX, true, &fit) == 0)
				ref_set(&tree, fit.lo, fit.hi, ref_vma(&pool, i + 1, VMA_READ));
		} else {
			ref_set(&tree, lo, lo + len, prng_below(&rnd, 2) ? NULL : ref_vma(&pool, i + 1, VMA_READ));
		}
		if (i % 64 == 0)
			vtree_join(&tree, self, (struct lock_range){ lo, lo + PAGES(500) });
	}
	return NULL;
}

static void churn_at_rest(void **state)
{
	struct churn c[3];
	pthread_t t[3];

	(void)state;
	point_yield(50, 1);
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 3; i++) {
			c[i] = (struct churn){ PAGES(2010) * i, round * 3 + i, 2000 };
			pthread_create(&t[i], NULL, churn, &c[i]);
		}
		for (unsigned i = 0; i < 3; i++)
			pthread_join(t[i], NULL);
		assert_int_equal(vtree_audit(&tree, stderr), 0);
		for (unsigned len = 1; len < 40; len++) {
			struct vtree_want want = { .within = { 0, PAGES(6030) }, .len = PAGES(len) };
			struct lock_range a = { 0, 0 }, b = { 0, 0 };

			assert_int_equal(vtree_gap(&tree, thread_self(), &want, UINT64_MAX, true, &a),
					 vtree_gap_scan(&tree, &want, true, &b));
			assert_int_equal(a.lo, b.lo);
		}
	}
	point_yield(0, 0);
}

/* One page of 200 is free, far below; when the scan has read the uppermost leaf, one there is freed, and it is taken.
 * At each instant one was free. */
static void move_the_gap(void *arg)
{
	(void)arg;
	ref_set(&tree, PAGES(198), PAGES(199), NULL);
	ref_set(&tree, PAGES(10), PAGES(11), ref_vma(&pool, 300, VMA_READ));
}

static int scan_while_it_moves(const char *mutant)
{
	struct vtree_want want = { .within = { 0, PAGES(200) }, .len = PAGES(1) };
	struct lock_range fit = { 0, 0 };
	int err;

	for (unsigned i = 0; i < 200; i++)
		ref_set(&tree, PAGES(i), PAGES(i + 1), i == 10 ? NULL : ref_vma(&pool, i + 1, VMA_READ));
	assert_int_equal(point_mutant_select(mutant), 0);
	assert_int_equal(point_call(NULL, "gap_leaf_read", move_the_gap, NULL), 0);
	err = vtree_gap_scan(&tree, &want, false, &fit);
	assert_true(err || fit.lo == PAGES(198));
	point_reset();
	return err;
}

static void scan_says_no_of_one_instant(void **state)
{
	(void)state;
	assert_int_equal(scan_while_it_moves(NULL), 0);
	assert_int_equal(scan_while_it_moves("gap_scans_once"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(scan_says_no_of_one_instant, setup, teardown),
		cmocka_unit_test_setup_teardown(dense, setup, teardown),
		cmocka_unit_test_setup_teardown(half, setup, teardown),
		cmocka_unit_test_setup_teardown(sparse, setup, teardown),
		cmocka_unit_test_setup_teardown(wide_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(stale_bounds_are_lowered, setup, teardown),
		cmocka_unit_test_setup_teardown(window_not_raised, setup, teardown),
		cmocka_unit_test_setup_teardown(window_no_recheck, setup, teardown),
		cmocka_unit_test_setup_teardown(window_not_carried, setup, teardown),
		cmocka_unit_test_setup_teardown(window_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(window_lower, setup, teardown),
		cmocka_unit_test_setup_teardown(churn_at_rest, setup, teardown),
	};

	return cmocka_run_group_tests_name("vtree_gap", tests, NULL, NULL);
}
