/* SPDX-License-Identifier: MIT */
/*
 * model_rwsem.cc - locks/rwsem.[ch]: exclusive and shared holders, with hand-over, downgrade and deadlines.
 */
#include "model.h"

#include "locks/rwsem.h"

namespace {

struct world {
	struct rwsem s;
	model_plain<uint32_t> data;
	unsigned given_up;
} w;

void lock_shared(uint64_t deadline_ns)
{
	if (rwsem_try_shared(&w.s) || !rwsem_wait_shared(&w.s, deadline_ns)) {
		(void)(uint32_t)w.data;
		rwsem_unlock_shared(&w.s);
	}
}

void lock_exclusive(bool downgrade)
{
	if (!rwsem_try_exclusive(&w.s))
		rwsem_wait_exclusive(&w.s, UINT64_MAX);
	w.data = w.data + 1;
	if (downgrade) {
		rwsem_downgrade(&w.s);
		(void)(uint32_t)w.data;
		rwsem_unlock_shared(&w.s);
	} else {
		rwsem_unlock_exclusive(&w.s);
	}
}

void world_start()
{
	memset((void *)&w, 0, sizeof(w));
	w.data = 0;
}

void world_finish(unsigned changes)
{
	model_check(atomic_load_relaxed(&w.s.word) == 0 && !w.s.first && !w.s.last, "free", __FILE__, __LINE__);
	model_check(w.data == changes, "each change was made", __FILE__, __LINE__);
}

struct rwsem_exclusive {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		lock_exclusive(false);
		if (i == 0)
			lock_exclusive(true);
	}
	static void finish() { world_finish(4); }
};

struct rwsem_mixed {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		if (i == 0) {
			lock_exclusive(false);
			lock_exclusive(true);
		} else {
			lock_shared(UINT64_MAX);
			lock_shared(i == 1 ? UINT64_MAX : 100);
		}
	}
	static void finish() { world_finish(2); }
};

}

MODEL_SUITE(rwsem_exclusive, 60000);
MODEL_SUITE(rwsem_mixed, 60000);
