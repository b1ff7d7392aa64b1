/* SPDX-License-Identifier: MIT */
/* count.c - tells a test which words a thread writes (builds with VMMAP_COUNT_WRITES). */
#include "base/count.h"
#include "base/thread.h"

#ifdef VMMAP_COUNT_WRITES
void atomic_count_write(const volatile void *where)
{
	struct thread_slot *self = thread_current;
	void (*fn)(const volatile void *where, void *arg);

	if (self == NULL || self->count_fn == NULL)
		return;
	/* Off while it runs: what the hook itself writes is not the operation's. */
	fn = self->count_fn;
	self->count_fn = NULL;
	fn(where, self->count_arg);
	self->count_fn = fn;
}
#endif

void atomic_count_start(void (*fn)(const volatile void *where, void *arg), void *arg)
{
	struct thread_slot *self = thread_self();

	self->count_arg = arg;
	self->count_fn = fn;
}

void atomic_count_stop(void)
{
	thread_self()->count_fn = NULL;
}

bool atomic_count_available(void)
{
#ifdef VMMAP_COUNT_WRITES
	return true;
#else
	return false;
#endif
}
