/* SPDX-License-Identifier: MIT */
/* range_report.c - statistics, dump, audit of range locks. Dump may run at any time: it reads atomics, one by one. */
#include <inttypes.h>

#include "locks/range_lock.h"

static const char *const state_name[] = { "free", "waiting", "claimed", "granted", "cancelled" };

void range_stats(struct range_locks *locks, struct range_stats *out)
{
	*out = (struct range_stats){ 0 };
	for (uint32_t i = 0; i < thread_count(); i++) {
		struct range_thread *t = range_thread_at(locks, i);
		uint64_t worst;

		if (!t)
			continue;
		out->visits_waited += atomic_load_relaxed(&t->visits_waited);
		out->edits_waited += atomic_load_relaxed(&t->edits_waited);
		out->hand_overs += atomic_load_relaxed(&t->hand_overs);
		out->merge_notes += atomic_load_relaxed(&t->merge_notes);
		worst = atomic_load_relaxed(&t->max_overtakes);
		if (worst > out->max_overtakes)
			out->max_overtakes = worst;
	}
}

/* On whom does thread `slot` wait? -1: on nobody. */
static int64_t waits_for(struct range_locks *locks, uint32_t slot, uint64_t *addr)
{
	struct range_thread *t = range_thread_at(locks, slot);

	for (unsigned i = 0; t && i < WAITERS_PER_THREAD; i++) {
		struct range_waiter *w = &t->waiter[i];
		uint32_t state = atomic_load_acquire(&w->state);                /* W4 -> W3 */
		struct range_lock *on = atomic_load_relaxed(&w->on);

		if ((state != WAITER_WAITING && state != WAITER_CLAIMED) || !on)
			continue;
		*addr = atomic_load_relaxed(&w->addr);
		return on->owner;
	}
	return -1;
}

static void dump_chain(struct range_locks *locks, uint32_t slot, FILE *out)
{
	uint64_t addr = 0;
	int64_t next = slot;

	fprintf(out, "  chain: %" PRIu32, slot);
	for (unsigned steps = 0; steps < 32; steps++) {
		next = waits_for(locks, (uint32_t)next, &addr);
		if (next < 0)
			break;
		fprintf(out, " -(%#" PRIx64 ")-> %" PRId64, addr, next);
		if (next == slot) {
			fprintf(out, " (a ring)");
			break;
		}
	}
	fprintf(out, "\n");
}

static void dump_lock(struct range_lock *l, uint32_t thread, FILE *out)
{
	if (atomic_load_acquire(&l->busy))                                      /* R6 -> R5 */
		fprintf(out, "  thread %" PRIu32 " holds [%#" PRIx64 ", %#" PRIx64 ") and wants up to %#" PRIx64
			", queue %#" PRIx64 "\n", thread, atomic_load_relaxed(&l->lo), atomic_load_relaxed(&l->cursor),
			atomic_load_relaxed(&l->hi), atomic_load_relaxed(&l->queue.word));
}

static void dump_waiter(struct range_waiter *w, uint32_t thread, FILE *out)
{
	uint32_t state = atomic_load_acquire(&w->state);                        /* W4 -> W3 */

	if (state != WAITER_FREE)
		fprintf(out, "  thread %" PRIu32 " %s at %#" PRIx64 ", ticket %" PRIu64 "\n", thread, state_name[state],
			atomic_load_relaxed(&w->addr), atomic_load_relaxed(&w->ticket));
}

void range_dump(struct range_locks *locks, FILE *out)
{
	uint64_t addr;

	for (uint32_t i = 0; i < thread_count(); i++) {
		struct range_thread *t = range_thread_at(locks, i);

		if (!t)
			continue;
		for (unsigned k = 0; k < LOCK_HELD_MAX; k++)
			dump_lock(&t->lock[k], i, out);
		for (unsigned k = 0; k < WAITERS_PER_THREAD; k++)
			dump_waiter(&t->waiter[k], i, out);
		if (atomic_load_relaxed(&t->insist_ticket))
			fprintf(out, "  thread %" PRIu32 " insists at %#" PRIx64 ", ticket %" PRIu64 "\n", i,
				atomic_load_relaxed(&t->insist_at), atomic_load_relaxed(&t->insist_ticket));
		if (waits_for(locks, i, &addr) >= 0)
			dump_chain(locks, i, out);
	}
}

static bool lock_in_use(struct range_lock *l)
{
	return atomic_load_acquire(&l->busy) ||                                 /* R6 -> R5: quiescent */
	       range_queue_open_now(atomic_load_acquire(&l->queue.word));       /* Q3 -> Q2 */
}

uint64_t range_audit(struct range_locks *locks, FILE *out)
{
	uint64_t bad = atomic_load_relaxed(&locks->insisting);

	for (uint32_t i = 0; i < thread_count(); i++) {
		struct range_thread *t = range_thread_at(locks, i);

		if (!t)
			continue;
		bad += t->held.n + t->held.pins;
		for (unsigned k = 0; k < LOCK_HELD_MAX; k++)
			bad += lock_in_use(&t->lock[k]);
		for (unsigned k = 0; k < WAITERS_PER_THREAD; k++)
			bad += atomic_load_acquire(&t->waiter[k].state) != WAITER_FREE; /* W2 -> W1: quiescent */
	}
	if (bad && out) {
		fprintf(out, "lock: %" PRIu64 " range locks, ranges or waiters in use:\n", bad);
		range_dump(locks, out);
	}
	return bad;
}
