/* SPDX-License-Identifier: MIT */
/*
 * lifetime.c - see lifetime.h. Sections and retirements are stamped with the run's steps; the linker leads rcu_retire
 * here, and each item is called back through called_back.
 */
#include "bench/explore/lifetime.h"

#include <string.h>

#include "base/assert.h"
#include "base/rcu.h"
#include "bench/explore/run.h"
#include "bench/explore/turn.h"

#define RETIRED_MAX 4096

void __real_rcu_retire(struct thread_slot *self, struct rcu_item *item, void (*fn)(struct rcu_item *));
void __wrap_rcu_retire(struct thread_slot *self, struct rcu_item *item, void (*fn)(struct rcu_item *));

static uint64_t section[RUN_CORES];      /* the step at which its read section began, + 1; 0: outside               */
static bool running;
static struct retired { struct rcu_item *item; void (*fn)(struct rcu_item *); uint64_t when; } retired[RETIRED_MAX];
static uint32_t retired_n, retired_saved;
static struct retired retired_before[RETIRED_MAX];

/* A section that began before the item was retired may still have it in hand. */
static void called_back(struct rcu_item *item)
{
	uint32_t i = retired_n;
	struct retired r;

	while (i-- > 0 && retired[i].item != item)
		;
	CHECK(i < retired_n);
	if (running)
		for (uint32_t core = 0; core < RUN_CORES; core++)
			if (section[core] != 0 && section[core] <= retired[i].when)
				run_fail(FAIL_LIFETIME, "an item is called back inside a section of core %u that began "
					 "before it was retired", core);
	r = retired[i];
	retired[i] = retired[--retired_n];
	r.fn(item);
}

void __wrap_rcu_retire(struct thread_slot *self, struct rcu_item *item, void (*fn)(struct rcu_item *))
{
	CHECK(retired_n < RETIRED_MAX);
	retired[retired_n++] = (struct retired){ item, fn, running ? turn_steps() : 0 };
	__real_rcu_retire(self, item, called_back);
}

void lifetime_section(uint32_t core, bool begins)
{
	section[core] = begins ? turn_steps() + 1 : 0;
}

void lifetime_begin(void)
{
	memset(section, 0, sizeof(section));
	running = true;
}

void lifetime_save(void)
{
	memcpy(retired_before, retired, retired_n * sizeof(*retired));
	retired_saved = retired_n;
}

void lifetime_restore(void)
{
	running = false;
	memcpy(retired, retired_before, retired_saved * sizeof(*retired));
	retired_n = retired_saved;
}
