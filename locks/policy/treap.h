/* SPDX-License-Identifier: MIT */
/*
 * treap.h - an interval tree: ranges by their start, each node with the highest end below it. For range locks that are
 * kept beside the map, under a lock of their own: nothing in here is atomic.
 *
 * ORDER     by (lo, address of the node): equal ranges may stand side by side. A heap by weight, which who inserts
 *           draws at random (the first one of an empty tree need not): depths are logarithmic in expectation, whatever
 *           the order of the ranges.
 * MEMORY    nodes are the caller's.
 * SOURCE    Seidel and Aragon, "Randomized search trees" (1996); Cormen et al., "Introduction to algorithms", interval
 *           trees.
 */
#ifndef LOCKS_POLICY_TREAP_H
#define LOCKS_POLICY_TREAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "locks/range.h"

struct treap_node {
	struct lock_range r;                     /* set by the caller, like weight; constant while it is in        */
	uint64_t max;                            /* the highest hi below it, its own included                      */
	struct treap_node *left, *right;
	uint32_t weight;                         /* above lighter ones                                             */
};

void treap_insert_into(struct treap_node **root, struct treap_node *n);
void treap_erase_from(struct treap_node **root, struct treap_node *n);

/* Mostly it is the only one. */
static inline void treap_insert(struct treap_node **root, struct treap_node *n)
{
	if (unlikely(*root != NULL)) {
		treap_insert_into(root, n);
		return;
	}
	n->max = n->r.hi;
	n->left = n->right = NULL;
	*root = n;
}

static inline void treap_erase(struct treap_node **root, struct treap_node *n)
{
	if (likely(*root == n && !n->left && !n->right))
		*root = NULL;
	else
		treap_erase_from(root, n);
}

/* Does any meet r? O(log n). */
bool treap_meets(const struct treap_node *root, struct lock_range r);
/* Each that meets r, by ascending start. fn may not change the tree. */
typedef void treap_fn(void *arg, struct treap_node *n);
void treap_each(struct treap_node *root, struct lock_range r, treap_fn *fn, void *arg);

#endif
