/* SPDX-License-Identifier: MIT */
/* busted.h - one deliberately broken policy per rule: a good one with one member replaced. */
#ifndef TESTS_POLICY_BUSTED_H
#define TESTS_POLICY_BUSTED_H

#include "locks/policy/policy.h"

struct busted {
	const char *rule;                        /* the one it breaks                                              */
	const char *base;
	void (*apply)(struct lock_policy *p);
};

extern const struct busted busted[];             /* ends with rule NULL                                            */
/* The broken copy; valid until the next call. */
const struct lock_policy *busted_policy(const struct busted *b);

#endif
