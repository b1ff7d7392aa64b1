/* SPDX-License-Identifier: MIT */
/*
 * rules.h - the rules that every lock policy keeps, each as one check over a fake map.
 *
 * A rule is checked on any policy whose caps ask for it; busted.c has one policy per rule that breaks exactly that
 * rule. So a rule must not lean on another one: waiting for "never" is bounded, and what must be blocked is looked
 * at from outside.
 */
#ifndef TESTS_POLICY_RULES_H
#define TESTS_POLICY_RULES_H

#include "tests/policy/fake_view.h"

struct rule_run {
	const struct lock_policy *policy;
	struct fake_map *map;                    /* fresh for each rule                                            */
	char why[160];                           /* of the first failure                                           */
};

struct rule {
	const char *name;
	unsigned caps;                           /* all of these                                                   */
	bool (*applies)(const struct lock_policy *policy);       /* NULL: always                                  */
	bool (*check)(struct rule_run *run);
};

const struct rule *rule_at(unsigned i);          /* NULL: past the last                                            */
/* 1 kept, 0 broken (why says how), -1 does not apply. */
int rule_check(const struct rule *rule, const struct lock_policy *policy, char why[160]);

#define RULE_NEED(run, x) do { if (!rule_need(run, (x), #x, __LINE__)) return false; } while (0)
bool rule_need(struct rule_run *run, bool ok, const char *what, int line);

/* ---- a second thread that does one thing ---- */
struct actor {
	pthread_t thread;
	atomic_u32 done;
	struct fake_map *map;
	void (*fn)(struct actor *a);
	unsigned lo, hi;
	uint64_t deadline_ns;
	int err;
	uint64_t gen;
	struct lock_edit e;
};

/* Threads of a second actor kind: an edit that begins and ends, a fault. */
void actor_edit(struct actor *a);
void actor_stamp(struct actor *a);               /* an edit that stamps its pages                                   */
void actor_fault(struct actor *a);
void actor_start(struct actor *a, struct fake_map *map, void (*fn)(struct actor *a), unsigned lo, unsigned hi,
		 uint64_t deadline_ns);
/* True: it has finished within so many ms. */
bool actor_done(struct actor *a, unsigned ms);
void actor_join(struct actor *a);

#define RULE_SOON  40                            /* ms: is it blocked?                                             */
#define RULE_LATE  20000                         /* ms: it never comes                                             */

extern const struct rule rules_edit[], rules_visit[], rules_more[];

#endif
