/* SPDX-License-Identifier: MIT */
/*
 * op_churn.c - pages are faulted and dropped, and a host is told what is free, or blocks are emptied, or neither: what
 * reports and unplugs cost who churns.
 *
 * With reports there is a pass for ALL, which empties the depot and the shelves, every 64 batches of 1,024 faults, by
 * the same thread: some hundred times as often as an age of two seconds would have it.
 * Closed: caches are under locks, as while a drain goes on (frame_isolate.c); no block is offline.
 */
#include "bench/op_churn.h"

#include <sys/mman.h>

#include "vmmap/phys/frame_isolate.h"
#include "vmmap/physmem_host.h"

#define PAGE       UINT64_C(4096)
#define PASS_EVERY 64u

static int churn(struct op_env *env, struct op_thread *t, uint64_t n)
{
	int err = 0;

	for (uint64_t i = 0; i < n && !err; i++)
		err = vmmap_fault(env->map, t->area + i * PAGE, PROT_WRITE, NULL);
	return err ? err : vmmap_madvise(env->map, t->area, n * PAGE, MADV_DONTNEED);
}

int op_churn(struct op_env *env, struct op_thread *t, uint64_t n) { return churn(env, t, n); }

static void accept(void *arg, struct physmem_told *told, unsigned n)
{
	(void)arg;
	for (unsigned i = 0; i < n; i++)
		told[i].verdict = PHYSMEM_ACCEPTED;
}

int op_churn_report(struct op_env *env)
{
	struct physmem_report_config config = PHYSMEM_REPORT_CONFIG;

	config.tell = accept;
	return physmem_report_start(env->pm, &config);
}

int op_churn_reported(struct op_env *env, struct op_thread *t, uint64_t n)
{
	int err = churn(env, t, n);

	if (!err && ++t->cursor % PASS_EVERY == 0)
		err = physmem_report_pass(env->pm, PHYSMEM_REPORT_ALL, NULL);
	return err;
}

int op_churn_close(struct op_env *env)
{
	struct thread_slot *self = thread_self();
	int err = frame_isolate_begin(env->pm, self);

	if (!err)
		err = frame_isolate_wait(PARK_FOREVER);
	if (!err)
		(void)frame_isolate_drain(env->pm, self);
	return err;
}
