/* SPDX-License-Identifier: MIT */
/* test_treap.c - the interval tree against a list of what is in it, in random order; and its shape. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/prng.h"
#include "locks/policy/treap.h"

#define NODES 200
#define SPACE 1000                               /* addresses                                                      */

static struct treap_node node[NODES];
static bool in[NODES];

/* Heap, order, sums; returns the depth. */
static unsigned check(const struct treap_node *n, uint64_t lo, uint64_t hi)
{
	unsigned left, right;
	uint64_t max;

	if (!n)
		return 0;
	assert_in_range(n->r.lo, lo, hi);
	left = check(n->left, lo, n->r.lo);
	right = check(n->right, n->r.lo, hi);
	max = n->r.hi;
	max = n->left && n->left->max > max ? n->left->max : max;
	max = n->right && n->right->max > max ? n->right->max : max;
	assert_int_equal(n->max, max);
	assert_true((!n->left || n->left->weight <= n->weight) && (!n->right || n->right->weight <= n->weight));
	return (left > right ? left : right) + 1;
}

struct met { unsigned n; uint64_t last; };

static void meet(void *arg, struct treap_node *n)
{
	struct met *m = arg;

	assert_true(n->r.lo >= m->last);
	m->last = n->r.lo;
	m->n++;
}

static struct lock_range random_range(struct prng *rng)
{
	uint64_t lo = prng_below(rng, SPACE), len = 1 + prng_below(rng, prng_below(rng, 8) ? 4 : SPACE / 2);

	return (struct lock_range){ lo, lo + len };
}

static void test_against_a_list(void **state)
{
	struct treap_node *root = NULL;
	struct prng rng = prng_seed(1, 0);

	(void)state;
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i = (unsigned)prng_below(&rng, NODES), meets = 0;
		struct lock_range r = random_range(&rng);
		struct met m = { 0, 0 };

		if (in[i]) {
			treap_erase(&root, &node[i]);
		} else {
			node[i].r = random_range(&rng);
			node[i].weight = (uint32_t)prng_next(&rng);
			treap_insert(&root, &node[i]);
		}
		in[i] = !in[i];
		for (unsigned k = 0; k < NODES; k++)
			meets += in[k] && lock_range_meets(node[k].r, r);
		treap_each(root, r, meet, &m);
		assert_int_equal(m.n, meets);
		assert_int_equal(treap_meets(root, r), meets != 0);
		if (step % 100 == 0)
			check(root, 0, UINT64_MAX);
	}
}

/* Ranges that come in order, and equal ones. */
static void test_depth(void **state)
{
	struct treap_node *root = NULL;
	struct prng rng = prng_seed(2, 0);

	(void)state;
	for (unsigned i = 0; i < NODES; i++) {
		node[i].r = (struct lock_range){ i / 4, i / 4 + 1 };
		node[i].weight = (uint32_t)prng_next(&rng);
		treap_insert(&root, &node[i]);
	}
	assert_in_range(check(root, 0, UINT64_MAX), 8, 40);
	for (unsigned i = 0; i < NODES; i++)
		treap_erase(&root, &node[i]);
	assert_null(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_against_a_list), cmocka_unit_test(test_depth) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
