/* SPDX-License-Identifier: MIT */
/*
 * order.c - see order.h. An access is an event: its core, its number there, the write that it follows, and, of a write,
 * the loads since that one. The sum of the events' hashes depends on nothing else, so runs with the same partial order
 * have the same sum (Mazurkiewicz's traces, as far as 64 bits go).
 *
 * Which words conflict in a run is known when it has ended: so accesses are noted, and looked at then. Only those to
 * words that have ever been fought over are; a run in which one more turns out to be has lost some of its notes, is
 * told, and its order does not count.
 */
#include "bench/explore/order.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/prng.h"
#include "bench/explore/seen.h"

#define CORES 8

struct history {
	uint32_t run;
	uint64_t write, loads;           /* the last write; the sum over the loads since                           */
	uint64_t seen[CORES];            /* the write that a core has seen last                                    */
};

struct order_notes order_notes;

static uint32_t run;
static bool learned;
static uint64_t stale_sum;
static struct history *history;

_Static_assert(sizeof(struct word) == 16, "a note is a word's address, a core and a bit");

void order_begin(void)
{
	order_notes.note = malloc(ORDER_NOTES * sizeof(*order_notes.note));
	history = calloc(WORDS_MAX, sizeof(*history));
	CHECK(order_notes.note != NULL && history != NULL);
}

void order_run(void)
{
	order_notes.n = 0;
	stale_sum = 0;
	learned = false;
	run++;
}

void order_learned(void)
{
	learned = true;
}

bool order_has_learned(void)
{
	return learned;
}

void order_stale(uint32_t core, uint32_t access, uint32_t age)
{
	stale_sum += prng_mix((uint64_t)core << 48 | (uint64_t)access << 8 | age);
}

static bool in_conflict(const struct word *w)
{
	return w->writers != 0 && (w->cores & (w->cores - 1)) != 0;
}

static uint64_t event(struct history *h, uint32_t number, uint64_t which, bool writes, uint32_t core)
{
	uint64_t e = prng_mix(which) ^ number;

	e = prng_mix(e ^ h->write);
	if (writes) {
		e = prng_mix(e ^ h->loads);
		h->write = e;
		h->loads = 0;
	} else {
		h->loads += e;
	}
	h->seen[core] = h->write;
	return e;
}

bool order_hash(uint64_t *hash)
{
	uint64_t number[CORES] = { 0 }, sum = stale_sum;

	for (const uintptr_t *n = order_notes.note; n < order_notes.note + order_notes.n; n++) {
		const struct word *w = (const struct word *)(*n & ~(uintptr_t)15);
		uint32_t core = *n >> 1 & 7;
		bool writes = *n & 1;
		struct history *h = &history[w->number];

		if (!in_conflict(w))
			continue;
		if (h->run != run)
			*h = (struct history){ .run = run, .write = 1 };
		if (!writes && h->seen[core] == h->write)
			continue;
		sum += event(h, w->number, (uint64_t)core << 56 | ++number[core], writes, core);
	}
	*hash = sum;
	return !learned;
}

/* ---- distinct ones ---- */

static struct seen seen;

bool order_is_new(uint64_t hash)
{
	return seen_add(&seen, hash);
}

uint64_t order_count(void)
{
	return seen.n;
}
