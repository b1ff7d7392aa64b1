/* SPDX-License-Identifier: MIT */
/*
 * rwlock.c - one pthread_rwlock over the map: the baseline everybody knows.
 *
 * SHARED      visits. EXCLUSIVE: edits, in general and in brief form.
 * ORDER       the lock is the outermost of the map's locks; nobody takes it inside an RCU section.
 * EDGES       glibc's: unlock -> lock.
 * PROGRESS    glibc's default kind prefers readers: an edit may wait as long as visits keep coming (no FIFO cap).
 * SOURCE      nptl/pthread_rwlock_common.c of glibc describes the algorithm.
 * A thread that must wait counts as blocked, as base/park would count it. Deadlines use the realtime clock in slices,
 * because ThreadSanitizer knows the timed calls but not the clock calls; the monotonic clock decides.
 */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/rcu.h"
#include "locks/policy/global.h"

struct rwlock_state {
	pthread_rwlock_t lock;
	struct global global PAIR_ALIGNED;
	atomic_u64 visits_waited, edits_waited;          /* bumped by who has to wait anyway                      */
};

enum { RWLOCK_BORROWED = 1 };                    /* own[0] of a visit: the lock is this thread's already            */

static int rwlock_init(void *state, struct lock_space *space, const struct lock_view *view)
{
	struct rwlock_state *s = state;
	int err = pthread_rwlock_init(&s->lock, NULL);

	return err ? -err : global_init(&s->global, space, view);
}

static void rwlock_fini(void *state)
{
	pthread_rwlock_destroy(&((struct rwlock_state *)state)->lock);
}

static int rwlock_timed(pthread_rwlock_t *lock, bool exclusive, uint64_t deadline_ns)
{
	for (;;) {
		uint64_t now = clock_ns(), left = deadline_ns > now ? deadline_ns - now : 0;
		struct timespec until;
		int err;

		if (left == 0)
			return -ETIMEDOUT;
		clock_gettime(CLOCK_REALTIME, &until);
		left += (uint64_t)until.tv_nsec;
		until.tv_sec += (time_t)(left / UINT64_C(1000000000));
		until.tv_nsec = (long)(left % UINT64_C(1000000000));
		err = exclusive ? pthread_rwlock_timedwrlock(lock, &until) : pthread_rwlock_timedrdlock(lock, &until);
		if (err == 0)
			return 0;
		CHECK(err == ETIMEDOUT);
	}
}

/* The lock was busy at the first try. */
static int rwlock_wait(struct rwlock_state *s, struct thread_slot *self, bool exclusive, uint64_t deadline_ns)
{
	int err;

	if (deadline_ns == LOCK_TRY)
		return -EAGAIN;
	ASSERT(!rcu_inside(self));
	atomic_bump(&self->park_blocked, 1);
	atomic_add_relaxed(exclusive ? &s->edits_waited : &s->visits_waited, 1);
	if (deadline_ns != LOCK_FOREVER)
		return rwlock_timed(&s->lock, exclusive, deadline_ns);
	err = exclusive ? pthread_rwlock_wrlock(&s->lock) : pthread_rwlock_rdlock(&s->lock);
	CHECK(err == 0);
	return 0;
}

static int rwlock_visit_begin(void *state, struct lock_visit *v, uint64_t deadline_ns)
{
	struct rwlock_state *s = state;
	int err;

	v->own[0] = 0;
	if (unlikely(pthread_rwlock_tryrdlock(&s->lock))) {
		if (global_mine(&s->global, v->self)) {
			if (lock_held_has(&s->global.held, v->r.lo))
				return -EDEADLK;
			v->own[0] = RWLOCK_BORROWED;
		} else {
			err = rwlock_wait(s, v->self, false, deadline_ns);
			if (err)
				return err;
		}
	}
	rcu_enter(v->self);
	global_find(&s->global, v);
	return 0;
}

static void rwlock_visit_end(void *state, struct lock_visit *v)
{
	struct rwlock_state *s = state;

	rcu_leave(v->self);
	if (likely(v->own[0] != RWLOCK_BORROWED))
		pthread_rwlock_unlock(&s->lock);
}

static void rwlock_edit_end(void *state, struct lock_edit *e)
{
	struct rwlock_state *s = state;

	if (global_leave(&s->global, e))
		pthread_rwlock_unlock(&s->lock);
}

static int rwlock_brief_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct rwlock_state *s = state;
	int err = 0;

	if (unlikely(pthread_rwlock_trywrlock(&s->lock)))
		err = global_mine(&s->global, e->self) ? global_may_nest(&s->global, e->r, deadline_ns) :
							 rwlock_wait(s, e->self, true, deadline_ns);
	if (!err)
		global_enter(&s->global, e);
	return err;
}

static int rwlock_edit_begin(void *state, struct lock_edit *e, uint64_t deadline_ns)
{
	struct rwlock_state *s = state;
	int err = rwlock_brief_begin(state, e, deadline_ns);

	if (err)
		return err;
	err = global_cut(&s->global, e);
	if (err)
		rwlock_edit_end(state, e);
	return err;
}

static void rwlock_stats(const void *state, struct lock_stats *out)
{
	struct rwlock_state *s = (struct rwlock_state *)state;

	*out = (struct lock_stats){ .visits_waited = atomic_load_relaxed(&s->visits_waited),
				    .edits_waited = atomic_load_relaxed(&s->edits_waited) };
}

static void rwlock_dump(const void *state, FILE *out)
{
	fprintf(out, "rwlock: (pthread keeps its readers and queue to itself)\n");
	global_dump(&((const struct rwlock_state *)state)->global, out);
}

static uint64_t rwlock_audit(const void *state, FILE *out)
{
	struct rwlock_state *s = (struct rwlock_state *)state;
	uint64_t bad = lock_audit_words(s->global.space, s->global.view, false, out) + s->global.held.n;

	if (pthread_rwlock_trywrlock(&s->lock)) {
		if (out)
			fprintf(out, "lock: the rwlock is held\n");
		return bad + 1;
	}
	pthread_rwlock_unlock(&s->lock);
	return bad;
}

const struct lock_policy lock_policy_rwlock = {
	.name = "rwlock",
	.idea = "one pthread_rwlock per map",
	.source = "glibc nptl/pthread_rwlock_common.c",
	.weakness = "every visit writes its one line; readers can starve an edit",
	.caps = LOCK_CAP_THREADS | LOCK_CAP_TRY | LOCK_CAP_DEADLINE,
	.state_bytes = sizeof(struct rwlock_state),
	.init = rwlock_init, .fini = rwlock_fini,
	.visit_begin = rwlock_visit_begin, .visit_valid = lock_visit_always, .visit_end = rwlock_visit_end,
	.edit_begin = rwlock_edit_begin, .edit_shut = lock_edit_nothing, .edit_born = global_born,
	.edit_dead = global_dead, .edit_end = rwlock_edit_end,
	.edit_take = lock_take_always, .edit_drop = global_drop,
	.brief_begin = rwlock_brief_begin, .brief_end = rwlock_edit_end,
	.stats = rwlock_stats, .dump = rwlock_dump, .audit = rwlock_audit,
};
