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

int line_init(struct line_table *t, uint32_t cores, const struct line_costs *costs)
{
	*t = (struct line_table){ .words = (cores + 63) / 64, .sets = 1, .costs = *costs };
	t->directory = reserve(LINE_DIRECTORY * sizeof(*t->directory));
	return t->directory != NULL ? 0 : -ENOMEM;
}

void line_fini(struct line_table *t)
{
	for (uint64_t i = 0; i < LINE_DIRECTORY; i++)
		if (t->directory[i] != NULL)
			munmap(t->directory[i], LINE_CHUNK_LINES * sizeof(struct line));
	munmap(t->directory, LINE_DIRECTORY * sizeof(*t->directory));
	free(t->bits);
}

struct line *line_make_chunk(struct line_table *t, uint64_t number)
{
	struct line *chunk = reserve(LINE_CHUNK_LINES * sizeof(*chunk));

	CHECK(number / LINE_CHUNK_LINES < LINE_DIRECTORY && chunk != NULL);
	t->directory[number / LINE_CHUNK_LINES] = chunk;
	return &chunk[number % LINE_CHUNK_LINES];
}

static uint64_t *set_of(const struct line_table *t, const struct line *line)
{
	return &t->bits[(size_t)line->set * t->words];
}

static void give_set(struct line_table *t, struct line *line)
{
	if (t->sets >= t->sets_room) {
		t->sets_room = t->sets_room ? t->sets_room * 2 : 1024;
		t->bits = realloc(t->bits, (size_t)t->sets_room * t->words * sizeof(*t->bits));
		CHECK(t->bits != NULL);
	}
	line->set = t->sets++;
}

static uint32_t socket_of(const struct line_table *t, uint32_t core)
{
	return core / t->costs.cores_per_socket;
}

/* Some holder but `core` itself sits in the socket of `core` (here), or in another one. */
static bool held(const struct line_table *t, const struct line *line, uint32_t core, bool here)
{
	const uint64_t *set = set_of(t, line);

	if (line->holders == 1)
		return line->owner != core && (socket_of(t, line->owner) == socket_of(t, core)) == here;
	for (uint32_t word = 0; word < t->words; word++)
		for (uint64_t bits = set[word]; bits != 0; bits &= bits - 1) {
			uint32_t holder = word * 64 + (uint32_t)__builtin_ctzll(bits);

			if (holder != core && (socket_of(t, holder) == socket_of(t, core)) == here)
				return true;
		}
	return false;
}

/* `core` joins those who hold it. */
static void share(struct line_table *t, struct line *line, uint32_t core)
{
	uint64_t *set;

	if (line->set == 0)
		give_set(t, line);
	set = set_of(t, line);
	if (line->holders == 1) {
		memset(set, 0, t->words * sizeof(*set));
		set[line->owner / 64] |= UINT64_C(1) << line->owner % 64;
	}
	set[core / 64] |= UINT64_C(1) << core % 64;
	line->holders++;
}

static void own(struct line *line, uint32_t core, const void *pc)
{
	line->owner = (uint16_t)core;
	line->holders = 1;
	line->writer = pc;
}

enum line_event line_take(struct line_table *t, struct line *line, const struct line_ask *ask, uint64_t *done)
{
	uint64_t begun = ask->now > line->busy ? ask->now : line->busy;
	bool far;

	if (line->holders == 0) {
		own(line, ask->core, ask->pc);
		*done = begun + t->costs.cold;
		return LINE_COLD;
	}
	far = ask->store ? held(t, line, ask->core, false) : !held(t, line, ask->core, true);
	*done = line->busy = begun + (far ? t->costs.across : t->costs.within);
	if (ask->store)
		own(line, ask->core, ask->pc);
	else
		share(t, line, ask->core);
	return ask->store ? LINE_STORED : LINE_LOADED;
}
