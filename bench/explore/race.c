/* SPDX-License-Identifier: MIT */
/*
 * race.c - see race.h. Per four bytes and core: the clock of its last load and store, plain and atomic; an access of
 * another core that does not know that clock is not ordered behind it. Source: Flanagan and Freund, FastTrack
 * (PLDI 2009), with full vectors: runs are short. Of four bytes only those that both touch count: small fields of two
 * owners may be neighbours. Of words that only one core is known to touch no books are kept, so a
 * race is missed in the run that makes the word known.
 */
#include "bench/explore/race.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "bench/explore/words.h"
#include "bench/sim/debug.h"

enum kind { PLAIN_LOAD, PLAIN_STORE, ATOMIC_LOAD, ATOMIC_STORE, KINDS };

static enum kind kind_of(const struct access *a)
{
	return (a->atomic ? ATOMIC_LOAD : PLAIN_LOAD) + (a->op != ACCESS_LOAD);
}

struct cell { uint32_t run; struct { uint32_t clock; uint8_t bytes; const void *pc; } last[KINDS][RUN_CORES]; };

static struct cell *cells;               /* two for each word                                                       */
static uint32_t run;

void race_begin(void)
{
	if (cells == NULL)
		cells = calloc(2 * WORDS_MAX, sizeof(*cells));
	CHECK(cells != NULL);
	run++;
}

static _Noreturn void tell(const struct access *a, uint32_t core, const void *other, uint32_t other_core)
{
	char here[200];

	snprintf(here, sizeof(here), "%s", debug_location(a->pc));
	run_fail(FAIL_RACE, "core %u in %s against core %u in %s", core, here, other_core, debug_location(other));
}

/* Which of the four bytes from at on it touches. */
static uint8_t touched(const struct access *a, uintptr_t at)
{
	uint8_t bytes = 0;

	for (uint32_t i = 0; i < 4; i++)
		if (at + i - a->at < a->bytes)
			bytes |= (uint8_t)(1u << i);
	return bytes;
}

static void look(struct cell *cell, const struct access *a, uint32_t core, uint8_t bytes, const struct clocks *now,
		 enum kind against)
{
	for (uint32_t i = 0; i < RUN_CORES; i++)
		if (i != core && cell->last[against][i].clock > now->of[i] && (cell->last[against][i].bytes & bytes))
			tell(a, core, cell->last[against][i].pc, i);
}

void race_access(const struct access *a, uint32_t core, const struct clocks *now)
{
	enum kind kind = kind_of(a);

	for (uintptr_t at = a->at & ~(uintptr_t)3; at < a->at + a->bytes; at += 4) {
		const struct word *w = word_of(at);
		struct cell *cell = &cells[2 * w->number + (at >> 2 & 1)];
		uint8_t bytes = touched(a, at);

		if (!w->conflict)                        /* no other core ever touched it, or nobody wrote          */
			continue;
		if (cell->run != run)
			*cell = (struct cell){ .run = run };
		look(cell, a, core, bytes, now, PLAIN_STORE);
		if (a->op != ACCESS_LOAD)
			look(cell, a, core, bytes, now, PLAIN_LOAD);
		if (!a->atomic)
			look(cell, a, core, bytes, now, ATOMIC_STORE);
		if (kind == PLAIN_STORE)
			look(cell, a, core, bytes, now, ATOMIC_LOAD);
		if (cell->last[kind][core].clock != now->of[core])
			cell->last[kind][core].bytes = 0;
		cell->last[kind][core].bytes |= bytes;
		cell->last[kind][core].clock = now->of[core];
		cell->last[kind][core].pc = a->pc;
	}
}
