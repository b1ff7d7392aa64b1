/* SPDX-License-Identifier: MIT */
/*
 * test_vtree_node.c - readers against writers: the windows of the lookup with their mutants, and stress in which each
 * thing that a reader gets is checked: it belongs to the address, it has no holes, its lock word is of that life.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/park.h"
#include "tests/unit/vma/fixture.h"

/* ---- windows ---- */

static void *reader_at_10(void *arg)
{
	struct thread_slot *self = thread_self();

	point_role("reader");
	rcu_enter(self);
	vtree_find(&tree, PAGES(10), arg);
	rcu_leave(self);
	point_role(NULL);
	return NULL;
}

/* Page 10 is mapped by `a` in slot 0; then by `c`, while slot 0 goes to `b` at page 500. */
static bool reused_slot(void)
{
	struct vma *a = ref_vma(&pool, 1, VMA_READ), *b = ref_vma(&pool, 2, VMA_READ), *c = ref_vma(&pool, 3, VMA_READ);
	struct vtree_seen seen;
	pthread_t t;

	ref_set(&tree, PAGES(10), PAGES(11), a);
	point_stop("reader", "vtree_find_hit", NULL, NULL);
	pthread_create(&t, NULL, reader_at_10, &seen);
	CHECK(point_wait_reached("reader", "vtree_find_hit", 2 * SECOND));
	ref_set(&tree, PAGES(10), PAGES(11), c);
	ref_set(&tree, PAGES(500), PAGES(501), b);
	point_release("reader", "vtree_find_hit");
	pthread_join(t, NULL);
	return seen.vma == c && seen.r.lo == PAGES(10) && seen.lk == 6;
}

/* A section drops `a` and adds two others; before it publishes, a reader must find `a` as it was. */
static bool early_refill(void)
{
	struct vma *a = ref_vma(&pool, 1, VMA_READ);
	struct vtree_section s;
	struct vtree_seen seen;

	ref_set(&tree, PAGES(10), PAGES(20), a);
	CHECK(vtree_enter_room(&tree, thread_self(), PAGES(10), 2, &s) == 0);
	vtree_drop(&s, (unsigned)vtree_slot_over(&s, PAGES(10)));
	vtree_add(&s, PAGES(10), PAGES(12), ref_vma(&pool, 2, VMA_READ));
	vtree_add(&s, PAGES(12), PAGES(20), ref_vma(&pool, 3, VMA_READ));
	vtree_find(&tree, PAGES(15), &seen);
	vtree_leave(&s);
	return seen.vma == a && seen.r.lo == PAGES(10) && seen.r.hi == PAGES(20);
}

/* After the reader's validation the VMA dies and lives again elsewhere. Its lock word must be that of the first life,
 * so that the reader's re-check fails. */
static bool second_life(void)
{
	struct vma *a = ref_vma(&pool, 1, VMA_READ), *again;
	struct vtree_seen seen;
	pthread_t t;

	ref_set(&tree, PAGES(10), PAGES(11), a);
	point_stop("reader", "vtree_find_validated", NULL, NULL);
	pthread_create(&t, NULL, reader_at_10, &seen);
	CHECK(point_wait_reached("reader", "vtree_find_validated", 2 * SECOND));
	ref_set(&tree, PAGES(10), PAGES(11), NULL);
	vma_give(&pool, thread_self(), a);
	again = ref_vma(&pool, 2, VMA_READ);
	ref_set(&tree, PAGES(500), PAGES(501), again);
	point_release("reader", "vtree_find_validated");
	pthread_join(t, NULL);
	return again == a && seen.vma == a && seen.lk == 2;
}

/* The leaf in which a reader stands is joined with its neighbour, and what it looks at goes from the new leaf. */
static bool joined_leaf(void)
{
	struct vtree_stats stats;
	struct vtree_seen seen;
	pthread_t t;

	for (unsigned i = 0; i < 40; i++)
		ref_set(&tree, PAGES(4 * i), PAGES(4 * i + 1), ref_vma(&pool, i + 1, VMA_READ));
	ref_set(&tree, 0, PAGES(160), NULL);
	ref_set(&tree, PAGES(10), PAGES(11), ref_vma(&pool, 41, VMA_READ));
	point_stop("reader", "vtree_find_hit", NULL, NULL);
	pthread_create(&t, NULL, reader_at_10, &seen);
	CHECK(point_wait_reached("reader", "vtree_find_hit", 2 * SECOND));
	for (unsigned i = 0; i < 20; i++)
		vtree_join(&tree, thread_self(), (struct lock_range){ 0, PAGES(160) });
	vtree_get_stats(&tree, &stats);
	CHECK(stats.joins > 0);
	ref_set(&tree, PAGES(10), PAGES(11), NULL);
	point_release("reader", "vtree_find_hit");
	pthread_join(t, NULL);
	return seen.vma == NULL;
}

static void window_recheck(void **state) { (void)state; window(reused_slot, "vtree_reader_no_recheck"); }
static void window_joined_leaf(void **state) { (void)state; window(joined_leaf, "vtree_old_leaf_alive"); }
static void window_early_refill(void **state) { (void)state; window(early_refill, "vtree_slot_refilled_early"); }
static void window_lock_word(void **state) { (void)state; window(second_life, "vtree_lk_after_validation"); }

/* ---- isolation: a writer stopped inside a section stops no reader ---- */

static void *stopped_writer(void *arg)
{
	point_role("writer");
	ref_set(&tree, PAGES(10), PAGES(20), arg);
	point_role(NULL);
	return NULL;
}

static void stopped_in_a_section(void **state)
{
	struct vma *a = ref_vma(&pool, 1, VMA_READ), *b = ref_vma(&pool, 2, VMA_WRITE);
	struct vtree_listed listed;
	struct vtree_seen seen;
	uint64_t blocked;
	pthread_t t;

	(void)state;
	if (!point_available())
		skip();
	ref_set(&tree, PAGES(10), PAGES(20), a);
	point_stop("writer", "vtree_leave_before_publish", NULL, NULL);
	pthread_create(&t, NULL, stopped_writer, b);
	assert_true(point_wait_reached("writer", "vtree_leave_before_publish", 2 * SECOND));
	blocked = park_blocked_self();
	rcu_enter(thread_self());
	for (unsigned i = 0; i < 1000; i++) {
		vtree_find(&tree, PAGES(15), &seen);
		assert_ptr_equal(seen.vma, a);
		assert_true(vtree_list(&tree, PAGES(15), ADDRESS_END, &listed));
		assert_int_equal(listed.bits, VMA_READ);
	}
	rcu_leave(thread_self());
	assert_int_equal(park_blocked_self(), blocked);
	point_release("writer", "vtree_leave_before_publish");
	pthread_join(t, NULL);
	assert_int_equal(point_timeouts(), 0);
	assert_ptr_equal(vtree_lookup(&tree, PAGES(15)), b);
}

/* ---- stress ---- */

#define AREAS       4
#define AREA_PAGES  120                          /* several areas share a leaf                                     */
#define ROUNDS      (BUILT_WITH_TSAN ? 20000 : 150000)

static atomic_u32 stop;

struct worker {
	unsigned area;
	bool holes;                              /* unmaps too                                                     */
	uint64_t looked, wrong;
	pthread_t thread;
};

/* VMAs of an area: delta = area + 1 in the low byte. `seq` counts the pages that a VMA still covers (one writer per
 * area); at 0 its memory is reused at once. */
static struct vma *area_vma(struct thread_slot *self, unsigned area, uint64_t pages)
{
	struct vma *vma = ref_vma(&pool, (thread_next_number(self) >> 1) << 8 | (area + 1), VMA_READ);

	atomic_store_relaxed(&vma->slot.seq, (uint32_t)pages);
	return vma;
}

/* Takes [lo, hi) off the VMAs there; those that cover nothing any more, in old[]. */
static unsigned uncover(const struct vtree_section *s, uint64_t lo, uint64_t hi, struct vma *old[VTREE_SLOTS])
{
	unsigned n = 0;

	for (uint32_t m = vtree_meets(s, lo, hi); m != 0; m &= m - 1) {
		struct vtree_slot slot = vtree_slot_at(s, (unsigned)__builtin_ctz(m));
		uint64_t from = slot.r.lo > lo ? slot.r.lo : lo, to = slot.r.hi < hi ? slot.r.hi : hi;
		uint32_t left = atomic_load_relaxed(&slot.vma->slot.seq) - (uint32_t)((to - from) / PAGE_BYTES);

		atomic_store_relaxed(&slot.vma->slot.seq, left);
		if (left == 0)
			old[n++] = slot.vma;
	}
	return n;
}

static void *replacer(void *arg)
{
	struct worker *w = arg;
	struct thread_slot *self = thread_self();
	struct prng rnd = prng_seed(w->area, 9);
	uint64_t base = PAGES(w->area * AREA_PAGES);

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t lo = base + PAGES(prng_below(&rnd, AREA_PAGES - 8)), hi = lo + PAGES(1 + prng_below(&rnd, 8));
		struct vma *old[VTREE_SLOTS], *vma = NULL;
		struct vtree_section s;
		unsigned n;

		if (!w->holes || prng_below(&rnd, 2))
			vma = area_vma(self, w->area, 0);
		CHECK(vtree_enter_room(&tree, self, lo, 3, &s) == 0);
		if (hi > s.r.hi)
			hi = s.r.hi;
		if (vma != NULL)
			atomic_store_relaxed(&vma->slot.seq, (uint32_t)((hi - lo) / PAGE_BYTES));
		n = uncover(&s, lo, hi, old);
		ref_replace(&s, lo, hi, vma);
		vtree_leave(&s);
		while (n-- > 0)
			vma_give(&pool, self, old[n]);
		if (i % 32 == 0)
			vtree_join(&tree, self, (struct lock_range){ base, base + PAGES(AREA_PAGES) });
	}
	return NULL;
}

static void *checker(void *arg)
{
	struct worker *w = arg;
	struct thread_slot *self = thread_self();
	struct prng rnd = prng_seed(w->area, 10);

	while (!atomic_load_acquire(&stop)) {
		uint64_t page = prng_below(&rnd, AREAS * AREA_PAGES), addr = PAGES(page);
		struct vtree_seen seen;
		int64_t delta;

		rcu_enter(self);
		vtree_find(&tree, addr, &seen);
		w->looked++;
		if (!lock_range_holds(seen.r, addr))
			w->wrong++;
		if (seen.vma == NULL) {
			w->wrong += page / AREA_PAGES % 2 == 0;          /* even areas are only ever replaced */
		} else {
			delta = atomic_load_acquire(&seen.vma->delta);
			if (atomic_load_seqcst(&seen.vma->slot.lk) == seen.lk)
				w->wrong += (uint64_t)delta % 256 != page / AREA_PAGES + 1 ||
					    seen.lk != (uint64_t)delta << 1;
		}
		rcu_leave(self);
	}
	return NULL;
}

static void readers_against_writers(void **state)
{
	struct worker w[AREAS + 2];

	(void)state;
	atomic_store_release(&stop, 0);
	for (unsigned i = 0; i < AREAS; i++)
		ref_set(&tree, PAGES(i * AREA_PAGES), PAGES((i + 1) * AREA_PAGES),
			area_vma(thread_self(), i, AREA_PAGES));
	point_yield(100, 3);
	for (unsigned i = 0; i < AREAS + 2; i++) {
		w[i] = (struct worker){ .area = i, .holes = i % 2 };
		pthread_create(&w[i].thread, NULL, i < AREAS ? replacer : checker, &w[i]);
	}
	for (unsigned i = 0; i < AREAS; i++)
		pthread_join(w[i].thread, NULL);
	atomic_store_release(&stop, 1);
	for (unsigned i = AREAS; i < AREAS + 2; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].wrong, 0);
		assert_true(w[i].looked > 100);
	}
	point_yield(0, 0);
	assert_int_equal(vtree_audit(&tree, stderr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(window_recheck, setup, teardown),
		cmocka_unit_test_setup_teardown(window_joined_leaf, setup, teardown),
		cmocka_unit_test_setup_teardown(window_early_refill, setup, teardown),
		cmocka_unit_test_setup_teardown(window_lock_word, setup, teardown),
		cmocka_unit_test_setup_teardown(stopped_in_a_section, setup, teardown),
		cmocka_unit_test_setup_teardown(readers_against_writers, setup, teardown),
	};

	return cmocka_run_group_tests_name("vtree_node", tests, NULL, NULL);
}
