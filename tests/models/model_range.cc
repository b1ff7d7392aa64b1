/* SPDX-License-Identifier: MIT */
/*
 * model_range.cc - range locks: locks/range_lock.c, range_wait.c, range_handover.c and waiter.c over a map of two
 * pages, each a VMA of its own. Edits exclude each other, sleep and wake, are cancelled, insist and are handed what
 * they wait for; visits get pins; notes are read or refused.
 */
#include "model.h"

#include "locks/policy/intree.h"

namespace {

struct world {
	struct intree tree;
	struct range_thread home[MODEL_THREADS];
	struct lock_slot page[2];
	model_plain<uint32_t> data[2];           /* what the holder of a page changes */
	bool noted, refused;
	struct lock_range notes;
} w;

/* ---- the map ---- */

void view_find(struct lock_space *, uint64_t addr, struct lock_seen *seen)
{
	unsigned i = (unsigned)(addr / PAGE_BYTES);

	*seen = {};
	seen->r = { i * PAGE_BYTES, (i + 1) * PAGE_BYTES };
	if (i < 2) {
		seen->slot = &w.page[i];
		seen->lk = atomic_load_acquire(&w.page[i].lk);
	}
}

/* As in lock_view.c, but for leaves: nothing is cut. */
int view_claim(struct lock_space *, struct lock_claim *c)
{
	uint64_t from = c->r.lo;

	while (c->r.lo < c->r.hi) {
		struct lock_slot *slot = &w.page[c->r.lo / PAGE_BYTES];
		uint64_t lk = atomic_load_seqcst(&slot->lk);

		if (lock_word_held(lk)) {
			view_find(nullptr, c->r.lo, &c->held);
			c->held.lk = lk;
			return c->r.lo == from ? -EBUSY : 0;
		}
		if (!atomic_cas_seqcst(&slot->lk, &lk, c->mine.lk))
			return 0;
		c->r.lo += PAGE_BYTES;
	}
	return 0;
}

void view_pass(struct lock_space *, struct lock_range r, const struct lock_holder *from, const struct lock_holder *to)
{
	for (uint64_t at = r.lo; at < r.hi; at += PAGE_BYTES) {
		struct lock_slot *slot = &w.page[at / PAGE_BYTES];

		if (atomic_load_acquire(&slot->lk) == from->lk)
			atomic_store_release(&slot->lk, to->lk);
	}
}

void view_dummy_init(struct lock_space *, void *buffer, struct lock_slot **slot)
{
	*slot = (struct lock_slot *)buffer;
}

const struct lock_view view = { .find = view_find, .claim = view_claim, .pass = view_pass,
				.dummy_init = view_dummy_init };

void world_start()
{
	memset((void *)&w, 0, sizeof(w));
	range_locks_init(&w.tree.locks, nullptr, &view, offsetof(struct lock_slot, pins));
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		w.tree.locks.threads.block[i] = &w.home[i];
	for (unsigned i = 0; i < 2; i++) {
		atomic_store_relaxed(&w.page[i].lk, 2 + 2 * i);
		w.data[i] = 0;
	}
}

/* Nothing is left behind: words free, queues closed, nobody pinned or queued. */
void world_finish()
{
	for (unsigned i = 0; i < 2; i++) {
		model_check(lock_word_free(w.page[i].lk.word), "free", __FILE__, __LINE__);
		model_check(w.page[i].pins.word == 0, "no pin", __FILE__, __LINE__);
	}
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		for (unsigned k = 0; k < LOCK_HELD_MAX; k++)
			model_check(!w.home[i].lock[k].busy.word, "not busy", __FILE__, __LINE__);
		for (unsigned k = 0; k < WAITERS_PER_THREAD; k++)
			model_check(w.home[i].waiter[k].state.word == WAITER_FREE, "no waiter",
				    __FILE__, __LINE__);
	}
}

/* ---- operations ---- */

struct lock_range pages(unsigned lo, unsigned hi) { return { lo * PAGE_BYTES, hi * PAGE_BYTES }; }

/* While it is held nobody else reads or writes. */
void change(unsigned lo, unsigned hi)
{
	for (unsigned i = lo; i < hi; i++) {
		uint32_t before = w.data[i];

		w.data[i] = before + 1;
	}
}

int edit(unsigned lo, unsigned hi, uint64_t deadline_ns)
{
	struct lock_edit e = { .self = thread_self(), .r = pages(lo, hi) };
	int err = intree_edit_begin(&w.tree, &e, deadline_ns);

	if (err)
		return err;
	for (unsigned i = lo; i < hi; i++)
		intree_edit_shut(&w.tree, &e, &w.page[i]);
	change(lo, hi);
	intree_edit_end(&w.tree, &e);
	return 0;
}

/* fails: how often it has been sent back already. */
int visit(unsigned page, uint64_t fails, uint64_t deadline_ns)
{
	struct lock_visit v = { .self = thread_self(), .r = pages(page, page + 1) };
	int err;

	v.own[3] = fails;
	err = intree_visit_wait(&w.tree, &v, false, deadline_ns);
	if (err)
		return err;
	if (v.own[1] & INTREE_PINNED)
		(void)(uint32_t)w.data[page];            /* no holder gets this far before it goes */
	intree_visit_end(&w.tree, &v);
	return 0;
}

struct range_edits {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		static const unsigned lo[] = { 0, 0, 1 }, hi[] = { 2, 1, 2 };

		edit(lo[i], hi[i], PARK_FOREVER);
		if (i == 0)
			edit(0, 1, PARK_FOREVER);        /* the same lock object again */
	}
	static void finish()
	{
		world_finish();
		model_check(w.data[0] == 3 && w.data[1] == 2, "each edit was done", __FILE__, __LINE__);
	}
};

/* A lock object goes from one page to another while a thread that holds the other page has an old look at the first: if
 * it queued there, each would wait for the other. */
struct range_moves {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		if (i == 0) {
			edit(1, 2, PARK_FOREVER);
			edit(0, 1, PARK_FOREVER);
		} else if (i == 1) {
			edit(0, 2, PARK_FOREVER);
		}
	}
	static void finish() { world_finish(); }
};

/* The second thread's waits may be cancelled, and it asks again. */
struct range_cancel {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		if (i != 1) {
			edit(0, 1, PARK_FOREVER);
			return;
		}
		while (edit(0, 1, 100) == -ETIMEDOUT)
			;
	}
	static void finish()
	{
		world_finish();
		model_check(w.data[0] == 3, "each edit was done", __FILE__, __LINE__);
	}
};

/* Visits that insist are given pins by who releases; the next holder waits for them. */
struct range_visits {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		if (i == 2) {
			visit(0, RANGE_INSISTS, PARK_FOREVER);
			return;
		}
		edit(0, 1, PARK_FOREVER);
		if (i == 1)
			edit(0, 2, PARK_FOREVER);
	}
	static void finish() { world_finish(); }
};

/* Edits that insist from the start: what they wait for is handed to them. */
struct range_handed {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		for (unsigned n = 0; n < 2; n++)
			edit(i == 2, i == 0 ? 1 : 2, PARK_FOREVER);
	}
	static void finish()
	{
		world_finish();
		model_check(w.data[0] == 4 && w.data[1] == 4, "each edit was done", __FILE__, __LINE__);
	}
};

/* A note at a held VMA: if it was taken, its holder reports it. */
struct range_note {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		struct lock_edit e = { .self = thread_self(), .r = pages(0, 1) };

		if (i == 2) {
			w.noted = range_leave_note(&w.tree.locks, thread_self(), &w.page[0], PAGE_BYTES);
			return;
		}
		if (i == 1 || intree_edit_begin(&w.tree, &e, PARK_FOREVER))
			return;
		intree_edit_end(&w.tree, &e);
		w.refused = e.merges == 0;
	}
	static void finish()
	{
		world_finish();
		model_check(!w.noted || !w.refused, "a note that was taken is read", __FILE__, __LINE__);
	}
};

}

MODEL_SUITE(range_edits, 60000);
MODEL_SUITE(range_moves, 100000);
MODEL_SUITE(range_cancel, 60000);
MODEL_SUITE(range_visits, 60000);
MODEL_SUITE(range_handed, 30000);
MODEL_SUITE(range_note, 60000);
