/* SPDX-License-Identifier: MIT */
/* gate.c - gates are polled: they may stand inside read sections and leaf sections, where nothing may park. */
#include "tests/policy/gate.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/point.h"
#include "tests/patience.h"

int gate_mutant(void)
{
	const char *mutant = getenv("VMMAP_MUTANT");

	return mutant ? point_mutant_select(mutant) : 0;
}

void gate_script(void)
{
	point_reset();
	(void)gate_mutant();
}

void gate_init(struct gate *g)
{
	atomic_store_relaxed(&g->reached, 0);
	atomic_store_relaxed(&g->open, 0);
}

static bool wait_for(atomic_u32 *word, unsigned ms)
{
	uint64_t until = clock_ns() + patience_ms(ms);

	while (!atomic_load_acquire(word)) {
		if (clock_ns() > until)
			return false;
		usleep(100);
	}
	return true;
}

/* Twice what the script waits at most, also where patience is short: it must see what a mutant has lost before the
 * held thread goes on, and makes good for it. */
void gate_pass(struct gate *g)
{
	atomic_store_release(&g->reached, 1);
	if (!wait_for(&g->open, 20000))
		(void)wait_for(&g->open, 20000);
}

static void gate_hook(void *arg)
{
	gate_pass(arg);
}

void gate_at(struct gate *g, const char *role, const char *point)
{
	gate_init(g);
	CHECK(point_call(role, point, gate_hook, g) == 0);
}

bool gate_wait(struct gate *g, unsigned ms)
{
	return wait_for(&g->reached, ms);
}

void gate_open(struct gate *g)
{
	atomic_store_release(&g->open, 1);
}
