/* SPDX-License-Identifier: MIT */
/* hot.c - see hot.h. A hash table of fixed size: pairs of code locations, a few hundred in practice. */
#include <stdlib.h>
#include <string.h>
#include "base/assert.h"
#include "bench/manycore/hot.h"

#define ROOM 16384u

static struct hot table[ROOM];
static size_t used;

void hot_reset(void)
{
	memset(table, 0, sizeof(table));
	used = 0;
}

static struct hot *find(const void *by, const void *from)
{
	uint64_t hash = ((uintptr_t)by * UINT64_C(31) + (uintptr_t)from) * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(hash >> 50) % ROOM;

	while (table[i].by != NULL && (table[i].by != by || table[i].from != from))
		i = (i + 1) % ROOM;
	if (table[i].by == NULL) {
		CHECK(++used < ROOM);
		table[i].by = by;
		table[i].from = from;
	}
	return &table[i];
}

void hot_add(const void *by, const void *from, uintptr_t at, uint64_t took)
{
	struct hot *h = find(by, from);

	h->count++;
	h->took += took;
	h->lines += (h->at ^ at) >> 6 != 0;
	h->at = at;
}

static int by_count(const void *x, const void *y)
{
	const struct hot *a = x, *b = y;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	if (a->by != b->by)
		return (uintptr_t)a->by < (uintptr_t)b->by ? -1 : 1;
	return (uintptr_t)a->from < (uintptr_t)b->from ? -1 : (uintptr_t)a->from > (uintptr_t)b->from;
}

size_t hot_most(struct hot *out, size_t n)
{
	struct hot *all = malloc(ROOM * sizeof(*all));
	size_t found = 0;

	CHECK(all != NULL);
	for (size_t i = 0; i < ROOM; i++)
		if (table[i].by != NULL)
			all[found++] = table[i];
	qsort(all, found, sizeof(*all), by_count);
	n = n < found ? n : found;
	memcpy(out, all, n * sizeof(*all));
	free(all);
	return n;
}
