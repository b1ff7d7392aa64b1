/* SPDX-License-Identifier: MIT */
/* rules_edit.c - edits against edits. */
#include "tests/policy/rules.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"

/* While `e` is held, an edit of [lo, hi) by another thread: blocked, and through once e has ended? */
static bool blocked_until_end(struct rule_run *run, unsigned lo, unsigned hi, struct lock_edit *e, bool *blocked)
{
	struct actor other;
	bool through;

	actor_start(&other, run->map, actor_edit, lo, hi, LOCK_FOREVER);
	*blocked = !actor_done(&other, RULE_SOON);
	fake_end(run->map, e);
	through = actor_done(&other, RULE_LATE);
	actor_join(&other);
	return through && !other.err;
}

/* Two pages each (no other rule edits just two), of which one is common: inside a VMA, from above, in a gap. */
static bool exclusion(struct rule_run *run)
{
	static const struct { unsigned a, b; } pair[] = { { 9, 10 }, { 21, 20 }, { 40, 41 } };

	fake_place(run->map, 8, 12);
	fake_place(run->map, 20, 21);
	for (unsigned i = 0; i < ARRAY_SIZE(pair); i++) {
		bool blocked;
		int err;
		struct lock_edit e = fake_begin(run->map, pair[i].a, pair[i].a + 2, LOCK_FOREVER, &err);

		RULE_NEED(run, !err);
		RULE_NEED(run, blocked_until_end(run, pair[i].b, pair[i].b + 2, &e, &blocked));
		RULE_NEED(run, blocked);
	}
	return true;
}

static bool not_blocked(struct rule_run *run, unsigned lo, unsigned hi, struct lock_edit *e)
{
	struct actor other;
	bool went;

	actor_start(&other, run->map, actor_edit, lo, hi, LOCK_FOREVER);
	went = actor_done(&other, 1000);
	fake_end(run->map, e);
	actor_join(&other);
	return went && !other.err;
}

static bool disjoint(struct rule_run *run)
{
	struct lock_edit e;
	int err;

	fake_place(run->map, 3, 4);
	fake_place(run->map, 4, 5);
	e = fake_begin(run->map, 3, 4, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	RULE_NEED(run, not_blocked(run, 4, 5, &e));
	e = fake_begin(run->map, 30, 31, LOCK_FOREVER, &err);
	RULE_NEED(run, !err && not_blocked(run, 31, 32, &e));
	return true;
}

static bool subrange(struct rule_run *run)
{
	struct lock_edit e;
	int err;

	fake_place(run->map, 8, 24);                             /* three leaves                                  */
	e = fake_begin(run->map, 14, 15, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	RULE_NEED(run, not_blocked(run, 15, 16, &e));
	return true;
}

/* No VMA crosses the borders of a held range. */
static bool cut_at_borders(struct rule_run *run)
{
	struct lock_slot *slot[6];
	struct lock_edit e;
	int err;

	fake_place(run->map, 32, 38);
	e = fake_begin(run->map, 33, 36, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	for (unsigned i = 0; i < 6; i++)
		slot[i] = fake_slot(run->map, 32 + i);
	fake_end(run->map, &e);
	RULE_NEED(run, slot[0] != slot[1] && slot[3] != slot[4]);
	RULE_NEED(run, slot[1] == slot[2] && slot[2] == slot[3] && slot[4] == slot[5]);
	RULE_NEED(run, fake_slot(run->map, 32) && fake_slot(run->map, 36));
	return true;
}

static bool try_never_waits(struct rule_run *run)
{
	struct actor other;
	struct lock_edit e;
	bool went;
	int err;

	e = fake_begin(run->map, 2, 3, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	actor_start(&other, run->map, actor_edit, 2, 3, LOCK_TRY);
	went = actor_done(&other, 2000);
	fake_end(run->map, &e);
	actor_join(&other);
	RULE_NEED(run, went && other.err == -EAGAIN);
	actor_start(&other, run->map, actor_edit, 2, 3, LOCK_TRY);
	actor_join(&other);
	RULE_NEED(run, other.err == 0);
	return true;
}

static bool deadline(struct rule_run *run)
{
	struct actor other;
	struct lock_edit e;
	uint64_t until = clock_ns() + UINT64_C(60000000), end;
	bool went;
	int err;

	e = fake_begin(run->map, 2, 3, LOCK_FOREVER, &err);
	RULE_NEED(run, !err);
	actor_start(&other, run->map, actor_edit, 2, 3, until);
	went = actor_done(&other, 3000);
	end = clock_ns();
	fake_end(run->map, &e);
	actor_join(&other);
	RULE_NEED(run, went && other.err == -ETIMEDOUT);
	RULE_NEED(run, end >= until);
	e = fake_begin(run->map, 2, 3, LOCK_FOREVER, &err);      /* the one who gave up is out of the way         */
	RULE_NEED(run, !err);
	fake_end(run->map, &e);
	return true;
}

struct pounder { pthread_t thread; struct fake_map *map; atomic_u32 *stop; unsigned lo, hi; int err; };

static void *pound(void *arg)
{
	struct pounder *p = arg;

	do {                                             /* once at least, however late it came to run            */
		struct lock_edit e = fake_begin(p->map, p->lo, p->hi, LOCK_FOREVER, &p->err);

		if (!p->err)
			fake_end(p->map, &e);
	} while (!atomic_load_relaxed(p->stop) && !p->err);
	return NULL;
}

/* Who waits for a range that is released gets on within two seconds. */
static bool no_lost_wake_up(struct rule_run *run)
{
	for (unsigned i = 0; i < 60; i++) {
		struct actor other[2];
		struct lock_edit e;
		bool went;
		int err;

		e = fake_begin(run->map, 5, 6, LOCK_FOREVER, &err);
		RULE_NEED(run, !err);
		actor_start(&other[0], run->map, actor_edit, 5, 6, LOCK_FOREVER);
		actor_start(&other[1], run->map, actor_fault, 5, 6, LOCK_FOREVER);
		usleep(i % 7 * 100);
		fake_end(run->map, &e);
		went = actor_done(&other[0], 2000) && actor_done(&other[1], 2000);
		actor_join(&other[0]);
		actor_join(&other[1]);
		RULE_NEED(run, went);
	}
	return true;
}

/* P-6: a waiter is overtaken at most threads + 2 times. */
static bool bounded_overtaking(struct rule_run *run)
{
	struct pounder p[3];
	struct lock_stats stats;
	atomic_u32 stop = 0;
	bool ok = true;

	for (unsigned i = 0; i < 3; i++) {
		p[i] = (struct pounder){ .map = run->map, .stop = &stop, .lo = 10 - i, .hi = 11 };
		ok &= pthread_create(&p[i].thread, NULL, pound, &p[i]) == 0;
	}
	usleep(250000);
	atomic_store_relaxed(&stop, 1);
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(p[i].thread, NULL);
		ok &= !p[i].err;
	}
	RULE_NEED(run, ok);
	run->policy->stats(run->map->state, &stats);
	RULE_NEED(run, stats.max_overtakes <= 3 + 2);
	return true;
}

static int begin_and_end(struct rule_run *run, unsigned page, uint64_t deadline_ns)
{
	int err;
	struct lock_edit e = fake_begin(run->map, page, page + 1, deadline_ns, &err);

	if (!err)
		fake_end(run->map, &e);
	return err;
}

/* A thread's second edit: above the first it may wait, below only LOCK_TRY, on it never. */
static bool order_rule(struct rule_run *run)
{
	int err, above, below, below_try, on_it;
	struct lock_edit e = fake_begin(run->map, 20, 21, LOCK_FOREVER, &err);

	RULE_NEED(run, !err);
	above = begin_and_end(run, 24, LOCK_FOREVER);
	below = begin_and_end(run, 10, LOCK_FOREVER);
	below_try = begin_and_end(run, 10, LOCK_TRY);
	on_it = begin_and_end(run, 20, LOCK_TRY);
	fake_end(run->map, &e);
	RULE_NEED(run, above == 0 && below == -EDEADLK && below_try == 0 && on_it == -EDEADLK);
	RULE_NEED(run, begin_and_end(run, 10, LOCK_FOREVER) == 0);
	return true;
}

const struct rule rules_edit[] = {
	{ "exclusion",          LOCK_CAP_THREADS, NULL, exclusion },
	{ "disjoint",           LOCK_CAP_DISJOINT_EDITS, NULL, disjoint },
	{ "subrange",           LOCK_CAP_SUBRANGE, NULL, subrange },
	{ "cut-at-borders",     0, NULL, cut_at_borders },
	{ "try-never-waits",    LOCK_CAP_THREADS | LOCK_CAP_TRY, NULL, try_never_waits },
	{ "deadline",           LOCK_CAP_THREADS | LOCK_CAP_DEADLINE, NULL, deadline },
	{ "no-lost-wake-up",    LOCK_CAP_THREADS, NULL, no_lost_wake_up },
	{ "bounded-overtaking", LOCK_CAP_THREADS | LOCK_CAP_FIFO, NULL, bounded_overtaking },
	{ "order-rule",         0, NULL, order_rule },
	{ NULL, 0, NULL, NULL },
};
