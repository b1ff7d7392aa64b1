/* SPDX-License-Identifier: MIT */
/*
 * model_view.cc - the map as the locks see it (vmmap/space/lock_view.c) over the real tree, range locks and page table:
 * an edit cuts a VMA under two visits, one of them counted (PIN), one that remembers its last (LOOK); it does not cut
 * one in which a visit insists. Visits are counted in the word that this policy does not use otherwise, `seq`.
 */
#include "memory.h"
#include "model.h"

#include "locks/policy/intree.h"
#include "vmmap/pt/pt_table.h"
#include "vmmap/space/space.h"

namespace {

const uint64_t OLD = VMA_READ | VMA_WRITE, NEW = VMA_READ;

struct world {
	struct vmmap map;
	struct intree tree;
	struct range_thread home[MODEL_THREADS];
	struct space_local local[MODEL_THREADS];
	struct vma a;                            /* pages 0 and 1 */
} w;

struct lock_range page(unsigned i) { return { i * PAGE_BYTES, (i + 1) * PAGE_BYTES }; }

void world_start()
{
	struct thread_slot *self = thread_self();
	struct vtree_section s;

	memory_begin();
	memset((void *)&w, 0, sizeof(w));
	for (unsigned i = 0; i < MODEL_THREADS; i++) {
		w.tree.locks.threads.block[i] = &w.home[i];
		w.map.locals.block[i] = &w.local[i];
	}
	range_locks_init(&w.tree.locks, space_lock(&w.map), &space_lock_view, offsetof(struct lock_slot, seq));
	model_check(!vtree_init(&w.map.tree), "memory", __FILE__, __LINE__);
	w.map.pt.root = pt_table_take(&w.map.pt, self);
	w.map.pt.root->level = PT_ROOT_LEVEL;
	atomic_store_relaxed(&w.a.slot.lk, 2);
	atomic_store_relaxed(&w.a.bits, OLD);
	vtree_enter(&w.map.tree, self, 0, &s);
	vtree_add(&s, 0, 2 * PAGE_BYTES, &w.a);
	vtree_leave(&s);
	(void)pt_make(&w.map.pt, self, 0);
	(void)pt_make(&w.map.pt, self, PAGE_BYTES);
}

/* One attempt of a fault, as space_fault makes it. */
void fault(unsigned at, bool count)
{
	struct lock_visit v = { .self = thread_self(), .r = page(at) };
	uint64_t bits, seen;
	atomic_u64 *entry;

	if (!intree_visit_look(&w.tree, &v, count))
		return;
	if (v.slot) {
		bits = atomic_load_acquire(&space_vma(v.slot)->bits);
		entry = pt_find(&w.map.pt, at * PAGE_BYTES);
		seen = atomic_load_acquire(entry);
		if (!seen && pt_lock(entry, seen))
			pt_store(entry, intree_visit_valid(&w.tree, &v) ?
				 pt_entry(1, PT_PRESENT | space_pt_access(bits), v.self->number + 1) : seen);
	}
	intree_visit_end(&w.tree, &v);
}

void take_nothing(struct pt_batch *b) { b->n = 0; }

/* mprotect of one page in the general form. */
void protect(unsigned at)
{
	struct lock_edit e = { .self = thread_self(), .r = page(at) };
	struct pt_batch b = { .n = 0, .flush = take_nothing };
	struct vtree_seen seen;

	if (intree_edit_begin(&w.tree, &e, PARK_FOREVER))
		return;
	vtree_find(&w.map.tree, e.r.lo, &seen);
	model_check(seen.vma && seen.lk == e.mine.lk && seen.r.lo == e.r.lo && seen.r.hi == e.r.hi, "cut and held",
		    __FILE__, __LINE__);
	intree_edit_shut(&w.tree, &e, &seen.vma->slot);
	pt_zap(&w.map.pt, e.r, &b);
	atomic_store_release(&seen.vma->bits, NEW);
	intree_edit_end(&w.tree, &e);
}

void world_finish()
{
	for (unsigned i = 0; i < 2; i++) {
		uint64_t value = pt_find(&w.map.pt, i * PAGE_BYTES)->word;
		struct vtree_seen seen;

		vtree_find(&w.map.tree, i * PAGE_BYTES, &seen);
		model_check(seen.vma && lock_word_free(seen.lk) && !seen.vma->slot.pins.word &&
			    !seen.vma->slot.seq.word, "free",
			    __FILE__, __LINE__);
		model_check(!(value & PT_LOCKED) && !((value & PT_ACCESS) & ~space_pt_access(seen.vma->bits.word)),
			    "no more than the VMA allows", __FILE__, __LINE__);
	}
	model_check(vtree_audit(&w.map.tree, nullptr) == 0, "the tree keeps its rules", __FILE__, __LINE__);
}

/* The page that is cut off: the left piece keeps the object that the visits found. */
struct view_cut_right {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		if (i == 2)
			protect(1);
		else
			fault(1, i == 0);
	}
	static void finish() { world_finish(); }
};

struct view_cut_left {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		if (i == 2)
			protect(0);
		else
			fault(i, i == 0);
	}
	static void finish() { world_finish(); }
};

/* A second visit begins with what the first one met. */
struct view_look {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		if (i == 2) {
			protect(1);
			return;
		}
		fault(0, false);
		fault(1, i == 1);
	}
	static void finish() { world_finish(); }
};

/* A visit that insists: once it is in, its page stays where it is. */
void stay(unsigned at)
{
	struct lock_visit v = { .self = thread_self(), .r = page(at) };

	v.own[3] = RANGE_INSISTS;
	if (intree_visit_wait(&w.tree, &v, false, PARK_FOREVER))
		return;
	model_check(intree_visit_valid(&w.tree, &v), "not cut", __FILE__, __LINE__);
	intree_visit_end(&w.tree, &v);
}

struct view_stay {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		if (i == 2)
			protect(1);
		else if (i == 1)
			stay(1);
	}
	static void finish() { world_finish(); }
};

/* Two edits that meet in one VMA. */
struct view_edits {
	static void start() { world_start(); }
	static void thread(unsigned i)
	{
		if (i == 2)
			fault(1, true);
		else
			protect(1 - i);
	}
	static void finish() { world_finish(); }
};

}

MODEL_SUITE(view_cut_right, 60000);
MODEL_SUITE(view_cut_left, 30000);
MODEL_SUITE(view_look, 30000);
MODEL_SUITE(view_stay, 30000);
MODEL_SUITE(view_edits, 30000);

/* ---- VMAs in several leaves: there are none here ---- */

struct lock_range space_extent(struct vmmap *map, const struct vma *vma, uint64_t at, struct lock_range within)
{
	struct vtree_seen seen;

	vtree_find(&map->tree, at, &seen);
	return seen.vma == vma ? seen.r : (struct lock_range){ 0, 0 };
}

unsigned space_spans(struct vmmap *map, const struct vtree_section *s, const struct vtree_slot *slot) { return 0; }

void space_join(struct vmmap *map, struct thread_slot *self, uint64_t at) { }

int space_cut_held(struct vmmap *map, struct thread_slot *self, struct vma *vma, uint64_t at, struct vma *right)
{
	CHECK(false);
	return 0;
}

void space_vma_copy(struct thread_slot *self, struct vma *right, const struct vma *vma)
{
	struct space_new is = space_vma_attr(vma);

	space_vma_fill(self, right, &is);
}
