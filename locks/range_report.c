/* SPDX-License-Identifier: MIT */
/* range_report.c - statistics, dump and audit of range locks. Dump may run at any time: it reads atomics, each by itself. */
#include <inttypes.h>

#include "locks/range_lock.h"

static const char *const state_name[] = { "free", "waiting", "claimed", "granted", "cancelled" };

void range_stats(struct range_locks *locks, uint64_t *waits_visit, uint64_t *waits_edit, uint64_t *hands, uint64_t *overtakes,
		 uint64_t *notes)
{
	for (uint32_t i = 0; i < thread_count(); i++) {
		struct range_thread *t = range_thread_at(locks, i);
		uint64_t worst;

		if (!t)
			continue;
		*waits_visit += atomic_load_relaxed(&t->visits_waited);
		*waits_edit += atomic_load_relaxed(&t->edits_waited);
		*hands += atomic_load_relaxed(&t->hand_overs);
		*notes += atomic_load_relaxed(&t->merge_notes);
		worst = atomic_load_relaxed(&t->max_overtakes);
		if (worst > *overtakes)
			*overtakes = worst;
	}
}

/* On whom does thread `slot` wait? -1: on nobody. */
static int64_t waits_for(struct range_locks *locks, uint32_t slot, uint64_t *addr)
{
	struct range_thread *t = range_thread_at(locks, slot);

	for (unsigned i = 0; t && i < WAITERS_PER_THREAD; i++) {
		struct range_waiter *w = &t->waiter[i];
		uint32_t state = atomic_load_acquire(&w->state);
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

void range_dump(struct range_locks *locks, FILE *out)
{
	uint64_t addr;

	for (uint32_t i = 0; i < thread_count(); i++) {
		struct range_thread *t = range_thread_at(locks, i);

		if (!t)
			continue;
		for (unsigned k = 0; k < LOCK_HELD_MAX; k++) {
			struct range_lock *l = &t->lock[k];

			if (atomic_load_acquire(&l->busy))
				fprintf(out, "  thread %" PRIu32 " lock %u: holds [%#" PRIx64 ", %#" PRIx64 ") of [.., %#" PRIx64
					"), queue %#" PRIx64 "\n", i, k, atomic_load_relaxed(&l->lo), atomic_load_relaxed(&l->cursor),
					atomic_load_relaxed(&l->hi), atomic_load_relaxed(&l->queue.word));
		}
		for (unsigned k = 0; k < WAITERS_PER_THREAD; k++) {
			struct range_waiter *w = &t->waiter[k];
			uint32_t state = atomic_load_acquire(&w->state);

			if (state != WAITER_FREE)
				fprintf(out, "  thread %" PRIu32 " record %u: %s at %#" PRIx64 ", ticket %" PRIu64 "\n", i, k,
					state_name[state], atomic_load_relaxed(&w->addr), atomic_load_relaxed(&w->ticket));
		}
		if (waits_for(locks, i, &addr) >= 0)
			dump_chain(locks, i, out);
	}
}

uint64_t range_audit(struct range_locks *locks, FILE *out)
{
	uint64_t bad = 0;

	for (uint32_t i = 0; i < thread_count(); i++) {
		struct range_thread *t = range_thread_at(locks, i);

		if (!t)
			continue;
		bad += t->held.n + t->held.pins;
		for (unsigned k = 0; k < LOCK_HELD_MAX; k++)
			bad += atomic_load_acquire(&t->lock[k].busy) || range_queue_open_now(atomic_load_acquire(&t->lock[k].queue.word));
		for (unsigned k = 0; k < WAITERS_PER_THREAD; k++)
			bad += atomic_load_acquire(&t->waiter[k].state) != WAITER_FREE;
	}
	if (bad && out) {
		fprintf(out, "lock: %" PRIu64 " range locks, ranges or waiters in use:\n", bad);
		range_dump(locks, out);
	}
	return bad;
}
