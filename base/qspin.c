/* SPDX-License-Identifier: MIT */
/* qspin.c - who waits for a queued spin lock, and who lets go when somebody does: see qspin.h. */
#include "base/park.h"
#include "base/point.h"
#include "base/qspin.h"

struct qspin_node {
	_Atomic(struct qspin_node *) next;
	atomic_u32 turn;
} LINE_ALIGNED;

static void wait_word(struct qspin *q)
{
	struct park_spin spin = PARK_SPIN;
	uint32_t word;

	BASE_POINT(qspin_before_word);
	while ((word = atomic_load_relaxed(&q->word)) == QSPIN_HELD ||
	       !atomic_cas_acquire(&q->word, &word, QSPIN_HELD))                 /* L1 -> U1 */
		park_spin_queued(&spin);
}

static void wait_turn(struct qspin_node *node)
{
	struct park_spin spin = PARK_SPIN;

	while (atomic_load_acquire(&node->turn) == 0)                            /* T2 -> T1 */
		park_spin_queued(&spin);
}

static struct qspin_node *wait_next(struct qspin_node *node)
{
	struct park_spin spin = PARK_SPIN;
	struct qspin_node *next;

	while ((next = atomic_load_acquire(&node->next)) == NULL)                /* N2 -> N1 */
		park_spin(&spin);
	return next;
}

/* By the holder: its node ends with this. Who is next now. */
static struct qspin_node *leave(struct qspin *q, struct qspin_node *node)
{
	struct qspin_node *next = atomic_load_acquire(&node->next), *last = node; /* N2 -> N1 */

	if (next != NULL)
		return next;
	BASE_POINT(qspin_before_leave);
	if (atomic_cas_relaxed(&q->tail, &last, NULL))
		return NULL;
	return BASE_MUTANT(qspin_leaves_next) ? NULL : wait_next(node);
}

NOINLINE void qspin_wait(struct qspin *q)
{
	struct qspin_node node, *before;

	atomic_store_relaxed(&node.next, NULL);
	atomic_store_relaxed(&node.turn, 0);
	before = atomic_swap_acqrel(&q->tail, &node);                            /* Q1 -> Q1 */
	BASE_POINT(qspin_queued);
	if (before == NULL) {
		wait_word(q);
	} else {
		atomic_store_release(&before->next, &node);                      /* N1 -> N2 */
		wait_turn(&node);
	}
	q->heir = leave(q, &node);
}

NOINLINE void qspin_hand_over(struct qspin *q)
{
	struct qspin_node *heir = q->heir;

	if (heir == NULL) {
		atomic_store_release(&q->word, BASE_MUTANT(qspin_offers_all) ?   /* U1 -> L1 */
				     QSPIN_FREE : QSPIN_OFFERED);
		return;
	}
	if (BASE_MUTANT(qspin_frees_for_heir))
		atomic_store_release(&q->word, QSPIN_FREE);                      /* U1 -> L1 */
	BASE_POINT(qspin_before_turn);
	atomic_store_release(&heir->turn, 1);                                    /* T1 -> T2: its node may be gone */
}
