/* SPDX-License-Identifier: MIT */
/* model_qspin.cc - base/qspin.[ch]: a holder that comes again, and a queue of two. */
#include "model.h"

#include "base/qspin.h"

namespace {

struct world {
	struct qspin q;
	model_plain<uint32_t> turns;
} w;

void turn()
{
	qspin_lock(&w.q);
	w.turns = w.turns + 1;
	qspin_unlock(&w.q);
}

struct qspin_queue {
	static void start()
	{
		memset((void *)&w, 0, sizeof(w));
		w.turns = 0;
	}
	static void thread(unsigned i)
	{
		turn();
		if (i == 0)
			turn();
	}
	static void finish()
	{
		model_check(w.turns == 4, "each had its turns", __FILE__, __LINE__);
		model_check(atomic_load_relaxed(&w.q.word) == QSPIN_FREE, "free", __FILE__, __LINE__);
		model_check(atomic_load_relaxed(&w.q.tail) == NULL, "nobody waits", __FILE__, __LINE__);
	}
};

}

MODEL_SUITE(qspin_queue, 60000);
