/* SPDX-License-Identifier: MIT */
/* treap.c - the interval tree of treap.h. */
#include "locks/policy/treap.h"

static bool node_before(const struct treap_node *a, const struct treap_node *b)
{
	return a->r.lo < b->r.lo || (a->r.lo == b->r.lo && (uintptr_t)a < (uintptr_t)b);
}

static void node_sum(struct treap_node *n)
{
	n->max = n->r.hi;
	if (n->left && n->left->max > n->max)
		n->max = n->left->max;
	if (n->right && n->right->max > n->max)
		n->max = n->right->max;
}

/* What stands before n and what does not. */
static void treap_split(struct treap_node *t, const struct treap_node *n, struct treap_node **low,
			struct treap_node **high)
{
	if (!t) {
		*low = *high = NULL;
		return;
	}
	if (node_before(t, n)) {
		treap_split(t->right, n, &t->right, high);
		*low = t;
	} else {
		treap_split(t->left, n, low, &t->left);
		*high = t;
	}
	node_sum(t);
}

static struct treap_node *treap_join(struct treap_node *low, struct treap_node *high)
{
	struct treap_node *top;

	if (!low || !high)
		return low ? low : high;
	if (low->weight > high->weight) {
		low->right = treap_join(low->right, high);
		top = low;
	} else {
		high->left = treap_join(low, high->left);
		top = high;
	}
	node_sum(top);
	return top;
}

void treap_insert_into(struct treap_node **root, struct treap_node *n)
{
	struct treap_node **at = root, *t;

	while ((t = *at) && t->weight >= n->weight) {
		t->max = t->max > n->r.hi ? t->max : n->r.hi;
		at = node_before(t, n) ? &t->right : &t->left;
	}
	treap_split(t, n, &n->left, &n->right);
	node_sum(n);
	*at = n;
}

void treap_erase_from(struct treap_node **root, struct treap_node *n)
{
	struct treap_node *t = *root;

	if (t == n) {
		*root = treap_join(n->left, n->right);
		return;
	}
	treap_erase_from(node_before(t, n) ? &t->right : &t->left, n);
	node_sum(t);
}

/* If something below ends above r.lo and does not meet r, it begins at r.hi or above, and so does all to its right. */
bool treap_meets(const struct treap_node *n, struct lock_range r)
{
	while (n && !lock_range_meets(n->r, r))
		n = n->left && n->left->max > r.lo ? n->left : n->right;
	return n != NULL;
}

void treap_each(struct treap_node *n, struct lock_range r, treap_fn *fn, void *arg)
{
	while (n && n->max > r.lo) {
		treap_each(n->left, r, fn, arg);
		if (n->r.lo >= r.hi)
			return;
		if (n->r.hi > r.lo)
			fn(arg, n);
		n = n->right;
	}
}
