/* SPDX-License-Identifier: MIT */
/*
 * order.c - see order.h. An access is an event: its core, its number there, the write that it follows, and, of a write,
 * the loads since that one. The sum of the events' hashes depends on nothing else, so runs with the same partial order
 * have the same sum (Mazurkiewicz's traces, as far as 64 bits go).
 *
 * Whether a word is conflicting is known when the run has ended: so accesses are noted, and looked at then.
 */
#include "bench/explore/order.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/prng.h"
#include "bench/explore/memory.h"

#define NOTES_MAX (1u << 20)
#define CORES     8

struct noted { uint32_t word; uint8_t core, writes; };
struct history {
	uint32_t run;
	uint64_t write, loads;           /* the last write; the sum over the loads since                           */
	uint64_t seen[CORES];            /* the write that a core has seen last                                    */
};

static struct noted *notes;
static uint32_t notes_n, run;
static uint64_t stale_sum;
static struct history *history;

void order_begin(void)
{
	notes = malloc(NOTES_MAX * sizeof(*notes));
	history = calloc(MEMORY_WORDS, sizeof(*history));
	CHECK(notes != NULL && history != NULL);
}

void order_run(void)
{
	notes_n = 0;
	stale_sum = 0;
	run++;
}

void order_stale(uint32_t core, uint32_t access, uint32_t age)
{
	stale_sum += prng_mix((uint64_t)core << 48 | (uint64_t)access << 8 | age);
}

void order_note(const struct word *w, uint32_t core, bool writes)
{
	if (notes_n < NOTES_MAX)
		notes[notes_n++] = (struct noted){ memory_word_number(w), (uint8_t)core, writes };
}

static bool in_conflict(const struct word *w)
{
	return w->writers != 0 && (w->cores & (w->cores - 1)) != 0;
}

uint64_t order_hash(void)
{
	uint64_t number[CORES] = { 0 }, sum = stale_sum;

	for (uint32_t i = 0; i < notes_n; i++) {
		const struct noted *n = &notes[i];
		struct history *h;
		uint64_t event;

		if (!in_conflict(memory_word_at(n->word)))
			continue;
		h = &history[n->word];
		if (h->run != run)
			*h = (struct history){ .run = run, .write = 1 };
		if (!n->writes && h->seen[n->core] == h->write)
			continue;
		event = prng_mix((uint64_t)n->core << 56 | ++number[n->core]) ^ n->word;
		event = prng_mix(event) ^ h->write;
		if (n->writes) {
			event = prng_mix(event ^ h->loads);
			h->write = event;
			h->loads = 0;
		} else {
			event = prng_mix(event);
			h->loads += event;
		}
		h->seen[n->core] = h->write;
		sum += prng_mix(event);
	}
	return sum;
}

/* ---- distinct ones ---- */

static uint64_t *seen;
static uint64_t seen_n, seen_room;

static bool put(uint64_t hash)
{
	uint64_t i = hash & (seen_room - 1);

	while (seen[i] != 0) {
		if (seen[i] == hash)
			return false;
		i = (i + 1) & (seen_room - 1);
	}
	seen[i] = hash;
	return true;
}

static void grow(void)
{
	uint64_t *old = seen, room = seen_room;

	seen_room = room ? room * 2 : 1 << 12;
	seen = calloc(seen_room, sizeof(*seen));
	CHECK(seen != NULL);
	for (uint64_t i = 0; i < room; i++)
		if (old[i] != 0)
			put(old[i]);
	free(old);
}

bool order_is_new(uint64_t hash)
{
	if (seen_n * 2 >= seen_room)
		grow();
	if (!put(hash | 1))
		return false;
	seen_n++;
	return true;
}

uint64_t order_count(void)
{
	return seen_n;
}
