/* SPDX-License-Identifier: MIT */
/* line.c - see line.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/assert.h"
#include "bench/manycore/line.h"

/* Zeroed, and backed as it is touched. */
static void *reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void *grow(void *p, size_t from, size_t to)
{
	p = realloc(p, to);
	CHECK(p != NULL);
	memset((char *)p + from, 0, to - from);
	return p;
}

static void sets_grow(struct line_table *t)
{
	uint32_t room = t->sets_room ? t->sets_room * 2 : 1024;
	size_t bits = t->words * sizeof(*t->bits), ports = t->sockets * sizeof(*t->port);

	t->bits = grow(t->bits, t->sets_room * bits, room * bits);
	t->port = grow(t->port, t->sets_room * ports, room * ports);
	t->sets_room = room;
}

int line_init(struct line_table *t, uint32_t cores, const struct line_costs *costs)
{
	*t = (struct line_table){ .words = (cores + 63) / 64, .sets = 1, .costs = *costs,
				  .sockets = (cores - 1) / costs->cores_per_socket + 1 };
	t->directory = reserve(LINE_DIRECTORY * sizeof(*t->directory));
	if (t->directory == NULL)
		return -ENOMEM;
	sets_grow(t);
	return 0;
}

void line_fini(struct line_table *t)
{
	for (uint64_t i = 0; i < LINE_DIRECTORY; i++)
		if (t->directory[i] != NULL)
			munmap(t->directory[i], sizeof(struct line_chunk));
	munmap(t->directory, LINE_DIRECTORY * sizeof(*t->directory));
	free(t->bits);
	free(t->port);
}

struct line_chunk *line_make_chunk(struct line_table *t, uint64_t number)
{
	struct line_chunk *chunk = reserve(sizeof(*chunk));

	CHECK(number / LINE_CHUNK_LINES < LINE_DIRECTORY && chunk != NULL);
	t->directory[number / LINE_CHUNK_LINES] = chunk;
	return chunk;
}

static uint64_t *set_of(const struct line_table *t, uint32_t set)
{
	return &t->bits[(size_t)set * t->words];
}

static uint64_t *port_of(const struct line_table *t, uint32_t set, uint32_t core)
{
	return &t->port[(size_t)set * t->sockets + core / t->costs.cores_per_socket];
}

/* Bits [from, to) of word number `word` of a set. */
static uint64_t within(uint32_t word, uint32_t from, uint32_t to)
{
	uint32_t base = word * 64;
	uint64_t above = from <= base ? UINT64_MAX : from - base < 64 ? UINT64_MAX << (from - base) : 0;
	uint64_t below = to >= base + 64 ? UINT64_MAX : to > base ? (UINT64_C(1) << (to - base)) - 1 : 0;

	return above & below;
}

/* Some holder but `core` itself sits in the socket of `core` (here), or in another one. */
static bool held(const struct line_table *t, uint32_t who, uint32_t core, bool here)
{
	uint32_t from = core - core % t->costs.cores_per_socket, to = from + t->costs.cores_per_socket;
	const uint64_t *set;

	if (who & LINE_ALONE) {
		who &= ~LINE_ALONE;
		return who != core && (who >= from && who < to) == here;
	}
	set = set_of(t, who);
	for (uint32_t word = 0; word < t->words; word++) {
		uint64_t mask = within(word, from, to);

		if (here && core / 64 == word)
			mask &= ~(UINT64_C(1) << core % 64);
		if ((set[word] & (here ? mask : ~mask)) != 0)
			return true;
	}
	return false;
}

/* `core` joins those who hold it. */
static void share(struct line_table *t, struct line *line, struct line_more *more, uint32_t core)
{
	uint32_t who = line->who & ~LINE_MOVED;
	uint64_t *set;

	if (more->set == 0) {
		if (t->sets == t->sets_room)
			sets_grow(t);
		more->set = t->sets++;
		CHECK(more->set < LINE_MOVED);
	}
	set = set_of(t, more->set);
	if (who & LINE_ALONE) {
		who &= ~LINE_ALONE;
		memset(set, 0, t->words * sizeof(*set));
		set[who / 64] |= UINT64_C(1) << who % 64;
		*port_of(t, more->set, who) = more->busy;
	}
	set[core / 64] |= UINT64_C(1) << core % 64;
	line->who = more->set | LINE_MOVED;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* A load that is no hit: when the core has the line. */
static uint64_t load(struct line_table *t, struct line *line, struct line_more *more, const struct line_ask *ask)
{
	bool near = held(t, line->who & ~LINE_MOVED, ask->core, true);
	uint64_t *port;

	share(t, line, more, ask->core);
	port = port_of(t, more->set, ask->core);
	*port = near ? later(ask->now, *port) + t->costs.within : later(ask->now, more->busy) + t->costs.across;
	more->busy = later(more->busy, *port);
	return *port;
}

static uint64_t store(struct line_table *t, struct line *line, struct line_more *more, const struct line_ask *ask)
{
	bool far = held(t, line->who & ~LINE_MOVED, ask->core, false);

	more->busy = later(ask->now, more->busy) + (far ? t->costs.across : t->costs.within);
	line->who = LINE_ALONE | LINE_MOVED | ask->core;
	line_written(line, ask->pc);
	return more->busy;
}

enum line_event line_take(struct line_table *t, uint64_t number, const struct line_ask *ask, uint64_t *done)
{
	struct line_chunk *chunk = line_chunk_at(t, number);
	struct line *line = &chunk->line[number % LINE_CHUNK_LINES];
	struct line_more *more = &chunk->more[number % LINE_CHUNK_LINES];

	if (line->who == 0) {
		line->who = LINE_ALONE | ask->core;
		line_written(line, ask->pc);
		*done = ask->now + t->costs.cold;
		return LINE_COLD;
	}
	*done = ask->store ? store(t, line, more, ask) : load(t, line, more, ask);
	return ask->store ? LINE_STORED : LINE_LOADED;
}
