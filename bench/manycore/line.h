/* SPDX-License-Identifier: MIT */
/*
 * line.h - the cost model: which core has which cache line, and what it costs to get one.
 *
 * A line of 64 bytes is held by nobody, by one core (that may write it), or by several (that may read it). Caches are
 * infinite: a core keeps a line until another one writes it. What a core holds as it needs it is a *hit*. The first
 * touch of all is *cold*. Everything else is a *transfer*: a load of a line that another core wrote since this core's
 * last access, a store to a line that another core has read or written since this core's last store (mtrace's rule).
 *
 * TIME   of a transfer: `within` if all takes place in one socket, else `across`. A load comes from the nearest holder;
 *        a store waits for the farthest, whose copy it takes away. A line is handed to one core at a time: who asks
 *        while it is under way queues (`busy`).
 * LEFT OUT  capacity and conflict misses, prefetching, bandwidth, stores that retire behind the core's back.
 *
 * Source: the coherence rule of mtrace (Clements et al., SOSP'13); Boyd-Wickham et al., "Non-scalable locks are
 * dangerous" (OLS 2012), for lines that queue. Times are picoseconds of virtual time.
 */
#ifndef BENCH_MANYCORE_LINE_H
#define BENCH_MANYCORE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"

#define LINE_SHIFT 6
#define LINE_CHUNK_LINES (UINT64_C(1) << 16)     /* what one entry of the directory covers: 4 MiB of addresses      */
#define LINE_DIRECTORY   (UINT64_C(1) << 25)     /* 47 bits of address                                              */

struct line {
	uint64_t busy;                   /* until when it is on its way to somebody; 0: it has never moved          */
	uint16_t owner;                  /* who wrote it last, or touched it first                                  */
	uint16_t holders;                /* 0: nobody, 1: `owner` alone, else those of the set                      */
	uint32_t set;                    /* number of its bitmap; 0: it has never had two holders                   */
	const void *writer;              /* where the last store came from                                          */
};

struct line_costs {                      /* picoseconds                                                             */
	uint64_t within, across, cold;
	uint32_t cores_per_socket;
};

struct line_table {
	struct line **directory;         /* of chunks, each made at its first touch                                 */
	uint64_t *bits;                  /* bitmaps of `words` words each                                           */
	uint32_t words, sets, sets_room;
	struct line_costs costs;
};

enum line_event { LINE_HIT, LINE_COLD, LINE_LOADED, LINE_STORED };       /* the last two: transfers                */

/* cores: how many there are, 1 to 2^16 - 2. 0 or -ENOMEM. */
int  line_init(struct line_table *t, uint32_t cores, const struct line_costs *costs);
void line_fini(struct line_table *t);
struct line *line_make_chunk(struct line_table *t, uint64_t number);
/* What is not a hit: the core gets the line. *done: when it has it. */
struct line_ask { uint32_t core; bool store; const void *pc; uint64_t now; };
enum line_event line_take(struct line_table *t, struct line *line, const struct line_ask *ask, uint64_t *done);

/* number: address >> LINE_SHIFT. */
static ALWAYS_INLINE struct line *line_at(struct line_table *t, uint64_t number)
{
	struct line *chunk = t->directory[number / LINE_CHUNK_LINES];

	return unlikely(chunk == NULL) ? line_make_chunk(t, number) : &chunk[number % LINE_CHUNK_LINES];
}

static ALWAYS_INLINE bool line_holds(const struct line_table *t, const struct line *line, uint32_t core)
{
	if (line->holders <= 1)
		return line->holders == 1 && line->owner == core;
	return t->bits[(size_t)line->set * t->words + core / 64] >> core % 64 & 1;
}

static ALWAYS_INLINE bool line_hit(const struct line_table *t, const struct line *line, uint32_t core, bool store)
{
	return store ? line->holders == 1 && line->owner == core : line_holds(t, line, core);
}

#endif
