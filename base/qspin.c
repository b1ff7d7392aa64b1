/* SPDX-License-Identifier: MIT */
/* qspin.c - who waits for a queued spin lock, and who lets go when somebody does: see qspin.h. */
#include "base/park.h"
#include "base/point.h"
#include "base/qspin.h"

struct qspin_node {
	_Atomic(struct qspin_node *) next;
	atomic_u32 turn;
} LINE_ALIGNED;

/* By the first in the queue. */
static void wait_word(struct qspin *q)
{
	struct park_spin spin = PARK_SPIN;
	bool impatient = false, lost = false;
	uint32_t word;

	for (;;) {
		word = atomic_load_relaxed(&q->word);
		if (word != QSPIN_HELD) {
			BASE_POINT(qspin_before_take);
			if (atomic_cas_acquire(&q->word, &word, QSPIN_HELD))     /* L1 -> U1 */
				break;
			lost = true;
		}
		if ((lost || spin.rounds >= QSPIN_PATIENCE) && !impatient) {
			impatient = true;
			atomic_store_relaxed(&q->impatient, 1);
			BASE_POINT(qspin_impatient);
		}
		park_spin_queued(&spin);
	}
	if (impatient)
		atomic_store_relaxed(&q->impatient, 0);
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
	struct qspin_node node = { 0 }, *before;

	before = atomic_swap_acqrel(&q->tail, &node);                            /* Q1 -> Q1 */
	BASE_POINT(qspin_queued);
	if (before != NULL) {
		atomic_store_release(&before->next, &node);                      /* N1 -> N2 */
		wait_turn(&node);
	}
	if (before == NULL || !BASE_MUTANT(qspin_turn_is_lock))
		wait_word(q);
	q->heir = leave(q, &node);
}

/* Somebody waits: who is impatient has been first before this. */
NOINLINE void qspin_pass_on(struct qspin *q)
{
	struct qspin_node *heir = q->heir;
	bool offered = atomic_load_relaxed(&q->impatient) != 0 && !BASE_MUTANT(qspin_offers_all);

	q->heir = NULL;
	atomic_store_release(&q->word, offered ? QSPIN_OFFERED : QSPIN_FREE);    /* U1 -> L1 */
	if (heir != NULL)
		atomic_store_release(&heir->turn, 1);                            /* T1: and its node may be gone */
}
