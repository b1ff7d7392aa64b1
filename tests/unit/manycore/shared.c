/* SPDX-License-Identifier: MIT */
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/park.h"
#include "bench/sim/core.h"
#include "tests/unit/manycore/shared.h"

static struct { atomic_u64 n; } PAIR_ALIGNED counter, own[CORE_MAX];
static atomic_u32 awake;

void shared_count(void *times)
{
	for (uintptr_t i = (uintptr_t)times; i > 0; i--)
		atomic_add_acqrel(&counter.n, 1);
}

void shared_count_own(void *times)
{
	for (uintptr_t i = (uintptr_t)times; i > 0; i--)
		atomic_add_acqrel(&own[core_current->number].n, 1);
}

void shared_wait(void *unused)
{
	(void)unused;
	while (atomic_load_acquire(&awake) == 0)
		park_wait(&awake, 0, PARK_FOREVER);
}

void shared_wake(void *unused)
{
	(void)unused;
	for (int i = 0; i < 10000; i++)          /* while the others fall asleep */
		atomic_add_acqrel(&own[core_current->number].n, 1);
	atomic_store_release(&awake, 1);
	park_wake(&awake, INT32_MAX);
}

uint64_t shared_total(void)
{
	return atomic_load_relaxed(&counter.n);
}
