/* SPDX-License-Identifier: MIT */
/*
 * model_rcu.cc - the polled grace period of base/rcu.c and base/rcu_inline.h: a reader, one who unpublishes, starts a
 * cookie and polls, and one who polls the same cookie. The memory is given away by whoever finds the cookie done.
 */
#include "model.h"

#include <linux/membarrier.h>

#include "base/rcu.h"

struct urcu_reader urcu_memb_reader;

namespace {

struct world {
	_Atomic(model_plain<uint32_t> *) published;
	model_plain<uint32_t> x, y;
	atomic_u64 cookie;
} w;

/* The epoch goes on from one interleaving to the next. */
void world_start(uint32_t heavy)
{
	memset((void *)&w, 0, sizeof(w));
	rcu_global.heavy_readers = heavy;
	w.x = 1;
	w.y = 1;
	atomic_store_relaxed(&w.published, &w.x);
	atomic_store_relaxed(&w.cookie, 0);
}

void reader()
{
	struct thread_slot *self = thread_self();

	rcu_enter(self);
	model_check(*atomic_load_acquire(&w.published) == 1, "not given away", __FILE__, __LINE__);
	rcu_leave(self);
	rcu_enter_brief(self);
	model_check(*atomic_load_acquire(&w.published) == 1, "not given away", __FILE__, __LINE__);
	rcu_leave_brief(self);
}

void freer()
{
	uint64_t cookie;

	atomic_store_release(&w.published, &w.y);
	cookie = rcu_poll_start();
	atomic_store_release(&w.cookie, cookie);
	for (unsigned n = 0; n < 4 && !rcu_poll_done(cookie); n++)
		;
}

/* The one who gives away: it polls, and learns the cookie after all that came before its start. */
void poller()
{
	uint64_t cookie = 0;

	for (unsigned n = 0; n < 8 && !cookie; n++)
		cookie = atomic_load_acquire(&w.cookie);
	for (unsigned n = 0; cookie && n < 8; n++) {
		if (rcu_poll_done(cookie)) {
			w.x = 2;
			return;
		}
	}
}

template <uint32_t HEAVY> struct polled {
	static void start() { world_start(HEAVY); }
	static void thread(unsigned i)
	{
		if (i == 0)
			reader();
		else if (i == 1)
			freer();
		else
			poller();
	}
	static void finish() { }
};

typedef polled<0> rcu_membarrier;
typedef polled<1> rcu_heavy;

}

MODEL_SUITE(rcu_membarrier, 200000);
MODEL_SUITE(rcu_heavy, 200000);

int model_membarrier(int command)
{
	if (command == MEMBARRIER_CMD_PRIVATE_EXPEDITED && rl::is_ctx()) {
		rl::ctx().sched();
		rl::systemwide_fence($);
	}
	return 0;
}

void urcu_memb_synchronize_rcu(void) { CHECK(false); }
