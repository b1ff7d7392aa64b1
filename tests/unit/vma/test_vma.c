/* SPDX-License-Identifier: MIT */
/* test_vma.c - the pool: promises of vma_reserve, reuse, the depot between slots, sizes, the merge rule. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem.h"
#include "vmmap/vma/vma.h"

static struct vma_pool pool;

static int setup(void **state)
{
	(void)state;
	return vma_pool_init(&pool, 0);
}

static int teardown(void **state)
{
	(void)state;
	vma_pool_fini(&pool);
	return mem_bytes(MEM_VMA) != 0;
}

static void reuse_is_last_in_first_out(void **state)
{
	struct thread_slot *self = thread_self();
	struct vma *a, *b;

	(void)state;
	assert_int_equal(vma_reserve(&pool, self, 2), 0);
	a = vma_take(&pool, self);
	b = vma_take(&pool, self);
	assert_int_equal(vma_pool_live(&pool), 2);
	assert_int_equal((uintptr_t)a % CACHE_LINE, 0);
	assert_int_equal(atomic_load_relaxed(&a->slot.lk), LOCK_DEAD);
	atomic_store_seqcst(&a->slot.lk, 4);
	vma_give(&pool, self, a);
	assert_int_equal(atomic_load_relaxed(&a->slot.lk), LOCK_DEAD);
	assert_ptr_equal(vma_take(&pool, self), a);
	vma_give(&pool, self, a);
	vma_give(&pool, self, b);
	assert_int_equal(vma_pool_live(&pool), 0);
}

/* With no memory left, exactly what was promised can be taken, also when gives come in between. */
static void promise(void **state)
{
	struct thread_slot *self = thread_self();
	struct vma *taken[1000];

	(void)state;
	assert_int_equal(vma_reserve(&pool, self, 1000), 0);
	for (unsigned i = 0; i < 1000; i++) {
		mem_fail_nth(1);
		taken[i] = vma_take(&pool, self);
		assert_non_null(taken[i]);
		if (i % 3 == 0) {
			vma_give(&pool, self, taken[i]);
			taken[i] = vma_take(&pool, self);
		}
	}
	assert_false(mem_fail_fired());
	mem_fail_nth(0);
	for (unsigned i = 0; i < 1000; i++)
		vma_give(&pool, self, taken[i]);
	assert_int_equal(vma_pool_live(&pool), 0);
}

/* Gives that would hand batches to the depot do not take back what was promised. */
static void promise_against_shedding(void **state)
{
	struct thread_slot *self = thread_self();
	static struct vma *taken[9000];

	(void)state;
	for (unsigned i = 0; i < 9000; i++)
		assert_non_null(taken[i] = vma_take(&pool, self));
	assert_int_equal(vma_reserve(&pool, self, 4096), 0);
	for (unsigned i = 0; i < 9000; i++)
		vma_give(&pool, self, taken[i]);
	mem_fail_nth(1);
	for (unsigned i = 0; i < 4096; i++)
		assert_non_null(taken[i] = vma_take(&pool, self));
	assert_false(mem_fail_fired());
	mem_fail_nth(0);
	for (unsigned i = 0; i < 4096; i++)
		vma_give(&pool, self, taken[i]);
}

#define KEPT 4000

static int by_address(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return x < y ? -1 : x > y;
}

static void *taker(void *arg)
{
	struct vma **kept = arg;

	for (unsigned i = 0; i < 1000; i++) {
		struct vma *vma = vma_take(&pool, thread_self());

		if (!vma || bsearch(&vma, kept, KEPT, sizeof(*kept), by_address))
			return arg;
	}
	return NULL;
}

/* What a slot has given it takes again; another one gets others. */
static void a_slot_keeps_what_it_cut(void **state)
{
	static struct vma *kept[KEPT];
	struct thread_slot *self = thread_self();
	void *wrong;
	pthread_t t;

	(void)state;
	for (unsigned i = 0; i < KEPT; i++)
		assert_non_null(kept[i] = vma_take(&pool, self));
	for (unsigned i = 0; i < KEPT; i++)
		vma_give(&pool, self, kept[i]);
	qsort(kept, KEPT, sizeof(*kept), by_address);
	assert_int_equal(pthread_create(&t, NULL, taker, kept), 0);
	assert_int_equal(pthread_join(t, &wrong), 0);
	assert_null(wrong);
	for (unsigned i = 0; i < KEPT; i++) {
		struct vma *vma = vma_take(&pool, self);

		assert_non_null(bsearch(&vma, kept, KEPT, sizeof(*kept), by_address));
	}
}

static void no_memory(void **state)
{
	struct thread_slot *self = thread_self();

	(void)state;
	for (uint64_t nth = 1;; nth++) {
		int r;

		mem_fail_nth(nth);
		r = vma_reserve(&pool, self, 300);
		mem_fail_nth(0);
		if (r == 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_true(nth < 20);
	}
	for (unsigned i = 0; i < 300; i++)
		assert_non_null(vma_take(&pool, self));
	assert_int_equal(vma_pool_live(&pool), 300);
}

#define CHAIN 5000

struct chain { struct vma *vma[CHAIN]; size_t wrong; };

static void *giver(void *arg)
{
	struct chain *c = arg;

	for (unsigned i = 0; i < CHAIN; i++) {
		if (atomic_load_relaxed(&c->vma[i]->slot.lk) != 2)
			c->wrong++;
		vma_give(&pool, thread_self(), c->vma[i]);
	}
	return NULL;
}

/* One slot only takes, another only gives: the depot evens out, memory does not grow. */
static void depot(void **state)
{
	struct chain *c = calloc(1, sizeof(*c));
	uint64_t bytes = 0;

	(void)state;
	for (unsigned round = 0; round < 6; round++) {
		pthread_t t;

		for (unsigned i = 0; i < CHAIN; i++) {
			c->vma[i] = vma_take(&pool, thread_self());
			assert_non_null(c->vma[i]);
			atomic_store_seqcst(&c->vma[i]->slot.lk, 2);
		}
		assert_int_equal(vma_pool_live(&pool), CHAIN);
		pthread_create(&t, NULL, giver, c);
		pthread_join(t, NULL);
		assert_int_equal(c->wrong, 0);
		assert_int_equal(vma_pool_live(&pool), 0);
		if (round == 1)
			bytes = atomic_load_relaxed(&pool.slab_bytes);
	}
	assert_int_equal(atomic_load_relaxed(&pool.slab_bytes), bytes);
	free(c);
}

static void a_line_of_its_own(void **state)
{
	struct thread_slot *self = thread_self();
	struct vma_pool wide;
	struct vma *a, *b;

	(void)state;
	assert_int_equal(vma_pool_init(&wide, 8), 0);
	assert_int_equal(wide.vma_bytes, 2 * CACHE_LINE);
	a = vma_take(&wide, self);
	b = vma_take(&wide, self);
	assert_int_equal((char *)b - (char *)a, 2 * CACHE_LINE);
	memset((char *)a + sizeof(*a), 0xff, CACHE_LINE);
	vma_pool_fini(&wide);
}

static void merge_rule(void **state)
{
	struct vma a = { .bits = VMA_READ, .delta = 3 }, b = { .bits = VMA_READ, .delta = 3 };

	(void)state;
	assert_true(vma_mergeable(&a, &b));
	a.anon = 1;
	assert_true(vma_mergeable(&a, &b));
	assert_true(vma_mergeable(&b, &a));
	b.anon = 3;
	assert_false(vma_mergeable(&a, &b));
	b.anon = 1;
	assert_true(vma_mergeable(&a, &b));
	b.delta = 4;
	assert_false(vma_mergeable(&a, &b));
	b.delta = 3;
	b.bits = VMA_READ | VMA_ACCOUNT;
	assert_false(vma_mergeable(&a, &b));
	b.bits = VMA_READ;
	b.object = (struct object *)&pool;
	assert_false(vma_mergeable(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reuse_is_last_in_first_out, setup, teardown),
		cmocka_unit_test_setup_teardown(promise, setup, teardown),
		cmocka_unit_test_setup_teardown(promise_against_shedding, setup, teardown),
		cmocka_unit_test_setup_teardown(a_slot_keeps_what_it_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(depot, setup, teardown),
		cmocka_unit_test_setup_teardown(a_line_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(merge_rule, setup, teardown),
	};

	return cmocka_run_group_tests_name("vma", tests, NULL, NULL);
}
