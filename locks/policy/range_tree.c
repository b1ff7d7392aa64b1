/* SPDX-License-Identifier: MIT */
/*
 * range_tree.c - one interval tree of ranges, held and waiting, under one spin lock.
 *
 * NODES      a treap by (lo, address), with the highest hi of each subtree; a node for each range lock of a thread
 *            (beside.h), in the thread's block.
 * REQUEST    Under the lock it counts what blocks it, and goes in. Blockers of S, of the ranges that meet it in
 *            conflict (two shared ones have none): each that is held; and each that waits and came before S. A
 *            request with no blocker is granted; others sleep until the count is 0. LOCK_TRY with a blocker leaves
 *            nothing.
 * RELEASE    out of the tree; each waiter that meets it in conflict has a blocker less; those that have none are
 *            granted. A waiter that gives up does the same for those that came after it.
 * NESTED     A thread that holds an edit already is blocked by held ranges only, and whom it passes then counts it. If
 *            it waited for waiters, one of these might wait for what it holds. So: who waits nested waits for a thread
 *            that holds something above all that the former holds; if that one waits too, then still higher up;
 *            others, who hold nothing, wait for older ones and for holders. No circle.
 * STATE      node.state: WAITING -> GRANTED, by who took its last blocker, after the lock was given back: its last
 *            access to the node. All else of a node is under the lock; blockers 0: it is granted, or about to be told
 *            so. A wait that is over looks at that under the lock: a grant that came first is kept.
 * EDGES      qspin.h: what the holder did, to the next. G1 GRANTED -> G2 the waiter's look.
 * LOCK ORDER the spin lock is a leaf: nothing is waited for under it.
 * PROGRESS   First come, first served among ranges that meet; nobody barges in, not even for an instant. So no waiter
 *            starves, as long as each is served whom it waits for.
 *            An overtake is counted where those that have passed a waiter are all that it still waits for, and at each
 *            passing from then on.
 * NOT PROMISED  How often threads that hold one range, and ask for another above it, pass one that waits there for all
 *            of them. That the lock is fair.
 * COST       two turns of one lock for each visit, whatever it visits; O(log n) nodes touched for each range met.
 * WEAKNESS   One spin lock, and the tree's upper nodes: all visits and edits take these lines from each other, disjoint
 *            or not. Eight cores get a quarter done of what one does, and spin for most of their time (docs/rivals.md).
 * SOURCE     Jan Kara, "lib: Implement range locks" (LKML 2013); Davidlohr Bueso, "locking: Introduce range reader/
 *            writer lock" (LKML 2017-2019): tree, counts, waiting ranges in the tree. Nested requests and the treap
 *            (Seidel and Aragon 1996) are ours. Re-derived.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/assert.h"
#include "base/park.h"
#include "base/point.h"
#include "base/prng.h"
#include "base/qspin.h"
#include "locks/policy/beside.h"
#include "locks/policy/treap.h"

enum { TREE_WAITING, TREE_GRANTED };

struct tree_node {
	struct treap_node at;                    /* the range                                                      */
	struct tree_node *later;                 /* who is to be told next                                         */
	uint64_t ticket;
	uint32_t blockers, passed;               /* passed: how many of them came after it                         */
	uint32_t overtaken;
	uint32_t owner;
	bool exclusive, nested;
	atomic_u32 state;
};

struct tree_thread {
	struct beside_thread home;               /* first                                                          */
	struct tree_node node[BESIDE_LOCKS] PAIR_ALIGNED;
};

struct tree_state {
	struct beside beside;                    /* first                                                          */
	struct qspin lock PAIR_ALIGNED;          /* of all below, and of the nodes                                 */
	struct treap_node *root;
	uint64_t tickets;
	uint64_t hand_overs, max_overtakes;
	struct tree_thread spare PAIR_ALIGNED;
};

static struct tree_node *node_of(struct beside_thread *home, unsigned which)
{
	return &container_of(home, struct tree_thread, home)->node[which];
}

/* ---- blockers: all under the lock ---- */

struct tree_walk {
	struct tree_state *s;
	struct tree_node *by;                    /* of which the others are looked at                              */
	struct tree_node *granted;               /* chain of those that have lost their last blocker               */
	void (*fn)(struct tree_walk *w, struct tree_node *other);
};

static void walk_node(void *arg, struct treap_node *at)
{
	struct tree_node *n = container_of(at, struct tree_node, at);
	struct tree_walk *w = arg;

	if (n != w->by && (n->exclusive || w->by->exclusive))
		w->fn(w, n);
}

/* Each node that meets w->by in conflict, in the order of addresses; by itself not. */
static void tree_walk(struct tree_walk *w)
{
	treap_each(w->s->root, w->by->at.r, walk_node, w);
}

static void walk_blocks(struct tree_walk *w, struct tree_node *other)
{
	if (other->blockers && ((w->by->nested && !BASE_MUTANT(tree_nested_queues)) || BASE_MUTANT(tree_barges)))
		return;
	w->by->blockers++;
}

static void count_overtake(struct tree_walk *w, struct tree_node *n)
{
	if (++n->overtaken > w->s->max_overtakes)
		w->s->max_overtakes = n->overtaken;
}

/* w->by has been granted: `other`, which waits, counts it from now on, if it did not before. */
static void walk_passes(struct tree_walk *w, struct tree_node *other)
{
	bool after = w->by->ticket > other->ticket;

	if (!other->blockers || (!other->nested && !after) || BASE_MUTANT(tree_passes_uncounted))
		return;
	if (after && other->blockers == other->passed)
		count_overtake(w, other);
	other->blockers++;
	other->passed += after;
}

static void tree_granted(struct tree_walk *w, struct tree_node *n)
{
	struct tree_walk passes = { .s = w->s, .by = n, .fn = walk_passes };

	n->later = w->granted;
	w->granted = n;
	w->s->hand_overs++;
	tree_walk(&passes);
}

static void lose_blocker(struct tree_walk *w, struct tree_node *n)
{
	n->passed -= w->by->ticket > n->ticket;
	if (--n->blockers == 0)
		tree_granted(w, n);
	else if (n->blockers == n->passed)
		count_overtake(w, n);
}

/* w->by was held, and has gone. */
static void walk_released(struct tree_walk *w, struct tree_node *other)
{
	if (other->blockers)
		lose_blocker(w, other);
}

/* w->by was waiting, and has gone. */
static void walk_cancelled(struct tree_walk *w, struct tree_node *other)
{
	if (other->blockers && !other->nested && other->ticket > w->by->ticket)
		lose_blocker(w, other);
}

/* ---- taking and giving ---- */

/* Outside the lock. A node that has been told is its owner's again. */
static void tell_granted(struct tree_node *list)
{
	for (struct tree_node *n = list, *later; n; n = later) {
		BASE_POINT(tree_before_grant);
		later = n->later;
		atomic_store_release(&n->state, TREE_GRANTED);                  /* G1 -> G2 */
		park_wake(&n->state, 1);
		BASE_POINT(grant_done);
		if (BASE_MUTANT(tree_reads_after))
			later = n->later;
	}
}

/* True: it waits no more, and has nothing. */
static bool tree_cancel(struct tree_state *s, struct tree_node *n)
{
	struct tree_walk w = { .s = s, .by = n, .fn = walk_cancelled };
	bool waits;

	qspin_lock(&s->lock);
	waits = n->blockers || BASE_MUTANT(tree_cancel_unchecked);
	if (waits) {
		treap_erase(&s->root, &n->at);
		if (!BASE_MUTANT(tree_cancel_silent))
			tree_walk(&w);
	}
	qspin_unlock(&s->lock);
	tell_granted(w.granted);
	return waits;
}

static NOINLINE int tree_wait(struct tree_state *s, const struct beside_want *want, struct tree_node *n)
{
	uint64_t deadline_ns = want->deadline_ns;

	atomic_bump(want->exclusive ? &want->home->edits_waited : &want->home->visits_waited, 1);
	BASE_POINT(waiter_before_sleep);
	while (atomic_load_acquire(&n->state) == TREE_WAITING) {                 /* G2 -> G1 */
		if (park_wait(&n->state, TREE_WAITING, deadline_ns) != -ETIMEDOUT)
			continue;
		if (tree_cancel(s, n))
			return -ETIMEDOUT;
		deadline_ns = LOCK_FOREVER;              /* it has been granted: somebody is about to say so       */
	}
	BASE_POINT(waiter_woken);
	return 0;
}

static int tree_take(struct beside *b, const struct beside_want *want)
{
	struct tree_state *s = (struct tree_state *)b;
	struct tree_node *n = node_of(want->home, want->which);
	struct tree_walk w = { .s = s, .by = n, .fn = walk_blocks };
	uint32_t blockers = 0;

	n->at.r = want->r;
	n->exclusive = want->exclusive;
	n->nested = want->home->held.n != 0;
	n->owner = want->self->number;
	n->blockers = n->passed = n->overtaken = 0;
	n->later = NULL;
	atomic_store_relaxed(&n->state, TREE_WAITING);
	qspin_lock(&s->lock);
	n->ticket = ++s->tickets;
	n->at.weight = (uint32_t)prng_mix(n->ticket);
	if (unlikely(s->root)) {
		tree_walk(&w);
		blockers = n->blockers;
	}
	if (unlikely(blockers && want->deadline_ns == LOCK_TRY)) {
		qspin_unlock(&s->lock);
		return -EAGAIN;
	}
	treap_insert(&s->root, &n->at);
	if (unlikely(n->nested && !blockers)) {
		w.fn = walk_passes;
		tree_walk(&w);
	}
	qspin_unlock(&s->lock);
	return likely(!blockers) ? 0 : tree_wait(s, want, n);
}

static void tree_give(struct beside *b, struct thread_slot *self, struct beside_thread *home, unsigned which)
{
	struct tree_state *s = (struct tree_state *)b;
	struct tree_node *n = node_of(home, which);
	struct tree_walk w = { .s = s, .by = n, .fn = walk_released };

	(void)self;
	qspin_lock(&s->lock);
	treap_erase(&s->root, &n->at);
	if (unlikely(s->root))
		tree_walk(&w);
	qspin_unlock(&s->lock);
	if (unlikely(w.granted))
		tell_granted(w.granted);
}

/* ---- the policy ---- */

static const struct beside_lock tree_lock = { .take = tree_take, .give = tree_give };

static int tree_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	struct tree_state *s = state;

	return beside_init(&s->beside, &tree_lock, space, view, sizeof(struct tree_thread), &s->spare.home);
}

static void tree_stats(const void *state, struct lock_stats *out)
{
	struct tree_state *s = (struct tree_state *)state;

	*out = (struct lock_stats){ 0 };
	beside_stats(&s->beside, out);
	qspin_lock(&s->lock);
	out->hand_overs = s->hand_overs;
	out->max_overtakes = s->max_overtakes;
	qspin_unlock(&s->lock);
}

static void node_dump(void *arg, struct treap_node *at)
{
	const struct tree_node *n = container_of(at, struct tree_node, at);
	FILE *out = arg;

	fprintf(out, "  [%#" PRIx64 ", %#" PRIx64 ") thread %" PRIu32 " %s, ", at->r.lo, at->r.hi, n->owner,
		n->exclusive ? "edits" : "visits");
	if (n->blockers)
		fprintf(out, "waits for %" PRIu32 ", ticket %" PRIu64 "\n", n->blockers, n->ticket);
	else
		fprintf(out, "holds\n");
}

static void dump_all(const struct tree_state *s, FILE *out)
{
	treap_each(s->root, (struct lock_range){ 0, ADDRESS_END }, node_dump, out);
}

static void tree_dump(const void *state, FILE *out)
{
	struct tree_state *s = (struct tree_state *)state;

	fprintf(out, "range-tree:\n");
	qspin_lock(&s->lock);
	dump_all(s, out);
	qspin_unlock(&s->lock);
}

static uint64_t tree_audit(const void *state, FILE *out)
{
	struct tree_state *s = (struct tree_state *)state;
	uint64_t bad = beside_audit(&s->beside, out);

	qspin_lock(&s->lock);
	if (s->root) {
		bad++;
		if (out)
			dump_all(s, out);
	}
	qspin_unlock(&s->lock);
	return bad;
}

const struct lock_policy lock_policy_range_tree = {
	.name = "range-tree",
	.idea = "ranges held and waiting in one interval tree under one spin lock",
	.source = "Kara 2013, Bueso 2017-19: range locks for the Linux kernel",
	.weakness = "each visit takes the one spin lock twice; a wide range that waits blocks what comes after it",
	.caps = BESIDE_CAPS,
	.state_bytes = sizeof(struct tree_state),
	.init = tree_init, .fini = beside_fini,
	BESIDE_OPERATIONS,
	.gap_wait = beside_gap_wait,
	.stats = tree_stats, .dump = tree_dump, .audit = tree_audit,
};
