/* SPDX-License-Identifier: MIT */
/* test_vtree_audit.c - the tree's audit finds each kind of damage, and is content again when that is undone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "tests/unit/vma/fixture.h"

static struct vtree_leaf *leaf;                  /* the one that owns page 10                                      */
static struct vtree_inner *inner;                /* its parent                                                     */
static unsigned child, slot;                     /* their places: of the leaf, of page 10's VMA in it              */

/* Enough VMAs for several leaves, each two pages of four. */
static int grown(void **state)
{
	struct thread_slot *self = thread_self();
	struct vtree_section s;
	uintptr_t node;

	if (setup(state))
		return 1;
	for (uint64_t i = 0; i < 100; i++) {
		struct vma *vma = ref_vma(&pool, i + 1, VMA_READ);

		if (vtree_enter_room(&tree, self, PAGES(4 * i + 2), 1, &s))
			return 1;
		vtree_add(&s, PAGES(4 * i + 2), PAGES(4 * i + 4), vma);
		vtree_leave(&s);
	}
	node = atomic_load_relaxed(&tree.root[0]);
	inner = NULL;
	while (!(node & VTREE_LEAF)) {
		inner = (struct vtree_inner *)node;
		child = vtree_child_of(inner, 10);
		node = atomic_load_relaxed(&inner->child[child]);
	}
	leaf = vtree_as_leaf(node);
	for (slot = 0; slot < VTREE_SLOTS; slot++)
		if (atomic_load_relaxed(&leaf->word) >> slot & 1 &&
		    simd_bias(atomic_load_relaxed(&leaf->first[slot])) == 10)
			break;
	return inner == NULL || slot == VTREE_SLOTS || vtree_audit(&tree, stderr) != 0;
}

static void says(const char *words)
{
	char *text = NULL;
	size_t bytes;
	FILE *report = open_memstream(&text, &bytes);
	uint64_t bad = vtree_audit(&tree, report);

	fclose(report);
	assert_true(bad > 0);
	if (!strstr(text, words))
		fail_msg("'%s' is not in: %s", words, text);
	free(text);
	assert_int_equal(vtree_audit(&tree, NULL), bad);
}

/* Puts a wrong value into a word, looks, puts the right one back. */
#define DAMAGED(where, wrong, words) do { \
	__auto_type before_ = atomic_load_relaxed(where); \
	atomic_store_relaxed((where), (wrong)); \
	says(words); \
	atomic_store_relaxed((where), before_); \
	assert_int_equal(vtree_audit(&tree, stderr), 0); } while (0)

static void a_leaf(void **state)
{
	uint64_t word = atomic_load_relaxed(&leaf->word), vma = atomic_load_relaxed(&leaf->vma[slot]);

	(void)state;
	DAMAGED(&leaf->word, word | VTREE_WRITER, "leaf is locked");
	DAMAGED(&leaf->word, word | VTREE_DEAD, "leaf is dead");
	DAMAGED(&leaf->vma[slot], vma | VTREE_DUMMY, "do not agree");
	DAMAGED(&leaf->vma[slot], UINT64_C(0), "without a VMA");
	leaf->limit--;
	says("leaf says that it owns");
	leaf->limit++;
}

static void a_slot(void **state)
{
	(void)state;
	DAMAGED(&leaf->last[slot], simd_bias(9), "is empty or leaves");
	DAMAGED(&leaf->last[slot], simd_bias(leaf->limit + 1), "is empty or leaves");
	DAMAGED(&leaf->last[slot], simd_bias(14), "overlaps");
}

static void an_inner_node(void **state)
{
	uint64_t word = atomic_load_relaxed(&inner->word);

	(void)state;
	DAMAGED(&inner->word, word | VTREE_WRITER, "inner node is locked");
	DAMAGED(&inner->word, word | VTREE_DEAD, "inner node is dead");
	DAMAGED(&inner->last[inner->n], simd_bias(7), "unused key");
	DAMAGED(&inner->bound[child].best, 0u, "above its bound");
	inner->base++;
	says("does not own what its parent says");
	inner->base--;
	if (inner->n > 1)
		DAMAGED(&inner->last[1], simd_bias(0), "children out of order");
}

static void a_root(void **state)
{
	(void)state;
	DAMAGED(&tree.root_lock[3], 1u, "root of the block is locked");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_leaf, grown, teardown),
		cmocka_unit_test_setup_teardown(a_slot, grown, teardown),
		cmocka_unit_test_setup_teardown(an_inner_node, grown, teardown),
		cmocka_unit_test_setup_teardown(a_root, grown, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
