/* SPDX-License-Identifier: MIT */
/* rules.c - running a rule, and the second thread that most of them need. */
#include "tests/policy/rules.h"

#include <stdio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "tests/patience.h"

bool rule_need(struct rule_run *run, bool ok, const char *what, int line)
{
	if (!ok && !run->why[0])
		snprintf(run->why, sizeof(run->why), "line %d: %s", line, what);
	return ok;
}

const struct rule *rule_at(unsigned i)
{
	const struct rule *const lists[] = { rules_edit, rules_visit, rules_more };

	for (unsigned l = 0; l < ARRAY_SIZE(lists); l++)
		for (const struct rule *r = lists[l]; r->name; r++)
			if (i-- == 0)
				return r;
	return NULL;
}

int rule_check(const struct rule *rule, const struct lock_policy *policy, char why[160])
{
	struct rule_run run = { .policy = policy };
	bool ok;

	if ((policy->caps & rule->caps) != rule->caps || (rule->applies && !rule->applies(policy)))
		return -1;
	run.map = fake_new(policy);
	ok = rule->check(&run);
	fake_free(run.map);
	snprintf(why, 160, "%s", run.why);
	return ok;
}

static void *actor_main(void *arg)
{
	struct actor *a = arg;

	a->fn(a);
	atomic_store_release(&a->done, 1);
	return NULL;
}

void actor_start(struct actor *a, struct fake_map *map, void (*fn)(struct actor *a), unsigned lo, unsigned hi,
		 uint64_t deadline_ns)
{
	*a = (struct actor){ .map = map, .fn = fn, .lo = lo, .hi = hi, .deadline_ns = deadline_ns };
	CHECK(pthread_create(&a->thread, NULL, actor_main, a) == 0);
}

bool actor_done(struct actor *a, unsigned ms)
{
	uint64_t until = clock_ns() + patience_ms(ms);

	while (!atomic_load_acquire(&a->done)) {
		if (clock_ns() > until)
			return false;
		usleep(200);
	}
	return true;
}

void actor_join(struct actor *a)
{
	CHECK(pthread_join(a->thread, NULL) == 0);
}

void actor_edit(struct actor *a)
{
	a->e = fake_begin(a->map, a->lo, a->hi, a->deadline_ns, &a->err);
	if (!a->err)
		fake_end(a->map, &a->e);
}

void actor_stamp(struct actor *a)
{
	a->err = fake_edit(a->map, a->lo, a->hi, FAKE_STAMP, LOCK_FOREVER);
}

void actor_fault(struct actor *a)
{
	a->err = fake_fault(a->map, a->lo, a->deadline_ns, &a->gen);
}
