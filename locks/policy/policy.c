/* SPDX-License-Identifier: MIT */
/* policy.c - the list of policies, and members for those that need nothing. */
#include "locks/policy/policy.h"

#include <string.h>

#define LOCK_POLICY(id) extern const struct lock_policy lock_policy_##id;
#include "locks/policy/policy_list.h"
#undef LOCK_POLICY

static const struct lock_policy *const policies[] = {
#define LOCK_POLICY(id) &lock_policy_##id,
#include "locks/policy/policy_list.h"
#undef LOCK_POLICY
};

const struct lock_policy *lock_policy_at(unsigned i)
{
	return i < ARRAY_SIZE(policies) ? policies[i] : NULL;
}

const struct lock_policy *lock_policy_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(policies); i++)
		if (!strcmp(policies[i]->name, name))
			return policies[i];
	return NULL;
}

bool lock_visit_always(void *state, struct lock_visit *v)
{
	(void)state, (void)v;
	return true;
}

void lock_edit_nothing(void *state, struct lock_edit *e, struct lock_slot *slot)
{
	(void)state, (void)e, (void)slot;
}

bool lock_take_always(void *state, struct lock_edit *e, struct lock_slot *slot, uint64_t border)
{
	(void)state, (void)e, (void)slot, (void)border;
	return true;
}
