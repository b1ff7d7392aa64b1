/* SPDX-License-Identifier: MIT */
/*
 * model_tree.cc - the VMA tree: leaf sections against lookups (vtree_node.h, vtree.c, vtree_edit.c), splits
 * (vtree_split.c, vtree_graft.c), and the bounds of free space (vtree_bound.c).
 */
#include "memory.h"
#include "model.h"

#include "vmmap/vma/vtree_impl.h"

namespace {

struct world {
	struct vtree t;
	struct vma a, b, c;
	unsigned sections[2];
} w;

uint64_t addr(uint64_t page) { return page * PAGE_BYTES; }

void add(uint64_t page, uint64_t lo, uint64_t hi, struct vma *vma)
{
	struct vtree_section s;

	vtree_enter(&w.t, thread_self(), addr(page), &s);
	vtree_add(&s, addr(lo), addr(hi), vma);
	vtree_leave(&s);
}

/* The slot over page becomes [lo, hi); lo == hi: it goes. */
void reshape(uint64_t page, uint64_t lo, uint64_t hi)
{
	struct vtree_section s;
	struct vtree_slot slot;
	int i;

	vtree_enter(&w.t, thread_self(), addr(page), &s);
	i = vtree_slot_over(&s, addr(page));
	model_check(i >= 0, "a section sees what was there", __FILE__, __LINE__);
	slot = vtree_slot_at(&s, (unsigned)i);
	vtree_drop(&s, (unsigned)i);
	if (lo < hi)
		vtree_add(&s, addr(lo), addr(hi), slot.vma);
	vtree_leave(&s);
}

/* A section that changes nothing: it sees what was there, and hands it on. */
void look(uint64_t page)
{
	struct vtree_section s;

	vtree_enter(&w.t, thread_self(), addr(page), &s);
	model_check(vtree_slot_over(&s, addr(page)) >= 0, "a section sees what was there", __FILE__, __LINE__);
	vtree_leave(&s);
}

void world_start()
{
	memory_begin();
	memset((void *)&w, 0, sizeof(w));
	model_check(!vtree_init(&w.t), "memory", __FILE__, __LINE__);
	atomic_store_relaxed(&w.a.slot.lk, 10);
	atomic_store_relaxed(&w.b.slot.lk, LOCK_DEAD);
	atomic_store_relaxed(&w.c.slot.lk, 30);
}

void world_finish()
{
	model_check(vtree_audit(&w.t, nullptr) == 0, "the tree keeps its rules", __FILE__, __LINE__);
}

struct vtree_seen find(uint64_t page)
{
	struct vtree_seen seen;

	vtree_find(&w.t, addr(page), &seen);
	return seen;
}

/* What may be seen: this VMA at [lo, hi), with one of these words. */
struct legal { struct vma *vma; uint64_t lo, hi, lk[2]; };

void seen_is_legal(uint64_t page, const struct legal *legal, unsigned n)
{
	struct vtree_seen seen = find(page);
	bool found = !seen.vma;

	for (unsigned i = 0; i < n; i++)
		found |= seen.vma == legal[i].vma && seen.r.lo == addr(legal[i].lo) && seen.r.hi == addr(legal[i].hi) &&
			 (seen.lk == legal[i].lk[0] || seen.lk == legal[i].lk[1]);
	model_check(found, "a VMA with the bounds and the word of one instant", __FILE__, __LINE__);
	model_check(seen.r.lo <= addr(page) && addr(page) < seen.r.hi, "over the page", __FILE__, __LINE__);
}

/* A is cut, its upper piece B dies and lives again elsewhere; two threads look. */
struct tree_find {
	static void start()
	{
		world_start();
		add(0, 0, 4, &w.a);
	}
	static void cut_and_move()
	{
		struct vtree_section s;
		uint64_t lk = 10;

		vtree_enter(&w.t, thread_self(), 0, &s);
		atomic_cas_seqcst(&w.a.slot.lk, &lk, LOCK_BRIEF);
		vtree_drop(&s, (unsigned)vtree_slot_over(&s, 0));
		atomic_store_release(&w.b.slot.lk, 20);
		vtree_add(&s, 0, addr(2), &w.a);
		vtree_add(&s, addr(2), addr(4), &w.b);
		vtree_leave(&s);
		atomic_store_release(&w.a.slot.lk, 12);
		vtree_enter(&w.t, thread_self(), addr(2), &s);
		lk = 20;
		atomic_cas_seqcst(&w.b.slot.lk, &lk, LOCK_BRIEF);
		vtree_drop(&s, (unsigned)vtree_slot_over(&s, addr(2)));
		vtree_leave(&s);
		atomic_store_release(&w.b.slot.lk, LOCK_DEAD);
		atomic_store_release(&w.b.slot.lk, 22);
		add(5, 5, 6, &w.b);
	}
	static void thread(unsigned i)
	{
		const struct legal legal[] = { { &w.a, 0, 4, { 10, LOCK_BRIEF } }, { &w.a, 0, 2, { LOCK_BRIEF, 12 } },
					       { &w.b, 2, 4, { 20, LOCK_BRIEF } }, { &w.b, 5, 6, { 22, 22 } } };

		if (i == 2) {
			cut_and_move();
			return;
		}
		seen_is_legal(i == 0 ? 2 : 5, legal, 4);
		seen_is_legal(i == 0 ? 0 : 2, legal, 4);
	}
	static void finish() { world_finish(); }
};

/* Slots are filled again and again: keys and VMA of a slot belong together. */
struct tree_refill {
	static void start()
	{
		world_start();
		add(0, 0, 1, &w.a);
		add(2, 2, 3, &w.c);
	}
	static void thread(unsigned i)
	{
		const struct legal legal[] = { { &w.a, 0, 1, { 10, 10 } }, { &w.a, 0, 2, { 10, 10 } },
					       { &w.c, 2, 3, { 30, 30 } }, { &w.c, 2, 4, { 30, 30 } } };

		if (i == 2) {
			look(0);
			seen_is_legal(0, legal, 4);
			seen_is_legal(3, legal, 4);
			return;
		}
		reshape(2 * i, 2 * i, 2 * i + 2);
		reshape(2 * i, 2 * i, 2 * i + 1);
		look(2 - 2 * i);
		reshape(2 * i, 2 * i, 2 * i + 2);
		model_check(find(2 * i + 1).vma == (i ? &w.c : &w.a), "what this thread did", __FILE__, __LINE__);
	}
	static void finish() { world_finish(); }
};

/* The slot of a VMA is another's in the next section. */
struct tree_slot {
	static void start()
	{
		world_start();
		add(0, 0, 4, &w.a);
		atomic_store_relaxed(&w.b.slot.lk, 20);
	}
	static void thread(unsigned i)
	{
		const struct legal legal[] = { { &w.a, 0, 4, { 10, 10 } }, { &w.b, 5, 6, { 20, 20 } } };

		if (i == 2) {
			reshape(0, 0, 0);
			add(5, 5, 6, &w.b);
			return;
		}
		seen_is_legal(5 * i, legal, 2);
	}
	static void finish() { world_finish(); }
};

/* The leaf is split while one looks and one changes it. */
struct tree_split {
	static void start()
	{
		world_start();
		add(0, 0, 1, &w.a);
		add(6, 6, 7, &w.c);
		add(2, 2, 3, &w.b);
	}
	static void thread(unsigned i)
	{
		if (i == 0) {
			model_check(!vtree_separate(&w.t, thread_self(), addr(4)), "split", __FILE__, __LINE__);
		} else if (i == 1) {
			model_check(find(0).vma == &w.a, "never missed", __FILE__, __LINE__);
			model_check(find(6).vma == &w.c, "never missed", __FILE__, __LINE__);
			model_check(find(0).vma == &w.a, "never missed", __FILE__, __LINE__);
		} else {
			reshape(2, 2, 4);
			model_check(find(3).vma == &w.b, "found where it was put", __FILE__, __LINE__);
			reshape(6, 6, 8);
			model_check(find(7).vma == &w.c, "found where it was put", __FILE__, __LINE__);
		}
	}
	static void finish()
	{
		world_finish();
		model_check(find(3).vma == &w.b && find(7).vma == &w.c, "nothing is lost", __FILE__, __LINE__);
	}
};

/* Leaves of 8 pages, enough for two levels of inner nodes, three of them full. */
void levels_start()
{
	world_start();
	for (unsigned i = 1; i <= VTREE_SLOTS; i++)
		model_check(!vtree_separate(&w.t, thread_self(), addr(8 * i)), "leaves", __FILE__, __LINE__);
	for (unsigned i = 0; i < 3; i++)
		add(8 * i, 8 * i, 8 * i + 8, i == 0 ? &w.a : i == 1 ? &w.b : &w.c);
}

/* Splits below inner nodes: nodes are replaced, and pointers in nodes that stay. */
struct tree_levels {
	static void start() { levels_start(); }
	static void thread(unsigned i)
	{
		if (i == 2) {
			model_check(find(0).vma == &w.a && find(4).vma == &w.a, "never missed", __FILE__, __LINE__);
			model_check(find(12).vma == &w.b && find(8).vma == &w.b, "never missed", __FILE__, __LINE__);
			return;
		}
		model_check(!vtree_separate(&w.t, thread_self(), addr(8 * i + 4)), "split", __FILE__, __LINE__);
		model_check(find(4).vma == &w.a, "never missed", __FILE__, __LINE__);
	}
	static void finish()
	{
		world_finish();
		model_check(find(3).r.hi == addr(4) && find(11).r.hi == addr(12), "split", __FILE__, __LINE__);
	}
};

/* ---- bounds ---- */

/* Leaves 0..7 and 8.., A over all of the first; its bound still says that it is empty. */
void bounds_start()
{
	world_start();
	model_check(!vtree_separate(&w.t, thread_self(), addr(8)), "two leaves", __FILE__, __LINE__);
	add(0, 0, 8, &w.a);
}

/* A goes; a search lowers the bound that misled it; another frees and fills. */
struct bound_lower {
	static void start() { bounds_start(); }
	static void thread(unsigned i)
	{
		if (i == 0)
			reshape(0, 0, 0);
		else
			vtree_bound_tighten(&w.t, 0, 0);
	}
	static void finish() { world_finish(); }
};

/* The same one level up. */
struct bound_levels {
	static void start()
	{
		levels_start();
		vtree_bound_tighten(&w.t, 0, 8);
		vtree_bound_tighten(&w.t, 0, 16);
	}
	static void thread(unsigned i)
	{
		if (i == 2)
			vtree_bound_tighten(&w.t, 0, 0);
		else
			reshape(8 * i, 0, 0);
	}
	static void finish() { world_finish(); }
};

/* Frees in a leaf whose parent is being replaced, while a search lowers; the bound is high or low before. */
template <bool LOW> struct bound_replaced {
	static void start()
	{
		bounds_start();
		if (LOW)
			vtree_bound_tighten(&w.t, 0, 0);
	}
	static void thread(unsigned i)
	{
		if (i == 0)
			reshape(0, 0, 4);
		else if (i == 1)
			model_check(!vtree_separate(&w.t, thread_self(), addr(16)), "split", __FILE__, __LINE__);
		else
			vtree_bound_tighten(&w.t, 0, 0);
	}
	static void finish() { world_finish(); }
};

typedef bound_replaced<true> bound_graft;
typedef bound_replaced<false> bound_graft_high;

}

MODEL_SUITE(tree_find, 60000);
MODEL_SUITE(tree_slot, 200000);
MODEL_SUITE(tree_levels, 20000);
MODEL_SUITE(tree_refill, 30000);
MODEL_SUITE(tree_split, 30000);
MODEL_SUITE(bound_lower, 60000);
MODEL_SUITE(bound_levels, 30000);
MODEL_SUITE(bound_graft, 30000);
MODEL_SUITE(bound_graft_high, 30000);
