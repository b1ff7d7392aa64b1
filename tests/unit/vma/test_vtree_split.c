/* SPDX-License-Identifier: MIT */
/*
 * test_vtree_split.c - structure under concurrency: writers with disjoint parts, splits against joins, a writer that
 * waits for a leaf which is replaced meanwhile, where a full leaf is cut, a million VMAs.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/park.h"
#include "tests/unit/vma/fixture.h"
#include "vmmap/vma/vtree_impl.h"

/* ---- window: the leaf that a writer waits for is split ---- */

static void *splitter(void *arg)
{
	(void)arg;
	point_role("splitter");
	CHECK(vtree_separate(&tree, thread_self(), PAGES(100)) == 0);
	point_role(NULL);
	return NULL;
}

static void *waiter(void *arg)
{
	point_role("waiter");
	ref_set(&tree, PAGES(10), PAGES(11), arg);
	point_role(NULL);
	return NULL;
}

static bool split_under_a_waiter(void)
{
	struct vma *vma = ref_vma(&pool, 1, VMA_READ);
	pthread_t a, b;
	struct vma *found;

	point_stop("splitter", "vtree_graft_before_link", NULL, NULL);
	pthread_create(&a, NULL, splitter, NULL);
	CHECK(point_wait_reached("splitter", "vtree_graft_before_link", 2 * SECOND));
	point_stop("waiter", "vtree_enter_collided", NULL, NULL);
	pthread_create(&b, NULL, waiter, vma);
	CHECK(point_wait_reached("waiter", "vtree_enter_collided", 2 * SECOND));
	point_release("splitter", "vtree_graft_before_link");
	pthread_join(a, NULL);
	point_release("waiter", "vtree_enter_collided");
	pthread_join(b, NULL);
	rcu_enter(thread_self());
	found = vtree_lookup(&tree, PAGES(10));
	rcu_leave(thread_self());
	return found == vma;
}

static void window_old_leaf(void **state)
{
	if (!point_available())
		skip();
	assert_true(split_under_a_waiter());
	teardown(state);
	setup(state);
	assert_int_equal(point_mutant_select("vtree_old_leaf_alive"), 0);
	assert_false(split_under_a_waiter());
	assert_int_equal(point_timeouts(), 0);
}

/* A join meets a taken leaf and gives up at once. */
static void *holder(void *arg)
{
	struct vtree_section s;

	(void)arg;
	point_role("holder");
	vtree_enter(&tree, thread_self(), PAGES(150), &s);
	vtree_leave(&s);
	point_role(NULL);
	return NULL;
}

/* Empty leaves, whose join was refused because one was taken. */
static void refused(void)
{
	struct vtree_stats stats;
	uint64_t blocked;
	pthread_t t;

	for (unsigned i = 0; i < 40; i++)
		ref_set(&tree, PAGES(4 * i), PAGES(4 * i + 1), ref_vma(&pool, i + 1, VMA_READ));
	ref_set(&tree, 0, PAGES(160), NULL);
	point_stop("holder", "vtree_entered", NULL, NULL);
	pthread_create(&t, NULL, holder, NULL);
	assert_true(point_wait_reached("holder", "vtree_entered", 2 * SECOND));
	blocked = park_blocked_self();
	vtree_join(&tree, thread_self(), (struct lock_range){ 0, PAGES(160) });
	assert_int_equal(park_blocked_self(), blocked);
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.joins, 0);
	point_release("holder", "vtree_entered");
	pthread_join(t, NULL);
}

static void join_never_waits(void **state)
{
	struct vtree_stats stats;

	(void)state;
	if (!point_available())
		skip();
	refused();
	for (unsigned i = 0; i < 20; i++)
		vtree_join(&tree, thread_self(), (struct lock_range){ 0, PAGES(160) });
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.joins, stats.splits);
}

static void idle_has_no_patience(void **state)
{
	struct vtree_stats stats;

	(void)state;
	if (!point_available())
		skip();
	refused();
	vtree_join(&tree, thread_self(), (struct lock_range){ 0, PAGES(160) });
	vtree_get_stats(&tree, &stats);
	assert_true(stats.joins < stats.splits);
	vtree_join_idle(&tree, thread_self(), (struct lock_range){ 0, PAGES(160) }, ADDRESS_END);
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.joins, stats.splits);
}

/* ---- a full leaf whose middle is a gap ---- */

/* VMAs of one page, two apart: 20 from `from` on, the last one second, so that the others come between them. */
static uint64_t in_group(uint64_t from, unsigned i)
{
	return PAGES(from + 2 * (i == 0 ? 0 : i == 1 ? 19 : i - 1));
}

/* What will begin at an aligned page finds its left neighbour in its own leaf: the border stands a page lower. */
static void gap_is_cut_beside_an_aligned_page(void **state)
{
	struct vma *vma = ref_vma(&pool, 1, VMA_READ);
	struct vtree_stats stats = { 0 };
	struct vtree_section s;

	(void)state;
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.splits, 0);
	for (unsigned i = 0; i < 20 && stats.splits == 0; i++) {
		ref_set(&tree, in_group(1900, i), in_group(1900, i) + PAGES(1), vma);    /* first: of an odd        */
		vtree_get_stats(&tree, &stats);
		if (stats.splits == 0)                           /* number the middle is still the gap              */
			ref_set(&tree, in_group(100, i), in_group(100, i) + PAGES(1), vma);
		vtree_get_stats(&tree, &stats);
	}
	assert_int_equal(stats.splits, 1);
	vtree_enter(&tree, thread_self(), PAGES(1024), &s);
	assert_int_equal(s.r.lo, PAGES(1023));
	vtree_leave(&s);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
}

/* ---- disjoint writers, each with a reference of its own ---- */

#define WRITERS 4
#define STEPS   (BUILT_WITH_TSAN ? 4000 : 30000)

struct writer { struct ref ref; unsigned number; size_t wrong; pthread_t thread; };

static void *writer(void *arg)
{
	struct writer *w = arg;
	struct thread_slot *self = thread_self();
	struct prng rnd = prng_seed(w->number, 6);

	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t len = 1 + prng_below(&rnd, 6), lo = w->ref.base + PAGES(prng_below(&rnd, w->ref.pages - len));
		struct vma *vma = prng_below(&rnd, 5) < 2 ? NULL : ref_vma(&pool, i + 1, VMA_READ);

		ref_set(&tree, lo, lo + PAGES(len), vma);
		ref_note(&w->ref, lo, lo + PAGES(len), vma);
		if (i % 64 == 0)
			vtree_join(&tree, self, (struct lock_range){ lo, w->ref.base + PAGES(w->ref.pages) });
		if (i % (STEPS / 8) == 0)
			w->wrong += ref_differences(&w->ref, &tree);
	}
	return NULL;
}

static void disjoint_writers(size_t pages)
{
	struct writer w[WRITERS];

	point_yield(60, 2);
	for (unsigned i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ .ref = ref_make(PAGES(i * pages), pages), .number = i };
		pthread_create(&w[i].thread, NULL, writer, &w[i]);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].wrong, 0);
		assert_int_equal(ref_differences(&w[i].ref, &tree), 0);
	}
	point_yield(0, 0);
	for (unsigned i = 0; i < WRITERS; i++) {
		assert_int_equal(ref_differences(&w[i].ref, &tree), 0);
		free(w[i].ref.at);
	}
	assert_int_equal(vtree_audit(&tree, stderr), 0);
}

static void writers_in_one_leaf(void **state)
{
	(void)state;
	disjoint_writers(8);
}

static void writers_apart(void **state)
{
	(void)state;
	disjoint_writers(600);
}

/* ---- many ---- */

#define MANY (BUILT_WITH_TSAN ? 50000u : 1000000u)

static void many(void **state)
{
	struct thread_slot *self = thread_self();
	struct vma *vma = ref_vma(&pool, 1, VMA_READ);
	uint64_t step = 7368787 % MANY;                          /* prime: visits all in a scattered order */
	struct vtree_stats stats;

	(void)state;
	for (uint64_t i = 0, at = 0; i < MANY; i++, at = (at + step) % MANY)
		ref_set(&tree, PAGES(4 * at), PAGES(4 * at + 2), vma);
	vtree_get_stats(&tree, &stats);
	assert_in_range(stats.slots, MANY, MANY + stats.leaves);         /* a leaf border may cut one */
	assert_int_equal(vtree_audit(&tree, stderr), 0);
	for (uint64_t at = 0; at < MANY; at++) {
		ref_set(&tree, PAGES(4 * at), PAGES(4 * at + 2), NULL);
		vtree_join(&tree, self, (struct lock_range){ PAGES(4 * at), PAGES(4 * at + 2) });
	}
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.slots, 0);
	assert_true(stats.leaves < VTREE_BLOCKS + MANY / 200);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
}

/* One by one, joining only when vtree_sparse says so: that is enough, and it is seldom. */
static void emptied_slot_by_slot(void **state)
{
	struct thread_slot *self = thread_self();
	struct vma *vma = ref_vma(&pool, 1, VMA_READ);
	struct vtree_stats stats;
	unsigned calls = 0;

	(void)state;
	for (uint64_t i = 0; i < 20000; i++)
		ref_set(&tree, PAGES(2 * i), PAGES(2 * i + 1), vma);
	for (uint64_t i = 20000; i-- > 0;) {
		struct vtree_section s;

		vtree_enter(&tree, self, PAGES(2 * i), &s);
		vtree_drop(&s, (unsigned)vtree_slot_over(&s, PAGES(2 * i)));
		vtree_leave(&s);
		if (vtree_sparse(&s)) {
			vtree_join(&tree, self, s.r);
			calls++;
		}
	}
	vtree_get_stats(&tree, &stats);
	assert_int_equal(stats.slots, 0);
	assert_true(stats.leaves < VTREE_BLOCKS + 20);
	assert_true(calls < 4000);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(window_old_leaf, setup, teardown),
		cmocka_unit_test_setup_teardown(join_never_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(idle_has_no_patience, setup, teardown),
		cmocka_unit_test_setup_teardown(gap_is_cut_beside_an_aligned_page, setup, teardown),
		cmocka_unit_test_setup_teardown(writers_in_one_leaf, setup, teardown),
		cmocka_unit_test_setup_teardown(writers_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(emptied_slot_by_slot, setup, teardown),
		cmocka_unit_test_setup_teardown(many, setup, teardown),
	};

	return cmocka_run_group_tests_name("vtree_split", tests, NULL, NULL);
}
