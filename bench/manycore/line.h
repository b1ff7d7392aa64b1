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
 *        a store waits for the farthest, whose copy it takes away.
 * QUEUES A line goes to one core of a socket at a time. Loads that a copy in their own socket serves queue there alone
 *        (`port`), so that several sockets read at once; what crosses sockets, and each store, waits until the line has
 *        come wherever it is under way to (`busy`).
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

/* Eight bytes, so that what a core works with stays in the cache of the machine that plays it; see also line_more. */
struct line {
	uint32_t who;                    /* 0: nobody; LINE_ALONE | core; else the number of its set; | LINE_MOVED  */
	uint32_t writer;                 /* where the last store, or the first touch, came from: line_writer        */
};

#define LINE_ALONE (UINT32_C(1) << 31)
#define LINE_MOVED (UINT32_C(1) << 30)           /* it has been a transfer's                                        */

struct line_more {                               /* what only a transfer asks for                                   */
	uint64_t busy;                   /* until when it is on its way to anybody                                  */
	uint32_t set;                    /* number of its set; 0: it has never had two holders                      */
};

struct line_chunk {
	struct line line[LINE_CHUNK_LINES];
	struct line_more more[LINE_CHUNK_LINES];
};

struct line_costs {                      /* picoseconds                                                             */
	uint64_t within, across, cold;
	uint32_t cores_per_socket;
};

struct line_table {
	struct line_chunk **directory;   /* each made at its first touch                                            */
	uint64_t *bits;                  /* sets of holders: bitmaps of `words` words each                          */
	uint64_t *port;                  /* for each set and socket: until when its copy is under way there         */
	uint32_t words, sockets, sets, sets_room;
	struct line_costs costs;
};

enum line_event { LINE_HIT, LINE_COLD, LINE_LOADED, LINE_STORED };       /* the last two: transfers                */

/* cores: how many there are, 1 to 2^16 - 2. 0 or -ENOMEM. */
int  line_init(struct line_table *t, uint32_t cores, const struct line_costs *costs);
void line_fini(struct line_table *t);
struct line_chunk *line_make_chunk(struct line_table *t, uint64_t number);
/* What is not a hit: the core gets the line. *done: when it has it. */
struct line_ask { uint32_t core; bool store; const void *pc; uint64_t now; };
enum line_event line_take(struct line_table *t, uint64_t number, const struct line_ask *ask, uint64_t *done);

/* number: address >> LINE_SHIFT. */
static ALWAYS_INLINE struct line_chunk *line_chunk_at(struct line_table *t, uint64_t number)
{
	struct line_chunk *chunk = t->directory[number / LINE_CHUNK_LINES];

	return unlikely(chunk == NULL) ? line_make_chunk(t, number) : chunk;
}

static ALWAYS_INLINE struct line *line_at(struct line_table *t, uint64_t number)
{
	return &line_chunk_at(t, number)->line[number % LINE_CHUNK_LINES];
}

static ALWAYS_INLINE bool line_hit(const struct line_table *t, const struct line *line, uint32_t core, bool store)
{
	uint32_t who = line->who & ~LINE_MOVED;

	if (who >= LINE_ALONE || store)
		return who == (LINE_ALONE | core);
	return t->bits[(size_t)who * t->words + core / 64] >> core % 64 & 1;     /* set 0 is empty */
}

/* Code is in the program itself: 32 bits say where. */
extern char __executable_start[];                        /* the linker's */

static ALWAYS_INLINE void line_written(struct line *line, const void *pc)
{
	line->writer = (uint32_t)((uintptr_t)pc - (uintptr_t)__executable_start);
}

static inline const void *line_writer(const struct line *line)
{
	return __executable_start + line->writer;
}

#endif
