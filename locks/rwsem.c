/* SPDX-License-Identifier: MIT */
/* rwsem.c - the slow paths: spin, queue, wake, hand over; rwsem.h has the protocol. */
#include "locks/rwsem.h"

#include <errno.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/park.h"
#include "base/point.h"
#include "base/spin.h"

#ifndef SPIN_ROUNDS                              /* the models look once                                           */
#define SPIN_ROUNDS  96
#endif
#define LOOK_NS      UINT64_C(1000000)
#define BARGED_LIMIT 2

enum node_state { NODE_WAITING, NODE_WOKEN, NODE_GRANTED };

struct rwsem_node {
	struct rwsem_node *next;
	atomic_u32 state;
	atomic_u32 is_first;                     /* in the queue, for good: none but the first needs to look       */
	bool exclusive;
	uint32_t barged;                         /* times the lock went to another while this was first            */
};

static bool word_free(uint32_t word) { return word < RWSEM_READER && !(word & RWSEM_W); }

/* Under queue_lock, like all below that take no lock themselves. */
static void queue_remove(struct rwsem *s, struct rwsem_node *node)
{
	struct rwsem_node *before = NULL, *at = s->first;

	while (at != node) {
		before = at;
		at = at->next;
	}
	if (before)
		before->next = node->next;
	else
		s->first = node->next;
	if (s->last == node)
		s->last = before;
	if (!s->first) {
		atomic_and_acqrel(&s->word, ~(uint32_t)(RWSEM_QUEUED | RWSEM_HANDOFF)); /* Q1 -> U1: nobody waits */
	} else if (!before) {
		atomic_store_relaxed(&s->first->is_first, 1);
		atomic_and_acqrel(&s->word, ~(uint32_t)RWSEM_HANDOFF);  /* Q1 -> U1: the new first begins anew */
	}
}

static void node_barged(struct rwsem *s, struct rwsem_node *node)
{
	if (atomic_load_relaxed(&s->word) & RWSEM_HANDOFF)
		return;                          /* who holds it came before that: nobody passes any more          */
	if (++node->barged > atomic_load_relaxed(&s->max_overtakes))
		atomic_store_relaxed(&s->max_overtakes, node->barged);
	if (node->barged >= BARGED_LIMIT && !BASE_MUTANT(rwsem_no_handoff))
		atomic_or_acqrel(&s->word, RWSEM_HANDOFF);                      /* Q1 -> U1 */
}

static void node_grant(struct rwsem_node *node)
{
	atomic_store_release(&node->state, NODE_GRANTED);                        /* G1 -> G2 */
	park_wake(&node->state, 1);
}

/* The lock becomes the first one's, unless somebody is in. False: look again. */
static bool wake_exclusive(struct rwsem *s, struct rwsem_node *node, uint32_t word)
{
	if (!word_free(word))
		return true;
	if (!(word & RWSEM_HANDOFF)) {
		atomic_store_release(&node->state, NODE_WOKEN);                 /* G1 -> G2: to look */
		park_wake(&node->state, 1);
		return true;
	}
	if (!atomic_cas_acqrel(&s->word, &word, word | RWSEM_W))                /* L1 -> U1: for another, by G1 */
		return false;
	queue_remove(s, node);
	atomic_bump(&s->hand_overs, 1);
	node_grant(node);
	return true;
}

static bool wake_shared(struct rwsem *s, uint32_t word, bool released)
{
	struct rwsem_node *node, *next;
	uint32_t n = 0;

	if (word & RWSEM_W) {
		if (released)
			node_barged(s, s->first);
		return true;
	}
	for (node = s->first; node && !node->exclusive; node = node->next)
		n++;
	if (!atomic_cas_acqrel(&s->word, &word, word + n * RWSEM_READER))       /* L1 -> U1: for others, by G1 */
		return false;
	for (node = s->first; n; node = next, n--) {
		next = node->next;
		queue_remove(s, node);
		node_grant(node);
	}
	return true;
}

/* released: the lock came free a moment ago; if it is held, somebody barged. */
static void wake_first(struct rwsem *s, bool released)
{
	bool done = false;

	while (!done && s->first) {
		uint32_t word = atomic_load_acquire(&s->word);                  /* L1 -> U1: a CAS compares it */

		done = s->first->exclusive ? wake_exclusive(s, s->first, word) : wake_shared(s, word, released);
	}
}

void rwsem_wake(struct rwsem *s)
{
	BASE_POINT(rwsem_before_wake);
	spin_lock(&s->queue_lock);
	wake_first(s, true);
	spin_unlock(&s->queue_lock);
}

void rwsem_take_back(struct rwsem *s)
{
	uint32_t old = atomic_sub_acqrel(&s->word, RWSEM_READER);               /* U1 -> L1, Q1 */

	if ((old & RWSEM_QUEUED) && word_free(old - RWSEM_READER))
		rwsem_wake(s);
}

static void queue_join(struct rwsem *s, struct rwsem_node *node)
{
	BASE_POINT(rwsem_before_join);
	spin_lock(&s->queue_lock);
	if (s->last)
		s->last->next = node;
	else
		s->first = node;
	atomic_store_relaxed(&node->is_first, s->first == node);
	s->last = node;
	atomic_bump(node->exclusive ? &s->waits_exclusive : &s->waits_shared, 1);
	atomic_or_acqrel(&s->word, RWSEM_QUEUED);                               /* Q1 -> U1 */
	if (!(atomic_load_acquire(&s->word) & RWSEM_W) &&                       /* Q1 -> U1: the last look */
	    !BASE_MUTANT(rwsem_no_last_look))
		wake_first(s, false); /* it came free, or shared, before QUEUED was there */
	spin_unlock(&s->queue_lock);
}

/* The deadline is over. 0: granted just now. */
static int queue_quit(struct rwsem *s, struct rwsem_node *node)
{
	int rc = 0;

	BASE_POINT(rwsem_before_quit);
	spin_lock(&s->queue_lock);
	if (atomic_load_acquire(&node->state) != NODE_GRANTED) {                /* G2 -> G1 */
		queue_remove(s, node);
		wake_first(s, false); /* who stood behind may be able to go */
		rc = -ETIMEDOUT;
	} else if (BASE_MUTANT(rwsem_quits_granted)) {
		rc = -ETIMEDOUT;
	}
	spin_unlock(&s->queue_lock);
	return rc;
}

int rwsem_wait_shared(struct rwsem *s, uint64_t deadline_ns)
{
	struct rwsem_node node = { .exclusive = false };

	for (unsigned i = 0; i < SPIN_ROUNDS; i++) {
		if (!(atomic_load_relaxed(&s->word) & (RWSEM_W | RWSEM_HANDOFF)) && rwsem_try_shared(s))
			return 0;
		atomic_pause();
	}
	queue_join(s, &node);
	while (atomic_load_acquire(&node.state) != NODE_GRANTED)                 /* G2 -> G1 */
		if (park_wait(&node.state, NODE_WAITING, deadline_ns) == -ETIMEDOUT)
			return queue_quit(s, &node);
	return 0;
}

/* Barges: takes the free lock over the heads of those who wait, if that is allowed. */
static bool barge(struct rwsem *s)
{
	uint32_t word = atomic_load_relaxed(&s->word);

	return word_free(word) && !(word & RWSEM_HANDOFF) &&
	       atomic_cas_acqrel(&s->word, &word, word | RWSEM_W);              /* L1 -> U1 */
}

/* First in the queue and woken to try. True: it has the lock, or was granted it. */
static bool woken_try(struct rwsem *s, struct rwsem_node *node)
{
	uint32_t state = NODE_WOKEN;
	bool mine;

	BASE_POINT(rwsem_woken);
	if (BASE_MUTANT(rwsem_forgets_grant))
		atomic_store_release(&node->state, NODE_WAITING);               /* G2 -> G1 */
	/* Waiting again before the look, so that whoever releases after it wakes us. If HANDOFF came between, the lock
	 * may be ours already. */
	else if (!atomic_cas_acqrel(&node->state, &state, NODE_WAITING))        /* G2 -> G1: waits again, or granted */
		return true;
	mine = barge(s);
	spin_lock(&s->queue_lock);
	if (atomic_load_relaxed(&node->state) == NODE_GRANTED) {
		mine = true;
	} else if (mine) {
		queue_remove(s, node);
	} else {
		node_barged(s, node);
		wake_first(s, false);            /* HANDOFF may have come too late for the one who barged          */
	}
	mine = mine || atomic_load_relaxed(&node->state) == NODE_GRANTED;
	spin_unlock(&s->queue_lock);
	return mine;
}

/* Sleeps, and looks from time to time. -ETIMEDOUT: the caller's own deadline. */
static int exclusive_sleep(struct rwsem *s, struct rwsem_node *node, uint64_t deadline_ns)
{
	uint64_t look = clock_ns() + LOOK_NS;
	bool last = deadline_ns <= look;

	BASE_POINT(rwsem_before_sleep);
	if (park_wait(&node->state, NODE_WAITING, last ? deadline_ns : look) != -ETIMEDOUT)
		return 0;
	if (last)
		return -ETIMEDOUT;
	if (!atomic_load_relaxed(&node->is_first) && !BASE_MUTANT(rwsem_all_look))
		return 0;                        /* hundreds that look leave the releasers no room at queue_lock   */
	BASE_POINT(rwsem_look);
	spin_lock(&s->queue_lock);
	if (s->first == node && !(atomic_load_relaxed(&s->word) & RWSEM_W)) {
		node_barged(s, node);            /* an exclusive holder would have to wake us first                */
		wake_first(s, false);
	}
	spin_unlock(&s->queue_lock);
	BASE_POINT(rwsem_looked);
	return 0;
}

int rwsem_wait_exclusive(struct rwsem *s, uint64_t deadline_ns)
{
	struct rwsem_node node = { .exclusive = true };
	uint32_t state;

	for (unsigned i = 0; i < SPIN_ROUNDS; i++) {
		if (barge(s))
			return 0;
		atomic_pause();
	}
	queue_join(s, &node);
	while ((state = atomic_load_acquire(&node.state)) != NODE_GRANTED) {     /* G2 -> G1 */
		if (state == NODE_WOKEN) {
			if (woken_try(s, &node))
				return 0;
			continue;
		}
		if (exclusive_sleep(s, &node, deadline_ns) == -ETIMEDOUT)
			return queue_quit(s, &node);
	}
	return 0;
}
