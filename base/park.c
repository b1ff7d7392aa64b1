/* SPDX-License-Identifier: MIT */
/*
 * park.c - futex waits, spinning, and the count of who was blocked.
 *
 * park_wait     the word's owner stores, then calls park_wake. The sleeper's "still expected" check is made by the
 *               kernel under its bucket lock, so a wake after the store is never lost. Whoever returns looks at the
 *               word again: every return is allowed to be spurious.
 * park_mutex    0 free -> 1 held -> 2 held, perhaps slept on. U1 (unlock's release swap) -> L1 (lock's acquire).
 *               A sleeper always takes it as 2, since it cannot know whether others sleep: at worst one wake too many.
 *               Progress: as the futex queue, unfair; a lock that is short and rare does not need more.
 * Spinning      a wait of a few hundred ns is common (a holder running on the other CPU), one of less than a time
 *               slice is not (the holder has lost its CPU). So each thread spins as long as it lately paid: twice as
 *               long after a success, half as long after a sleep. Costs 128 pauses at most.
 * Counts        park_count, park_blocked of the caller's slot; a thread that has no slot yet is not counted.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/assert.h"
#include "base/park.h"
#include "base/thread.h"

#define SPINS_MIN      4
#define SPINS_MAX      128
#define SPINS_START    32
#define ROUNDS_PAUSE   32
#define ROUNDS_BLOCKED 1000
#define NAP_NS         50000

static bool one_cpu;

__attribute__((constructor)) static void park_load(void)
{
	one_cpu = sysconf(_SC_NPROCESSORS_ONLN) == 1;
}

static void count_blocked(struct thread_slot *self)
{
	if (self == NULL)
		return;
	self->park_count++;
	atomic_bump(&self->park_blocked, 1);
}

/* True: the word changed while we looked. */
static bool spin_for_change(struct thread_slot *self, atomic_u32 *word, uint32_t expected)
{
	uint32_t limit = self && self->park_spins ? self->park_spins : SPINS_START;
	uint32_t i;

	if (one_cpu)
		return false;
	for (i = 0; i < limit; i++) {
		if (atomic_load_relaxed(word) != expected)
			break;
		atomic_pause();
	}
	if (self)
		self->park_spins = i < limit ? (limit < SPINS_MAX ? limit * 2 : SPINS_MAX) :
					       (limit > SPINS_MIN ? limit / 2 : SPINS_MIN);
	return i < limit;
}

int park_stall(atomic_u32 *word, uint32_t expected, uint64_t deadline_ns)
{
	struct timespec until = { (time_t)(deadline_ns / 1000000000), (long)(deadline_ns % 1000000000) };
	long rc;

	if (deadline_ns == PARK_TRY)
		return atomic_load_relaxed(word) == expected ? -ETIMEDOUT : 0;
	rc = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
		     deadline_ns == PARK_FOREVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
	if (rc == 0 || errno == EAGAIN || errno == EINTR)
		return 0;
	CHECK(errno == ETIMEDOUT);
	return -ETIMEDOUT;
}

int park_wait(atomic_u32 *word, uint32_t expected, uint64_t deadline_ns)
{
	struct thread_slot *self = thread_current;

	if (deadline_ns == PARK_TRY)
		return park_stall(word, expected, deadline_ns);
	ASSERT(self == NULL || self->rcu_nest == 0);
	count_blocked(self);
	if (spin_for_change(self, word, expected))
		return 0;
	return park_stall(word, expected, deadline_ns);
}

void park_wake(atomic_u32 *word, int n)
{
	/* Fails only for an address that is no longer mapped: nobody can sleep there. */
	(void)syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, NULL, NULL, 0);
}

static ALWAYS_INLINE void spin_round(struct park_spin *spin, bool naps)
{
	struct thread_slot *self = thread_current;
	uint32_t round = spin->rounds++;

	if (round < ROUNDS_PAUSE && !one_cpu) {
		atomic_pause();
		return;
	}
	if (round == ROUNDS_BLOCKED)
		count_blocked(self);
	if (round < ROUNDS_BLOCKED || !naps || (self && self->rcu_nest != 0)) {
		sched_yield();
		return;
	}
	nanosleep(&(struct timespec){ 0, NAP_NS }, NULL);
}

void park_spin(struct park_spin *spin)
{
	spin_round(spin, true);
}

void park_spin_queued(struct park_spin *spin)
{
	spin_round(spin, false);
}

void park_lock(struct park_mutex *m)
{
	uint32_t seen = 0;

	if (atomic_cas_acquire(&m->word, &seen, 1))                              /* L1 -> U1 */
		return;
	while (atomic_swap_acqrel(&m->word, 2) != 0)                             /* L1 -> U1 */
		park_wait(&m->word, 2, PARK_FOREVER);
}

bool park_trylock(struct park_mutex *m)
{
	uint32_t seen = 0;

	return atomic_cas_acquire(&m->word, &seen, 1);                           /* L1 -> U1 */
}

void park_stall_lock(struct park_mutex *m)
{
	uint32_t seen = 0;

	if (atomic_cas_acquire(&m->word, &seen, 1))                              /* L1 -> U1 */
		return;
	while (atomic_swap_acqrel(&m->word, 2) != 0)                             /* L1 -> U1 */
		park_stall(&m->word, 2, PARK_FOREVER);
}

void park_unlock(struct park_mutex *m)
{
	if (atomic_swap_acqrel(&m->word, 0) == 2)                                /* U1 -> L1 */
		park_wake(&m->word, 1);
}

uint64_t park_blocked_total(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < thread_count(); i++)
		sum += atomic_load_relaxed(&thread_at(i)->park_blocked);
	return sum;
}

uint64_t park_blocked_self(void)
{
	return atomic_load_relaxed(&thread_self()->park_blocked);
}
