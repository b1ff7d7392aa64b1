/* SPDX-License-Identifier: MIT */
/*
 * reference_skiplist.c - a lazy skip list: searches take no lock and write nothing, yet walk through the nodes that
 * writers link and unlink; towers are tall enough that every search meets lines which every writer writes.
 *
 * A writer locks the predecessors of its node at all levels, lowest level first in key order of the search, checks that
 * they still lead to the same successors, and links or unlinks. A removed node keeps its links, so that a search which
 * stands on it goes on. A node is used again for its own key only: a search that is there while it is linked anew finds
 * its way by keys, which rise along every link.
 *   insert  S1 store next[level] of a predecessor, release  ->  find  S2 load, acquire: the node's own links are set
 *
 * Source: Herlihy, Lev, Luchangco, Shavit, "A Simple Optimistic Skiplist Algorithm" (SIROCCO 2007); the experiment:
 * Clements, Kaashoek, Zeldovich, RadixVM (EuroSys'13), figure on index structures. Re-derived.
 */
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/prng.h"
#include "bench/manycore/reference.h"

#define LEVELS 11u

struct node {
	uint32_t key, levels;                    /* [const]                                                         */
	atomic_u32 lock, linked;
	_Atomic(struct node *) next[LEVELS];
} PAIR_ALIGNED;

static struct node node_of[REFERENCE_KEYS], head = { .levels = LEVELS };

static struct node *next_of(struct node *n, unsigned level)
{
	return (struct node *)atomic_load_acquire(&n->next[level]);              /* S2 <- S1 */
}

/* The last node before key at each level. */
static void search(uint32_t key, struct node **before)
{
	struct node *at = &head;

	for (unsigned level = LEVELS; level-- > 0;) {
		struct node *next;

		while ((next = next_of(at, level)) != NULL && next->key < key)
			at = next;
		before[level] = at;
	}
}

static bool find(uint32_t key)
{
	struct node *at = &head;

	for (unsigned level = LEVELS; level-- > 0;) {
		struct node *next;

		while ((next = next_of(at, level)) != NULL && next->key <= key) {
			if (next->key == key)
				return atomic_load_acquire(&next->linked) != 0;
			at = next;
		}
	}
	return false;
}

static bool take(struct node *n)
{
	uint32_t seen = 0;

	return atomic_cas_acquire(&n->lock, &seen, 1);
}

static void unlock(struct node **before, unsigned levels)
{
	for (unsigned level = 0; level < levels; level++)
		if (level == 0 || before[level] != before[level - 1])
			atomic_store_release(&before[level]->lock, 0);
}

/* Locks what stands before n at its levels; never waits holding one: false, nothing is locked. want: what must come
 * next there, NULL: anything beyond the key. */
static bool lock_before(struct node *n, struct node **before, const struct node *want)
{
	search(n->key, before);
	for (unsigned level = 0; level < n->levels; level++) {
		struct node *b = before[level], *next;

		if ((level == 0 || b != before[level - 1]) && !take(b)) {
			unlock(before, level);
			return false;
		}
		next = next_of(b, level);
		if ((b != &head && atomic_load_acquire(&b->linked) == 0) ||
		    (want != NULL ? next != want : next != NULL && next->key <= n->key)) {
			unlock(before, level + 1);
			return false;
		}
	}
	return true;
}

static void insert(uint32_t key)
{
	struct node *n = &node_of[key], *before[LEVELS];

	while (!lock_before(n, before, NULL))
		atomic_pause();
	for (unsigned level = 0; level < n->levels; level++)
		atomic_store_relaxed(&n->next[level], next_of(before[level], level));
	atomic_store_release(&n->linked, 1);
	for (unsigned level = 0; level < n->levels; level++)
		atomic_store_release(&before[level]->next[level], n);            /* S1 -> S2 */
	unlock(before, n->levels);
}

static void remove_key(uint32_t key)
{
	struct node *n = &node_of[key], *before[LEVELS];

	while (!take(n))                         /* nobody links behind it from here on */
		atomic_pause();
	while (!lock_before(n, before, n))
		atomic_pause();
	atomic_store_release(&n->linked, 0);
	for (unsigned level = n->levels; level-- > 0;)
		atomic_store_release(&before[level]->next[level], next_of(n, level));
	unlock(before, n->levels);
	atomic_store_release(&n->lock, 0);
}

static void setup(void)
{
	struct prng p = prng_seed(5, 0);

	for (uint32_t key = 0; key < REFERENCE_KEYS; key++) {
		node_of[key].key = key;
		node_of[key].levels = 1;
		while (node_of[key].levels < LEVELS && (prng_next(&p) & 1) != 0)
			node_of[key].levels++;
		if (key % 2 == 0)
			insert(key);
	}
}

const struct reference reference_skiplist = { "skip list", setup, find, insert, remove_key };
