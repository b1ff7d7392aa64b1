/* SPDX-License-Identifier: MIT */
/*
 * coverage.c - see coverage.h: what a word is, and in which state. coverage_table.c says who came to it, and prints.
 *
 * What memory says is read without being told: this file is not instrumented, and one OS thread plays all cores.
 */
#include "bench/explore/coverage_in.h"

#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "bench/explore/words.h"
#include "bench/sim/label.h"
#include "locks/range_lock.h"
#include "locks/rwsem.h"
#include "locks/table_lock.h"
#include "vmmap/vma/vma.h"

#define KNOWN 4096                       /* addresses of this run                                                  */

struct coverage *coverage_used;

struct coverage *coverage_use(struct coverage *c)
{
	struct coverage *before = coverage_used;

	coverage_used = c;
	return before;
}

/* ---- states ---- */

/* A holder's range lock; who holds beside the map has none with a queue. */
static bool queue_waits(uint64_t lk)
{
	const char *label = label_of(lk - 1);
	const struct range_lock *lock = lock_word_lock(lk);

	if (lock == NULL || label == NULL || strncmp(label, "range_thread.lock", strlen("range_thread.lock")) != 0)
		return false;
	return (uint32_t)atomic_load_relaxed(&lock->queue.word) != 0 &&
	       (uint32_t)atomic_load_relaxed(&lock->queue.word) != QUEUE_CLOSED;
}

enum { VMA_FREE, VMA_FREE_PINS, VMA_BRIEF, VMA_HELD, VMA_HELD_QUEUE, VMA_HELD_PINS, VMA_DUMMY, VMA_DUMMY_QUEUE,
       VMA_DEAD };
static unsigned state_of_vma(uintptr_t at, uint64_t lk)
{
	const struct vma *vma = (const struct vma *)at;          /* lk comes first                                 */
	bool pins = (atomic_load_relaxed(&vma->slot.pins) & ~LOCK_WRITER) != 0;

	if (lk == LOCK_DEAD)
		return VMA_DEAD;
	if (lock_word_free(lk))
		return pins ? VMA_FREE_PINS : VMA_FREE;
	if (lk == LOCK_BRIEF)
		return VMA_BRIEF;
	if (atomic_load_relaxed(&vma->bits) & VMA_GAP)
		return queue_waits(lk) ? VMA_DUMMY_QUEUE : VMA_DUMMY;
	return queue_waits(lk) ? VMA_HELD_QUEUE : pins ? VMA_HELD_PINS : VMA_HELD;
}

enum { PINS_NONE, PINS_SOME, PINS_DRAINED, PINS_GONE };
static unsigned state_of_pins(uintptr_t at, uint64_t pins)
{
	(void)at;
	return pins == 0 ? PINS_NONE : pins == LOCK_WRITER ? PINS_GONE : pins & LOCK_WRITER ? PINS_DRAINED : PINS_SOME;
}

enum { SEM_FREE, SEM_SHARED, SEM_EXCLUSIVE, SEM_SHARED_QUEUE, SEM_EXCLUSIVE_QUEUE, SEM_FREE_QUEUE, SEM_HANDOFF };
static unsigned state_of_sem(uintptr_t at, uint64_t word)
{
	(void)at;
	if (word & RWSEM_HANDOFF)
		return SEM_HANDOFF;
	if (word & RWSEM_W)
		return word & RWSEM_QUEUED ? SEM_EXCLUSIVE_QUEUE : SEM_EXCLUSIVE;
	if (word >= RWSEM_READER)
		return word & RWSEM_QUEUED ? SEM_SHARED_QUEUE : SEM_SHARED;
	return word & RWSEM_QUEUED ? SEM_FREE_QUEUE : SEM_FREE;
}

enum { TABLE_IS_FREE, TABLE_IS_HELD, TABLE_HAS_QUEUE, TABLE_IS_BUSY, TABLE_IS_STRAY };
static unsigned state_of_table(uintptr_t at, uint64_t word)
{
	(void)at;
	return word & TABLE_STRAY ? TABLE_IS_STRAY : word & TABLE_BUSY ? TABLE_IS_BUSY :
	       word & TABLE_QUEUED ? TABLE_HAS_QUEUE : word & TABLE_HELD ? TABLE_IS_HELD : TABLE_IS_FREE;
}

enum { LINK_LAST, LINK_ON, LINK_MARKED };
static unsigned state_of_link(uintptr_t at, uint64_t link)
{
	(void)at;
	return link & 1 ? LINK_MARKED : link != 0 ? LINK_ON : LINK_LAST;
}

enum { SPIN_FREE, SPIN_TAKEN };
static unsigned state_of_spin(uintptr_t at, uint64_t word)
{
	(void)at;
	return word != 0 ? SPIN_TAKEN : SPIN_FREE;
}

const struct coverage_kind coverage_kinds[] = {
	{ "a lock word", state_of_vma,
	  { [VMA_FREE] = "free", [VMA_FREE_PINS] = "free+insist", [VMA_BRIEF] = "short form", [VMA_HELD] = "held",
	    [VMA_HELD_QUEUE] = "held+queue", [VMA_HELD_PINS] = "held+insist", [VMA_DUMMY] = "dummy",
	    [VMA_DUMMY_QUEUE] = "dummy+queue", [VMA_DEAD] = "dead" },
	  { ".slot.lk" } },
	{ "a count of visits", state_of_pins,
	  { [PINS_NONE] = "none", [PINS_SOME] = "some", [PINS_DRAINED] = "some+drain", [PINS_GONE] = "none+drain" },
	  { ".slot.pins", "lock_slot_far.pins" } },
	{ "an rwsem", state_of_sem,
	  { [SEM_FREE] = "free", [SEM_SHARED] = "shared", [SEM_EXCLUSIVE] = "exclusive",
	    [SEM_SHARED_QUEUE] = "shared+queue", [SEM_EXCLUSIVE_QUEUE] = "excl+queue",
	    [SEM_FREE_QUEUE] = "free+queue", [SEM_HANDOFF] = "hand-off" },
	  { "sem.word" } },
	{ "a table's lock", state_of_table,
	  { [TABLE_IS_FREE] = "free", [TABLE_IS_HELD] = "held", [TABLE_HAS_QUEUE] = "held+queue",
	    [TABLE_IS_BUSY] = "busy", [TABLE_IS_STRAY] = "stray" },
	  { "pt_table.lock.word" } },
	{ "a link of range-list", state_of_link,
	  { [LINK_LAST] = "last", [LINK_ON] = "on", [LINK_MARKED] = "gone, alone" },
	  { "list_state.head", "list_thread.node[].next", "list_node.next" } },
	{ "the lock of range-tree, fine-lock", state_of_spin,
	  { [SPIN_FREE] = "free", [SPIN_TAKEN] = "taken" },
	  { "tree_state.lock.word", "fine_state.lock.word" } },
};
const unsigned coverage_kinds_n = ARRAY_SIZE(coverage_kinds);

/* ---- words ---- */

static bool ends_with(const char *label, const char *end)
{
	size_t n = strlen(label), m = end != NULL ? strlen(end) : n + 1;

	return n >= m && strcmp(label + n - m, end) == 0;
}

/* Memory that a run has given back may be another thing in the next. coverage_kinds_n: none of them. */
static unsigned kind_at(uintptr_t at)
{
	static struct { uintptr_t at; uint32_t run; unsigned kind; } known[KNOWN];
	uint32_t i = (uint32_t)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 52);
	const char *label;
	unsigned kind = 0;

	if (known[i].at == at && known[i].run == words_run)
		return known[i].kind;
	label = label_of(at);
	for (; kind < coverage_kinds_n && label != NULL; kind++) {
		const struct coverage_kind *k = &coverage_kinds[kind];
		unsigned n = 0;

		while (n < ARRAY_SIZE(k->labels) && !ends_with(label, k->labels[n]))
			n++;
		if (n < ARRAY_SIZE(k->labels))
			break;
	}
	known[i].at = at;
	known[i].run = words_run;
	return known[i].kind = label != NULL ? kind : coverage_kinds_n;
}

static uint64_t *met_at(struct coverage *c, const void *pc, unsigned kind)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->place[i].pc == pc && c->place[i].kind == kind)
			return c->place[i].met;
	if (c->n == COVERAGE_PLACES) {
		c->lost++;
		return NULL;
	}
	c->place[c->n].pc = pc;
	c->place[c->n].kind = kind;
	return c->place[c->n++].met;
}

void coverage_note(uintptr_t at, const void *pc, uint64_t seen)
{
	unsigned kind = kind_at(at);
	uint64_t *met = kind < coverage_kinds_n ? met_at(coverage_used, pc, kind) : NULL;

	if (met != NULL)
		met[coverage_kinds[kind].state_of(at, seen)]++;
}

void coverage_add(struct coverage *to, const struct coverage *from)
{
	to->lost += from->lost;
	for (uint32_t i = 0; i < from->n; i++) {
		uint64_t *met = met_at(to, from->place[i].pc, from->place[i].kind);

		for (unsigned k = 0; met != NULL && k < COVERAGE_STATES; k++)
			met[k] += from->place[i].met[k];
	}
}
