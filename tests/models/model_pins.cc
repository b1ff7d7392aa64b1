/* SPDX-License-Identifier: MIT */
/*
 * model_pins.cc - locks/vma_word.c, and the visit's and the brief edit's half of it (locks/policy/intree.c): two
 * visitors pin, a holder drains or takes.
 */
#include "model.h"

#include "locks/policy/intree.h"

namespace {

struct world {
	struct intree tree;
	struct lock_slot slot;
	model_plain<uint32_t> inside[2];         /* what a visitor writes while it is pinned                       */
} w;

void world_start()
{
	memset((void *)&w, 0, sizeof(w));
	w.tree.locks.pins_at = offsetof(struct lock_slot, pins);
	atomic_store_relaxed(&w.slot.lk, 2);
	w.inside[0] = 0;
	w.inside[1] = 0;
}

/* A visit that finds the VMA as a plain look would, pins it, works, and goes. */
void visitor(unsigned i)
{
	struct lock_visit v = { .self = thread_self() };

	v.slot = &w.slot;
	v.own[0] = atomic_load_acquire(&w.slot.lk);
	if (!lock_word_free(v.own[0]) || !intree_visit_pin(&w.tree, &v))
		return;
	w.inside[i] = 1;
	w.inside[i] = 0;
	lock_unpin(&w.slot.pins);
}

/* Nobody is inside: a visitor that still were would race with these loads. */
void look_inside()
{
	model_check(w.inside[0] == 0 && w.inside[1] == 0, "nobody inside", __FILE__, __LINE__);
}

struct pins_drain {
	static void start() { world_start(); }
	static void finish()
	{
		model_check(atomic_load_relaxed(&w.slot.pins) == 0, "no pin is left", __FILE__, __LINE__);
	}
	static void thread(unsigned i)
	{
		uint64_t lk = 2;

		if (i < 2) {
			visitor(i);
			return;
		}
		if (!atomic_cas_seqcst(&w.slot.lk, &lk, 5))      /* D1, as view_claim does it                  */
			return;
		lock_drain(&w.slot.pins);
		look_inside();
		w.inside[0] = 0;                         /* the holder's own change                                */
		atomic_store_release(&w.slot.lk, 4);
	}
};

struct pins_take {
	static void start() { world_start(); }
	static void finish() { }
	static void thread(unsigned i)
	{
		struct lock_edit e = { .self = thread_self() };

		if (i < 2) {
			visitor(i);
			return;
		}
		if (!intree_edit_take(&w.tree, &e, &w.slot, 0))
			return;
		look_inside();
		w.inside[0] = 0;
		w.inside[1] = 0;
		intree_edit_drop(&w.tree, &e, &w.slot);
	}
};

}

MODEL_SUITE(pins_drain, 100000);
MODEL_SUITE(pins_take, 100000);
