/* SPDX-License-Identifier: MIT */
/*
 * atfork.c - the host forks: what base does before, and in the parent and the child after.
 *
 * prepare   in lock order: rcu (no grace period under way, nothing retired left over), thread (nobody comes or goes),
 *           point (nobody in a script's books).
 * after     in the other order, in both. The child first forgets the threads that it does not have (rcu.c, thread.c).
 *           It allocates nothing, starts nothing and waits for nothing there: the worker comes back with the first
 *           batch that somebody retires. Membarrier's registration belongs to the memory, which fork copies with it.
 * When      the handlers are made when the library is loaded. Prepare handlers run last made first: so ours run after
 *           those of the host, and free memory while they run. An allocator that locks itself for a fork must do that
 *           after ours have run: hence it has to be up, with its handlers, before ours are made.
 * Copies    of base in one process (libvmmap and a program's own) each take their own locks only; what they share,
 *           liburcu's registry, they leave to whoever comes first (rcu.c, reader_out).
 * Not here  instances. A map, a physmem or an object that another thread was working on stays half changed in the
 *           child (docs/semantics.md). clone(2) and _Fork(3) run no handlers; vfork and posix_spawn need none.
 */
#include <pthread.h>
#include "base/assert.h"
#include "base/mem.h"
#include "base/point.h"
#include "base/rcu.h"
#include "base/thread.h"

static void atfork_prepare(void)
{
	BASE_POINT(fork_prepare);
	rcu_fork_prepare();
	thread_fork_prepare();
	point_fork_prepare();
}

static void atfork_parent(void)
{
	point_fork_done();
	thread_fork_parent();
	rcu_fork_parent();
}

static void atfork_child(void)
{
	bool usable;

	point_fork_done();
	usable = rcu_fork_child();
	thread_fork_child(usable);
}

__attribute__((constructor)) static void atfork_load(void)
{
	mem_free(MEM_OTHER, mem_alloc(MEM_OTHER, 1, 1), 1);
	CHECK(pthread_atfork(atfork_prepare, atfork_parent, atfork_child) == 0);
}
