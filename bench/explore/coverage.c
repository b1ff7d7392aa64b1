/* SPDX-License-Identifier: MIT */
/*
 * coverage.c - see coverage.h. Lock words are found by where they lie: the slabs of VMAs (heap.h), first in each VMA.
 * A place is a function of the engine, as the debug information names it; several accesses of one function are one row.
 */
#include "bench/explore/coverage.h"

#include <stddef.h>
#include <string.h>

#include "bench/sim/debug.h"
#include "bench/sim/heap.h"
#include "vmmap/vma/vma.h"

struct coverage *coverage_used;

struct coverage *coverage_use(struct coverage *c)
{
	struct coverage *before = coverage_used;

	coverage_used = c;
	return before;
}

/* What memory says, without being told: this file is not instrumented, and one OS thread plays all cores. */
static enum met met_of(const struct vma *vma, uint64_t lk)
{
	bool pinned = (atomic_load_relaxed(&vma->slot.pins) & ~LOCK_WRITER) != 0;

	if (lk == LOCK_DEAD)
		return MET_DEAD;
	if (lock_word_free(lk))
		return pinned ? MET_PINNED : MET_FREE;
	if (lk == LOCK_BRIEF)
		return MET_BRIEF;
	if (atomic_load_relaxed(&vma->bits) & VMA_GAP)
		return MET_DUMMY;
	return pinned ? MET_HELD_PINNED : MET_HELD;
}

static uint64_t *row_of(struct coverage *c, const void *pc)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->place[i].pc == pc)
			return c->place[i].met;
	if (c->n == COVERAGE_PLACES)
		return NULL;
	c->place[c->n].pc = pc;
	return c->place[c->n++].met;
}

void coverage_note(uintptr_t at, const void *pc, uint64_t seen)
{
	const struct heap_block *block = heap_at(at);
	uint64_t *met;

	if (block == NULL || block->purpose != MEM_VMA ||
	    (at - block->at) % sizeof(struct vma) != offsetof(struct vma, slot.lk))
		return;
	met = row_of(coverage_used, pc);
	if (met != NULL)
		met[met_of((const struct vma *)(at & ~(uintptr_t)(sizeof(struct vma) - 1)), seen)]++;
}

void coverage_add(struct coverage *to, const struct coverage *from)
{
	for (uint32_t i = 0; i < from->n; i++) {
		uint64_t *met = row_of(to, from->place[i].pc);

		for (unsigned k = 0; met != NULL && k < METS; k++)
			met[k] += from->place[i].met[k];
	}
}

static void print_count(uint64_t n, FILE *to)
{
	if (n != 0)
		fprintf(to, " %10llu", (unsigned long long)n);
	else
		fprintf(to, " %10s", "-");
}

void coverage_print(const struct coverage *c, FILE *to)
{
	fprintf(to, "%-56s %10s %10s %10s %10s %10s %10s %10s\n", "who looked at a lock word", "free", "pinned",
		"brief", "held", "held+pins", "dummy", "dead");
	for (uint32_t i = 0; i < c->n; i++) {
		fprintf(to, "%-56s", debug_location(c->place[i].pc));
		for (unsigned k = 0; k < METS; k++)
			print_count(c->place[i].met[k], to);
		fputc('\n', to);
	}
}
