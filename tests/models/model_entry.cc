/* SPDX-License-Identifier: MIT */
/*
 * model_entry.cc - a page-table entry against a lock word: vmmap/pt/pt.c, the visit's re-check and the brief edit of
 * locks/policy/intree.c, attributes of a VMA (vmmap/space/space.h). Two faults, one writer.
 *
 * A fault does as space_fault does: look at lk and bits, make tables, lock the entry, look at lk again, store or put
 * back. What it stores says which thread made the frame and which bits it went by. In the end no entry may say more
 * than the VMA's bits, and what a fault was told is stored can be found. A first write sets the VMA's group: who takes
 * the VMA after that fault sees it.
 */
#include "memory.h"
#include "model.h"

#include "locks/policy/intree.h"
#include "vmmap/pt/pt_table.h"
#include "vmmap/space/space.h"

namespace {

const uint64_t OLD = VMA_READ | VMA_WRITE, NEW = VMA_READ;

struct world {
	struct intree tree;
	struct pt pt;
	struct vma vma[2];                       /* of pages 0 and 1 */
	model_plain<uint32_t> frame[MODEL_THREADS];
	bool stored[2];
	uint64_t freed;                          /* frames that the writer took, one bit each */
} w;

struct lock_visit visit_of(unsigned page)
{
	struct lock_visit v = { .self = thread_self() };

	v.slot = &w.vma[page].slot;
	v.r = { page * PAGE_BYTES, (page + 1) * PAGE_BYTES };
	v.own[0] = atomic_load_acquire(&v.slot->lk);             /* as vtree_leaf_find does */
	return v;
}

/* The tables of the first so many pages are there. */
void world_start(unsigned pages)
{
	memset((void *)&w, 0, sizeof(w));
	w.tree.locks.pins_at = offsetof(struct lock_slot, pins);
	memory_begin();
	w.pt.root = pt_table_take(&w.pt, thread_self());
	w.pt.root->level = PT_ROOT_LEVEL;
	for (unsigned i = 0; i < 2; i++) {
		atomic_store_relaxed(&w.vma[i].slot.lk, 2);
		atomic_store_relaxed(&w.vma[i].bits, OLD);
	}
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		w.frame[i] = 0;
	for (unsigned page = 0; page < pages; page++)
		(void)pt_make(&w.pt, thread_self(), page * PAGE_BYTES);
}

/* One attempt. True: stored; what was there is read through it otherwise. */
bool fault(unsigned page, uint64_t access)
{
	struct lock_visit v = visit_of(page);
	unsigned me = v.self->number;
	uint64_t bits, seen, value;
	atomic_u64 *entry;

	if (!lock_word_free(v.own[0]))
		return false;
	bits = atomic_load_acquire(&w.vma[page].bits);
	if (!space_allows(bits, access))
		return false;
	entry = pt_make(&w.pt, v.self, page * PAGE_BYTES);
	seen = atomic_load_acquire(entry);
	if (seen & PT_LOCKED)
		return false;
	if (seen) {
		(void)(uint32_t)w.frame[pt_pfn(seen)];   /* an access through it */
		return false;
	}
	w.frame[me] = 1;                                 /* zeroes its frame */
	value = pt_entry(me, PT_PRESENT | space_pt_access(bits), me + 1);
	if (!pt_lock(entry, seen))
		return false;
	if (!intree_visit_valid(&w.tree, &v)) {
		pt_store(entry, seen);
		return false;
	}
	pt_store(entry, value);
	return true;
}

void take_frames(struct pt_batch *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		(void)(uint32_t)w.frame[pt_pfn(b->entry[i])];    /* is given away after a grace period */
		w.freed |= UINT64_C(1) << pt_pfn(b->entry[i]);
	}
	b->n = 0;
}

/* The brief edit of a page, if it gets the lock word. */
void edit(unsigned page, void (*change)(struct lock_edit *e))
{
	struct lock_edit e = { .self = thread_self() };

	if (!intree_edit_take(&w.tree, &e, &w.vma[page].slot, 0))
		return;
	change(&e);
	intree_edit_drop(&w.tree, &e, &w.vma[page].slot);
}

void zap(unsigned page)
{
	struct pt_batch b = { .n = 0, .flush = take_frames };

	pt_zap(&w.pt, (struct lock_range){ page * PAGE_BYTES, (page + 1) * PAGE_BYTES }, &b);
	take_frames(&b);
}

/* The entry as all see it in the end: not locked, nothing that is freed, no more access than the bits allow. */
uint64_t settled(unsigned page)
{
	atomic_u64 *entry = pt_find(&w.pt, page * PAGE_BYTES);
	uint64_t value = entry ? atomic_load_relaxed(entry) : 0, bits = atomic_load_relaxed(&w.vma[page].bits);

	model_check(!(value & PT_LOCKED), "no entry stays locked", __FILE__, __LINE__);
	model_check(!value || !(w.freed >> pt_pfn(value) & 1), "no freed frame in an entry", __FILE__, __LINE__);
	model_check(!((value & PT_ACCESS) & ~space_pt_access(bits)), "no more than the VMA allows", __FILE__, __LINE__);
	return value;
}

/* Two faults of page 0 and its edit; tables are there already, or made meanwhile. */
template <bool TABLES, void (*CHANGE)(struct lock_edit *e)> struct entry_edit {
	static void start() { world_start(TABLES); }
	static void thread(unsigned i)
	{
		if (i < 2)
			w.stored[i] = fault(0, VMA_READ);
		else
			edit(0, CHANGE);
	}
	static void finish() { settled(0); }
};

/* munmap, and then a VMA that allows less. */
void replace(struct lock_edit *)
{
	zap(0);
	atomic_store_release(&w.vma[0].bits, NEW);
}

/* mprotect. */
void protect(struct lock_edit *)
{
	atomic_store_release(&w.vma[0].bits, NEW);
	pt_protect(&w.pt, (struct lock_range){ 0, PAGE_BYTES }, space_pt_access(NEW), false);
}

void free_tables(struct lock_edit *e)
{
	zap(0);
	pt_free_tables(&w.pt, e->self, (struct lock_range){ 0, UINT64_C(1) << pt_level_shift(1) });
}

/* The table goes and the VMA stays: what a fault was told is stored stands in the table that is linked. */
struct entry_unlink : entry_edit<true, free_tables> {
	static void finish()
	{
		uint64_t value = settled(0);

		model_check(!w.stored[0] || w.freed & 1 || (value && pt_pfn(value) == 0), "what was stored is found",
			    __FILE__, __LINE__);
	}
};

/* mremap: the entry of page 0 goes to page 1 while faults try both. */
struct entry_move {
	static void start() { world_start(2); }
	static void change(struct lock_edit *) { edit(1, change_both); }
	static void change_both(struct lock_edit *e)
	{
		zap(1);
		(void)pt_move(&w.pt, e->self, (struct lock_range){ 0, PAGE_BYTES }, PAGE_BYTES);
		atomic_store_release(&w.vma[0].bits, 0);
	}
	static void thread(unsigned i)
	{
		if (i < 2)
			fault(i, VMA_READ);
		else
			edit(0, change);
	}
	static void finish()
	{
		uint64_t a = settled(0), b = settled(1);

		model_check(!a || !b || pt_pfn(a) != pt_pfn(b), "a frame is in one place", __FILE__, __LINE__);
	}
};

/* A VMA is swallowed, and its memory is another VMA at once: a fault refuses nothing for what that one forbids. */
struct entry_second_life {
	static void start() { world_start(0); }
	static void change(struct lock_edit *e)
	{
		struct space_new other = { .bits = 0, .delta = 7, .object = (struct object *)&w, .anon = 9 };

		intree_edit_dead(&w.tree, e, &w.vma[0].slot);
		space_vma_fill(e->self, &w.vma[0], &other);
		intree_edit_born(&w.tree, e, &w.vma[0].slot);
	}
	static void thread(unsigned i)
	{
		if (i < 2) {
			struct lock_visit v = visit_of(0);
			struct space_new is;

			if (v.own[0] != 2)
				return;
			is = space_vma_attr(&w.vma[0]);
			/* An acquire look suffices: the fields' own stores bring the word along. (A seq_cst one would
			 * pass without them: here, though not in C11, all that is seq_cst has one order in time.) */
			model_check((space_allows(is.bits, VMA_READ) && !is.delta && !is.object && !is.anon) ||
				    atomic_load_acquire(&v.slot->lk) != v.own[0], "no answer by another life",
				    __FILE__, __LINE__);
		} else {
			edit(0, change);
		}
	}
	static void finish() { }
};

/* First write faults against who takes the VMA and asks for its group. */
struct entry_group {
	static const uint64_t NONE = 4, GROUP = 5;
	static uint64_t met;                     /* by the holder; NONE: it did not get the VMA */
	static bool wrote;                       /* under the word that the holder took */

	static void start()
	{
		world_start(1);
		atomic_store_relaxed(&w.vma[0].anon, NONE);
		met = NONE;
		wrote = false;
	}
	static void change(struct lock_edit *) { met = vma_anon(&w.vma[0]); }
	static void write()
	{
		struct lock_visit v = visit_of(0);
		atomic_u64 *entry = pt_find(&w.pt, 0);
		uint64_t none = NONE;

		if (v.own[0] != 2 || atomic_load_acquire(entry))
			return;
		atomic_cas_seqcst(&w.vma[0].anon, &none, GROUP);
		if (!pt_lock(entry, 0))
			return;
		wrote |= intree_visit_valid(&w.tree, &v);
		pt_store(entry, 0);
	}
	static void thread(unsigned i)
	{
		if (i < 2)
			write();
		else
			edit(0, change);
	}
	static void finish()
	{
		model_check(met == NONE || !wrote || met == GROUP, "the group of what was written", __FILE__, __LINE__);
	}
};
uint64_t entry_group::met;
bool entry_group::wrote;

typedef entry_edit<true, replace> entry_present;
typedef entry_edit<false, replace> entry_absent;
typedef entry_edit<true, protect> entry_protect;

}

MODEL_SUITE(entry_present, 100000);
MODEL_SUITE(entry_absent, 100000);
MODEL_SUITE(entry_protect, 100000);
MODEL_SUITE(entry_unlink, 100000);
MODEL_SUITE(entry_move, 100000);
MODEL_SUITE(entry_second_life, 100000);
MODEL_SUITE(entry_group, 100000);
